"""What is heard of a restore, taken in: of the backup, and from the operator.

An answer that came too late, to a stage that is over, is dropped.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.observe.operator import accepted, not_now, refused
from etcdmesos.cluster.restore.beginning import begin
from etcdmesos.cluster.restore.episode import Restore, Stage
from etcdmesos.cluster.restore.permission import refusal, source_of
from etcdmesos.cluster.restore.stages import again, chosen, unsound
from etcdmesos.errors import BadUsage


def _answered(draft: Draft) -> Draft:
    return draft.having(restoring=evolve(draft.model.restoring, busy=False))


def _at(draft: Draft, stage: Stage) -> Restore | None:
    """The restore on record, if it is ours to change and at that stage."""
    restore, model = draft.model.record.restore, draft.model
    ours = model.store.loaded and model.leadership.held
    return restore if ours and restore is not None and restore.stage is stage else None


def take_checked(draft: Draft) -> Draft:
    """The backup was read back, and is sound."""
    event, draft = event_of(draft, e.BackupChecked), _answered(draft)
    restore = _at(draft, Stage.CHOOSING)
    if restore is None or restore.source != event.source:
        return draft
    return chosen(draft, restore, event.point)


def take_damaged(draft: Draft) -> Draft:
    """The backup cannot be restored from."""
    event, draft = event_of(draft, e.BackupDamaged), _answered(draft)
    restore = _at(draft, Stage.CHOOSING)
    if restore is None or restore.source != event.source:
        return draft
    return unsound(draft, restore, event.name, event.reason)


def take_lent(draft: Draft) -> Draft:
    """There is an address for the snapshot.

    One that is made of a data directory is another one each time: what is recorded follows.
    """
    event, draft = event_of(draft, e.BackupLent), _answered(draft)
    restore = _at(draft, Stage.FETCHING)
    if restore is None or restore.point is None or restore.point.name != event.point.name:
        return draft
    view = evolve(draft.model.restoring, url=event.url, order_at=draft.now, failure="")
    draft = draft.having(restoring=view)
    if restore.point == event.point:
        return draft
    return draft.recording(restore=evolve(restore, point=event.point))


def settle(draft: Draft, command: c.Command) -> Draft:
    """How a question about the backup ended, other than in an answer."""
    reason, draft = getattr(draft.event, "reason", ""), _answered(draft)
    choosing, fetching = _at(draft, Stage.CHOOSING), _at(draft, Stage.FETCHING)
    if isinstance(command, c.CheckBackup) and choosing and choosing.source == command.source:
        return again(draft, choosing, reason)
    if isinstance(command, c.LendBackup) and fetching:
        wait = draft.model.settings.restore.again_first
        view = evolve(draft.model.restoring, again_at=draft.now + wait, failure=reason)
        return draft.having(restoring=view)
    return draft


def take_restore_asked(draft: Draft) -> Draft:
    """Restore the cluster that was lost from what the operator names."""
    event = event_of(draft, e.RestoreAsked)
    if objection := not_now(draft) or refusal(draft.model):
        return refused(draft, objection)
    try:
        source = source_of(draft.model, event.source)
    except BadUsage as error:
        return refused(draft, str(error))
    older = event.older or draft.model.settings.restore.older
    begun = begin(draft, source, "the operator ordered it", older=older, by_operator=True)
    return accepted(begun, f"restores from {source}: /stats says how far it is")
