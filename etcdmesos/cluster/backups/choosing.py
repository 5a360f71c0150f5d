"""Of which member a backup is taken."""

from __future__ import annotations

from etcdmesos.cluster.health import Assessment
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member


def published(model: Model) -> int:
    """The newest revision that this cluster is known to have shown to anybody."""
    return model.record.highest_revision


def chosen(model: Model, state: Assessment) -> Member | None:
    """A voter that serves and has all that was published: a follower if there is one, then the one
    with the most, then the first.  None when there is none at the moment.

    Whoever is not in `state.agreeing` is no voter, silent, or of another opinion.
    """
    if not state.serving:
        return None
    fresh = [
        member
        for member in model.record.members
        if member.name in state.agreeing and revision_of(model, member) >= published(model)
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
