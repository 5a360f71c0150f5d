"""Faults that meet backups: a target that misbehaves, and whoever dies while one is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos import orders
from etcdmesos.cluster.commands import CountBackup
from etcdmesos.simulation.backups.storage import PARTY
from etcdmesos.simulation.faults.base import Fault
from etcdmesos.simulation.faults.hits import HITS, at_order, hit
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

_HITS = tuple(what for what in HITS if what != "disk")
"""A backup needs no room on the agent."""


@frozen(kw_only=True)
class TargetMisbehaves(Fault):
    """It refuses, stalls, is full, cuts connections, keeps half of what it takes, or does what is
    asked and loses its answers."""

    WAYS = ("refusing", "stalled", "full", "cutting", "truncating", "mute")

    def available(self, world: World) -> bool:
        return world.storage is not None and not getattr(world.storage, self._way)

    def inject(self, world: World) -> None:
        setattr(world.storage, self._way, True)
        world.undo_after(self.seconds * 4, lambda: setattr(world.storage, self._way, False))

    @property
    def _way(self) -> str:
        return self.WAYS[self.pick % len(self.WAYS)]


@frozen(kw_only=True)
class TargetOutOfReach(Fault):
    """The target can't be reached by the schedulers, by the agents, or by anybody."""

    def available(self, world: World) -> bool:
        return world.storage is not None

    def inject(self, world: World) -> None:
        network = world.network
        schedulers = tuple(scheduler.host.name for scheduler in world.schedulers)
        choices = (schedulers, world.mesos.agents, (*schedulers, *world.mesos.agents))
        apart = choices[self.pick % len(choices)]
        for party in apart:
            network.cut(party, PARTY)

        def undo() -> None:
            for party in apart:
                network.heal(party, PARTY)

        world.undo_after(self.seconds * 4, undo)


@frozen(kw_only=True)
class HitDuringBackup(Fault):
    """While the next backup is sent or read back, the scheduler dies, or the executor, or its etcd,
    or its agent; or the executor stands still."""

    def available(self, world: World) -> bool:
        return world.storage is not None and world.scheduler.running

    def inject(self, world: World) -> None:
        world.operator.back_up()
        reading, delay = self.pick % 3 == 0, self.pick // 3 % 16 / 4
        what = _HITS[self.pick // 48 % len(_HITS)]

        def happen(order: orders.Order) -> None:
            world.clock.call_after(delay, hit, world, what, order.task_id, self.seconds)

        def read(command: Command) -> bool:
            if world.healed:
                return True
            if not isinstance(command, CountBackup):
                return False
            world.clock.call_after(delay / 4, world.scheduler.kill)
            return True

        if reading:
            world.scheduler.watch(read)
        else:
            at_order(world, orders.Backup, happen)


@frozen(kw_only=True)
class OperatorBacksUp(Fault):
    """The operator posts /backup."""

    def available(self, world: World) -> bool:
        return world.storage is not None and world.scheduler.model is not None

    def inject(self, world: World) -> None:
        world.operator.back_up()
