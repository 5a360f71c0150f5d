"""Time from scheduler start to a healthy cluster, beside its floor measured in the same run.

    python bench/start.py [-size 3] [-runs 5] ETCD [ETCD ...]

The floor is the least that any framework needs: the same number of bare etcd processes, started by
a script, until every one of them serves; plus what the same Mesos takes to bring a trivial command
task from its offer to TASK_RUNNING.  The three are measured in turn, run by run, on one machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from etcdmesos.embedded import EmbeddedMesos, running
from etcdmesos.mesos.recordio import Decoder

PROJECT = Path(__file__).resolve().parent.parent
LIMIT = 60.0
"""Seconds after which a measurement is given up."""
POLL = 0.01


def main() -> None:
    """Measure and print a table; exit status 1 when a measurement does not come to its end."""
    parser = argparse.ArgumentParser(description="time from scheduler start to healthy")
    parser.add_argument("-size", type=int, default=3)
    parser.add_argument("-runs", type=int, default=5)
    parser.add_argument("etcd", nargs="+", type=Path)
    options = parser.parse_args()
    titles = ("bare etcd", "task", "floor", "healthy", "ratio")
    print(f"{'etcd':28} {'':8} " + " ".join(f"{title:>9}" for title in titles))
    for etcd in options.etcd:
        rows = [_measure(etcd.resolve(), options.size) for _ in range(options.runs)]
        for name, pick in (("min", min), ("median", statistics.median), ("max", max)):
            bare, task, healthy = (pick(column) for column in zip(*rows, strict=True))
            ratio = pick([h / (b + t) for b, t, h in rows])
            print(
                f"{_version(etcd):28} {name:8} {bare:8.2f}s {task:8.3f}s {bare + task:8.2f}s "
                f"{healthy:8.2f}s {ratio:9.2f}"
            )


def _version(etcd: Path) -> str:
    output = subprocess.run([etcd, "--version"], capture_output=True, text=True, check=True)
    return output.stdout.splitlines()[0]


def _measure(etcd: Path, size: int) -> tuple[float, float, float]:
    """Seconds of (bare etcd, trivial task, scheduler to healthy)."""
    with tempfile.TemporaryDirectory(prefix="etcd-mesos-bench-") as folder:
        bare = _bare_etcd(etcd, size, Path(folder))
        with running(Path(folder) / "mesos", master_port=0, agent_port=0, agents=size) as mesos:
            return bare, _trivial_task(mesos), _scheduler(mesos, etcd, size, Path(folder))


def _bare_etcd(etcd: Path, size: int, folder: Path) -> float:
    """Start `size` new members; until /health of each is true."""
    ports = [(_free_port(), _free_port()) for _ in range(size)]
    cluster = ",".join(f"m{i}=http://127.0.0.1:{peer}" for i, (peer, _) in enumerate(ports))
    began = time.monotonic()
    processes = []
    for index, (peer, client) in enumerate(ports):
        command = [
            str(etcd),
            f"--name=m{index}",
            f"--data-dir={folder}/m{index}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--initial-cluster={cluster}",
        ]
        processes.append(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
    try:
        for _, client in ports:
            _until(lambda port=client: _get(port, "/health").get("health") == "true", "bare etcd")
        return time.monotonic() - began
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _trivial_task(mesos: EmbeddedMesos) -> float:
    """From the moment an offer arrives until a `sleep` launched on it is TASK_RUNNING."""
    host, port = mesos.master.split(":")
    info = {"user": "root", "name": "bench", "checkpoint": True}
    connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT)
    subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connection.request("POST", "/api/v1/scheduler", json.dumps(subscribe), headers)
    answer = connection.getresponse()
    headers["Mesos-Stream-Id"] = answer.headers["Mesos-Stream-Id"]
    framework: dict[str, str] = {}
    began = 0.0
    for event in _events(answer):
        if event["type"] == "SUBSCRIBED":
            framework = event["subscribed"]["framework_id"]
        elif event["type"] == "OFFERS" and not began:
            began = time.monotonic()
            _call(mesos, headers, _launch(framework, event["offers"]["offers"][0]))
        elif event["type"] == "UPDATE":
            status = event["update"]["status"]
            if status["state"] == "TASK_RUNNING":
                taken = time.monotonic() - began
                _call(mesos, headers, {"type": "TEARDOWN", "framework_id": framework})
                connection.close()
                return taken
            acknowledge = {k: status[k] for k in ("agent_id", "task_id", "uuid")}
            call = {"type": "ACKNOWLEDGE", "framework_id": framework, "acknowledge": acknowledge}
            _call(mesos, headers, call)
    raise SystemExit("bench: the trivial task did not run")


def _launch(framework: dict[str, str], offer: dict[str, Any]) -> dict[str, Any]:
    task = {
        "name": "trivial",
        "task_id": {"value": "trivial"},
        "agent_id": offer["agent_id"],
        "command": {"value": "exec sleep 60"},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
        ],
    }
    operation = {"type": "LAUNCH", "launch": {"task_infos": [task]}}
    accept = {"offer_ids": [offer["id"]], "operations": [operation]}
    return {"type": "ACCEPT", "framework_id": framework, "accept": accept}


def _scheduler(mesos: EmbeddedMesos, etcd: Path, size: int, folder: Path) -> float:
    """From the start of the scheduler's process until its /stats says healthy."""
    admin = _free_port()
    command = [
        str(PROJECT / "bin" / "etcd-mesos-scheduler"),
        f"-master={mesos.master}",
        f"-cluster-size={size}",
        "-cluster-name=bench",
        f"-executor-bin={PROJECT}/bin/etcd-mesos-executor",
        f"-etcd-bin={etcd}",
        f"-admin-port={admin}",
        "-artifact-port=0",
        f"-zk-framework-persist=file://{folder}/record",
    ]
    began = time.monotonic()
    with (folder / "scheduler.log").open("wb") as output, _process(command, output):
        _until(lambda: _get(admin, "/stats").get("phase") == "healthy", "the scheduler")
        return time.monotonic() - began


@contextmanager
def _process(command: list[str], output: Any) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {what} did not come up within {LIMIT:g} s")
        time.sleep(POLL)


def _get(port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        body: dict[str, Any] = json.load(connection.getresponse())
        return body
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()


def _events(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    decoder = Decoder()
    while block := answer.read1(65536):
        for record in decoder.feed(block):
            yield json.loads(record)


def _call(mesos: EmbeddedMesos, headers: dict[str, str], body: dict[str, Any]) -> None:
    host, port = mesos.master.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT)
    connection.request("POST", "/api/v1/scheduler", json.dumps(body), headers)
    connection.getresponse().read()
    connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    if shutil.which("etcd-mesos-scheduler", path=str(PROJECT / "bin")) is None:
        sys.exit("bench: bin/etcd-mesos-scheduler is missing: run make first")
    main()
