"""What reseeding left in members' sandboxes: asked for, so that it can be listed, then let go.

Old is what belongs to neither of the two newest attempts.  It goes once all members have served for
a day without a break, as watched by one scheduler, and never while an attempt is on record.
"""

from __future__ import annotations

from etcdmesos import orders
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.cluster.messages import message
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Member, Record
from etcdmesos.cluster.reseed.standing import in_reach, last_report
from etcdmesos.kept import oldest_to_keep


def plan_retention(draft: Draft) -> Draft:
    """Now and then, ask executors that have not said what they keep, or that keep what is old."""
    model = draft.model
    if not _tried(model.record) or model.record.reseed is not None or model.quorum_watch:
        return draft
    if draft.now < model.ask_kept_at:
        return draft.waking(model.ask_kept_at)
    again = draft.now + model.settings.ask_kept_again
    asked = [_asked(model, member, draft.now) for member in in_reach(model)]
    return (
        draft.having(ask_kept_at=again)
        .waking(again)
        .asking(*(command for command in asked if command is not None))
    )


def _tried(record: Record) -> bool:
    """Whether an attempt to reseed may have left anything."""
    return bool(record.reseeds) or record.attempted_generation > record.generation


def _asked(model: Model, member: Member, now: float) -> SendMessage | None:
    report = last_report(model, member)
    rested = model.phase == "healthy" and now - model.phase_since >= model.settings.keep_for
    before = oldest_to_keep(report.kept) if report is not None and rested else 0
    if report is not None and not before:
        return None
    order = orders.Discard(
        task_id=member.tasks[-1].id,
        epoch=model.record.epoch,
        before=before,
        in_force=model.record.generation,
    )
    return message(member, order)
