"""Schedulers of one cluster beside an embedded Mesos: each can be killed, paused and started
again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.end_to_end import diagnosis
from tests.end_to_end.stand import (
    BIN,
    LIMIT,
    Daemon,
    etcd_binary,
    etcd_process,
    executor_process,
    get,
    local,
    stats,
    until,
)
from tests.free_ports import free_port

VERSION = "3.5.30"
PATIENT = ("--dial-timeout=30s", "--command-timeout=30s")
"""For etcdctl, which else gives up after 5 s."""


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
        """Raises OSError while it does not answer, which `until` waits for."""
        return stats(self.admin)

    def ended(self) -> int:
        """Its exit status, once it has ended by itself."""
        self.daemon.read_to_the_end()
        return self.daemon.process.wait(LIMIT)


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

    def said() -> dict[str, Any]:
        now = scheduler.stats()
        return now if now["phase"] == "healthy" else {}

    found: dict[str, Any] = until(said, "healthy", pause=0.05)
    return found


def seen(condition: Callable[[], bool], what: str) -> None:
    """Waits for something that passes in milliseconds."""
    until(condition, what, pause=0.0)


def caught(stand: Stand, lost: str, moment: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether the record was seen at that moment of the replacement of `lost`, before it was over.

    Such a moment may last milliseconds, in which this process need not get to run.
    """

    def now() -> str:
        record = stand.record()
        if moment(record):
            return "caught"
        steps = {member["name"]: member["step"] for member in record["members"]}
        whole = len(steps) == record["target_size"] and set(steps.values()) == {"voter"}
        return "missed" if whole and lost not in steps else ""

    return bool(until(now, f"{lost} is being replaced", pause=0.0) == "caught")


def listed(stand: Stand, scheduler: Scheduler) -> list[str]:
    """The names that etcd lists as voters, sorted."""
    endpoints = ",".join(m["clientURL"] for m in scheduler.stats()["members"])
    etcdctl = str(etcd_binary(VERSION, "etcdctl"))
    command = [etcdctl, f"--endpoints={endpoints}", *PATIENT, "member", "list", "-w=json"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True).stdout
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
        except BaseException:
            diagnosis.tell([scheduler.daemon for scheduler in made.started])
            raise
        finally:
            for scheduler in made.started:
                if scheduler.daemon.process.poll() is None:
                    scheduler.signal(signal.SIGCONT)
                    scheduler.kill()
