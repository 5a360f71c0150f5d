"""Invariants of the orders of one step, written from promises 5, 7 and 8 and not from the planner.

Part of the second line of defence in `promises.py`.
"""

from __future__ import annotations

from etcdmesos import orders
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.cluster.episode import Reseed, Stage
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.promises_of_restoring import check_order
from etcdmesos.cluster.record import Kind, Record, Role
from etcdmesos.cluster.record import Step as MemberStep
from etcdmesos.errors import BrokenPromise
from etcdmesos.mesos.statuses import MAY_RUN
from etcdmesos.orders import (
    Backup,
    CancelBackup,
    Discard,
    Hold,
    MeasureCopy,
    Order,
    Release,
    ReseedOrder,
    Seed,
    Standing,
)
from etcdmesos.step import Step

QUIET = (Standing.HELD, Standing.MEASURING, Standing.SEEDING, Standing.SEEDED)


def check_orders(before: Model, step: Step[Model, Record]) -> None:
    """Raises BrokenPromise, quoting the promise, when an order of `step` must not be let out."""
    for command in step.commands:
        if isinstance(command, SendMessage):
            order = orders.decode(command.data)
            restore = step.model.record.restore
            if isinstance(order, ReseedOrder) and restore is not None:
                check_order(step.model, restore, order)
            elif isinstance(order, ReseedOrder):
                _check(step.model, order)
            elif isinstance(order, Discard):
                _check_discard(step.model, order)
            elif not isinstance(order, Backup | CancelBackup):
                raise BrokenPromise("an order of a kind that nobody gives")
    _check_seed(before, step.model)


def _check(model: Model, order: ReseedOrder) -> None:
    reseed = model.record.reseed
    if reseed is None or (order.epoch, order.generation) != (model.record.epoch, reseed.generation):
        raise BrokenPromise("an order without a record that says so")
    if reseed.generation <= model.record.generation:
        raise BrokenPromise("an attempt to reseed in the generation of the cluster in force")
    if model.record.owner(order.task_id) is None:
        raise BrokenPromise("an order for a task that is not on record")
    if isinstance(order, Release) != (reseed.stage is Stage.RELEASING):
        raise BrokenPromise("members are held and released at once")
    if isinstance(order, Hold) and reseed.stage is Stage.MEASURING:
        raise BrokenPromise("a hold before it is on record")
    if isinstance(order, MeasureCopy | Seed):
        _check_the_one(model, reseed, order)


def _check_discard(model: Model, order: Discard) -> None:
    if model.record.reseed is not None:
        raise BrokenPromise("what was set aside would go while an attempt is on record")
    if order.before and model.phase != "healthy":
        raise BrokenPromise("what was set aside would go before all is well")


def _check_the_one(model: Model, reseed: Reseed, order: Order) -> None:
    owner = model.record.owner(order.task_id)
    if owner is None or owner.name != reseed.seed:
        raise BrokenPromise("at most one seed: the order is for another one")
    if isinstance(order, Seed):
        if reseed.stage is not Stage.SEEDING or reseed.chosen is None:
            raise BrokenPromise("a seed that is not on record")
        if order.token != model.record.token_of(reseed.generation):
            raise BrokenPromise("a seed with a token that is not its generation's own")


def _check_seed(before: Model, after: Model) -> None:
    """The moment at which a seed is recorded: whoever else could serve is accounted for."""
    reseed, earlier = after.record.reseed, before.record.reseed
    if reseed is None or reseed.stage is not Stage.SEEDING:
        return
    if earlier is not None and earlier.generation == reseed.generation:
        if earlier.stage is Stage.SEEDING and earlier.seed != reseed.seed:
            raise BrokenPromise("two seeds in one generation")
        if earlier.stage is Stage.SEEDING:
            return
    if not before.store.loaded:
        return  # read from the store: another scheduler recorded it
    possible = [name for name in _voters(after.record) if not _accounted_for(after, name)]
    if reseed.proven and any(
        2 * len(set(possible) & config) > len(config) for config in _configurations(after.record)
    ):
        raise BrokenPromise("proven, but a quorum of the old cluster may still serve")
    for name in possible:
        if reseed.proven or (reseed.unproven and _given_up(after, name)):
            continue
        raise BrokenPromise(f"a seed while {name} may serve, unproven and not given up by Mesos")


def _voters(record: Record) -> set[str]:
    return set().union(*_configurations(record))


def _configurations(record: Record) -> list[set[str]]:
    steps = (MemberStep.ADDING, MemberStep.GONE)
    now = {m.name for m in record.members if m.role is Role.VOTER and m.step not in steps}
    now |= {f"member {one}" for one in record.foreign_voters}
    change = record.change
    if change is None or change.kind is Kind.ADD:
        return [now]
    name = change.member or f"member {change.id}"
    return [now | {name}, now - {name}] if change.kind is Kind.PROMOTE else [now, now - {name}]


def _accounted_for(model: Model, name: str) -> bool:
    """Known dead, or confirmed held in this very attempt."""
    member, reseed = model.record.member(name), model.record.reseed
    if member is None or reseed is None or not member.tasks:
        return False
    if all((s := model.tasks.get(task.id)) is not None and s.dead for task in member.tasks):
        return True
    report = model.reports.get(member.tasks[-1].id)
    return (
        report is not None
        and (report.epoch, report.generation) == (model.record.epoch, reseed.generation)
        and report.standing in QUIET
    )


def _given_up(model: Model, name: str) -> bool:
    member = model.record.member(name)
    return member is not None and any(
        (status := model.tasks.get(task.id)) is not None and status.state in MAY_RUN
        for task in member.tasks
    )
