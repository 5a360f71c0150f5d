"""Faults of executors and of launches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault, chosen

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class ExecutorKilled(Fault):
    """SIGKILL of one container: the executor and its etcd."""

    def available(self, world: World) -> bool:
        return bool(world.executors.running)

    def inject(self, world: World) -> None:
        chosen(world.executors.running, self.pick).kill()


@frozen(kw_only=True)
class MinorityKilled(Fault):
    """SIGKILL of as many containers as a cluster of this size can lose."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        running = tuple(world.executors.running)
        for number in range((len(running) - 1) // 2):
            running[(self.pick + number) % len(running)].kill()


@frozen(kw_only=True)
class AllExecutorsKilled(Fault):
    """SIGKILL of every container."""

    def available(self, world: World) -> bool:
        # Rarely: a cluster that lost everything has little left to show.
        return bool(world.executors.running) and self.pick % 4 == 0

    def inject(self, world: World) -> None:
        for executor in tuple(world.executors.running):
            executor.kill()


@frozen(kw_only=True)
class ExecutorPaused(Fault):
    """SIGSTOP and, later, SIGCONT of an executor; its etcd goes on."""

    def available(self, world: World) -> bool:
        return any(not one.core.paused for one in world.executors.running)

    def inject(self, world: World) -> None:
        awake = [one for one in world.executors.running if not one.core.paused]
        core = chosen(awake, self.pick).core
        core.pause()
        world.undo_after(self.seconds, core.resume)


@frozen(kw_only=True)
class LaunchFails(Fault):
    """The next containers of an agent don't start: what they need can't be fetched."""

    def available(self, world: World) -> bool:
        return bool(world.mesos.agents)

    def inject(self, world: World) -> None:
        world.mesos.fail_next_launch(chosen(world.mesos.agents, self.pick))


@frozen(kw_only=True)
class LaunchesFail(Fault):
    """The same on most agents: the address they fetch from is not there."""

    def available(self, world: World) -> bool:
        return bool(world.mesos.agents)

    def inject(self, world: World) -> None:
        agents = world.mesos.agents
        for number in range(len(agents) // 2 + 1):
            world.mesos.fail_next_launch(agents[(self.pick + number) % len(agents)], 2)
