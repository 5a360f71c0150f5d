"""Raft's promises, checked after every event of random schedules of faults.

ETCD_MESOS_RAFT_SCHEDULES says how many; the default keeps `make test` short.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from etcdmesos.simulation.etcd import DataDirectory
from etcdmesos.simulation.etcd.log import CONFIGURATION_KINDS
from etcdmesos.simulation.etcd.raft import Raft
from tests.simulation.etcd.schedules import Schedule
from tests.simulation.etcd.simulated import World

ROOT = Path(__file__).resolve().parents[3]
SCHEDULES = int(os.environ.get("ETCD_MESOS_RAFT_SCHEDULES", "200"))


@pytest.mark.parametrize("batch", range(10))
def test_raft_keeps_its_promises(batch: int) -> None:
    """Election safety, log matching, leader completeness, state machine safety, and no
    acknowledged write is lost, whatever is killed, paused, cut, stalled or reconfigured."""
    for seed in range(batch, SCHEDULES, 10):
        try:
            Schedule(seed).run()
        except BaseException as error:
            error.add_note(f"schedule {seed}")
            raise


def test_promises_are_durable_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hears of a vote or of an entry's acceptance finds it on the sender's disk."""
    world: World
    counted = {"votes": 0, "appends": 0}

    def directory_of(one: int) -> DataDirectory:
        # Not through its process: that may be starting again and not know yet who it is.
        for host in world.hosts.all():
            directory = host.disk.read("/data")
            if isinstance(directory, DataDirectory) and directory.member_id == one:
                return directory
        raise AssertionError(f"{one:x} has no disk")

    def vote(raft: Raft, sender: int, term: int, granted: bool, pre: bool) -> None:
        if granted and not pre:
            durable = directory_of(sender).hard_state
            assert durable.term > term or (durable.term, durable.vote) == (term, raft.id)
            counted["votes"] += 1
        on_vote_reply(raft, sender, term, granted, pre)

    def append(raft: Raft, sender: int, term: int, accepted: bool, index: int) -> None:
        directory = directory_of(sender)
        if accepted and directory.hard_state.term == term:
            assert directory.log.last_index >= index
            counted["appends"] += 1
        on_append_reply(raft, sender, term, accepted, index)

    on_vote_reply, on_append_reply = Raft.on_vote_reply, Raft.on_append_reply
    monkeypatch.setattr(Raft, "on_vote_reply", vote)
    monkeypatch.setattr(Raft, "on_append_reply", append)
    for seed in range(40):
        schedule = Schedule(seed)
        world = schedule.world
        schedule.run()
    assert counted["votes"] > 100
    assert counted["appends"] > 1000


def test_schedules_do_something() -> None:
    """The generator is sane: elections, changes of the list and acknowledged writes abound."""
    elections = changes = acknowledged = 0
    for seed in range(20):
        schedule = Schedule(seed)
        schedule.run()
        elections += len(schedule.watch.leaders)
        acknowledged += len(schedule.watch.acknowledged)
        entries = schedule.watch.applied.values()
        changes += sum(e.kind in CONFIGURATION_KINDS and e.term > 1 for e in entries)
    assert elections > 60
    assert changes > 10
    assert acknowledged > 300


def test_one_seed_gives_one_trace() -> None:
    """Two runs of a seed are the same run."""
    traces = []
    for _ in range(2):
        schedule = Schedule(4)
        schedule.run()
        traces.append(schedule.world.trace)
    assert traces[0] == traces[1]
    assert any("leader" in line for line in traces[0])


def test_the_trace_does_not_hang_on_hash_seeds() -> None:
    """One seed, one trace, in processes with different PYTHONHASHSEED."""
    program = (
        "from tests.simulation.etcd.schedules import Schedule\n"
        "for seed in range(8):\n"
        "    schedule = Schedule(seed)\n"
        "    schedule.run()\n"
        "    print('\\n'.join(schedule.world.trace), schedule.watch.acknowledged)\n"
    )
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1", "424242")
    }
    assert len(traces) == 1
    assert traces.pop().count(b"leader in term") > 10
