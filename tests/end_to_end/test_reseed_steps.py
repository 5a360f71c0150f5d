"""What is under way when a quorum goes, or a scheduler: every step of the plan, and changes of
etcd's list in flight.

Each step of the plan is waited for where it cannot go on: the executor stands still, or the
member's etcd waits at a gate before it starts.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.acknowledged import call
from tests.end_to_end.reseeds import Cluster, cluster, etcd_of, executor_of, stopped
from tests.end_to_end.schedulers import healthy, seen
from tests.end_to_end.stand import etcd_binary, until

VERSIONS = [pytest.param("3.4.23", marks=pytest.mark.long), "3.5.30"]


class Gate:
    """Before the etcd of one member: whatever starts it waits until it is let through."""

    def __init__(self, sandbox: Path) -> None:
        self._ticket = sandbox / "ticket"
        (sandbox / "etcd").rename(sandbox / "etcd-itself")
        script = (
            "#!/bin/sh\nuntil mv ticket used 2>/dev/null; do sleep 0.05; done\n"
            'exec ./etcd-itself "$@"\n'
        )
        (sandbox / "etcd").write_text(script)
        (sandbox / "etcd").chmod(0o755)

    def let_one_through(self) -> None:
        self._ticket.touch()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_scheduler_is_killed_after_every_step(tmp_path: Path, version: str) -> None:
    """Each time the next one goes on where the last one ended: one new cluster, of the one
    snapshot."""
    with cluster(tmp_path, 3, version) as here:
        gate = Gate(here.sandbox("etcd-3"))
        with stopped(executor_of(here, "etcd-3")):
            with here.writing():
                here.kill("etcd-1", "etcd-2")
            killed_while(here, "measuring")
            # Nobody answers any more, so its data have to be copied, too.
            here.kill_etcds("etcd-3")
            killed_while(here, "holding")
        killed_while(here, "copying")
        gate.let_one_through()
        killed_while(here, "seeding")
        gate.let_one_through()
        told = here.reseeded()
        here.restart_scheduler()
        assert here.reseeded() == told
        assert len(here.stats()["reseeds"]) == 1
        assert told["member"] == "etcd-3"
        here.kept_what_it_promised(told)


def killed_while(here: Cluster, stage: str) -> None:
    """The scheduler is, in that stage, and the next one takes over in it."""
    until(lambda: here.stage() == stage, stage, 0.02)
    epoch = here.stand.record()["epoch"]
    here.restart_scheduler()
    until(lambda: here.stats()["epoch"] > epoch, "taken over", 0.02)
    until(lambda: here.stats()["phase"] == "reseeding", "goes on", 0.02)
    assert here.stage() == stage


TRIES = 8
"""One in four may come while etcd's list is being read, which nobody answers without a quorum."""


def test_quorum_goes_while_a_dead_member_is_removed(tmp_path: Path) -> None:
    """The removal is proposed and cannot be committed: the survivor has it in its log, and nobody
    knows what became of it.  That one is no quorum either way."""
    with cluster(tmp_path) as here:
        with here.writing("etcd-3"):
            for _ in range(TRIES):
                first, second = sorted(set(here.members()) - {"etcd-3"})
                lead(here, "etcd-3")
                with stopped(etcd_of(here, second)):
                    here.kill(first)
                    if removal_in_flight(here):
                        here.kill(second)
                        break
                healthy(here.scheduler)
            else:
                raise AssertionError(f"no removal was asked for, {TRIES} times")
        told = here.reseeded()
        assert (told["member"], told["proven"]) == ("etcd-3", True)
        here.kept_what_it_promised(told)


def removal_in_flight(here: Cluster) -> bool:
    """Whether a removal is put on record before the quorum is seen to be gone."""

    def now() -> str:
        if removing(here.stand.record()):
            return "asked for"
        return "" if here.stats()["healthy"] else "too late"

    return bool(until(now, "a removal", 0.02) == "asked for")


def removing(record: Mapping[str, Any]) -> bool:
    return (record["change"] or {}).get("kind") == "remove"


@pytest.mark.parametrize("version", VERSIONS)
def test_quorum_goes_while_a_learner_learns(tmp_path: Path, version: str) -> None:
    """It has all that the leader has, and names that one for ever, though it stepped down: it is
    held like the others, and the survivor that votes is the seed."""
    with cluster(tmp_path, 3, version) as here:
        lead(here, "etcd-3")
        with here.writing("etcd-3"):
            here.kill("etcd-1")
            seen(lambda: learner(here) != ("", ""), "a learner starts")
            with stopped(here.scheduler.daemon.process.pid):
                name, url = learner(here)
                until(lambda: learns(url), "it learns", 0.05)
                here.kill("etcd-2")
        told = here.reseeded()
        assert told["member"] == "etcd-3"
        assert name not in here.members()
        here.kept_what_it_promised(told)


def lead(here: Cluster, name: str) -> None:
    """Have that member lead."""
    urls = {member["name"]: member["clientURL"] for member in here.members().values()}
    said = status(urls[name])
    member = said["header"]["member_id"]
    for url in urls.values():
        if status(url)["header"]["member_id"] == said["leader"] != member:
            etcdctl = [str(etcd_binary(here.version, "etcdctl")), f"--endpoints={url}"]
            command = [*etcdctl, "move-leader", f"{int(member):x}"]
            subprocess.run(command, check=True, timeout=90, capture_output=True)
    until(lambda: status(urls[name])["leader"] == member, f"{name} leads")


def status(client_url: str) -> dict[str, Any]:
    return call(client_url, "/v3/maintenance/status", {})


def learner(here: Cluster) -> tuple[str, str]:
    """Name and client URL of the one whose etcd is being started."""
    for member in here.stand.record()["members"]:
        if member["role"] == "learner" and member["step"] == "joining":
            return member["name"], f"http://{member['host']}:{member['client_port']}"
    return ("", "")


def learns(client_url: str) -> bool:
    """Whether it follows a leader as a learner."""
    try:
        said = status(client_url)
    except OSError:
        return False
    return bool(said.get("isLearner")) and said.get("leader", "0") != "0"
