"""The real controller and executors live through a bootstrap and small mishaps in virtual time."""

from __future__ import annotations

import pytest

from etcdmesos.simulation.etcd.data_directory import DataDirectory
from tests.simulation.mesos.together import Together


def healthy(seed: int) -> Together:
    """A world whose cluster has become healthy."""
    world = Together(seed)
    assert world.until("healthy", within=60.0), world.phase
    return world


@pytest.mark.parametrize("seed", range(5))
def test_a_cluster_of_three_becomes_healthy_on_three_hosts(seed: int) -> None:
    world = healthy(seed)
    assert len({process.host.name for process in world.etcd.processes}) == 3
    world.etcd.check()


def test_an_etcd_that_was_killed_is_started_again_in_place() -> None:
    world = healthy(1)
    task = world.scheduler.model.record.members[0].tasks[0].id
    executor = world.executors.with_task(task)
    assert executor is not None
    first = executor.etcd
    assert world.executors.kill_etcd(task)
    world.run(30.0)
    assert executor.etcd is not None
    assert executor.etcd is not first
    assert world.phase == "healthy"
    assert [m.tasks[0].id for m in world.scheduler.model.record.members].count(task) == 1


def test_an_executor_that_was_killed_takes_its_etcd_along_and_leaves_its_data() -> None:
    world = healthy(2)
    member = world.scheduler.model.record.members[0]
    executor = world.mesos.executor(member.tasks[0].id)
    assert executor is not None
    assert world.mesos.kill_executor(member.tasks[0].id)
    world.run(5.0)
    assert len(world.etcd.processes) == 2
    assert world.phase == "degraded"
    agent = next(disk for disk in world.mesos.disks.values() if executor in disk.ended)
    kept = agent.host.disk.read(f"{executor.sandbox}/data/{member.name}")
    assert isinstance(kept, DataDirectory)
    assert not kept.empty
    assert world.mesos.collect_sandboxes(agent.host.name) == 1
    assert agent.host.disk.read(f"{executor.sandbox}/data/{member.name}") is None


def test_a_master_that_fails_over_costs_nothing() -> None:
    world = healthy(3)
    world.mesos.fail_over(down=5.0, agents_after=10.0)
    assert world.until("recovering", within=1.0)
    assert world.until("healthy", within=60.0), world.phase
    assert len(world.etcd.processes) == 3


def test_a_new_scheduler_takes_the_cluster_over() -> None:
    world = healthy(4)
    world.scheduler.kill()
    world.run(3.0)
    world.start_scheduler()
    assert world.until("healthy", within=60.0), world.phase
    assert len(world.etcd.processes) == 3
    assert world.scheduler.model.record.epoch == 2


def test_an_agent_daemon_that_is_restarted_costs_nothing() -> None:
    world = healthy(5)
    for agent in world.mesos.agents:
        world.mesos.restart_agent(agent, down=1.0)
    world.run(60.0)
    assert world.phase == "healthy"
    assert len(world.etcd.processes) == 3
