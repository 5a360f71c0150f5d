"""Oracles on orders to executors: none goes out without the record that says so."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos import orders
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.episode import Restore
from etcdmesos.cluster.restore.episode import Stage as RestoreStage
from etcdmesos.simulation.facts import Released
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise

ORDERED_IN = {
    orders.TakeSnapshot: (Stage.MEASURING,),
    orders.Hold: (Stage.HOLDING, Stage.COPYING, Stage.SEEDING),
    orders.MeasureCopy: (Stage.COPYING,),
    orders.Seed: (Stage.SEEDING,),
    orders.Release: (Stage.RELEASING,),
}
"""The stages on record in which each order may go out."""
RESTORED_IN = {orders.FetchBackup: RestoreStage.FETCHING, orders.Seed: RestoreStage.SEEDING}
"""The same where a backup is restored."""


@oracle(Promise.INTENT, Released)
def orders_are_on_record(books: Books, fact: Released) -> Iterator[str]:
    """No hold and no seed without the record that says so."""
    record = books.record_of(fact.process)
    if not isinstance(fact.command, SendMessage) or record is None:
        return
    order = orders.decode(fact.command.data)
    if not isinstance(order, orders.ReseedOrder):
        return
    if record.restore is not None:
        yield from _order_to_restore(record, record.restore, order)
        return
    reseed, named = record.reseed, type(order).__name__
    if reseed is None or (order.generation, order.epoch) != (reseed.generation, record.epoch):
        yield f"{named} of generation {order.generation}, which is not on record"
        return
    if reseed.stage not in ORDERED_IN[type(order)]:
        yield f"{named}, and {reseed.stage.value} is on record"
    owner = record.owner(order.task_id)
    alone = isinstance(order, orders.Seed | orders.MeasureCopy)
    if owner is None or (alone and owner.name != reseed.seed):
        yield f"{named} for {order.task_id}, and {reseed.seed or 'nobody'} is on record as the seed"
    if isinstance(order, orders.Seed) and order.token != record.token_of(order.generation):
        yield f"{named} with the token {order.token}, which is not its generation's"


def _order_to_restore(record: Record, restore: Restore, order: orders.ReseedOrder) -> Iterator[str]:
    named = f"{type(order).__name__} of generation {order.generation}"
    if (order.generation, order.epoch) != (restore.generation, record.epoch):
        yield f"{named}, which is not on record"
    if RESTORED_IN.get(type(order)) is not restore.stage:
        yield f"{named}, and the restore on record is {restore.stage.value}"
    owner, point = record.owner(order.task_id), restore.point
    if owner is None or point is None:
        yield f"{named} for {order.task_id}, which is not on record"
    elif isinstance(order, orders.Seed):
        if order.token != record.token_of(order.generation):
            yield f"{named} with the token {order.token}, which is not its generation's"
        if order.snapshot_sha256 != point.sha256:
            yield f"{named} from another snapshot than {point.name}"
