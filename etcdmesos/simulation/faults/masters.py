"""Faults of the Mesos master, and of what it says and offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault, chosen

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class MasterFailsOver(Fault):
    """The leading master dies, another one leads soon, and agents come back to it at once."""

    def available(self, world: World) -> bool:
        return world.mesos.master.running

    def inject(self, world: World) -> None:
        world.mesos.kill_master()
        world.undo_after(min(self.seconds, 5.0), world.mesos.start_master)


@frozen(kw_only=True)
class MasterAway(Fault):
    """No master leads for a while; then agents take their time to come back."""

    def available(self, world: World) -> bool:
        return world.mesos.master.running

    def inject(self, world: World) -> None:
        world.mesos.kill_master()
        agents_after = float(self.pick % 60)
        world.undo_after(self.seconds, lambda: world.mesos.start_master(agents_after))


@frozen(kw_only=True)
class MasterPaused(Fault):
    """SIGSTOP and, later, SIGCONT of the leading master."""

    def available(self, world: World) -> bool:
        return world.mesos.master.running and not world.mesos.master.paused

    def inject(self, world: World) -> None:
        world.mesos.pause_master()
        world.undo_after(self.seconds, world.mesos.resume_master)


@frozen(kw_only=True)
class OffersRescinded(Fault):
    """The master takes offers back."""

    def available(self, world: World) -> bool:
        master = world.mesos.master
        return master.running and not master.paused

    def inject(self, world: World) -> None:
        if self.pick % 2:
            world.mesos.rescind_offers()
        else:
            world.mesos.rescind_offers(chosen(world.mesos.agents, self.pick // 2))


@frozen(kw_only=True)
class OffersFlicker(Fault):
    """The master takes offers back every second, as allocators with quotas do."""

    def available(self, world: World) -> bool:
        return world.mesos.master.running

    def inject(self, world: World) -> None:
        until = world.clock.now + min(self.seconds, 20.0)

        def rescind() -> None:
            mesos = world.mesos
            if mesos.master.running and not mesos.master.paused:
                mesos.rescind_offers()
            if world.clock.now < until:
                world.clock.call_after(0.5 + world.random.random(), rescind)

        rescind()


@frozen(kw_only=True)
class LaunchesRefused(Fault):
    """The master answers the next launches with TASK_ERROR: they are not authorized."""

    def available(self, world: World) -> bool:
        return world.mesos.master.running

    def inject(self, world: World) -> None:
        world.mesos.registry.launches_to_refuse = 1 + self.pick % 3


@frozen(kw_only=True)
class UpdateRepeated(Fault):
    """Agents send what is not acknowledged once more: duplicates."""

    def available(self, world: World) -> bool:
        return bool(world.executors.running)

    def inject(self, world: World) -> None:
        for executor in world.mesos.executors():
            for agent in world.mesos.agents:
                world.mesos.repeat_update(agent, executor.first.id)
