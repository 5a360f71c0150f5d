"""What oracles remember of restores, and of which cluster grew from which.  Nothing is judged
here."""

from __future__ import annotations

from attrs import define, field, frozen

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import generation_in
from etcdmesos.cluster.events import BackupChecked, RestoreAsked
from etcdmesos.cluster.record import Member, Record
from etcdmesos.cluster.restore.episode import Restore, Stage
from etcdmesos.simulation.facts import DataRestored
from etcdmesos.step import Event

__all__ = ["TOLD_OF_RESTORES", "Attempt", "Grown", "RestoreBooks", "under_way"]

TOLD_OF_RESTORES = (BackupChecked, RestoreAsked)
"""Events that say something of a restore."""


@frozen
class Grown:
    """Of what a cluster was made, by a reseed or a restore."""

    base: int
    """The generation that it goes on from; 0: one that is not of this world."""
    revision: int
    """Of that one's writes, those above it are missing."""


@frozen
class Attempt:
    """One on record, and whose it is."""

    restore: Restore
    member: str


@define
class RestoreBooks:
    """Of all schedulers' restores."""

    counting: dict[str, Manifest] = field(factory=dict)
    """By name, the backups that count and were whole when they began to."""
    found: set[str] = field(factory=set)
    """Names of those that lay there before the world began; nothing of this world is in them."""
    checked: dict[int, set[str]] = field(factory=dict)
    """By process, the snapshots (by SHA-256) that it was told to be sound."""
    asked: set[int] = field(factory=set)
    """Processes that the operator has ordered to restore."""
    lost: tuple[Member, ...] = ()
    """The members of the cluster that was lost, as they were when the last restore began."""
    attempts: dict[int, Attempt] = field(factory=dict)
    """By generation."""
    restored: dict[int, DataRestored] = field(factory=dict)
    """By generation, what lies where the restored member's data is."""
    grown: dict[int, Grown] = field(factory=dict)
    """By generation, clusters that did not begin empty."""
    in_force: set[int] = field(factory=set)
    """Generations that ever were the cluster's."""

    def heard(self, process: int, event: Event) -> None:
        """Take in what a scheduler process was told."""
        if isinstance(event, BackupChecked):
            self.checked.setdefault(process, set()).add(event.point.sha256)
        elif isinstance(event, RestoreAsked):
            self.asked.add(process)

    def stored(self, before: Record | None, after: Record) -> None:
        """Take in what became durable."""
        self.in_force.add(after.generation)
        restore = after.restore
        if restore is not None and under_way(before) is None:
            self.lost = after.lost_members
        if restore is not None and restore.stage in (Stage.FETCHING, Stage.SEEDING):
            member = after.members[0].name if after.members else ""
            self.attempts.setdefault(restore.generation, Attempt(restore, member))
        if before is None or before.generation == after.generation:
            return
        if before.restore is not None and before.restore.point is not None:
            point = before.restore.point
            base = 0 if point.name in self.found else generation_in(point.name)
            self.grown[after.generation] = Grown(base, point.revision)
        elif before.reseed is not None and after.reseeds:
            self.grown[after.generation] = Grown(before.generation, after.reseeds[-1].revision)

    def restored_since(self, generation: int) -> bool:
        """Whether the cluster of a later generation was made from a backup."""
        return any(one > generation for one in self.grown if one in self.attempts)

    def holds(self, generation: int, of: int, revision: int) -> bool:
        """Whether the cluster of that generation has to hold a write of the one `of`, as far as
        reseeds and restores go."""
        while generation != of:
            grown = self.grown.get(generation)
            if grown is None or revision > grown.revision:
                return False
            generation = grown.base
        return True


def under_way(record: Record | None) -> Restore | None:
    """The restore on record, unless it was given up."""
    restore = record.restore if record is not None else None
    return None if restore is None or restore.stage is Stage.FAILED else restore
