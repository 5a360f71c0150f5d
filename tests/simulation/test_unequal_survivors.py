"""What chance seldom brings about: a majority dies while one of several survivors is behind."""

from __future__ import annotations

from etcdmesos.simulation.executor_host import ExecutorHost
from etcdmesos.simulation.options import Cores, Options
from etcdmesos.simulation.schedule import settle
from etcdmesos.simulation.world import World

WITHIN = 120.0
BEHIND, AHEAD = "etcd-1", "etcd-5"


def one_is_behind(cores: Cores | None = None) -> World:
    """A world of five, of whom the first, which missed a few writes, and the last are left."""
    world = World(Options(seed=1, cluster_size=5, agents=6, elected=False), cores)
    world.start()
    world.clock.run_while(lambda: phase(world) != "healthy", WITHIN)
    assert phase(world) == "healthy"
    by_name = {name_of(one): one for one in world.executors.running}
    behind = by_name[BEHIND].container.host.name
    away = [(behind, other) for other in world.mesos.agents if other != behind]
    for pair in away:
        world.network.cut(*pair)
    written = world.workload.acknowledged
    world.clock.run_while(lambda: world.workload.acknowledged < written + 3, WITHIN)
    for name, one in by_name.items():
        if name not in (BEHIND, AHEAD):
            one.kill()
    for pair in away:
        world.network.heal(*pair)
    return world


def name_of(executor: ExecutorHost) -> str:
    assert executor.etcd is not None
    return executor.etcd.options.name


def phase(world: World) -> str:
    return world.scheduler.model.phase if world.scheduler.model is not None else ""


def test_the_one_that_has_more_is_the_seed() -> None:
    world = one_is_behind()
    settle(world)
    assert world.books.durable is not None
    assert [one.member for one in world.books.durable.reseeds] == [AHEAD]
    assert phase(world) == "healthy"
