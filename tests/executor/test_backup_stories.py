"""Stories of one executor and the backups that are ordered of it."""

from __future__ import annotations

from etcdmesos.executor.commands import SendBackup, SendMessage, StopBackup
from etcdmesos.executor.events import KillAsked
from etcdmesos.orders import BackupReport, Sending
from tests.executor.backups import NAME, backup, backup_kept, cancel
from tests.executor.reseeds import held, hold, release, seed
from tests.executor.world import TASK, World

OTHER = NAME[:-1] + "5"


def serving() -> World:
    world = World()
    world.serve()
    return world


def last(world: World) -> BackupReport:
    return world.backup_reports[-1]


def tell(world: World) -> None:
    """What is to be said reaches the scheduler; everything else is still under way."""
    for message in world.of(SendMessage):
        world.end(message)


def test_a_backup_is_sent_once_and_told() -> None:
    """However often it is ordered; the answer to a repeated order is how it stands."""
    world = serving()
    world.order(backup())
    world.order(backup())
    assert len(world.of(SendBackup)) == 1
    tell(world)
    assert (last(world).name, last(world).sending) == (NAME, Sending.UNDER_WAY)
    world.settle()
    done = last(world)
    assert (done.sending, done.size, done.sha256, done.tags) == (Sending.SENT, 3, "ab", ("t",))
    assert (done.revision, done.term, done.epoch) == (1, 2, 4)
    said = len(world.backup_reports)
    world.order(backup())
    assert not world.of(SendBackup)
    world.settle()
    assert world.backup_reports[said:] == [done]


def test_how_far_it_came_is_told_on_the_way() -> None:
    world = serving()
    world.order(backup())
    world.settle()
    assert [report.sent for report in world.backup_reports] == [0, 1, 3]


def test_one_that_fails_says_why_and_is_not_tried_again() -> None:
    world = serving()
    world.order(backup())
    world.fail(world.of(SendBackup)[0], "the target refuses it with 507")
    world.settle()
    assert last(world).sending is Sending.FAILED
    assert last(world).reason == "the target refuses it with 507"
    world.order(backup())
    assert not world.of(SendBackup)


def test_another_one_begins_when_the_first_has_stopped() -> None:
    """Never two at once."""
    world = serving()
    world.order(backup())
    world.order(backup(OTHER))
    assert [stop.name for stop in world.of(StopBackup)] == [NAME]
    assert [sending.name for sending in world.of(SendBackup)] == [NAME]
    world.settle()
    assert last(world).name == OTHER
    assert last(world).sending is Sending.SENT


def test_one_that_is_called_off_is_stopped() -> None:
    world = serving()
    world.order(backup())
    world.order(cancel(OTHER))
    assert not world.of(StopBackup)
    world.order(cancel())
    assert [stop.name for stop in world.of(StopBackup)] == [NAME]
    world.settle()
    assert not world.of(SendBackup)
    assert (last(world).sending, last(world).reason) == (Sending.FAILED, "it was called off")


def test_what_was_sent_before_it_was_called_off_stays_sent() -> None:
    world = serving()
    world.order(backup())
    world.settle()
    world.order(cancel())
    world.settle()
    assert last(world).sending is Sending.SENT


def test_a_hold_ends_it() -> None:
    """etcd is not kept from stopping by somebody who reads from it."""
    world = serving()
    world.order(backup())
    world.order(hold())
    assert world.of(StopBackup)
    tell(world)
    assert (last(world).sending, last(world).reason) == (
        Sending.FAILED,
        "etcd does not serve here",
    )


def test_where_etcd_does_not_serve_there_is_no_backup() -> None:
    world = serving()
    world.etcd_exits(-9)
    world.order(backup())
    assert not world.of(SendBackup)
    tell(world)
    assert last(world).sending is Sending.FAILED


def test_a_kept_snapshot_is_sent_whatever_becomes_of_etcd() -> None:
    """Held, while the seed is restored from it, and while that serves."""
    world = held()
    saved, order = world.report.snapshot, backup_kept(world)
    assert saved is not None
    world.order(order)
    [sending] = world.of(SendBackup)
    assert sending.kept is not None
    assert sending.kept.sha256 == saved.sha256
    world.order(seed(world))
    for command in [c for c in world.pending if c is not sending]:
        world.end(command)
    assert not world.of(StopBackup)
    world.settle()
    assert world.etcd_run is not None
    assert (last(world).sending, last(world).sha256) == (Sending.SENT, saved.sha256)
    assert last(world).revision == saved.revision


def test_a_kept_snapshot_is_sent_after_a_release_too() -> None:
    world = held()
    order = backup_kept(world)
    world.order(release(3))
    world.settle()
    world.order(order)
    world.settle()
    assert last(world).sending is Sending.SENT


def test_no_other_file_is_sent() -> None:
    """Only what the executor itself has saved or set aside."""
    world = held()
    world.order(backup_kept(world, "../../other"))
    assert not world.of(SendBackup)
    tell(world)
    assert (last(world).sending, last(world).reason) == (
        Sending.FAILED,
        "that snapshot is not kept here",
    )


def test_the_end_of_the_task_ends_it() -> None:
    """Nobody waits for a backup to end."""
    world = held()
    order = backup_kept(world)
    world.order(seed(world))
    world.settle()
    world.order(order)
    world.feed(KillAsked(task_id=TASK, grace_seconds=None))
    assert world.of(StopBackup)


def test_orders_of_a_scheduler_that_was_replaced_are_refused() -> None:
    world = serving()
    world.order(backup(epoch=9))
    world.order(backup(OTHER, epoch=4))
    assert [sending.name for sending in world.of(SendBackup)] == [NAME]


def test_no_secret_is_shown() -> None:
    """Neither the model nor a command says what the way in holds, nor does any remark."""
    world = serving()
    world.order(backup())
    assert "planted" not in repr(world.model)
    assert "planted" not in repr(world.of(SendBackup))
    assert "planted" not in world.model.remark
