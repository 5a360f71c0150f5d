"""Invariants of restoring, written from promises 5 and 9 and not from the planner.

Part of the second line of defence in `promises.py`.
"""

from __future__ import annotations

from etcdmesos.cluster.commands import Launch
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member, Record
from etcdmesos.cluster.restore.episode import Restore, Stage
from etcdmesos.errors import BrokenPromise
from etcdmesos.member_spec import MemberSpec
from etcdmesos.orders import FetchBackup, Order, ReseedOrder, Seed
from etcdmesos.step import Step


def check_restore(before: Model, step: Step[Model, Record]) -> None:
    """Raises BrokenPromise, quoting the promise, when `step` must not be let out."""
    launched = [
        task for command in step.commands if isinstance(command, Launch) for task in command.tasks
    ]
    for task in launched:
        owner = step.model.record.owner(task.id)
        if owner is not None:
            _check_launch(step.model.record, owner, MemberSpec.from_json(task.data))
    if before.store.loaded:
        _check_beginning(before.record, step.model)


def _check_launch(record: Record, member: Member, spec: MemberSpec) -> None:
    """New members of a cluster that has served, or is to be restored, come from a backup."""
    restore = record.restore
    if restore is None:
        if member.initial_state == "new" and record.served:
            raise BrokenPromise("a cluster that has ever served is never bootstrapped empty again")
        return
    if restore.stage is not Stage.FETCHING or len(record.members) != 1:
        raise BrokenPromise("one member is launched to be restored, once that is on record")
    if not spec.restores or (spec.generation, member.generation) != (restore.generation,) * 2:
        raise BrokenPromise("a member would be launched empty where a backup is to be restored")


def _check_beginning(before: Record, model: Model) -> None:
    """The moment at which a restore is recorded: nobody can be alive who has more."""
    record = model.record
    if record.restore is None:
        return
    if before.restore is None or before.restore.stage is Stage.FAILED:
        alive = [m.name for m in record.lost_members if m.tasks and not model.ended(m)]
        if record.restore.stage is not Stage.FAILED and (alive or before.epoch != record.epoch):
            raise BrokenPromise(f"a restore while {', '.join(alive) or 'others'} may be alive")
    generation = record.restore.generation
    if generation and generation <= record.generation:
        raise BrokenPromise("an attempt to restore in the generation of the cluster in force")


def check_order(model: Model, restore: Restore, order: ReseedOrder) -> None:
    """Raises BrokenPromise when an order to the member that is restored must not be let out."""
    record = model.record
    if (order.epoch, order.generation) != (record.epoch, restore.generation):
        raise BrokenPromise("an order without a record that says so")
    if record.owner(order.task_id) is None:
        raise BrokenPromise("an order for a task that is not on record")
    if not _in_its_stage(restore, order):
        raise BrokenPromise("a member that is restored gets no other orders than to fetch and seed")
    if isinstance(order, Seed) and order.token != record.token_of(restore.generation):
        raise BrokenPromise("a seed with a token that is not its generation's own")


def _in_its_stage(restore: Restore, order: Order) -> bool:
    point = restore.point
    if point is None:
        return False
    if isinstance(order, FetchBackup):
        return restore.stage is Stage.FETCHING and order.sha256 == point.sha256
    seeding = isinstance(order, Seed) and order.snapshot_sha256 == point.sha256
    return restore.stage is Stage.SEEDING and seeding
