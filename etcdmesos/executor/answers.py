"""What the scheduler is told of its orders: one report, worked out from the model alone.

It goes out after every order, and whenever it says something else than the last one did.
"""

from __future__ import annotations

from etcdmesos.executor.commands import SendMessage
from etcdmesos.executor.model import Draft, LogEnd, Model
from etcdmesos.orders import Report, Standing, encode

_STANDINGS = {
    "holding": Standing.HOLDING,
    "held": Standing.HELD,
    "measuring": Standing.MEASURING,
    "seeding": Standing.SEEDING,
}
"""Of the phases that have one of their own."""


def plan_answer(draft: Draft) -> Draft:
    """Report if an order waits for it, or if there is news since the last report."""
    model, reseed = draft.model, draft.model.reseed
    if model.task is None or not model.link.subscribed:
        return draft
    if not reseed.answer_due and (reseed.told is None or _report(model) == reseed.told):
        return draft
    report = _report(model)
    return draft.with_reseed(answer_due=False, told=report).asking(SendMessage(data=encode(report)))


def _report(model: Model) -> Report:
    record, reseed, task = model.record, model.reseed, model.task
    assert task is not None
    end = reseed.log_end or LogEnd()
    return Report(
        task_id=task.id,
        epoch=record.epoch,
        generation=record.generation,
        standing=_standing(model),
        cluster_id=model.cluster_id,
        member_id=model.member_id,
        term=end.term,
        commit_index=end.commit_index,
        snapshot=reseed.snapshot,
        failed=reseed.failed,
        reason=reseed.reason,
        kept=reseed.kept,
    )


def _standing(model: Model) -> Standing:
    if model.phase in _STANDINGS:
        return _STANDINGS[model.phase]
    if model.record.held is not None or model.reseed.undo:
        return Standing.HOLDING
    if model.record.seeded:
        # Its first process is about to start; after that it is the seed, whatever becomes of it.
        return Standing.SEEDED if model.reseed.seed_ran else Standing.SEEDING
    return Standing.UNHELD
