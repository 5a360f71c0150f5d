"""Faults that take all members away, and those that meet a restore while it is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos import orders
from etcdmesos.cluster.commands import CheckBackup, LendBackup, SendMessage
from etcdmesos.simulation.backups.storage import PARTY
from etcdmesos.simulation.faults.base import Fault, chosen
from etcdmesos.simulation.faults.hits import HITS, hit
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

_WAYS = ("refusing", "stalled", "cutting")
"""What a target that is only read may do."""
_AFTER = 4.0
"""Seconds at most between what is asked for and what happens then."""


@frozen(kw_only=True)
class EverybodyKilled(Fault):
    """SIGKILL of all containers, at once or one by one: faster than they are replaced."""

    def available(self, world: World) -> bool:
        return world.storage is not None and bool(world.executors.running)

    def inject(self, world: World) -> None:
        kill_everybody(world, 0.0 if self.pick % 3 else min(self.seconds, 2.0))


@frozen(kw_only=True)
class HitDuringRestore(Fault):
    """All members are killed; while the backup is read back, lent, fetched or restored, the
    scheduler dies, or whoever restores it, or its etcd or agent; or it stands still, or its disk is
    full."""

    def available(self, world: World) -> bool:
        return world.storage is not None and world.scheduler.running

    def inject(self, world: World) -> None:
        what, delay = HITS[self.pick // 4 % len(HITS)], self.pick // 24 % 16 / 16 * _AFTER
        kill_everybody(world, 0.0)

        def happen(task_id: str) -> None:
            whom = what if task_id else "scheduler"
            world.clock.call_after(delay, hit, world, whom, task_id, self.seconds)

        at_stage(world, self.pick % 4, happen)


@frozen(kw_only=True)
class TargetFailsRestore(Fault):
    """All members are killed; while the backup is read back, lent, fetched or restored, the target
    refuses, stalls or cuts connections, or can't be reached by the schedulers; or these can't be
    reached by the agents, though by everybody else."""

    def available(self, world: World) -> bool:
        return world.storage is not None and world.scheduler.running

    def inject(self, world: World) -> None:
        kill_everybody(world, 0.0)
        break_it = (self._misbehave, self._cut_target, self._cut_agents)[self.pick // 4 % 3]
        delay = self.pick // 12 % 16 / 16 * _AFTER
        at_stage(world, self.pick % 4, lambda _: world.clock.call_after(delay, break_it, world))

    def _misbehave(self, world: World) -> None:
        way = _WAYS[self.pick // 192 % len(_WAYS)]
        setattr(world.storage, way, not world.healed)
        world.undo_after(self.seconds * 2, lambda: setattr(world.storage, way, False))

    def _cut_target(self, world: World) -> None:
        self._cut(world, [(one.host.name, PARTY) for one in world.schedulers])

    def _cut_agents(self, world: World) -> None:
        schedulers = [one.host.name for one in world.schedulers]
        self._cut(world, [(one, agent) for one in schedulers for agent in world.mesos.agents])

    def _cut(self, world: World, pairs: list[tuple[str, str]]) -> None:
        if world.healed:
            return
        for pair in pairs:
            world.network.cut(*pair)

        def undo() -> None:
            for pair in pairs:
                world.network.heal(*pair)

        world.undo_after(self.seconds * 2, undo)


@frozen(kw_only=True)
class BackupRots(Fault):
    """The newest backup, or the two newest, are not any more what was put there, or are gone; what
    is under way at that moment is as unlucky."""

    def available(self, world: World) -> bool:
        return bool(world.operator.restorable())

    def inject(self, world: World) -> None:
        assert world.storage is not None
        count = 1 + (self.pick % 4 == 0)
        for manifest in world.operator.restorable()[-count:]:
            world.storage.spoil(manifest.name, gone=self.pick % 3 == 0)
            world.say(PARTY, f"{manifest.name} is damaged")


@frozen(kw_only=True)
class OperatorRestores(Fault):
    """The operator posts /restore, whether that is called for or not: of the newest backup, or of
    any that is whole."""

    def available(self, world: World) -> bool:
        return world.storage is not None and world.scheduler.model is not None

    def inject(self, world: World) -> None:
        whole = world.operator.restorable()
        if whole and self.pick % 2:
            world.operator.restore(chosen(whole, self.pick // 2).name)
        else:
            world.operator.restore(older=self.pick // 2 % 2 == 0)


def kill_everybody(world: World, within: float) -> None:
    """Kill all containers of now within so many seconds."""
    running = list(world.executors.running)
    for number, executor in enumerate(running):
        world.clock.call_after(within * number / len(running), executor.kill)


def at_stage(world: World, number: int, happen: Callable[[str], object]) -> None:
    """Call `happen` when a backup is next read back (0), lent (1), to be fetched (2) or to be
    restored (3), before all faults end, with the task that is to do it, or ""."""

    def act(command: Command) -> bool:
        if world.healed:
            return True
        task_id = ""
        kind: type = type(command)
        if isinstance(command, SendMessage):
            order = orders.decode(command.data)
            kind = type(order)
            task_id = order.task_id
        if kind is not _STAGES[number]:
            return False
        happen(task_id)
        return True

    world.scheduler.watch(act)


_STAGES: tuple[type, ...] = (CheckBackup, LendBackup, orders.FetchBackup, orders.Seed)
