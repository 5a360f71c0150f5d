"""What the benchmarks share: bare etcd, a trivial task, the scheduler's daemon, and a table.

Nothing here says what is fast: every figure is printed beside a floor of the same run.
"""

from __future__ import annotations

import functools
import http.client
import json
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from etcdmesos.embedded import EmbeddedMesos
from etcdmesos.mesos.recordio import Decoder

PROJECT = Path(__file__).resolve().parent.parent
LIMIT = 60.0
"""Seconds after which a measurement is given up."""
POLL = 0.01


def print_table(title: str, columns: Iterable[str], rows: list[tuple[float, ...]]) -> None:
    """Minimum, median and maximum of each column.

    The last two columns of `rows` are ours and the floor; their ratio, row by row, comes last.
    """
    print(title)
    print(" " * 8 + "".join(f"{column:>12}" for column in (*columns, "ratio")))
    for name, pick in (("min", min), ("median", statistics.median), ("max", max)):
        figures = [pick(column) for column in zip(*rows, strict=True)]
        ratio = pick([row[-2] / row[-1] for row in rows])
        print(f"{name:8}" + "".join(f"{f:11.3f}s" for f in figures) + f"{ratio:12.2f}")


def version(etcd: Path) -> str:
    """The first line of `etcd --version`."""
    output = subprocess.run([etcd, "--version"], capture_output=True, text=True, check=True)
    return output.stdout.splitlines()[0]


@frozen
class BareMember:
    """One etcd process, started by no controller."""

    name: str
    peer: int
    client: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def start_bare(
    etcd: Path, folder: Path, name: str, ports: tuple[int, int], cluster: str, state: str = "new"
) -> BareMember:
    """Start one member on 127.0.0.1; `ports` are for peers and clients."""
    peer, client = ports
    command = [
        str(etcd),
        f"--name={name}",
        f"--data-dir={folder}/{name}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--initial-cluster={cluster}",
        f"--initial-cluster-state={state}",
    ]
    null = subprocess.DEVNULL
    return BareMember(name, peer, client, subprocess.Popen(command, stdout=null, stderr=null))


def start_bare_cluster(etcd: Path, size: int, folder: Path) -> list[BareMember]:
    """`size` new members, m0 and following, once /health of each is true."""
    ports = [(free_port(), free_port()) for _ in range(size)]
    cluster = ",".join(f"m{i}=http://127.0.0.1:{peer}" for i, (peer, _) in enumerate(ports))
    members = [start_bare(etcd, folder, f"m{i}", p, cluster) for i, p in enumerate(ports)]
    for member in members:
        until(functools.partial(_serves, member), "bare etcd")
    return members


def _serves(member: BareMember) -> bool:
    return get(member.client, "/health").get("health") == "true"


def trivial_task(mesos: EmbeddedMesos) -> float:
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


@contextmanager
def scheduler(
    mesos: EmbeddedMesos, etcd: Path, size: int, folder: Path, *flags: str
) -> Iterator[int]:
    """The scheduler's daemon; gives the port of its admin interface at once."""
    admin = free_port()
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
        *flags,
    ]
    with (folder / "scheduler.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield admin
        finally:
            process.terminate()
            process.wait(20)


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for `condition`, asked a hundred times a second."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {what} did not come up within {LIMIT:g} s")
        time.sleep(POLL)


def get(port: int, path: str) -> dict[str, Any]:
    """The JSON at that path of 127.0.0.1; empty while there is none."""
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


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
