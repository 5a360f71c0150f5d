"""Invariants of what one step asks for backups, written from promise 12 and not from the plans.

Part of the second line of defence in `promises.py`.
"""

from __future__ import annotations

from etcdmesos import orders
from etcdmesos.cluster.commands import DeleteBackup, SendMessage
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.errors import BrokenPromise
from etcdmesos.orders import Backup, CancelBackup
from etcdmesos.step import Step


def check_backups(step: Step[Model, Record]) -> None:
    """Raises BrokenPromise, quoting the promise, when something of `step` must not be let out."""
    for command in step.commands:
        if isinstance(command, DeleteBackup):
            _check_deletion(step.model, command.name)
        elif isinstance(command, SendMessage):
            order = orders.decode(command.data)
            if isinstance(order, Backup | CancelBackup):
                _check_order(step.model, order)


def _check_deletion(model: Model, name: str) -> None:
    catalogue = model.backups.catalogue
    if catalogue is None or catalogue.newest is None:
        raise BrokenPromise("a backup would be deleted before a newer one was verified")
    if name == catalogue.newest.name:
        raise BrokenPromise("the newest backup would be deleted")


def _check_order(model: Model, order: Backup | CancelBackup) -> None:
    if order.epoch != model.record.epoch or model.record.owner(order.task_id) is None:
        raise BrokenPromise("an order for a task that is not on record, or of another epoch")
    run = model.backups.run
    if isinstance(order, Backup) and (run is None or run.name != order.name):
        raise BrokenPromise("one backup at a time")
