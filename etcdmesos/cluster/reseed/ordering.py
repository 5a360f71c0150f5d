"""What each executor is to do in the recorded stage of reseeding, and when it is told (again).

Mesos carries a message at most once: an order is repeated until a report answers it.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.messages import message
from etcdmesos.cluster.model import Draft, Model, OrderSent
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.standing import (
    STOPPED,
    in_reach,
    report_of,
    silent,
    stands,
)
from etcdmesos.orders import Order, Report, Standing


def send_orders(draft: Draft) -> Draft:
    """Tell every member in reach what it is to do, if that is due."""
    view, reach = draft.model.reseeding, {m.tasks[-1].id for m in in_reach(draft.model)}
    if not reach >= view.sent.keys():
        sent = {task_id: one for task_id, one in view.sent.items() if task_id in reach}
        draft = draft.having(reseeding=evolve(view, sent=sent))
    for member in in_reach(draft.model):
        order = order_for(draft.model, member)
        if order is not None:
            draft = _send(draft, member, order)
    return draft


def _send(draft: Draft, member: Member, order: Order) -> Draft:
    view, task_id = draft.model.reseeding, member.tasks[-1].id
    sent = view.sent.get(task_id)
    if sent is not None and sent.order == order and draft.now < sent.again_at:
        return draft.waking(sent.again_at)
    since = sent.since if sent is not None and sent.order == order else draft.now
    again = draft.now + draft.model.settings.order_again
    noted = {**view.sent, task_id: OrderSent(order=order, since=since, again_at=again)}
    return (
        draft.having(reseeding=evolve(view, sent=noted))
        .waking(again)
        .asking(message(member, order))
    )


def order_for(model: Model, member: Member) -> Order | None:
    """What `member`'s executor is to do now; None when it has done it, or nothing is asked."""
    reseed, task = model.record.reseed, member.tasks[-1]
    assert reseed is not None
    in_force = model.record.generation
    whose: dict[str, Any] = {
        "task_id": task.id,
        "epoch": model.record.epoch,
        "generation": reseed.generation,
    }
    if reseed.stage is Stage.MEASURING:
        waited_for = to_measure(model, member)
        return orders.TakeSnapshot(**whose) if waited_for else None
    if reseed.stage is Stage.RELEASING:
        released = stands(model, member, Standing.UNHELD)
        return None if released else orders.Release(**whose, in_force=in_force)
    if member.name == reseed.seed and reseed.stage is Stage.COPYING:
        return orders.MeasureCopy(**whose)
    if member.name == reseed.seed and reseed.stage is Stage.SEEDING:
        chosen = reseed.chosen
        if chosen is None or stands(model, member, Standing.SEEDED):
            return None
        return seeding(model, whose, chosen.sha256, chosen.bump)
    return None if stands(model, member, *STOPPED) else orders.Hold(**whose, in_force=in_force)


def seeding(model: Model, whose: dict[str, Any], sha256: str, bump: int) -> Order | None:
    """The order to restore the snapshot of that hash as a cluster of the generation in `whose`."""
    restorer = model.settings.artifacts.restorer
    if restorer is None:
        return None  # taken over by a scheduler without one; the stage has its limit
    return orders.Seed(
        **whose,
        token=model.record.token_of(whose["generation"]),
        tool=orders.Tool(name=restorer.name, url=restorer.uri, sha256=restorer.sha256),
        snapshot_sha256=sha256,
        bump_revision=bump,
    )


def unanswered(draft: Draft, member: Member, limit: float) -> bool:
    """Whether the last order to `member` has been repeated for `limit` seconds."""
    sent = draft.model.reseeding.sent.get(member.tasks[-1].id)
    return sent is not None and draft.now >= sent.since + limit


def to_measure(model: Model, member: Member) -> bool:
    """Whether a snapshot of the member's running etcd is still to be had."""
    report = report_of(model, member)
    if report is not None and (report.snapshot is not None or failed(report, orders.TakeSnapshot)):
        return False
    return not silent(model, member)


def failed(report: Report | None, kind: type[Order]) -> str:
    """Why the executor could not carry out the last order of this kind; "" when it did not say."""
    if report is None or report.failed != orders.name_of(kind):
        return ""
    return report.reason or "no reason given"
