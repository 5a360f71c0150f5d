"""A verified seed takes the place of the cluster before it, in one write of the record.

From here on it is announced, and what is missing is for ordinary healing.  Asks for nothing; what
is told of it, and what becomes of the tasks of the cluster before, is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from etcdmesos.cluster.attempts import Attempts
from etcdmesos.cluster.model import Draft, MembershipView
from etcdmesos.cluster.record import Member, Role, Step
from etcdmesos.cluster.reseed.standing import last_report
from etcdmesos.cluster.terms import Terms


def left_behind(members: Iterable[Member]) -> tuple[str, ...]:
    """Where the data of `members` lies until it is collected, one clause for each that has any."""
    return tuple(
        f"{m.name} on {m.hostname} in {m.sandbox or 'an unknown sandbox'}"
        for m in members
        if m.tasks
    )


def succeed(draft: Draft, seed: Member, generation: int, **recorded: Any) -> Draft:
    """`seed`, which answered as the only member of a cluster of that generation, is the cluster.

    `recorded` is what else the record says of it.
    """
    model = draft.model
    view, report = model.view(seed.name), last_report(model, seed)
    assert view.latest is not None
    member = evolve(
        seed,
        generation=generation,
        id=view.latest.member_id,
        role=Role.VOTER,
        step=Step.VOTER,
        etcd_version=view.latest.version,
    )
    return draft.recording(
        generation=generation,
        cluster_id=view.latest.cluster_id,
        members=(member,),
        change=None,
        quorum_lost_at=0.0,
        reseed=None,
        reseed_failures=0,
        reseed_setback="",
        **recorded,
    ).having(
        views={seed.name: view},
        terms=Terms(),
        membership=MembershipView(listing=model.membership.listing, look_at=draft.now),
        places={},
        out_of_reach={},
        apart_since={},
        joining_since={},
        attempts=Attempts(),
        quorum_watch=None,
        reports={} if report is None else {report.task_id: report},
        setback="",
        backups=evolve(model.backups, due_at=draft.now),
    )
