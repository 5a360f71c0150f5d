"""Traces for the oracles on several schedulers: kept and broken."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.record import Step
from etcdmesos.simulation import facts as f
from etcdmesos.step import Command
from tests.simulation.oracles import make

KILL = c.Kill(task_id="etcd-1-1", agent_id="agent-1")
ELECTED = make.stepped(e.LeadershipGained())
FAILED_OVER = make.stepped(e.FrameworkRefused(message="Framework failed over"))
SUBSCRIBES = make.stepped(None, c.Subscribe(framework_id="fw"))
ENDING = evolve(
    make.THREE, members=tuple(evolve(m, step=Step.REMOVING) for m in make.THREE.members)
)


def obeyed(command: Command, framework_id: str = "fw") -> f.Obeyed:
    return f.Obeyed(framework_id=framework_id, command=command)


CASES = {
    "only_the_leader_acts": (
        (ELECTED, make.stepped(None, KILL), make.stepped(e.LeadershipSuspended(reason="r"))),
        (ELECTED, make.stepped(e.LeadershipSuspended(reason="r")), make.stepped(None, KILL)),
        "Kill of a scheduler that was not told that it leads",
    ),
    "the_failed_over_stay_away": (
        (SUBSCRIBES, FAILED_OVER),
        (FAILED_OVER, SUBSCRIBES),
        "another one has",
    ),
    "changes_follow_a_write": (
        (
            make.stored(make.SERVED),
            make.released(make.remove(3)),
            make.stored(make.SERVED),
            make.released(make.remove(3)),
        ),
        (
            make.stored(make.SERVED),
            make.released(make.remove(3)),
            make.stored(make.SERVED, process=2),
            make.released(make.remove(3)),
        ),
        "was not written since",
    ),
    "the_deposed_are_not_obeyed": (
        (make.stored(ENDING), obeyed(KILL), make.stored(make.THREE), obeyed(KILL, "another")),
        (make.stored(ENDING), make.stored(evolve(make.THREE, epoch=2), process=2), obeyed(KILL)),
        "etcd-1 is voter on record",
    ),
    "one_leads": (
        (make.settled(leaders=1),),
        (make.settled(leaders=2),),
        "2 schedulers take themselves",
    ),
}
"""By oracle: a trace that it accepts, one that it refuses, and what it says of that."""
