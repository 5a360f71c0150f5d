"""Faults of ZooKeeper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class StoreAway(Fault):
    """No server answers for a while; sessions outlive that."""

    def available(self, world: World) -> bool:
        return world.zookeeper.available

    def inject(self, world: World) -> None:
        world.zookeeper.go_away()
        world.undo_after(self.seconds, world.zookeeper.come_back)


@frozen(kw_only=True)
class SavesUnknown(Fault):
    """Connections break at many writes; some of those writes are carried out, some are not."""

    def available(self, world: World) -> bool:
        return world.zookeeper.fate is None

    def inject(self, world: World) -> None:
        random = world.random

        def fate() -> tuple[bool, bool]:
            return random.random() < 0.5, random.random() < 0.5

        def undo() -> None:
            world.zookeeper.fate = None

        world.zookeeper.fate = fate
        world.undo_after(self.seconds, undo)


@frozen(kw_only=True)
class StoreSlow(Fault):
    """Every request takes seconds."""

    def available(self, world: World) -> bool:
        return world.zookeeper.stall == 0.0

    def inject(self, world: World) -> None:
        world.zookeeper.stall = 0.5 + self.pick % 8

        def undo() -> None:
            world.zookeeper.stall = 0.0

        world.undo_after(self.seconds, undo)
