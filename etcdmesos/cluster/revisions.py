"""etcd's revisions, across the clusters that came one after the other under one name.

Two of them are kept apart.  The highest that anybody ever saw is on record and never goes back:
what is restored is raised above it, so that clients see no revision twice.  The newest of the
cluster in force may be lower, where it was grown or restored with a tool that raises none (etcdctl
before 3.4.27).  Pure; asks for nothing.
"""

from __future__ import annotations

from etcdmesos.cluster.episode import Reseeded
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.restore.episode import Restored

BUMP = 1_000_000_000
"""By how much revisions go up: more than a week of writes beyond any that was ever given out
(etcd.io, disaster recovery: "Restoring with revision bump")."""


def highest_revision(model: Model) -> int:
    """The highest revision that was ever seen, of this cluster or of one before it."""
    seen = (view.latest for view in model.views.values())
    ours = (s.revision for s in seen if s and s.cluster_id == model.record.cluster_id)
    return max([model.record.highest_revision, *ours])


def published(model: Model) -> int:
    """The newest revision that the cluster in force is known to have shown to anybody.

    Where it began below the highest one ever seen, nothing of it is on record but how it began;
    the rest is what its members said to this scheduler.
    """
    record = model.record
    made: tuple[Reseeded | Restored, ...] = (*record.reseeds, *record.restores)
    begun = next((one for one in made if one.generation == record.generation), None)
    if begun is None or begun.bump:
        return record.highest_revision
    return max([begun.revision, *(revision_of(model, member) for member in record.members)])


def revision_of(model: Model, member: Member) -> int:
    """The revision it last said it has; -1 when it said none."""
    latest = model.view(member.name).latest
    return -1 if latest is None else latest.revision


def raises_revisions(model: Model) -> bool:
    """Whether this scheduler's tool can raise revisions when it restores a snapshot."""
    restorer = model.settings.artifacts.restorer
    return restorer is not None and restorer.bumps


def bump_beyond(model: Model, revision: int) -> int:
    """By how much revisions go up when a snapshot of that one is restored; 0 where none can."""
    if not raises_revisions(model):
        return 0
    return max(0, highest_revision(model) - revision) + BUMP
