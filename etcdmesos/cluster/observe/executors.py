"""What executors report of themselves, in answer to orders."""

from __future__ import annotations

from attrs import evolve

from etcdmesos import orders
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.record import Member
from etcdmesos.orders import BadMessage, Report, Standing


def take_message(draft: Draft) -> Draft:
    """Keep what a member's executor says of itself; what nobody understands is left alone."""
    event = event_of(draft, e.ExecutorSaid)
    try:
        report = orders.decode(event.data)
    except BadMessage:
        return draft
    if not isinstance(report, Report):
        return draft
    member = draft.model.record.owner(report.task_id)
    if member is None or member.tasks[-1].executor_id != event.executor_id:
        return draft
    known = draft.model.reports
    reports = {task_id: one for task_id, one in known.items() if draft.model.record.owner(task_id)}
    draft = draft.having(reports={**reports, report.task_id: report})
    return _look_soon(_above(draft, report.epoch), member, report)


def _above(draft: Draft, epoch: int) -> Draft:
    """An executor has obeyed a higher epoch: ours has to be above that, or it obeys us no more.

    Whoever gave orders in it has written the record, unless that was lost and made anew; if it was
    not, saving this fails, and we are not to act any more.
    """
    model = draft.model
    if epoch <= model.record.epoch or not (model.leadership.held and model.store.loaded):
        return draft
    leadership = evolve(model.leadership, epoch=epoch + 1)
    return draft.recording(epoch=epoch + 1).having(leadership=leadership)


def _look_soon(draft: Draft, member: Member, report: Report) -> Draft:
    """One that just started to serve as a seed is probed at once, not at the next interval."""
    if report.standing is not Standing.SEEDED:
        return draft
    view = evolve(draft.model.view(member.name), probe_at=draft.now)
    return draft.having(views={**draft.model.views, member.name: view})
