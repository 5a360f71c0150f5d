"""Whatever is done to the simulated Mesos, it could exist, and one seed gives one world."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from random import Random

import pytest

from etcdmesos.cluster.events import MasterStateRead
from etcdmesos.simulation.errors import ImpossibleWorld
from tests.simulation.mesos.together import Together

STEPS = 25
PAUSES = (0.05, 1.0, 5.0, 20.0)


class Trouble:
    """Everything that can be done to Mesos, at random."""

    def __init__(self, world: Together, seed: int) -> None:
        self.world = world
        self.random = Random(seed)
        mesos, network, agent = world.mesos, world.network, self._agent
        self.faults: tuple[Callable[[], object], ...] = (
            lambda: mesos.fail_over(down=5.0, agents_after=self.random.choice([0.0, 30.0])),
            lambda: mesos.restart_agent(agent(), down=self.random.choice([0.0, 1.0, 10.0])),
            lambda: mesos.kill_agent(agent()),
            lambda: mesos.start_agent(agent()),
            lambda: mesos.pause_agent(agent()),
            lambda: mesos.resume_agent(agent()),
            lambda: mesos.power_off(agent()),
            lambda: mesos.power_on(agent(), new_id=self.random.random() < 0.3),
            lambda: mesos.unregister_agent(agent()),
            self._mark_gone,
            mesos.rescind_offers,
            mesos.pause_master,
            mesos.resume_master,
            lambda: mesos.fail_next_launch(agent()),
            lambda: mesos.collect_sandboxes(agent()),
            lambda: mesos.kill_executor(self._task()),
            lambda: mesos.repeat_update(agent(), self._task()),
            lambda: world.executors.kill_etcd(self._task()),
            lambda: network.cut(*self.random.sample(network.parties, 2)),
            lambda: network.cut(*self.random.sample(network.parties, 2), one_way=True),
            lambda: network.isolate(self.random.choice(network.parties)),
            network.heal_all,
            self._bad_lines,
            lambda: world.scheduler.pause(),
            lambda: world.scheduler.resume(),
            self._new_scheduler,
        )

    def _agent(self) -> str:
        return self.random.choice(self.world.mesos.agents)

    def _task(self) -> str:
        members = self.world.scheduler.model.record.members
        tasks = [task.id for member in members for task in member.tasks]
        return self.random.choice(tasks) if tasks else ""

    def _mark_gone(self) -> None:
        agent = self._agent()
        if not self.world.hosts[agent].up:
            self.world.mesos.mark_agent_gone(agent)

    def _bad_lines(self) -> None:
        draw = self.random.random
        self.world.network.fate = lambda _message, _source, _target: (
            None if draw() < 0.01 else 3.0 * draw() if draw() < 0.02 else 0.0
        )

    def _new_scheduler(self) -> None:
        self.world.scheduler.kill()
        self.world.start_scheduler()

    def go(self) -> None:
        """One of them, and a while."""
        self.random.choice(self.faults)()
        self.world.run(self.random.choice(PAUSES))

    def heal(self) -> None:
        """Undo all that can be undone."""
        world = self.world
        world.network.fate = None
        world.network.heal_all()
        world.mesos.resume_master()
        world.mesos.start_master()
        world.scheduler.resume()
        for agent in world.mesos.agents:
            world.mesos.power_on(agent)
            world.mesos.resume_agent(agent)
            world.mesos.start_agent(agent)


@pytest.mark.parametrize("seed", [*range(12), 148, 249])
def test_any_sequence_of_faults_leaves_a_mesos_that_could_exist(seed: int) -> None:
    world = Together(seed)
    world.until("healthy", within=60.0)
    trouble = Trouble(world, seed)
    for _ in range(STEPS):
        trouble.go()
        world.mesos.check()
        world.etcd.check()
    trouble.heal()
    assert world.clock.run_while(lambda: not whole(world), world.clock.now + 200.0)


def whole(world: Together) -> bool:
    """All agents are registered, and the scheduler is subscribed."""
    mesos = world.mesos
    registered = [agent for agent in mesos.master.books.agents.values() if agent.connected]
    return len(registered) == len(mesos.agents) and world.scheduler.model.mesos.subscribed


def test_operators_do_not_lie() -> None:
    world = Together(1)
    world.run(5.0)
    with pytest.raises(ImpossibleWorld, match="has power"):
        world.mesos.mark_agent_gone("10.0.0.1")


def trace(seed: int) -> str:
    """A digest of all that the controller was told, and when."""
    world = Together(seed)
    seen = hashlib.sha256()
    scheduler = world.scheduler

    def note(event: object, _before: object, step: object) -> None:
        if isinstance(event, MasterStateRead):
            # A frozenset is printed in any order.
            event = sorted(event.state.registered_agents)
        seen.update(f"{world.clock.now} {event} {step.commands}\n".encode())  # type: ignore[attr-defined]

    scheduler._on_step = note
    trouble = Trouble(world, seed)
    trouble.faults = trouble.faults[:-3]
    for _ in range(STEPS):
        trouble.go()
    return f"{scheduler.steps} {seen.hexdigest()}"


def test_one_seed_gives_one_world_whatever_python_hashes() -> None:
    program = "from tests.simulation.mesos.test_faults import trace; print(trace(3))"
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("0", "1", "77")
    }
    assert traces == {trace(3) + "\n"}
