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
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World


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
class SchedulerReplaced(Fault):
    """It is stopped and taken for dead; one on another machine takes over; then it goes on."""

    def available(self, world: World) -> bool:
        first, second = world.schedulers
        return world.scheduler is first and first.running and second.host.up

    def inject(self, world: World) -> None:
        old, new = world.schedulers
        old.pause()
        # Nobody starts the old one again: two would take over from each other for ever.
        old.supervised, new.supervised = False, True
        world.scheduler = new
        new.start()
        world.undo_after(self.seconds, old.resume)
