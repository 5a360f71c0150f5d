"""A scheduler for the tests: one subscription over a raw HTTP connection, events awaited."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from etcdmesos.mesos import recordio

Json = dict[str, Any]

TINY_EXECUTOR = Path(__file__).with_name("tiny_executor.py")
CAPABILITIES = ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE")
WAIT_SECONDS = 60.0


def request(
    address: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own: status, headers (lower case), body."""
    connection = http.client.HTTPConnection(address, timeout=WAIT_SECONDS)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        heads = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, heads, answer.read()
    finally:
        connection.close()


def get_json(address: str, path: str) -> Any:
    """The JSON at a path."""
    status, _, body = request(address, "GET", path)
    assert status == 200, (path, status, body)
    return json.loads(body)


def post_json(address: str, path: str, value: Any) -> tuple[int, bytes]:
    """POST JSON: status and body."""
    body = json.dumps(value).encode()
    status, _, answer = request(
        address, "POST", path, body, Content_Type="application/json", Accept="application/json"
    )
    return status, answer


def control(mesos: Any, path: str, **body: Any) -> Json:
    """A control call that must succeed."""
    address = mesos.control.removeprefix("http://")
    status, answer = post_json(address, f"/control/{path}", body)
    assert status == 200, (path, status, answer)
    result: Json = json.loads(answer)
    return result


class Scheduler:
    """Subscribes on entry; collects events in a thread; acknowledges updates unless told not to."""

    def __init__(self, master: str, *, acknowledging: bool = True, **info: Any) -> None:
        self.master = master
        self.acknowledging = acknowledging
        self.info: Json = {
            "user": "root",
            "name": "test",
            "failover_timeout": 60.0,
            "checkpoint": True,
            "roles": ["*"],
            "capabilities": [{"type": name} for name in CAPABILITIES],
            **info,
        }
        self.info = {name: value for name, value in self.info.items() if value is not None}
        self.events: list[Json] = []
        self.times: list[float] = []
        self.ended = ""
        self.stream_id = ""
        self.framework_id = ""
        self.suppressed: list[str] | None = None
        self._changed = threading.Condition()
        self._taken_offers: set[str] = set()

    def __enter__(self) -> Scheduler:
        self.subscribe()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disconnect()

    def subscribe(self) -> None:
        """Subscribe, again with the same id if there is one."""
        if self.stream_id:
            self.disconnect()
        self.ended = ""
        subscribe: Json = {"framework_info": self.info}
        call: Json = {"type": "SUBSCRIBE", "subscribe": subscribe}
        if self.framework_id:
            self.info["id"] = call["framework_id"] = {"value": self.framework_id}
        if self.suppressed is not None:
            subscribe["suppressed_roles"] = self.suppressed
        self._connection = http.client.HTTPConnection(self.master, timeout=60)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._connection.request("POST", "/api/v1/scheduler", json.dumps(call), headers)
        self._socket = self._connection.sock
        answer = self._connection.getresponse()
        assert answer.status == 200, (answer.status, answer.read())
        self._answer = answer
        self.stream_id = answer.headers["Mesos-Stream-Id"]
        known = len(self.events)
        self._thread = threading.Thread(target=self._read, args=(answer,), daemon=True)
        self._thread.start()
        event = self.wait(lambda one: one["type"] in ("SUBSCRIBED", "ERROR"), since=known)
        if event["type"] == "SUBSCRIBED":
            self.framework_id = event["subscribed"]["framework_id"]["value"]

    def _read(self, answer: http.client.HTTPResponse) -> None:
        decoder = recordio.Decoder()
        end = "last chunk"
        try:
            while data := answer.read1(65536):
                for record in decoder.feed(data):
                    self._take(json.loads(record))
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            end = f"EOF {type(error).__name__}"
        with self._changed:
            self.ended = end
            self._changed.notify_all()

    def _take(self, event: Json) -> None:
        """Acknowledged first: who has waited for an update may rely on it not to be sent again."""
        try:
            if event["type"] == "UPDATE" and self.acknowledging:
                self.acknowledge(event["update"]["status"])
        finally:
            with self._changed:
                self.events.append(event)
                self.times.append(time.monotonic())
                self._changed.notify_all()

    def disconnect(self) -> None:
        """Close the stream without a word."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(2)
        self._thread.join()
        self._answer.close()
        self._socket.close()
        self._connection.close()

    def call(self, kind: str, **body: Any) -> tuple[int, bytes]:
        """A call on this subscription: status and text."""
        call: Json = {"type": kind, "framework_id": {"value": self.framework_id}}
        if body:
            call[kind.lower()] = body
        data = json.dumps(call).encode()
        status, _, answer = request(
            self.master,
            "POST",
            "/api/v1/scheduler",
            data,
            Content_Type="application/json",
            Accept="application/json",
            Mesos_Stream_Id=self.stream_id,
        )
        return status, answer

    def acknowledge(self, status: Json) -> None:
        """Acknowledge an update that has a uuid."""
        if "uuid" in status:
            self.call(
                "ACKNOWLEDGE",
                agent_id=status["agent_id"],
                task_id=status["task_id"],
                uuid=status["uuid"],
            )

    def wait(
        self, matches: Callable[[Json], bool], since: int = 0, seconds: float = WAIT_SECONDS
    ) -> Json:
        """The first event from index `since` on that matches."""
        position = since
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                while position < len(self.events):
                    event = self.events[position]
                    position += 1
                    if matches(event):
                        return event
                left = deadline - time.monotonic()
                if left <= 0 or (self.ended and position >= len(self.events)):
                    kinds = [one["type"] for one in self.events[since:]]
                    raise AssertionError(f"no such event; there were {kinds}, {self.ended}")
                self._changed.wait(left)

    def wait_end(self) -> str:
        """How the stream ended."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended, WAIT_SECONDS), "still open"
        return self.ended

    def offer(self, agent: str | None = None) -> Json:
        """An offer nobody used yet, perhaps of a given host."""

        def fresh(one: Json) -> Json | None:
            rescinded = {
                e["rescind"]["offer_id"]["value"] for e in self.events if e["type"] == "RESCIND"
            }
            for offer in one["offers"]["offers"] if one["type"] == "OFFERS" else []:
                used = offer["id"]["value"] in self._taken_offers | rescinded
                if not used and agent in (None, offer["hostname"]):
                    found: Json = offer
                    return found
            return None

        event = self.wait(lambda one: fresh(one) is not None)
        offer = fresh(event)
        assert offer is not None
        self._taken_offers.add(offer["id"]["value"])
        return offer

    def accept(self, offer: Json | list[Json], *tasks: Json, refuse: float = 1) -> None:
        """Launch tasks on offers."""
        offers = offer if isinstance(offer, list) else [offer]
        launch = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
        status, answer = self.call(
            "ACCEPT",
            offer_ids=[one["id"] for one in offers],
            operations=[launch],
            filters={"refuse_seconds": refuse},
        )
        assert status == 202, answer

    def update(self, task_id: str, state: str | None = None, since: int = 0) -> Json:
        """The first update of a task, perhaps with a given state."""

        def matches(one: Json) -> bool:
            if one["type"] != "UPDATE":
                return False
            status = one["update"]["status"]
            known = status["task_id"]["value"] == task_id
            return bool(known and state in (None, status["state"]))

        status: Json = self.wait(matches, since)["update"]["status"]
        return status

    def failure(self, executor_id: str) -> Json:
        """The FAILURE of an executor."""

        def matches(one: Json) -> bool:
            named = one.get("failure", {}).get("executor_id", {}).get("value")
            return one["type"] == "FAILURE" and bool(named == executor_id)

        failure: Json = self.wait(matches)["failure"]
        return failure

    def types(self, since: int = 0) -> list[str]:
        """The types of the events, in order."""
        return [event["type"] for event in self.events[since:]]


def scalar(name: str, value: float) -> Json:
    """A scalar resource."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def command_task(task_id: str, offer: Json, command: str, **more: Any) -> Json:
    """A plain command task."""
    return {
        "name": task_id,
        "task_id": {"value": task_id},
        "agent_id": offer["agent_id"],
        "command": {"value": command, "shell": True},
        "resources": [scalar("cpus", 0.1), scalar("mem", 32)],
        **more,
    }


def executor_info(executor_id: str, mode: str = "", **more: Any) -> Json:
    """The tiny executor, fetched from where it lies."""
    variables = [{"name": "TINY_MODE", "type": "VALUE", "value": mode}]
    uri = {"value": str(TINY_EXECUTOR), "executable": True, "extract": False}
    return {
        "type": "CUSTOM",
        "executor_id": {"value": executor_id},
        "name": f"name of {executor_id}",
        "source": "tests",
        "command": {
            "value": f"exec {sys.executable} -S ./tiny_executor.py",
            "uris": [uri],
            "environment": {"variables": variables},
        },
        "resources": [scalar("cpus", 0.1), scalar("mem", 32)],
        **more,
    }


def custom_task(task_id: str, offer: Json, executor: Json, *steps: str, **more: Any) -> Json:
    """A task of the tiny executor."""
    data = base64.b64encode(json.dumps({"steps": steps}).encode()).decode()
    task = command_task(task_id, offer, "", data=data, executor=executor, **more)
    del task["command"]
    return task
