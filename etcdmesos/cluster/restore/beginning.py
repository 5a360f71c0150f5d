"""Beginning to restore: what is recorded before anything is asked of anybody.

A new cluster, because it was started so; one that was lost, because the operator says so, or
beforehand that it is to be.
"""

from __future__ import annotations

from etcdmesos.backups.source import Source
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.restore.episode import Restore, Stage
from etcdmesos.cluster.restore.permission import automatic, automatic_at
from etcdmesos.cluster.revisions import highest_revision
from etcdmesos.draft import SOON


def begin(
    draft: Draft, source: Source, why: str, *, older: bool, by_operator: bool = False
) -> Draft:
    """Record it.  Members of a cluster that was lost are kept apart until it is over."""
    model = draft.model
    restore = Restore(
        source=source,
        stage=Stage.CHOOSING,
        began=model.unix_time(draft.now),
        why=why,
        by_operator=by_operator,
        older=older,
    )
    draft = draft.recording(
        restore=restore,
        lost_members=_with_their_ends(model),
        members=(),
        change=None,
        reseed=None,
        highest_revision=highest_revision(model),
    )
    return draft.waking(draft.now + SOON).changing_course()


def _with_their_ends(model: Model) -> tuple[Member, ...]:
    """The members on record, with how each ended: a write that did not arrive may have said it, and
    from here on nobody asks for their tasks any more."""
    record = model.record
    for member in record.members:
        for task in member.tasks:
            if model.known_dead(task.id):
                record = record.with_end(task.id, model.tasks[task.id].state.value)
    return record.members


def restore_if_new(draft: Draft) -> Draft:
    """A new cluster that is to be made from a backup is; once, whatever comes of it."""
    settings, record = draft.model.settings.restore, draft.model.record
    if settings.source is None or not fresh(draft):
        return draft
    if record.restore is not None and record.restore.source == settings.source:
        return draft  # given up, and told
    return begin(draft, settings.source, "-restore-from says so", older=settings.older)


def fresh(draft: Draft) -> bool:
    """Whether this cluster has nothing yet: it never served, and no member was launched."""
    record = draft.model.record
    return not (record.served or record.members or record.restores)


def restore_if_lost(draft: Draft) -> Draft:
    """A cluster that was lost is restored from its newest backup, if the operator said so
    beforehand."""
    if automatic(draft.model, draft.now):
        at = automatic_at(draft.model)
        return draft.waking(at) if draft.now < at else draft
    older = draft.model.settings.restore.older
    return begin(draft, Source(), "-restore-policy=auto says so", older=older)
