"""Of which member a backup is taken."""

from __future__ import annotations

from etcdmesos.cluster.alarms import CORRUPT
from etcdmesos.cluster.health import Assessment
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member


def published(model: Model) -> int:
    """The newest revision that this cluster is known to have shown to anybody.

    One grown from a survivor whose tool bumps no revisions begins below those that are lost, and is
    measured by its own.
    """
    record = model.record
    grown = record.reseeds[-1] if record.reseeds else None
    if grown is None or grown.generation != record.generation or grown.bump:
        return record.highest_revision
    return max([grown.revision, *(revision_of(model, member) for member in record.members)])


def chosen(model: Model, state: Assessment) -> Member | None:
    """A voter that serves and has all that was published: a follower if there is one, then the one
    with the most, then the first.  None when there is none at the moment.

    Whoever is not in `state.agreeing` is no voter, silent, or of another opinion; and what is
    corrupt is no backup.
    """
    if not state.serving:
        return None
    corrupt = {alarm.member_id for alarm in state.alarms if alarm.kind == CORRUPT}
    fresh = [
        member
        for member in model.record.members
        if member.name in state.agreeing
        and member.id not in corrupt
        and revision_of(model, member) >= published(model)
    ]
    return max(
        fresh,
        key=lambda member: (member.id != state.leader, revision_of(model, member)),
        default=None,
    )


def revision_of(model: Model, member: Member) -> int:
    """The revision it last said it has; -1 when it said none."""
    latest = model.view(member.name).latest
    return -1 if latest is None else latest.revision


def size_of(model: Model, member: Member) -> int:
    """About how many bytes its snapshot will have."""
    latest = model.view(member.name).latest
    return 0 if latest is None else latest.db_size
