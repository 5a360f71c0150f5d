"""All members die: what the real cores make of the backups that are left, in a simulated world."""

from __future__ import annotations

from typing import Any

import pytest

from etcdmesos.cluster.why import why
from etcdmesos.simulation.backups.storage import PARTY
from etcdmesos.simulation.faults.restores import BackupRots, EverybodyKilled, at_stage
from etcdmesos.simulation.options import Options
from etcdmesos.simulation.schedule import settle
from etcdmesos.simulation.world import World

WITHIN = 120.0
FETCHING = 2


def lost(**options: Any) -> World:
    """A world whose members have all died after their first backup began to count."""
    world = World(Options(seed=1, backup_interval=1800.0, **options))
    world.start()
    counted = world.books.checks

    def unfinished() -> bool:
        return not counted["only_the_sound_count"]

    world.clock.run_while(unfinished, WITHIN)
    assert not unfinished()
    world.inject(EverybodyKilled())
    return world


def ended(world: World) -> tuple[str, int, str]:
    """The phase, how many restores succeeded, and what is waited for, once all is at rest."""
    settle(world)
    model = world.scheduler.model
    assert model is not None
    return model.phase, len(model.record.restores), why(model, world.scheduler.now)


def test_a_lost_cluster_is_restored_unasked() -> None:
    assert ended(lost(restore_automatic=True))[:2] == ("healthy", 1)


def test_a_lost_cluster_is_restored_when_the_operator_says_so() -> None:
    assert ended(lost(restore_answered=True))[:2] == ("healthy", 1)


def test_a_lost_cluster_waits_for_him() -> None:
    phase, restores, waits = ended(lost())
    assert (phase, restores) == ("lost", 0)
    assert "waits for the operator" in waits


def test_a_damaged_backup_is_refused_by_its_name() -> None:
    world = lost(restore_automatic=True)
    newest = world.operator.restorable()[-1].name
    world.inject(BackupRots(pick=1))
    phase, restores, waits = ended(world)
    assert (phase, restores) == ("lost", 0)
    assert f"{newest} is damaged" in waits


def test_the_one_before_it_is_taken_where_that_is_allowed() -> None:
    world = lost(restore_automatic=True, restore_older=True)
    before = world.operator.restorable()[-2].name
    world.inject(BackupRots(pick=1))
    assert ended(world)[:2] == ("healthy", 1)
    assert world.books.durable is not None
    assert world.books.durable.restores[0].source == before


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_an_address_is_void_with_the_scheduler_that_gave_it_out(seconds: float) -> None:
    """The next one lends it anew, and the member that fetches it is the same."""
    world = lost(restore_automatic=True)
    killed: list[str] = []

    def kill(task_id: str) -> None:
        assert world.storage is not None
        killed.append(task_id)
        world.clock.call_after(seconds, world.scheduler.kill)

    at_stage(world, FETCHING, kill)
    world.clock.run_while(lambda: not killed, WITHIN)
    world.run(seconds + 0.1)
    assert world.storage is not None
    assert not world.storage.loans
    assert ended(world)[:2] == ("healthy", 1)
    assert world.books.durable is not None
    assert killed == [f"{world.books.durable.restores[0].member}-1"]


def test_a_new_cluster_begins_from_what_another_one_left() -> None:
    world = World(Options(seed=1, backup_interval=1800.0, restore_from=True))
    world.start()
    assert ended(world)[:2] == ("healthy", 1)
    keys = world.observer.settled().keys
    assert keys is not None
    assert any(key.startswith("before-") for key in keys)


def test_a_new_cluster_waits_for_its_backup_and_never_begins_empty() -> None:
    options = Options(seed=1, backup_interval=1800.0, restore_from=True, backups_lost=True)
    world = World(options)
    world.network.cut("scheduler-a", PARTY)
    world.network.cut("scheduler-b", PARTY)
    world.start()
    world.run(10.0)
    phase, restores, waits = ended(world)
    assert (phase, restores) == ("bootstrapping", 0)
    assert "does not bootstrap empty: restoring from latest was given up" in waits
