"""The one member that is restored: what its executor is to do now, and when it is told (again).

Mesos carries a message at most once: an order is repeated until a report answers it.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.cluster.messages import message
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.ordering import seeding
from etcdmesos.cluster.reseed.standing import report_of, stands
from etcdmesos.cluster.restore.episode import Restore, Stage
from etcdmesos.orders import Order, Standing


def fetched(model: Model, member: Member, restore: Restore) -> bool:
    """Whether the snapshot that is to be restored lies in the member's sandbox, checked."""
    report, point = report_of(model, member), restore.point
    return (
        report is not None
        and report.snapshot is not None
        and point is not None
        and report.snapshot.sha256 == point.sha256
    )


def send_order(draft: Draft, member: Member, restore: Restore, ends_at: float) -> Draft:
    """Tell the member what it is to do, if that is due; all is to be over at `ends_at`."""
    view = draft.model.restoring
    order = _order(draft.model, member, restore, ends_at - draft.now)
    if order is None:
        return draft
    if draft.now < view.order_at:
        return draft.waking(view.order_at)
    again = draft.now + draft.model.settings.order_again
    told = draft.having(restoring=evolve(view, order_at=again)).waking(again)
    return told.asking(message(member, order))


def _order(model: Model, member: Member, restore: Restore, seconds: float) -> Order | None:
    point = restore.point
    assert point is not None
    whose: dict[str, Any] = {
        "task_id": member.tasks[-1].id,
        "epoch": model.record.epoch,
        "generation": restore.generation,
    }
    if restore.stage is Stage.FETCHING and model.restoring.url:
        return orders.FetchBackup(
            **whose,
            url=model.restoring.url,
            size=point.size,
            sha256=point.sha256,
            revision=point.revision,
            seconds=seconds,
            idle_seconds=model.settings.restore.idle,
        )
    if restore.stage is not Stage.SEEDING or stands(model, member, Standing.SEEDED):
        return None
    return seeding(model, whose, point.sha256, restore.bump)
