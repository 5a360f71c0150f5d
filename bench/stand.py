"""What the benchmarks share: bare etcd, a trivial task, the scheduler's daemon, and a table.

Nothing here says what is fast: every figure is printed beside a floor of the same run.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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
BARE, ADMIN = 900, 990
"""Within the block of ports of a run: those of bare members, and of the scheduler."""


def measure(
    description: str,
    title: Callable[[int], str],
    columns: Iterable[str],
    row: Callable[[Path, int, int], tuple[float, ...]],
    arguments: Sequence[str] | None = None,
) -> None:
    """A benchmark's command line: a table for each etcd named on it.

    `row(etcd, size, block)` is one run, on the block of ports from `block`; `title(size)` says
    what is measured.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-size", type=int, default=3)
    parser.add_argument("-runs", type=int, default=5)
    parser.add_argument("etcd", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    for etcd in options.etcd:
        with block_of_ports() as block:
            rows = [row(etcd.resolve(), options.size, block) for _ in range(options.runs)]
        print_table(f"{title(options.size)}, {version(etcd)}", columns, rows)


def print_table(
    title: str, columns: Iterable[str], rows: list[tuple[float, ...]], unit: str = "s"
) -> None:
    """Minimum, median and maximum of each column.

    The last two columns of `rows` are ours and the floor; their ratio, row by row, comes last.
    """
    print(title)
    print(" " * 8 + "".join(f"{column:>12}" for column in (*columns, "ratio")))
    for name, pick in (("min", min), ("median", statistics.median), ("max", max)):
        figures = [pick(column) for column in zip(*rows, strict=True)]
        ratio = pick([row[-2] / row[-1] for row in rows])
        shown = "".join(f"{figure:{12 - len(unit)}.3f}{unit}" for figure in figures)
        print(f"{name:8}{shown}{ratio:12.2f}")


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


def start_bare_cluster(etcd: Path, size: int, folder: Path, block: int) -> list[BareMember]:
    """`size` new members, m0 and following, once /health of each is true.

    Each is started as soon as the one before answers its peers.  A new member asks every other that
    listens, for up to a second each, before it answers itself: started at the very same moment
    they would wait for each other, for one second or two, by chance.
    """
    ports = [bare_ports(block, number) for number in range(size)]
    cluster = ",".join(f"m{i}=http://127.0.0.1:{peer}" for i, (peer, _) in enumerate(ports))
    members = []
    for number, pair in enumerate(ports):
        members.append(start_bare(etcd, folder, f"m{number}", pair, cluster))
        until(functools.partial(_answers_peers, members[-1]), "bare etcd")
    for member in members:
        until(functools.partial(_serves, member), "bare etcd")
    return members


def bare_ports(block: int, number: int) -> tuple[int, int]:
    """Of bare member `number`, for peers and clients."""
    return block + BARE + 2 * number, block + BARE + 2 * number + 1


def _answers_peers(member: BareMember) -> bool:
    return bool(get(member.peer, "/members"))


def _serves(member: BareMember) -> bool:
    return bool(get(member.client, "/health").get("health") == "true")


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
    mesos: EmbeddedMesos, etcd: Path, size: int, folder: Path, block: int, *flags: str
) -> Iterator[int]:
    """The scheduler's daemon; gives the port of its admin interface at once."""
    admin = block + ADMIN
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


def executor_of(sandbox: str) -> int:
    """The pid of the executor whose sandbox that is."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            if os.readlink(entry / "cwd") == sandbox and b"-etcd-bin=./etcd" in command:
                return int(entry.name)
        except OSError:
            continue
    raise SystemExit(f"bench: no executor in {sandbox}")


def until(condition: Callable[[], Any], what: str, pause: float = POLL) -> None:
    """Wait for `condition`, asked every `pause` seconds."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {what} did not come up within {LIMIT:g} s")
        time.sleep(pause)


def get(port: int, path: str) -> Any:
    """The JSON at that path of 127.0.0.1; an empty object while there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return json.load(connection.getresponse())
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


@contextmanager
def block_of_ports() -> Iterator[int]:
    """The first of 1,000 ports, below those the kernel gives out, that are this run's alone.

    Taken as the end-to-end tests take theirs, so both may run at once: by binding the first, on an
    address that no agent has.  Agents offer its hundreds; the rest is said above.
    """
    for first in random.sample(range(20000, 32000, 1000), 12):
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.10", first))
            except OSError:
                continue
            yield first
            return
    raise SystemExit("bench: no block of ports is free")
