"""Faults of agents: their daemons and their hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault, chosen

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class AgentRestarted(Fault):
    """SIGKILL of an agent's daemon, which is started again later; executors live on."""

    def available(self, world: World) -> bool:
        return bool(_running(world))

    def inject(self, world: World) -> None:
        agent = chosen(_running(world), self.pick)
        world.mesos.kill_agent(agent)
        world.undo_after(self.seconds, lambda: world.mesos.start_agent(agent))


@frozen(kw_only=True)
class AgentPaused(Fault):
    """SIGSTOP and, later, SIGCONT of an agent's daemon."""

    def available(self, world: World) -> bool:
        return bool(_running(world))

    def inject(self, world: World) -> None:
        agent = chosen(_running(world), self.pick)
        world.mesos.pause_agent(agent)
        world.undo_after(self.seconds, lambda: world.mesos.resume_agent(agent))


@frozen(kw_only=True)
class AgentLeaves(Fault):
    """SIGUSR1: the agent says good-bye and ends its executors; later it comes as a new one."""

    def available(self, world: World) -> bool:
        return bool(_running(world))

    def inject(self, world: World) -> None:
        agent = chosen(_running(world), self.pick)
        world.mesos.unregister_agent(agent)
        world.undo_after(self.seconds, lambda: world.mesos.start_agent(agent))


@frozen(kw_only=True)
class PowerLost(Fault):
    """A host of an agent loses power, and gets it back later."""

    def available(self, world: World) -> bool:
        return bool(_powered(world))

    def inject(self, world: World) -> None:
        agent = chosen(_powered(world), self.pick)
        world.mesos.power_off(agent)
        world.undo_after(self.seconds, lambda: world.mesos.power_on(agent))


@frozen(kw_only=True)
class AllPowerLost(Fault):
    """All hosts of agents lose power at once."""

    def available(self, world: World) -> bool:
        return bool(_powered(world)) and self.pick % 4 == 0

    def inject(self, world: World) -> None:
        off = _powered(world)
        for agent in off:
            world.mesos.power_off(agent)

        def undo() -> None:
            for agent in off:
                world.mesos.power_on(agent)

        world.undo_after(self.seconds, undo)


@frozen(kw_only=True)
class HostReplaced(Fault):
    """A host loses power; the operator says that its agent is gone, and a new one comes instead."""

    def available(self, world: World) -> bool:
        return len(_powered(world)) > 1

    def inject(self, world: World) -> None:
        agent = chosen(_powered(world), self.pick)
        world.mesos.power_off(agent)
        world.mesos.mark_agent_gone(agent)
        world.undo_after(self.seconds, lambda: world.mesos.power_on(agent, new_id=True))


def _running(world: World) -> list[str]:
    mesos = world.mesos
    daemons = [(name, mesos.daemon(name)) for name in mesos.agents]
    return [name for name, one in daemons if one is not None and not one.paused]


def _powered(world: World) -> list[str]:
    return [name for name in world.mesos.agents if world.hosts[name].up]
