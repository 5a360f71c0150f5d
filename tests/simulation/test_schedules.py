"""Schedules: they end well on the real cores, the same seed gives the same trace, and a world that
cannot exist is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from attrs import evolve

from etcdmesos.simulation import schedule
from etcdmesos.simulation.errors import ImpossibleWorld
from etcdmesos.simulation.faults import Fault, registered
from etcdmesos.simulation.options import Options
from etcdmesos.simulation.report import Report
from etcdmesos.simulation.schedule import settle
from etcdmesos.simulation.swarm import draw
from etcdmesos.simulation.world import World

REGRESSIONS = {
    155: "a bootstrap that had served lost its majority and was bootstrapping for ever",
    278: "the same, with three members",
    10: "a member whose agent left for good only 'did not answer'",
    23: "the same, with one member",
    3243: "a restore forgot how members had ended, and dead ones were called healthy",
    6559: "a start that was asked for before the hold was taken for one after it",
}
"""Seeds that once found a bug, and which."""


def lines_of(options: Options) -> list[str]:
    lines: list[str] = []
    schedule.run(options, write=lines.append)
    return lines


@pytest.mark.parametrize("seed", range(12))
def test_schedules_of_the_real_cores_keep_every_promise(seed: int) -> None:
    assert schedule.run(draw(seed, registered())).violation == ""


def test_every_oracle_is_asked() -> None:
    report = Report()
    for seed in range(17):
        report.add(schedule.run(draw(seed, registered())))
    assert [name for name, count in report.checks.items() if not count] == []
    assert "never asked" not in report.text(1.0)


@pytest.mark.parametrize("seed", REGRESSIONS, ids=str)
def test_what_was_found_once_stays_repaired(seed: int) -> None:
    assert schedule.run(draw(seed, registered())).violation == ""


def test_one_seed_gives_one_trace() -> None:
    options = draw(4, registered())
    assert lines_of(options) == lines_of(options)


def test_one_seed_gives_one_trace_whatever_hashes_are() -> None:
    def trace(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "etcdmesos.cli.sim", "-seed=5"]
        environment = dict(os.environ, PYTHONHASHSEED=hash_seed)
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        return done.stdout

    assert trace("1") == trace("2")


def test_a_trace_changes_nothing() -> None:
    options = draw(6, registered())
    silent = schedule.run(options)
    told = schedule.run(options, write=lambda _: None)
    assert told == silent


def test_seeds_draw_different_worlds() -> None:
    drawn = [draw(seed, registered()) for seed in range(200)]
    assert {one.cluster_size for one in drawn} == {1, 3, 5, 7}
    assert {one.etcd_version for one in drawn} == {"3.4.23", "3.5.30"}
    assert {one.elected for one in drawn} == {True, False}
    assert {name for one in drawn for name in one.faults} == set(registered())
    for one in drawn:
        assert not one.single_instance or one.agents >= one.cluster_size


@pytest.mark.parametrize("kind", registered().values(), ids=lambda kind: kind.name)
def test_every_fault_can_happen_and_heals(kind: type[Fault]) -> None:
    """Alone in a healthy cluster of three, it leaves a world that can exist and that ends well."""
    world = World(Options(seed=1, backup_interval=60.0))
    world.start()
    world.run(10.0)
    fault = kind(pick=8, seconds=5.0)
    assert fault.available(world)
    world.inject(fault)
    world.check()
    world.run(3.0)
    settle(world)
    assert world.faults_injected == {kind.name: 1}


@pytest.mark.parametrize("kind", registered().values(), ids=lambda kind: kind.name)
def test_a_fault_is_written_as_it_is_made(kind: type[Fault]) -> None:
    fault = kind(pick=3, seconds=1.5)
    assert eval(repr(fault), {kind.name: kind}) == fault  # noqa: S307


def test_a_world_that_cannot_exist_is_refused() -> None:
    world = World(Options(seed=1))
    world.start()
    world.run(10.0)
    process = world.etcd.processes[0]
    process.host.up = False
    with pytest.raises(ImpossibleWorld):
        world.check()


@pytest.mark.parametrize(
    "change",
    [{"cluster_size": 1}, {"cluster_size": 5, "agents": 5}, {"etcd_version": "3.4.23"}],
    ids=str,
)
def test_without_faults_it_is_healthy_and_keeps_what_was_written(change: dict[str, Any]) -> None:
    options = evolve(Options(seed=2, faults={"UpdateRepeated": 1.0}), **change)
    outcome = schedule.run(options)
    assert outcome.violation == ""
    assert outcome.phases["healthy"] == 1
    assert outcome.writes > 0
