"""Faults of the scheduler's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.cluster.commands import (
    Acknowledge,
    AddLearner,
    Launch,
    ProbeMember,
    ProbeProgress,
    PromoteLearner,
    RemoveMember,
)
from etcdmesos.simulation.faults.base import Fault
from etcdmesos.simulation.mesos.master import MASTER as MASTER_ADDRESS
from etcdmesos.simulation.zookeeper.service import ADDRESS as ZOOKEEPER_ADDRESS
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

MASTER, _ = MASTER_ADDRESS
ZOOKEEPER, _ = ZOOKEEPER_ADDRESS


@frozen(kw_only=True)
class SchedulerKilled(Fault):
    """SIGKILL; its supervisor starts another one."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        world.scheduler.kill()


@frozen(kw_only=True)
class SchedulerCrashes(Fault):
    """It dies before the n-th command from now on that is no probe: between a save and what was
    to follow it, or in the middle of it."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        left = self.pick % 7

        def due(command: Command) -> bool:
            nonlocal left
            if isinstance(command, ProbeMember | ProbeProgress):
                return False
            left -= 1
            return left < 0

        world.scheduler.crash_before(due)


@frozen(kw_only=True)
class SchedulerCrashesAtLaunch(Fault):
    """It dies in the middle of launching a gang, or right before."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        left = self.pick % (world.options.cluster_size + 1)

        def due(command: Command) -> bool:
            nonlocal left
            if not isinstance(command, Launch):
                return left <= 0 and self.pick % 2 == 1 and isinstance(command, Acknowledge)
            left -= 1
            return left < 0

        world.scheduler.crash_before(due)


@frozen(kw_only=True)
class SchedulerCrashesAtChange(Fault):
    """It dies right before it asks etcd for the n-th change from now on, or right after that."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        left, after = self.pick // 2 % 3, self.pick % 2 == 1

        def due(command: Command) -> bool:
            nonlocal left
            if left < 0:
                return True
            if isinstance(command, AddLearner | PromoteLearner | RemoveMember):
                left -= 1
                return left < 0 and not after
            return False

        world.scheduler.crash_before(due)


@frozen(kw_only=True)
class SchedulerCrashesAtSave(Fault):
    """It dies right before it writes the record the n-th time from now on, or while it does."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        seconds = None if self.pick % 3 == 0 else self.pick // 12 % 8 / 1000
        world.scheduler.crash_at_save(1 + self.pick // 3 % 4, seconds)


@frozen(kw_only=True)
class SchedulerStopped(Fault):
    """SIGTERM; its supervisor starts another one."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and not world.scheduler.paused

    def inject(self, world: World) -> None:
        world.scheduler.stop()


@frozen(kw_only=True)
class SchedulerPaused(Fault):
    """SIGSTOP and, later, SIGCONT: time leaps, and what came meanwhile comes at once."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and not world.scheduler.paused

    def inject(self, world: World) -> None:
        scheduler = world.scheduler
        scheduler.pause()
        world.undo_after(self.seconds, scheduler.resume)


@frozen(kw_only=True)
class SchedulerStoodStill(Fault):
    """It is stopped for minutes: whoever stands by has long taken over when it goes on."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and not world.scheduler.paused

    def inject(self, world: World) -> None:
        scheduler = world.scheduler
        scheduler.pause()
        world.undo_after(60.0 + self.seconds, scheduler.resume)


@frozen(kw_only=True)
class SchedulerReplaced(Fault):
    """It is stopped and taken for dead; one on another machine takes over; then it goes on."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and all(one.host.up for one in world.schedulers)

    def inject(self, world: World) -> None:
        old = world.scheduler
        (new,) = (one for one in world.schedulers if one is not old)
        old.pause()
        if world.settings.elected:
            world.zookeeper.expire_sessions_of(old.process)
        else:
            # Nobody starts the old one again: two would take over from each other for ever.
            old.supervised, new.supervised = False, True
        new.start()
        world.undo_after(self.seconds, old.resume)


@frozen(kw_only=True)
class SessionExpires(Fault):
    """ZooKeeper ends its session sooner than it counts itself: their clocks do not agree."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        world.zookeeper.expire_sessions_of(world.scheduler.process)


@frozen(kw_only=True)
class SchedulerCutFromZooKeeper(Fault):
    """It reaches all but ZooKeeper."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        _cut(world, ZOOKEEPER, self.pick % 4 == 0, self.seconds)


@frozen(kw_only=True)
class SchedulerCutFromMaster(Fault):
    """It reaches all but the Mesos master."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        _cut(world, MASTER, self.pick % 4 == 0, self.seconds)


@frozen(kw_only=True)
class StandbyKilled(Fault):
    """SIGKILL of one that is not in charge; its supervisor starts another one."""

    def available(self, world: World) -> bool:
        return any(one.running for one in world.schedulers if one is not world.scheduler)

    def inject(self, world: World) -> None:
        for one in world.schedulers:
            if one is not world.scheduler:
                one.kill()


def _cut(world: World, party: str, one_way: bool, seconds: float) -> None:
    network, host = world.network, world.scheduler.host.name
    network.cut(host, party, one_way=one_way)
    world.undo_after(seconds, lambda: network.heal(host, party, one_way=one_way))
