"""The restored cluster is the cluster, in one write of the record.  Asks for nothing."""

from __future__ import annotations

from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.record import LONGEST_HISTORY, Member
from etcdmesos.cluster.restore.episode import Restore, Restored
from etcdmesos.cluster.restore.view import RestoreView
from etcdmesos.cluster.succession import left_behind, succeed


def flip(draft: Draft, restore: Restore, seed: Member) -> Draft:
    """`seed`, which was verified, is the cluster; the others join it as learners."""
    record, view = draft.model.record, draft.model.view(seed.name)
    assert view.latest is not None
    history = (*record.restores, _told(draft, restore, seed))[-LONGEST_HISTORY:]
    return succeed(
        draft,
        seed,
        restore.generation,
        served=True,
        highest_revision=max(record.highest_revision, view.latest.revision),
        foreign_voters=(),
        failed_attempts=0,
        restore=None,
        lost_members=(),
        restores=history,
    ).having(restoring=RestoreView(), setback="")


def _told(draft: Draft, restore: Restore, seed: Member) -> Restored:
    record, point = draft.model.record, restore.point
    assert point is not None
    return Restored(
        generation=restore.generation,
        at=draft.model.unix_time(draft.now),
        source=point.name,
        taken_at=point.taken_at,
        revision=point.revision,
        bump=restore.bump,
        highest_revision=record.highest_revision,
        why=restore.why,
        by_operator=restore.by_operator,
        member=seed.name,
        past=left_behind(record.lost_members),
    )
