"""Worlds of five in which what chance seldom brings about comes together: a quorum goes while its
survivors are unequal, or while etcd's list is being changed.

Each takes the cores that are to get through it, and ends before faults do.
"""

from __future__ import annotations

from collections.abc import Callable

from etcdmesos.cluster.commands import RemoveMember
from etcdmesos.cluster.record import Record
from etcdmesos.simulation.executor_host import ExecutorHost
from etcdmesos.simulation.options import Cores, Options
from etcdmesos.simulation.world import World
from etcdmesos.step import Command

WITHIN = 400.0
RESEEDS_WITHIN = 400.0
"""More than the time after which Mesos gives agents up, and the time-out of a reseed."""
BEHIND, AHEAD = "etcd-1", "etcd-5"


def healthy(cores: Cores | None, agents: int) -> World:
    world = World(Options(seed=1, cluster_size=5, agents=agents, elected=False), cores)
    world.start()
    reach(world, lambda: phase(world) == "healthy")
    return world


def reach(world: World, end: Callable[[], bool]) -> None:
    """Let time pass until it has come to that."""
    world.clock.run_while(lambda: not end(), WITHIN)
    assert end()


def phase(world: World) -> str:
    return world.scheduler.model.phase if world.scheduler.model is not None else ""


def durable(world: World) -> Record:
    assert world.books.durable is not None
    return world.books.durable


def by_name(world: World) -> dict[str, ExecutorHost]:
    """The executors that run, by the names of their members."""
    return {one.etcd.options.name: one for one in world.executors.running if one.etcd is not None}


def one_is_behind(cores: Cores | None = None) -> World:
    """The first, which missed a few writes, and the last are left."""
    world = healthy(cores, agents=6)
    members = by_name(world)
    behind = members[BEHIND].container.host.name
    away = [(behind, other) for other in world.mesos.agents if other != behind]
    for pair in away:
        world.network.cut(*pair)
    written = world.workload.acknowledged
    reach(world, lambda: world.workload.acknowledged >= written + 3)
    for name, one in members.items():
        if name not in (BEHIND, AHEAD):
            one.kill()
    for pair in away:
        world.network.heal(*pair)
    return world


def a_removal_is_in_flight(cores: Cores | None = None) -> World:
    """Of four voters one dies, and its removal shrinks the quorum to two; no scheduler hears that.
    Two go on serving, out of reach."""
    world, hosts = _four(cores)
    by_name(world)["etcd-2"].kill()
    return _cut_in_two(world, hosts)


def a_stranger_votes(cores: Cores | None = None) -> World:
    """To four voters somebody adds a fifth by hand, which may serve with two out of reach: its
    removal was asked for, and no scheduler knows what became of that."""
    world, hosts = _four(cores)
    through = by_name(world)["etcd-5"].etcd
    assert through is not None
    world.operator.add(through, "http://10.9.9.9:2380", learner=False)
    return _cut_in_two(world, hosts)


def _four(cores: Cores | None) -> tuple[World, dict[str, str]]:
    """One of five is gone for good, and there is no agent for another; and all their hosts."""
    world = healthy(cores, agents=5)
    hosts = {name: one.container.host.name for name, one in by_name(world).items()}
    world.mesos.power_off(hosts["etcd-1"])
    reach(world, lambda: len(durable(world).members) == 4 and durable(world).change is None)
    return world, hosts


def _cut_in_two(world: World, hosts: dict[str, str]) -> World:
    """Once a removal was asked for the scheduler dies; then two members can be reached by nobody
    but each other, for as long as a reseed may wait."""
    asked: list[Command] = []

    def act(command: Command) -> bool:
        if isinstance(command, RemoveMember):
            asked.append(command)
            world.clock.call_after(0.0, world.scheduler.kill)
        return bool(asked)

    world.scheduler.watch(act)
    reach(world, lambda: bool(asked))
    world.run(1.0)
    away = (hosts["etcd-3"], hosts["etcd-4"])
    for one in away:
        for other in world.network.parties:
            if other not in away:
                world.network.cut(one, other)
    assert durable(world).change is not None
    world.run(RESEEDS_WITHIN)
    return world
