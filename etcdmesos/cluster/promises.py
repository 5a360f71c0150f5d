"""Invariants of one step, checked before it is let out: the promises one step alone can break.

A second line of defence, written from the promises and not from the planners.
"""

from __future__ import annotations

from etcdmesos.cluster.commands import (
    AddLearner,
    DeleteRecord,
    Kill,
    Launch,
    PromoteLearner,
    RemoveMember,
    SendMessage,
    Shutdown,
    Teardown,
)
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.promises_of_backups import check_backups
from etcdmesos.cluster.promises_of_reseeding import check_orders
from etcdmesos.cluster.promises_of_restoring import check_restore
from etcdmesos.cluster.record import Record
from etcdmesos.errors import BrokenPromise
from etcdmesos.step import Step

RECONFIGURES = (AddLearner, PromoteLearner, RemoveMember)
"""Commands that change etcd's membership."""

CHANGES = (Launch, Kill, Shutdown, SendMessage, Teardown, *RECONFIGURES)
"""Commands that change something of the cluster."""


def check(before: Model, step: Step[Model, Record]) -> None:
    """Raises BrokenPromise, quoting the promise, when `step` must not be let out."""
    if not step.commands and step.model.record is before.record:
        return  # nothing is asked, and nothing recorded
    changes = [c for c in step.commands if isinstance(c, CHANGES)]
    model = step.model
    if changes and not (model.leadership.held and model.store.loaded and model.mesos.subscribed):
        raise BrokenPromise(f"a change without all links: {type(changes[0]).__name__}")
    ends = any(isinstance(command, Teardown | DeleteRecord) for command in step.commands)
    if ends and not (model.store.loaded and model.record.uninstalling):
        raise BrokenPromise("the end of a cluster that is not on record")
    _check_reconfiguration(step)
    _check_launches(before, step)
    check_orders(before, step)
    check_backups(step)
    check_restore(before, step)
    if before.store.loaded:  # otherwise what was before may never have been durable
        _check_counters(before.record, step.model.record)


def _check_reconfiguration(step: Step[Model, Record]) -> None:
    asked = [c for c in step.commands if isinstance(c, RECONFIGURES)]
    if len(asked) > 1:
        raise BrokenPromise("two membership changes at once")
    for command in asked:
        change = step.model.record.change
        if change is None or change.member != command.member:
            raise BrokenPromise("a membership change that is not on record")
    if asked and step.save is None:
        raise BrokenPromise("a membership change without a write of the record to fence it")


def _check_launches(before: Model, step: Step[Model, Record]) -> None:
    launched = [
        task for command in step.commands if isinstance(command, Launch) for task in command.tasks
    ]
    if launched and step.save is None:
        raise BrokenPromise("a launch without a record that says so")
    for task in launched:
        # What was not durable before was not launched either.
        if before.store.loaded and before.record.owner(task.id) is not None:
            raise BrokenPromise(f"{task.id} would be launched a second time")
        if step.save is not None and step.save.owner(task.id) is None:
            raise BrokenPromise(f"{task.id} is launched but not on record")
    record, settings = step.model.record, step.model.settings
    if len(record.members) > record.target_size:
        raise BrokenPromise("more members than the cluster's size")
    agents = [m.agent_id for m in record.members]
    if settings.single_instance_per_agent and len(set(agents)) < len(agents):
        raise BrokenPromise("two members on one agent")


def _check_counters(before: Record, after: Record) -> None:
    """A member's number is never used twice, and counters never go back."""
    if before.epoch != after.epoch:
        return
    known = {m.name for m in (*before.members, *before.lost_members)}
    for member in after.members:
        if member.name not in known and member.number < before.next_member:
            raise BrokenPromise(f"{member.name} was used before")
    if (
        after.generation < before.generation
        or after.next_member < before.next_member
        or after.attempted_generation < before.attempted_generation
    ):
        raise BrokenPromise("a generation or a member number went back")
    if after.highest_revision < before.highest_revision:
        raise BrokenPromise("the highest revision ever seen went back")
