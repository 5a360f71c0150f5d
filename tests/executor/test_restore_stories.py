"""Stories of a member that is launched to restore a backup: it waits, fetches, restores, serves."""

from __future__ import annotations

import pytest
from attrs import evolve

from etcdmesos.errors import BrokenPromise
from etcdmesos.executor.commands import CancelWork, FetchSnapshot, PutBack, RestoreSeed, StartEtcd
from etcdmesos.executor.controller import check
from etcdmesos.executor.model import ExecutorRecord, Held, Model
from etcdmesos.orders import FetchBackup, Standing
from etcdmesos.step import Step
from tests.executor.reseeds import hold, measure, release, seed, snapshot
from tests.executor.world import SPEC, TASK, World, launched

RESTORING = evolve(
    SPEC, generation=2, epoch=4, initial_cluster=f"{SPEC.name}={SPEC.peer_url}", restores=True
)
BACKUP = "b" * 64


def fetch(url: str = "http://127.0.0.1:1/once", *, sha256: str = BACKUP) -> FetchBackup:
    return FetchBackup(
        task_id=TASK,
        epoch=4,
        generation=2,
        url=url,
        size=20512,
        sha256=sha256,
        revision=9,
        seconds=60.0,
        idle_seconds=10.0,
    )


def waiting() -> World:
    """Launched, prepared, and held with nothing in its data directory."""
    world = World()
    world.sandbox.own = world.sandbox.place = "nothing"
    world.boot()
    world.feed(launched(RESTORING))
    world.settle()
    return world


def fetched() -> World:
    world = waiting()
    world.order(fetch())
    world.settle()
    return world


def test_it_waits_for_an_order_and_starts_nothing() -> None:
    """However long that takes; Mesos hears that it is there, and why it does not serve."""
    world = waiting()
    world.pass_time(1000.0)
    world.settle()
    assert (world.model.phase, world.started) == ("held", [])
    assert world.told == [("TASK_STARTING", False)]
    assert world.saved[-1].held == Held(epoch=4, generation=2)


def test_it_fetches_restores_and_serves() -> None:
    """The scheduler hears of each; from then on it is a member like any other."""
    world = fetched()
    report = world.report
    assert (report.standing, report.generation) == (Standing.HELD, 2)
    assert report.snapshot is not None
    assert (report.snapshot.sha256, report.snapshot.path) == (BACKUP, "reseed/2/backup.db")
    world.order(seed(world))
    world.settle()
    assert (world.model.phase, world.report.standing) == ("running", Standing.SEEDED)
    assert world.told[-1] == ("TASK_RUNNING", True)
    world.etcd_exits(1)
    world.pass_time(1.0)
    world.settle()
    assert world.started == [1, 2]


def test_an_order_that_is_repeated_fetches_once() -> None:
    """While it is under way, and when it is done."""
    world = waiting()
    world.order(fetch())
    world.order(fetch())
    assert len(world.of(FetchSnapshot)) == 1
    world.settle()
    world.order(fetch("http://127.0.0.1:1/another"))
    assert not world.of(FetchSnapshot)


def test_the_next_scheduler_has_an_address_of_its_own() -> None:
    """What comes from the old one is ended; its end is no failure of the order in force."""
    world = waiting()
    world.order(fetch())
    world.order(fetch("http://127.0.0.1:1/another"))
    assert world.of(CancelWork)
    world.end(world.of(CancelWork)[0])
    [under_way] = world.of(FetchSnapshot)
    assert under_way.url.endswith("another")
    world.settle()
    assert (world.report.failed, world.report.snapshot is not None) == ("", True)


def test_another_backup_takes_the_place_of_the_first() -> None:
    """As the scheduler that made it of a data directory may be gone, and the next made another."""
    world = fetched()
    world.order(fetch("http://127.0.0.1:1/another", sha256="c" * 64))
    world.settle()
    assert world.report.snapshot is not None
    assert world.report.snapshot.sha256 == "c" * 64


def test_what_cannot_be_fetched_is_told_and_fetched_when_ordered_again() -> None:
    """The reason is the adapter's, and nothing is started."""
    world = waiting()
    world.order(fetch())
    world.fail(world.of(FetchSnapshot)[0], "the backup ends after 7 of 20512 bytes")
    world.settle()
    assert (world.model.phase, world.report.failed) == ("held", "fetch")
    assert "7 of 20512" in world.report.reason
    world.order(fetch())
    world.settle()
    assert (world.report.failed, world.report.snapshot is not None) == ("", True)


def test_a_restore_that_fails_leaves_it_waiting() -> None:
    """The scheduler ends it then; it never starts empty."""
    world = fetched()
    world.order(seed(world))
    restoring = world.of(RestoreSeed)[0]
    world.sandbox.set_aside(restoring)
    world.fail(restoring, "etcdutl: ended with status 1")
    assert world.of(PutBack)
    world.settle()
    assert (world.model.phase, world.report.failed) == ("held", "seed")
    assert world.started == []


def test_no_other_order_makes_it_start_empty() -> None:
    """Not even a release, which is for members that have data."""
    for given in (release(), release(3), measure(), snapshot(), hold(3), seed(waiting())):
        world = waiting()
        world.order(given)
        world.settle()
        world.pass_time(100.0)
        world.settle()
        assert world.started == []


def test_a_member_with_data_of_its_own_fetches_nothing() -> None:
    """It was not launched for that."""
    world = World()
    world.serve()
    world.order(hold())
    world.settle()
    world.order(fetch())
    world.settle()
    assert world.report.failed == "fetch"
    assert not world.of(FetchSnapshot)


def test_a_kill_ends_it_at_any_point() -> None:
    """With what is under way."""
    from etcdmesos.executor.events import KillAsked

    world = waiting()
    world.order(fetch())
    world.feed(KillAsked(task_id=TASK, grace_seconds=None))
    world.settle()
    world.acknowledge()
    assert world.told[-1][0] == "TASK_KILLED"
    assert world.exit is not None


def test_the_promise_is_checked_apart_from_the_plans() -> None:
    """A step that would start etcd empty is not let out."""
    world = waiting()
    model = evolve(world.model.reseed, released=True)
    before = world.model
    started: Step[Model, ExecutorRecord] = Step(
        model=type(before)(
            **{**vars(before), "reseed": model, "record": evolve(before.record, held=None)}
        ),
        commands=(StartEtcd(run=1, arguments=()),),
    )
    with pytest.raises(BrokenPromise, match="empty"):
        check(before, started)
