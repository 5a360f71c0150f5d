"""Stories of one executor and its orders: held, measured, seeded, undone, released."""

from __future__ import annotations

import signal

import pytest
from attrs import evolve

from etcdmesos.errors import BrokenPromise
from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import (
    CancelWork,
    PutBack,
    ReadLog,
    RemoveKept,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
    SignalEtcd,
    StartEtcd,
)
from etcdmesos.executor.controller import check
from etcdmesos.executor.model import Held
from etcdmesos.orders import Standing, encode
from etcdmesos.step import Step
from tests.executor.reseeds import (
    discard,
    held,
    hold,
    measure,
    release,
    seed,
    seeded,
    snapshot,
    stop,
    surviving,
)
from tests.executor.world import SPEC, TASK, World, health, launched

# Orders


def test_a_snapshot_is_taken_of_the_running_member() -> None:
    """Once, however often it is asked for; etcd runs on."""
    world = surviving()
    world.order(snapshot())
    world.order(snapshot())
    world.settle()
    report = world.report
    assert (report.generation, report.epoch, report.standing) == (2, 4, Standing.UNHELD)
    assert report.snapshot is not None
    assert report.snapshot.path == "reseed/2/snapshot.db"
    world.order(snapshot())
    world.settle()
    assert world.sandbox.saved == 1
    assert world.etcd_run is not None


def test_a_snapshot_that_fails_is_told_and_taken_when_asked_again() -> None:
    """The reason is the adapter's; with another order it counts no longer."""
    world = surviving()
    world.order(snapshot())
    world.fail(world.of(SaveSnapshot)[0], "etcd sent nothing for 5 s")
    world.settle()
    assert (world.report.failed, world.report.reason) == ("snapshot", "etcd sent nothing for 5 s")
    world.order(snapshot())
    world.settle()
    assert world.report.failed == ""
    assert world.report.snapshot is not None


def test_a_hold_is_on_disk_before_etcd_is_stopped() -> None:
    """The record's save and the signal are one step: commands wait for saves."""
    world = surviving()
    world.order(hold())
    assert world.saved[-1].held == Held(epoch=4, generation=2)
    assert [command.signal for command in world.of(SignalEtcd)] == [signal.SIGTERM]
    world.settle()
    assert world.report.standing is Standing.HOLDING
    world.pass_time(SPEC.grace_seconds)
    assert [command.signal for command in world.of(SignalEtcd)] == [signal.SIGKILL]
    world.settle()
    assert world.model.phase == "held"
    report = world.report
    assert (report.standing, report.commit_index, report.term) == (Standing.HELD, 77, 4)
    world.pass_time(1000.0)
    assert len(world.started) == 1


def test_etcd_gets_no_grace_where_its_snapshot_is_saved() -> None:
    """Without quorum it would wait for proposals that hang; the snapshot has what a kill loses."""
    world = surviving()
    world.order(snapshot())
    world.settle()
    world.order(hold())
    assert [command.signal for command in world.of(SignalEtcd)] == [signal.SIGKILL]


def test_mesos_hears_that_it_is_held() -> None:
    """RUNNING and unhealthy, by whose order: the path beside the framework message."""
    world = held()
    last = list(world.at_agent.values())[-1]
    assert (last.state, last.healthy) == ("TASK_RUNNING", False)
    assert last.message == "held by epoch 4, generation 2"


def test_a_hold_that_cannot_be_saved_is_none() -> None:
    """etcd gets no signal, serves on, and the report says why."""
    world = surviving()
    world.feed_unsaved(ev.MessageReceived(data=encode(hold())))
    assert not world.of(SignalEtcd)
    world.settle()
    assert world.model.phase == "starting"
    assert (world.report.standing, world.report.failed) == (Standing.UNHELD, "hold")
    world.order(hold())
    stop(world)
    assert world.model.phase == "held"


def test_a_lower_epoch_is_refused_and_told_of_the_higher() -> None:
    """Nothing changes."""
    world = held()
    saves = len(world.saved)
    world.order(hold(generation=9, epoch=3))
    world.settle()
    assert (world.report.epoch, world.report.generation) == (4, 2)
    assert len(world.saved) == saves


def test_a_lower_generation_is_of_an_attempt_that_is_over() -> None:
    """It is answered, and ignored."""
    world = held()
    world.order(release(generation=1))
    world.settle()
    assert world.report.standing is Standing.HELD


@pytest.mark.parametrize("data", [b"\xff{", b"[]", b'{"epoch": 9}', b'{"type": "hold"}'])
def test_what_is_no_order_is_ignored(data: bytes) -> None:
    """Whatever it says of epochs."""
    world = surviving()
    saves = len(world.saved)
    world.feed(ev.MessageReceived(data=data))
    assert len(world.saved) == saves
    assert world.model.remark.startswith("ignored")


def test_an_order_for_another_task_is_not_ours() -> None:
    """Not even its epoch."""
    world = surviving()
    world.order(evolve(hold(epoch=9), task_id="etcd-1-2"))
    assert world.model.phase == "running"
    assert world.model.record.epoch == 3


def test_before_a_task_and_after_its_end_nothing_is_held() -> None:
    """An order that comes too early comes again; one that comes too late has nobody."""
    world = World()
    world.boot()
    world.order(hold())
    assert world.saved == []
    world.feed(launched())
    world.settle()
    world.feed(ev.KillAsked(task_id=TASK, grace_seconds=None))
    world.order(hold())
    assert world.model.record.held is None
    world.settle()
    world.etcd_exits(0)
    world.settle()
    assert world.exit is not None


# Held from every phase


def test_held_while_preparing() -> None:
    """etcd is never started; released, it is."""
    world = World()
    world.boot()
    world.feed(launched())
    world.order(hold())
    world.settle()
    assert (world.model.phase, world.started) == ("held", [])
    world.order(release())
    world.settle()
    assert world.started == [1]


def test_held_while_a_start_is_under_way() -> None:
    """The process that comes is stopped like any other."""
    world = surviving()
    world.etcd_exits(1)
    world.settle()
    world.pass_time(1.0)
    assert world.of(StartEtcd)
    world.order(hold())
    world.settle()
    stop(world)
    assert world.model.phase == "held"


def test_held_while_it_waits_for_its_restart() -> None:
    """No restart any more, until it is released."""
    world = surviving()
    world.etcd_exits(1)
    world.order(hold())
    world.settle()
    assert world.model.phase == "held"
    world.pass_time(100.0)
    assert len(world.started) == 1


def test_a_log_that_cannot_be_read_is_held_all_the_same() -> None:
    """Nothing runs; how far its data goes is not known."""
    world = surviving()
    world.order(hold())
    for command in world.of(SignalEtcd):
        world.end(command)
    world.etcd_exits(0)
    world.fail(world.of(ReadLog)[0], "no write-ahead log")
    world.settle()
    report = world.report
    assert (report.standing, report.commit_index) == (Standing.HELD, 0)
    assert report.reason == "the member's log cannot be read: no write-ahead log"


def test_released_it_serves_as_before() -> None:
    """And a late hold of the same attempt is not obeyed, but answered."""
    world = held()
    world.order(release())
    world.health = health()
    world.settle()
    assert world.model.phase == "running"
    assert (world.report.standing, world.report.snapshot) == (Standing.UNHELD, None)
    assert world.told[-1] == ("TASK_RUNNING", True)
    for late in (hold(), snapshot(), measure(), seed(world)):
        world.order(late)
    world.settle()
    assert world.model.phase == "running"
    world.order(hold(generation=3))
    stop(world)
    assert world.model.phase == "held"


def test_released_while_it_is_being_stopped() -> None:
    """etcd ends first; then it is started again."""
    world = surviving()
    world.order(hold())
    world.settle()
    world.order(release())
    assert world.started == [1]
    world.etcd_exits(0)
    world.settle()
    assert world.started == [1, 2]


def test_a_renewed_hold_keeps_the_snapshot() -> None:
    """The data has not been run since; with the next scheduler's epoch too."""
    world = held()
    world.order(hold(generation=3, epoch=5))
    world.settle()
    assert (world.report.generation, world.report.standing) == (3, Standing.HELD)
    assert world.report.snapshot is not None
    assert world.saved[-1].held == Held(epoch=5, generation=3)


# Measured


def test_a_copy_is_measured_when_there_is_no_snapshot() -> None:
    """Restarted without quorum, it could not be asked while it ran."""
    world = surviving()
    world.order(hold())
    stop(world)
    world.order(measure())
    assert world.model.phase == "measuring"
    world.settle()
    assert (world.report.standing, world.model.phase) == (Standing.HELD, "held")
    assert world.report.snapshot is not None
    assert world.report.snapshot.applied_index == 77
    world.order(measure())
    world.settle()
    assert world.sandbox.saved == 1


def test_a_snapshot_that_the_log_has_gone_beyond_is_taken_anew_of_a_copy() -> None:
    """It committed more between the snapshot and the hold: a seed from it would lose that."""
    world = held()
    assert world.report.snapshot is not None
    assert world.report.snapshot.applied_index < world.report.commit_index
    world.order(measure())
    world.settle()
    assert world.report.snapshot.applied_index == world.report.commit_index
    taken = world.sandbox.saved
    world.order(measure())
    world.settle()
    assert world.sandbox.saved == taken


def test_a_copy_that_fails_is_told() -> None:
    """The member stays held, and its data is as it was."""
    world = surviving()
    world.order(hold())
    stop(world)
    world.order(measure())
    world.fail(world.of(RunCopy)[0], "the disk has 1 MiB free")
    world.settle()
    report = world.report
    assert (report.standing, report.failed) == (Standing.HELD, "measure")


def test_released_while_a_copy_runs() -> None:
    """The copy is ended first: there are never two etcds."""
    world = surviving()
    world.order(hold())
    stop(world)
    world.order(measure())
    world.order(release())
    assert world.of(CancelWork)
    assert not world.of(StartEtcd)
    world.settle()
    assert world.model.phase == "starting"


def test_what_is_not_held_is_not_measured_nor_seeded() -> None:
    """The report names the order and why."""
    world = surviving()
    world.order(measure())
    world.settle()
    assert (world.report.failed, world.report.reason) == ("measure", "not held")
    world.order(seed(world))
    world.settle()
    assert (world.report.failed, world.report.reason) == ("seed", "not held")


# Seeded


def test_the_seed_is_another_clusters_only_member() -> None:
    """Own data aside, etcd started with the new token and alone; SEEDED once it runs."""
    world = held()
    world.order(seed(world))
    assert world.saved[-1].seeded == 2
    (restore,) = world.of(RestoreSeed)
    assert (restore.aside, restore.token) == ("aside/etcd-1-2", "demo/f/2")
    world.end(restore)
    (start,) = world.of(StartEtcd)
    assert "--initial-cluster=etcd-1=http://127.0.0.11:31000" in start.arguments
    assert "--initial-cluster-token=demo/f/2" in start.arguments
    world.settle()
    assert world.report.standing is Standing.SEEDED
    assert world.report.kept == ("reseed/2/snapshot.db", "aside/etcd-1-2")
    assert world.sandbox.place == "seed 2"


def test_a_seed_is_restored_once() -> None:
    """A late hold of its own attempt does not end it, and a second seed changes nothing."""
    world = seeded()
    order = seed(world)
    for late in (hold(), order, measure(), snapshot()):
        world.order(late)
    world.settle()
    assert world.report.standing is Standing.SEEDED
    assert len(world.sandbox.restored) == 1


def test_another_snapshot_than_the_chosen_is_not_restored() -> None:
    """Nothing is touched."""
    world = held()
    world.order(seed(world, sha256="ff"))
    world.settle()
    assert world.report.failed == "seed"
    assert world.sandbox.place == world.sandbox.own


@pytest.mark.parametrize("set_aside", [False, True])
def test_a_seed_that_cannot_be_restored_is_undone(set_aside: bool) -> None:
    """However far it came; the same attempt's seed is not tried again, the next one's is."""
    world = held()
    order = seed(world)
    world.order(order)
    restore = world.of(RestoreSeed)[0]
    if set_aside:
        world.sandbox.set_aside(restore)
    world.fail(restore, "etcdutl ended with status 1")
    world.settle()
    report = world.report
    assert (report.standing, report.failed) == (Standing.HELD, "seed")
    assert report.reason == "etcdutl ended with status 1"
    assert world.sandbox.place == world.sandbox.own
    world.order(order)
    world.settle()
    assert world.model.phase == "held"
    world.order(hold(generation=3))
    world.order(seed(world, 3))
    world.settle()
    assert world.report.standing is Standing.SEEDED


def test_a_failed_seed_is_undone_by_the_next_hold() -> None:
    """Stopped and reaped, its data set aside, the member's own put back and as it was."""
    world = seeded()
    world.order(hold(generation=3))
    stop(world)
    report = world.report
    assert (report.standing, report.generation) == (Standing.HELD, 3)
    assert (report.commit_index, report.cluster_id) == (77, "00000000000000c1")
    assert report.kept == ("reseed/2/snapshot.db", "aside/failed-2")
    assert world.sandbox.place == world.sandbox.own
    world.order(release(generation=3))
    assert "--initial-cluster-token=demo/f/1" in world.of(StartEtcd)[0].arguments


def test_data_that_cannot_be_put_back_is_not_run() -> None:
    """Tried again at the next order, not by itself."""
    world = seeded()
    world.order(hold(generation=3))
    for command in world.of(SignalEtcd):
        world.end(command)
    world.fail(world.of(PutBack)[0], "Input/output error")
    world.settle()
    world.pass_time(100.0)
    world.settle()
    assert (world.report.standing, world.report.failed) == (Standing.HOLDING, "hold")
    world.order(hold(generation=3))
    world.settle()
    assert world.report.standing is Standing.HELD


def test_of_failed_seeds_the_last_two_are_kept() -> None:
    """What was set aside for them is back in its place each time."""
    world = seeded()
    for generation in (3, 4, 5):
        world.order(hold(generation=generation))
        stop(world)
        world.order(seed(world, generation))
        world.settle()
    world.order(hold(generation=6))
    stop(world)
    failed = [path for path in world.sandbox.aside if "failed" in path]
    assert failed == ["aside/failed-4", "aside/failed-5"]
    assert [path for path in world.report.kept if "failed" in path] == failed


def test_released_while_it_is_being_seeded() -> None:
    """The old quorum is back: nothing of the seed runs."""
    world = held()
    world.order(seed(world))
    world.order(release())
    world.settle()
    assert world.model.phase == "starting"
    assert world.sandbox.place == world.sandbox.own


def test_a_seed_restored_too_late_is_undone() -> None:
    """The release came while the restore could not be ended any more."""
    world = held()
    world.order(seed(world))
    (restore,) = world.of(RestoreSeed)
    world.order(release())
    world.end(restore)
    assert not world.of(StartEtcd)
    world.settle()
    assert world.sandbox.place == world.sandbox.own
    assert world.report.standing is Standing.UNHELD


def test_a_seed_whose_cluster_is_in_force_is_the_member() -> None:
    """The next loss of quorum holds it as it is: its data of before stays where it was put."""
    world = seeded()
    world.sandbox.accept()
    world.order(snapshot(3))
    world.settle()
    world.order(hold(generation=3, in_force=2))
    stop(world)
    assert world.report.standing is Standing.HELD
    assert world.sandbox.place == "seed 2"
    world.order(seed(world, 3))
    world.settle()
    assert world.sandbox.aside == {"aside/etcd-1-2": "own", "aside/etcd-1-3": "seed 2"}
    world.order(release(3, in_force=2))
    stop(world)
    assert world.sandbox.place == "seed 2"


def test_a_seed_that_crashes_is_restarted_like_any_other() -> None:
    """On its own data, as long as restarts last."""
    world = seeded()
    world.etcd_exits(1)
    world.settle()
    world.pass_time(2.0)
    world.settle()
    assert world.report.standing is Standing.SEEDED
    assert len(world.started) == 3


# The end


@pytest.mark.parametrize("phase", ["holding", "held", "measuring", "seeding"])
def test_a_kill_ends_it_in_every_phase(phase: str) -> None:
    """What is under way is ended first."""
    world = surviving()
    world.order(hold())
    if phase != "holding":
        stop(world)
        world.order(measure())
    if phase in ("held", "seeding"):
        world.settle()
    if phase == "seeding":
        world.order(seed(world))
    assert world.model.phase == phase
    world.feed(ev.KillAsked(task_id=TASK, grace_seconds=None))
    assert world.model.phase == ("reporting" if phase == "held" else "stopping")
    world.settle()
    if world.etcd_run is not None:
        world.etcd_exits(0)
        world.settle()
    assert world.told[-1][0] == "TASK_KILLED"
    assert world.exit is not None


def test_the_agent_gone_for_good_ends_a_held_member() -> None:
    """Nobody could look after it any more."""
    world = held()
    world.disconnect()
    world.pass_time(61.0)
    world.settle()
    assert world.model.ending is not None


# The second line of defence


def test_no_start_of_a_held_member_is_let_out() -> None:
    """Whatever a plan thinks."""
    world = held()
    start = StartEtcd(run=2, arguments=())
    with pytest.raises(BrokenPromise, match="while the member is held"):
        check(world.model, Step(model=world.model, commands=(start,)))


def test_no_seed_but_from_the_chosen_snapshot_is_let_out() -> None:
    """Hash and path are those that were reported."""
    world = held()
    world.order(seed(world))
    (restore,) = world.of(RestoreSeed)
    check(world.model, Step(model=world.model, commands=(restore,)))
    with pytest.raises(BrokenPromise, match="another snapshot"):
        check(world.model, Step(model=world.model, commands=(evolve(restore, sha256="ff"),)))
    with pytest.raises(BrokenPromise, match="record of it"):
        check(world.model, Step(model=world.model, commands=(evolve(restore, generation=9),)))


# What is kept


def tried(generation: int) -> World:
    """A member that gave a snapshot in each generation up to this one, and runs again."""
    world = surviving()
    for number in range(2, generation + 1):
        world.order(snapshot(number))
        world.settle()
        world.order(hold(number))
        stop(world)
        world.order(release(number))
        world.settle()
    return world


def test_the_two_newest_snapshots_are_kept() -> None:
    """The data that they were taken of are in their place."""
    world = tried(5)
    assert world.report.kept == ("reseed/4/snapshot.db", "reseed/5/snapshot.db")
    assert sorted(world.sandbox.snapshots) == ["reseed/4/snapshot.db", "reseed/5/snapshot.db"]


def test_a_snapshot_that_cannot_be_removed_is_listed_until_the_next_one_is_taken() -> None:
    world = tried(3)
    world.order(snapshot(4))
    world.end(world.of(SaveSnapshot)[0])
    world.fail(world.of(RemoveKept)[0], "read-only file system")
    world.settle()
    assert world.report.kept[0] == "reseed/2/snapshot.db"
    world.order(hold(4))
    stop(world)
    world.order(release(4))
    world.settle()
    world.order(snapshot(5))
    world.settle()
    assert world.report.kept == ("reseed/4/snapshot.db", "reseed/5/snapshot.db")


def in_its_place() -> World:
    """A seed that serves."""
    world = seeded()
    world.health = health()
    world.pass_time(31.0)
    world.settle()
    assert world.model.phase == "running"
    return world


@pytest.mark.parametrize(
    ("before", "kept"), [(2, ("reseed/2/snapshot.db", "aside/etcd-1-2")), (3, ())]
)
def test_what_a_seeding_set_aside_goes_when_the_scheduler_says_so(
    before: int, kept: tuple[str, ...]
) -> None:
    """Once the seed's cluster is in force, and the member serves in it."""
    world = in_its_place()
    world.sandbox.accept()
    world.order(discard(before, in_force=2))
    world.settle()
    assert world.report.kept == kept
    assert {*world.sandbox.aside, *world.sandbox.snapshots} == set(kept)


def test_what_is_aside_stays_until_the_seed_is_in_force() -> None:
    """It may have to come back."""
    world = in_its_place()
    world.order(discard(9, in_force=1))
    world.settle()
    assert world.report.kept == ("reseed/2/snapshot.db", "aside/etcd-1-2")


def test_nothing_goes_while_the_member_is_held() -> None:
    world = held()
    world.order(discard(9, in_force=2))
    assert not world.of(RemoveKept)
    assert world.report.standing is Standing.HELD
