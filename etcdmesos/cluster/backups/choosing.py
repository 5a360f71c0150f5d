"""Of which member a backup is taken."""

from __future__ import annotations

from etcdmesos.cluster.alarms import CORRUPT
from etcdmesos.cluster.health import Assessment
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.revisions import published, revision_of


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


def size_of(model: Model, member: Member) -> int:
    """About how many bytes its snapshot will have."""
    latest = model.view(member.name).latest
    return 0 if latest is None else latest.db_size
