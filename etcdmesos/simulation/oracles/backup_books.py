"""What oracles remember of backups.  Nothing is judged here."""

from __future__ import annotations

from attrs import define, field

from etcdmesos import orders
from etcdmesos.cluster.commands import AbandonBackup, Command, OpenBackup, SendMessage
from etcdmesos.cluster.episode import Reseeded
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.episode import Restored
from etcdmesos.simulation.facts import Released

__all__ = ["BackupBooks", "backup_order"]


@define
class BackupBooks:
    """Of all schedulers' backups."""

    floors: dict[int, int] = field(factory=dict)
    """By process, what had been published when it last asked for a way in."""
    floor_of: dict[str, int] = field(factory=dict)
    """The same by the name of the backup, once it was ordered."""
    kept: set[str] = field(factory=set)
    """Names of those that were ordered of snapshots in sandboxes."""
    under_way: dict[int, str] = field(factory=dict)
    """By process, the one that was ordered and neither counts nor was given up."""
    survivors: set[str] = field(factory=set)
    """Names of those that count and say that no quorum stood behind them."""

    def released(self, fact: Released, record: Record | None) -> None:
        """Take in what a scheduler process let go of; `record`: the one it goes by."""
        process, command = fact.process, fact.command
        if isinstance(command, OpenBackup):
            self.floors[process] = _published(record)
        elif isinstance(command, AbandonBackup):
            self.over(process, command.name)
        elif (order := backup_order(command)) is not None:
            self.floor_of.setdefault(order.name, self.floors.get(process, 0))
            self.under_way[process] = order.name
            if isinstance(order, orders.BackupKept):
                self.kept.add(order.name)

    def over(self, process: int, name: str) -> None:
        """This one is under way no more."""
        if self.under_way.get(process) == name:
            del self.under_way[process]


def backup_order(command: Command) -> orders.Backup | None:
    """The order of a backup that is sent by `command`, if it is one."""
    if not isinstance(command, SendMessage):
        return None
    order = orders.decode(command.data)
    return order if isinstance(order, orders.Backup) else None


def _published(record: Record | None) -> int:
    """The newest revision on record that a backup has to have; 0 where revisions began anew."""
    if record is None:
        return 0
    made: tuple[Reseeded | Restored, ...] = (*record.reseeds, *record.restores)
    began_anew = any(one.generation == record.generation and not one.bump for one in made)
    return 0 if began_anew else record.highest_revision
