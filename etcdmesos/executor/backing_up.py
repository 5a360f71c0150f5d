"""One backup at a time: taken in from orders, streamed, and reported.

Beside the phases: a backup changes nothing of the member.  One of the running etcd ends when that
is no longer to serve; one of a snapshot that was kept needs no etcd, and ends with the task.
A scheduler that misses a report repeats its order, and is answered how the backup stands.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos.executor.commands import SendBackup, SendMessage, StopBackup
from etcdmesos.executor.events import BackupMoved, BackupSent
from etcdmesos.executor.model import BackingUp, Draft, Model
from etcdmesos.executor.observe import event_of
from etcdmesos.orders import Backup, BackupKept, BackupReport, CancelBackup, Sending, encode

SERVING = "running"
"""The phase in which a backup of the running etcd may be under way."""
LEAVING = "stopping"
"""The phase in which none may be."""


def take_backup_order(draft: Draft, order: Backup | CancelBackup) -> Draft:
    """A backup is wanted, or one no longer; the same order again asks how it stands."""
    task, known = draft.model.task, draft.model.backing_up
    assert task is not None
    ours = known.report is not None and known.report.name == order.name
    if ours:
        draft = draft.having(backing_up=evolve(known, answer_due=True))
    if isinstance(order, CancelBackup):
        return _failed(draft, "it was called off") if ours else draft
    if ours:
        return draft
    report = BackupReport(
        task_id=task.id, epoch=order.epoch, name=order.name, sending=Sending.UNDER_WAY
    )
    begun = evolve(known, order=order, report=report, answer_due=True)
    return draft.having(backing_up=begun, remark=f"ordered: backup {order.name}")


def take_backup_progress(draft: Draft) -> Draft:
    """So much is sent."""
    event = event_of(draft, BackupMoved)
    return _reported(draft, event.name, sent=event.sent, size=event.size)


def take_backup_sent(draft: Draft) -> Draft:
    """All of it is at the target, which has still to be asked whether it is as it was sent."""
    event = event_of(draft, BackupSent)
    known = _idle(draft.model.backing_up)
    if known.order is not None and known.order.name == event.name:
        known = evolve(known, order=None)
    draft = draft.having(backing_up=known, remark=f"sent backup {event.name}")
    return _reported(
        draft,
        event.name,
        sending=Sending.SENT,
        sent=event.size,
        size=event.size,
        sha256=event.sha256,
        revision=event.revision,
        term=event.term,
        tags=event.tags,
    )


def backup_not_sent(draft: Draft, name: str, reason: str) -> Draft:
    """The stream ended before its end."""
    draft = draft.having(backing_up=_idle(draft.model.backing_up))
    report = draft.model.backing_up.report
    if report is None or report.name != name:
        return draft
    return _failed(draft, reason)


def _idle(known: BackingUp) -> BackingUp:
    return evolve(known, sending="", stopping=False)


def _reported(draft: Draft, name: str, **news: Any) -> Draft:
    known = draft.model.backing_up
    report = known.report
    if report is None or report.name != name or report.sending is not Sending.UNDER_WAY:
        return draft
    return draft.having(backing_up=evolve(known, report=evolve(report, **news)))


def _failed(draft: Draft, reason: str) -> Draft:
    """What is wanted no more, or did not work; what was sent before that stays sent."""
    known = draft.model.backing_up
    report = known.report
    if report is None or report.sending is not Sending.UNDER_WAY:
        return draft
    failed = evolve(report, sending=Sending.FAILED, reason=reason)
    over = evolve(known, report=failed, order=None)
    return draft.having(backing_up=over, remark=f"backup {report.name} failed: {reason}")


def plan_backup(draft: Draft) -> Draft:
    """Begin the one that is wanted; stop one that is not."""
    if obstacle := _obstacle(draft.model):
        draft = _failed(draft, obstacle)
    known, spec = draft.model.backing_up, draft.model.spec
    wanted = known.order.name if known.order is not None else ""
    if known.sending:
        if known.sending == wanted or known.stopping:
            return draft
        return draft.having(backing_up=evolve(known, stopping=True)).asking(
            StopBackup(name=known.sending)
        )
    report = known.report
    if known.order is None or report is None or report.sending is not Sending.UNDER_WAY:
        return draft
    assert spec is not None
    sending = SendBackup(
        name=wanted,
        client_url=spec.client_url,
        way=known.order.way,
        seconds=known.order.seconds,
        idle_seconds=known.order.idle_seconds,
        kept=known.order.kept if isinstance(known.order, BackupKept) else None,
    )
    return draft.having(backing_up=evolve(known, sending=wanted)).asking(sending)


def _obstacle(model: Model) -> str:
    """Why the backup that is wanted cannot be sent (on); "" when it can, or none is wanted."""
    order, sending = model.backing_up.order, model.backing_up.sending
    if order is None:
        return ""
    if isinstance(order, BackupKept):
        # A file that is removed while it is sent is sent all the same.
        if order.kept.path not in model.reseed.kept and sending != order.name:
            return "that snapshot is not kept here"
        return "the task ends" if model.phase == LEAVING else ""
    return "" if model.phase == SERVING else "etcd does not serve here"


def plan_backup_report(draft: Draft) -> Draft:
    """Tell how the last backup stands: when asked, and when it is news."""
    known, link = draft.model.backing_up, draft.model.link
    if known.report is None or not link.subscribed:
        return draft
    report = evolve(known.report, epoch=draft.model.record.epoch)
    if not known.answer_due and report == known.told:
        return draft
    told = evolve(known, answer_due=False, told=report)
    return draft.having(backing_up=told).asking(SendMessage(data=encode(report)))
