"""Faults of the record store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class StoreAway(Fault):
    """The store refuses everything for a while."""

    def available(self, world: World) -> bool:
        return world.store.available

    def inject(self, world: World) -> None:
        world.store.available = False

        def undo() -> None:
            world.store.available = True

        world.undo_after(self.seconds, undo)


@frozen(kw_only=True)
class SavesUnknown(Fault):
    """Answers to writes get lost; some of those writes are carried out, some are not."""

    def available(self, world: World) -> bool:
        return world.store.fate is None

    def inject(self, world: World) -> None:
        random = world.random

        def fate() -> tuple[bool, bool]:
            return random.random() < 0.5, random.random() < 0.5

        def undo() -> None:
            world.store.fate = None

        world.store.fate = fate
        world.undo_after(self.seconds, undo)


@frozen(kw_only=True)
class StoreSlow(Fault):
    """Every request takes seconds."""

    def available(self, world: World) -> bool:
        return world.store.stall == 0.0

    def inject(self, world: World) -> None:
        world.store.stall = 0.5 + self.pick % 8

        def undo() -> None:
            world.store.stall = 0.0

        world.undo_after(self.seconds, undo)
