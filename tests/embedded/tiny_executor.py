"""A custom executor for the tests, standard library only: does what its tasks' data says.

The data of a task is JSON: {"steps": [...]}. Steps are task states, "sleep:S", "exit:N",
"signal:N", "child" (leaves a process behind), "message:TEXT". Environment: TINY_MODE
`silent` never subscribes, `exitN` exits at once, `stubborn` ignores KILL and SHUTDOWN,
`once` does not subscribe again. What it sees is logged to `events.log` in its sandbox.
"""

import base64
import http.client
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from typing import Any

Json = dict[str, Any]

HOST, PORT = os.environ["MESOS_AGENT_ENDPOINT"].split(":")
WHO = {
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
}
MODE = os.environ.get("TINY_MODE", "")
UNACKNOWLEDGED: dict[str, Json] = {}
TASKS: dict[str, Json] = {}
SENDING: queue.Queue[Json] = queue.Queue()


def log(value: Json) -> None:
    with open("events.log", "a") as file:
        file.write(json.dumps(value) + "\n")


def post(call: Json) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(HOST, int(PORT), timeout=60)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connection.request("POST", "/api/v1/executor", json.dumps({**WHO, **call}), headers)
    return connection, connection.getresponse()


def send_forever() -> None:
    while True:
        call = SENDING.get()
        while True:
            try:
                connection, answer = post(call)
                answer.read()
                connection.close()
                if answer.status != 503:
                    break
            except OSError:
                pass
            time.sleep(0.05)
        log({"sent": call["type"], "status": answer.status})


def update(task_id: str, state: str, message: str | None = None) -> None:
    number = base64.b64encode(uuid.uuid4().bytes).decode()
    status: Json = {
        "task_id": {"value": task_id},
        "state": state,
        "uuid": number,
        "source": "SOURCE_EXECUTOR",
        "timestamp": time.time(),
        "executor_id": WHO["executor_id"],
    }
    if message:
        status["message"] = message
    UNACKNOWLEDGED[number] = status
    SENDING.put({"type": "UPDATE", "update": {"status": status}})


def run(task: Json) -> None:
    task_id = task["task_id"]["value"]
    for step in json.loads(base64.b64decode(task.get("data", "e30=")) or "{}").get("steps", []):
        name, _, rest = step.partition(":")
        if name.startswith("TASK_"):
            update(task_id, name)
        elif name == "sleep":
            time.sleep(float(rest))
        elif name == "message":
            data = base64.b64encode(rest.encode()).decode()
            SENDING.put({"type": "MESSAGE", "message": {"data": data}})
        elif name == "child":
            child = subprocess.Popen(["sleep", "600"])
            log({"child": child.pid})
        elif name == "exit":
            while UNACKNOWLEDGED:
                time.sleep(0.005)
            os._exit(int(rest))
        elif name == "signal":
            while UNACKNOWLEDGED:
                time.sleep(0.005)
            os.kill(os.getpid(), int(rest))


def take(event: Json) -> None:
    log(event)
    if event["type"] == "LAUNCH":
        task = event["launch"]["task"]
        TASKS[task["task_id"]["value"]] = task
        threading.Thread(target=run, args=(task,), daemon=True).start()
    elif event["type"] == "ACKNOWLEDGED":
        UNACKNOWLEDGED.pop(event["acknowledged"]["uuid"], None)
        TASKS.pop(event["acknowledged"]["task_id"]["value"], None)
    elif event["type"] == "KILL" and MODE != "stubborn":
        update(event["kill"]["task_id"]["value"], "TASK_KILLED", "by request")
    elif event["type"] == "SHUTDOWN" and MODE != "stubborn":
        sys.exit(0)
    elif event["type"] == "MESSAGE":
        SENDING.put({"type": "MESSAGE", "message": event["message"]})


def listen() -> None:
    tasks = list(TASKS.values())
    updates = [{"status": status} for status in UNACKNOWLEDGED.values()]
    body = {"unacknowledged_tasks": tasks, "unacknowledged_updates": updates}
    _connection, answer = post({"type": "SUBSCRIBE", "subscribe": body})
    log({"subscribe": answer.status})
    while answer.status == 200:
        digits = b""
        while not digits.endswith(b"\n"):
            byte = answer.read(1)
            if not byte:
                return
            digits += byte
        take(json.loads(answer.read(int(digits))))


def main() -> None:
    log({"environment": dict(os.environ), "cwd": os.getcwd(), "pid": os.getpid()})
    if MODE == "silent":
        time.sleep(600)
    if MODE.startswith("exit"):
        sys.exit(int(MODE[4:]))
    threading.Thread(target=send_forever, daemon=True).start()
    while True:
        try:
            listen()
        except (OSError, http.client.HTTPException) as error:
            log({"stream": repr(error)})
        if MODE == "once":
            time.sleep(600)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
