"""Two schedulers in one world: one acts, the other takes over; the operator ends what they run."""

from __future__ import annotations

import pytest
from attrs import evolve

from etcdmesos.cluster.settings import Errand
from etcdmesos.simulation.faults.base import Fault
from etcdmesos.simulation.faults.schedulers import (
    SchedulerCutFromZooKeeper,
    SchedulerKilled,
    SchedulerStoodStill,
    SessionExpires,
)
from etcdmesos.simulation.options import Options
from etcdmesos.simulation.schedule import settle
from etcdmesos.simulation.world import World

SESSION = 4.0
TAKEOVER = 1.5 * SESSION + 2.0
"""Seconds: two looks of the servers at a session that ended in between, and the takeover."""


def healthy_world() -> World:
    world = World(Options(seed=1, session_timeout=SESSION))
    world.start()
    world.run(20.0)
    model = world.scheduler.model
    assert model is not None
    assert model.phase == "healthy"
    return world


@pytest.mark.parametrize(
    "fault",
    [
        SchedulerKilled(),
        SchedulerStoodStill(seconds=30.0),
        SchedulerCutFromZooKeeper(pick=1, seconds=60.0),
        SessionExpires(),
    ],
    ids=lambda fault: fault.name,
)
def test_the_other_takes_over_and_nothing_else_changes(fault: Fault) -> None:
    world = healthy_world()
    before, running = world.scheduler, world.mesos.executors()
    epoch = before.epoch
    world.inject(fault)
    world.run(TAKEOVER)
    after = world.scheduler.model
    assert world.scheduler is not before
    assert after is not None
    assert (after.phase, after.leadership.epoch) == ("healthy", epoch + 1)
    settle(world)
    assert world.mesos.executors() == running


def test_who_was_replaced_while_it_was_cut_off_ends_and_changes_nothing() -> None:
    """Without an election: one is cut off from all, another takes over and replaces a member, and
    then the first one is back."""
    world = World(Options(seed=1, agents=5, elected=False))
    world.start()
    world.run(20.0)
    first, second = world.schedulers
    world.network.isolate(first.host.name)
    first.supervised, second.supervised = False, True
    second.start()
    world.run(10.0)
    world.executors.running[0].kill()
    world.run(60.0)
    world.network.heal_all()
    world.run(120.0)
    assert not first.running
    model = second.model
    assert model is not None
    assert (model.phase, model.record.next_member) == ("healthy", 5)
    settle(world)


def test_an_uninstalled_cluster_leaves_nothing() -> None:
    """Tasks, framework and record: the scheduler with the errand ends them and itself."""
    world = healthy_world()
    world.settings = evolve(world.settings, errand=Errand.UNINSTALL)
    for scheduler in world.schedulers:
        scheduler.kill()
    world.run(60.0)
    assert world.books.durable is None
    assert world.mesos.executors() == ()
    assert not world.etcd.processes
