"""A cluster whose quorum can be taken away, and what is left of what its members acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.end_to_end.acknowledged import Writer, loss, put
from tests.end_to_end.schedulers import VERSION, Scheduler, Stand, healthy, stand
from tests.end_to_end.stand import etcd_binary, etcd_process, executor_process, until

TIMEOUT = 5.0
"""-reseed-timeout of every scheduler here: the least that is taken."""


QUICK_TO_LOSE = ("-agent-ping-timeout-seconds=0.5",)
"""Mesos gives up an agent that it does not hear for five times as long."""


@define(eq=False)
class Cluster:
    """A cluster that was healthy, and what was acknowledged by it."""

    stand: Stand
    scheduler: Scheduler
    version: str
    flags: tuple[str, ...]
    generation: int = 1
    """Of the cluster that was healthy first."""
    urls: Mapping[str, str] = field(factory=dict)
    """Where clients reached each of its members."""
    writers: list[Writer] = field(factory=list)

    # What it says

    def stats(self) -> dict[str, Any]:
        return self.scheduler.stats()

    def why(self) -> str:
        return str(self.stats()["why"])

    def stage(self) -> str:
        """Of the attempt on record; "" while there is none."""
        reseed = self.stand.record()["reseed"]
        return "" if reseed is None else str(reseed["stage"])

    def members(self) -> dict[str, dict[str, Any]]:
        return {member["name"]: member for member in self.stats()["members"]}

    def sandbox(self, name: str) -> Path:
        """That of the member's executor."""
        pid = executor_process(self.stand.folder, name)
        return Path(os.readlink(f"/proc/{pid}/cwd"))

    # What is done to it

    def writing(self, *members: str, name: str = "writer") -> Writer:
        """Writes through these members (through all of them, if none is named) while in use."""
        made = Writer([self.urls[one] for one in members or self.urls], name)
        self.writers.append(made)
        return made

    def kill(self, *members: str) -> None:
        """kill -9 of their executors, all at once; their etcds end with them."""
        pids = [executor_process(self.stand.folder, name) for name in members]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def kill_etcds(self, *members: str) -> None:
        """kill -9 of the etcds under living executors."""
        for pid in self.stand.etcds(*members).values():
            os.kill(pid, signal.SIGKILL)

    def tell(self, path: str, **body: Any) -> None:
        """A call of the embedded Mesos' control API."""
        connection = http.client.HTTPConnection(self.stand.control, timeout=30)
        connection.request("POST", f"/control/{path}", json.dumps(body))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def restart_scheduler(self, *flags: str, prefix: tuple[str, ...] = ()) -> None:
        """kill -9, and the next one."""
        self.scheduler.kill()
        self.scheduler = self.stand.scheduler(*self.flags, *flags, prefix=prefix)

    # What becomes of it

    def reseeded(self) -> dict[str, Any]:
        """What is told of the new cluster, once there is one; what it must be like."""
        told: dict[str, Any] = until(self._told, "reseeded", 0.02)
        assert self.stats()["cluster_id"] != ""
        assert told["generation"] == self.stats()["generation"] > self.generation
        assert told["highest_revision"] >= told["revision"]
        assert f"above revision {told['revision']} may be missing" in told["text"]
        return told

    def _told(self) -> dict[str, Any] | None:
        told = self.stats().get("reseeds") or [None]
        last: dict[str, Any] | None = told[-1]
        return last

    def kept_what_it_promised(self, told: Mapping[str, Any]) -> tuple[int, ...]:
        """All that was acknowledged up to the seed's revision is there, and what is missing is
        above it: its revisions.  A first write is taken, beyond every revision given out before
        if etcd can do that."""
        seed = self.members()[told["member"]]
        first = put(seed["clientURL"], "first", "write")
        found = loss(self.writers, seed["clientURL"])
        assert found.written > 0
        assert all(revision > told["revision"] for revision in found.missing), found
        assert len(found.missing) <= max(0, self.highest() - told["revision"])
        if told["bump"]:
            assert first > self.highest()
        return found.missing

    def highest(self) -> int:
        """The highest revision that was acknowledged to a writer."""
        return max(revision for one in self.writers for revision in list(one.acknowledged.values()))


@contextmanager
def cluster(
    folder: Path, size: int = 3, version: str = VERSION, *flags: str, mesos: tuple[str, ...] = ()
) -> Iterator[Cluster]:
    """A healthy one; `flags` are for the scheduler, `mesos` for etcd-mesos-local: QUICK_TO_LOSE, if
    the story is of agents out of reach."""
    given = (
        f"-cluster-size={size}",
        f"-etcd-bin={etcd_binary(version)}",
        f"-reseed-timeout={TIMEOUT:g}",
        *flags,
    )
    with stand(folder, *mesos) as made:
        scheduler = made.scheduler(*given)
        said = healthy(scheduler)
        urls = {member["name"]: member["clientURL"] for member in said["members"]}
        yield Cluster(made, scheduler, version, given, said["generation"], urls)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Those processes stand still meanwhile; they go on if they are there still."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def running(pid: int) -> bool:
    """Whether that process is there, and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def etcd_of(here: Cluster, name: str) -> int:
    return etcd_process(here.stand.folder, name)


def executor_of(here: Cluster, name: str) -> int:
    return executor_process(here.stand.folder, name)
