"""Schedulers of one cluster beside an embedded Mesos: each can be killed, paused and started
again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.end_to_end.stand import (
    BIN,
    Daemon,
    etcd_binary,
    etcd_process,
    executor_process,
    get,
    local,
    stats,
    until,
)
from tests.real_etcd import free_port

VERSION = "3.5.30"


@define(eq=False)
class Scheduler:
    """One scheduler process, and how to ask it."""

    daemon: Daemon
    admin: str

    def kill(self) -> None:
        self.daemon.end(signal.SIGKILL)

    def signal(self, number: int) -> None:
        self.daemon.process.send_signal(number)

    def stats(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return stats(self.admin)
        return {"phase": "", "why": "", "role": "", "members": [], "epoch": 0}

    def ended(self) -> int:
        """Its exit status, once it has ended by itself."""
        self.daemon.read_to_the_end()
        return self.daemon.process.wait(10)


@define(eq=False)
class Stand:
    """A Mesos, and the schedulers started on it."""

    folder: Path
    master: str
    control: str
    artifact_port: int = field(factory=free_port)
    started: list[Scheduler] = field(factory=list)

    @property
    def file(self) -> Path:
        """Where the record is kept, unless a scheduler is told otherwise."""
        return self.folder / "record" / "etcd-mycluster" / "record.json"

    def record(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads(self.file.read_text())["record"]
        return stored

    def scheduler(
        self, *flags: str, artifact_port: int | None = None, prefix: tuple[str, ...] = ()
    ) -> Scheduler:
        """Another scheduler of the cluster; `flags` come last."""
        admin = free_port()
        daemon = Daemon(
            "etcd-mesos-scheduler",
            f"-master={self.master}",
            "-cluster-name=mycluster",
            f"-executor-bin={BIN / 'etcd-mesos-executor'}",
            f"-etcd-bin={etcd_binary(VERSION)}",
            f"-admin-port={admin}",
            f"-artifact-port={self.artifact_port if artifact_port is None else artifact_port}",
            f"-zk-framework-persist=file://{self.folder}/record",
            "-probe-interval-seconds=0.5",
            "-member-timeout=6",
            *flags,
            prefix=prefix,
        )
        made = Scheduler(daemon, f"127.0.0.1:{admin}")
        self.started.append(made)
        return made

    def etcds(self, *names: str) -> dict[str, int]:
        """The pids of these members' etcds."""
        return {name: etcd_process(self.folder, name) for name in names}

    def end_member(self, name: str) -> None:
        os.kill(executor_process(self.folder, name), signal.SIGKILL)

    def frameworks(self, kind: str = "frameworks") -> list[str]:
        return [f["id"] for f in json.loads(get(self.master, "/state")[1])[kind]]


def names(scheduler: Scheduler) -> list[str]:
    return [member["name"] for member in scheduler.stats()["members"]]


def healthy(scheduler: Scheduler) -> dict[str, Any]:
    """Its /stats once the cluster is healthy."""
    until(lambda: scheduler.stats()["phase"] == "healthy", "healthy", pause=0.05)
    return scheduler.stats()


def seen(condition: Callable[[], bool], what: str) -> None:
    """Waits for something that passes in milliseconds."""
    deadline = time.monotonic() + 60
    while True:
        with suppress(OSError, ValueError):
            if condition():
                return
        assert time.monotonic() < deadline, what


def listed(stand: Stand, scheduler: Scheduler) -> list[str]:
    """The names that etcd lists as voters, sorted."""
    endpoints = ",".join(m["clientURL"] for m in scheduler.stats()["members"])
    etcdctl = str(etcd_binary(VERSION, "etcdctl"))
    command = [etcdctl, f"--endpoints={endpoints}", "member", "list", "-w=json"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    return sorted(m["name"] for m in json.loads(said)["members"] if not m.get("isLearner"))


@contextmanager
def stand(folder: Path, *flags: str) -> Iterator[Stand]:
    """`flags` are for etcd-mesos-local, and come last."""
    with local(folder, "-mesos-only", "-agents=5", *flags) as mesos:
        master = mesos.wait_for("Mesos master: http://").split(" ")[0]
        control = mesos.wait_for("control of the embedded Mesos: http://")
        made = Stand(folder, master, control)
        try:
            yield made
        finally:
            for scheduler in made.started:
                # Shown only for a test that fails.
                print(f"{scheduler.admin} said:", *scheduler.daemon.drain()[-100:], sep="\n")
                if scheduler.daemon.process.poll() is None:
                    scheduler.signal(signal.SIGCONT)
                    scheduler.kill()
