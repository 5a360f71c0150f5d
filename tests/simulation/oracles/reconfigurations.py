"""Traces for the oracles on changes of etcd's member list: kept and broken."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster.record import Change, Kind, Record
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.simulation import facts as f
from tests.simulation.oracles import make

ONE, TWO, THREE = make.THREE.members
FOUR = make.learner(4)
STARTED = make.member(4, role=FOUR.role, initial_state="existing")
"""The learner, launched."""
HALF = evolve(make.SERVED, members=(ONE, TWO, FOUR), next_member=5)
JOINING = evolve(HALF, members=(ONE, TWO, STARTED))
TOGETHER = tuple(make.probed(m.name) for m in (ONE, TWO, THREE))
DEAD = make.heard("etcd-3-1", TaskState.FAILED)


def changing(kind: Kind, number: int, held: Record = make.SERVED) -> f.Stored:
    """A record with this change in flight."""
    identifier = "" if kind is Kind.ADD else f"id-{number}"
    change = Change(kind=kind, member=f"etcd-{number}", id=identifier, generation=1)
    return make.stored(evolve(held, change=change))


def removal(number: int, *told: f.Fact) -> tuple[f.Fact, ...]:
    """A member of three is removed after this was told."""
    read = make.listed(ONE, TWO, THREE)
    asked = make.released(make.remove(number))
    return (*told, read, changing(Kind.REMOVE, number), asked)


ALL_LISTED = make.listed(ONE, TWO, THREE)
ADD = make.released(make.add(4))
READ = make.listed(ONE, TWO)
WITH_LEARNER = make.listed(ONE, TWO, STARTED)
SHUTDOWN = c.Shutdown(executor_id="stray", agent_id="a")

CASES: dict[str, tuple[tuple[f.Fact, ...], tuple[f.Fact, ...], str]] = {
    "one_change_is_under_way": (
        (READ, ADD, make.done(make.add(4)), READ, ADD),
        (READ, ADD, READ, ADD),
        "while add of etcd-4 is asked for is under way",
    ),
    "changes_follow_a_reading": (
        (READ, ADD, make.done(make.add(4)), READ, ADD),
        (READ, ADD, make.done(make.add(4)), ADD),
        "the list was not read since the last change",
    ),
    "the_unstarted_come_first": (
        (make.listed(ONE, TWO, FOUR), changing(Kind.REMOVE, 4, HALF)),
        (make.listed(ONE, TWO, FOUR), changing(Kind.REMOVE, 2, HALF)),
        "has not started",
    ),
    "members_join_as_learners": (
        (make.changed("add", 4), make.changed("add", 5, learner=False, by_hand=True)),
        (make.changed("add", 4, learner=False),),
        "id-4 was added as a voter",
    ),
    "learners_have_caught_up": (
        (
            f.LearnerCaughtUp(member="id-4"),
            make.released(make.promote(4)),
            make.changed("promote", 4),
        ),
        (make.released(make.promote(4)),),
        "which has not caught up",
    ),
    "the_dead_leave_first": (
        (DEAD, READ, make.stored(HALF), ADD),
        (DEAD, ALL_LISTED, make.stored(make.SERVED), ADD),
        "etcd-3, which is dead, still is a voter",
    ),
    "removals_leave_a_quorum": (
        removal(3, *TOGETHER[:2]),
        removal(3, *TOGETHER[1:]),
        "1 of the 2 that remain",
    ),
    "learners_start_when_listed": (
        (WITH_LEARNER, make.stored(JOINING), make.released(make.launch(JOINING, 4))),
        (READ, make.stored(JOINING), make.released(make.launch(JOINING, 4))),
        "etcd-4 is not listed",
    ),
    "the_list_stays_within_the_size": (
        (make.changed("add", 4),),
        (make.changed("add", 4, listed=4),),
        "4 members are listed",
    ),
    "changes_are_on_record": (
        removal(3),
        (READ, make.stored(make.SERVED), make.released(make.remove(3))),
        "no change is on record",
    ),
    "only_the_failed_are_removed": (
        removal(3, *TOGETHER, DEAD),
        removal(3, *TOGETHER),
        "it served 0.0 s ago",
    ),
    "the_removed_stay_out": (
        (make.stored(make.SERVED), make.stored(HALF)),
        (make.stored(make.SERVED), make.stored(HALF), make.stored(make.SERVED)),
        "etcd-3 had left",
    ),
    "members_leave_the_list_first": (
        (READ, make.stored(make.SERVED), make.stored(HALF)),
        (ALL_LISTED, make.stored(make.SERVED), make.stored(HALF)),
        "leaves the record while etcd lists it",
    ),
    "members_are_spared": (
        (make.stored(HALF), make.released(c.Kill(task_id="etcd-3-1", agent_id="a"))),
        (make.stored(make.SERVED), make.released(c.Kill(task_id="etcd-3-1", agent_id="a"))),
        "etcd-3 is a member",
    ),
    "shutdowns_follow_a_kill": (
        (
            make.stepped(None, c.Kill(task_id="stray", agent_id="a")),
            make.stepped(now=31.0),
            make.released(SHUTDOWN),
        ),
        (
            make.stepped(None, c.Kill(task_id="stray", agent_id="a")),
            make.stepped(now=15.0),
            make.released(SHUTDOWN),
        ),
        "is shut down 5.0 s after the KILL",
    ),
}
"""By oracle: what it accepts, what it refuses, and part of what it says of that."""
