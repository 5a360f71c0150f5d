"""Every (phase, event) of the executor's chart: a row, ignored with a reason, or IllegalEvent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest
from attrs import evolve

from etcdmesos.draft import event_name
from etcdmesos.errors import IllegalEvent
from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import (
    CancelWork,
    Prepare,
    ProbeMember,
    PutBack,
    ReadLog,
    RemoveKept,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
    SendBackup,
    SendMessage,
    SendUpdate,
    SignalEtcd,
    StartEtcd,
    StopBackup,
    Subscribe,
)
from etcdmesos.executor.crashes import REMOVED
from etcdmesos.executor.model import LogEnd, Model
from etcdmesos.orders import CancelBackup, SavedSnapshot, encode
from etcdmesos.step import Command, Event
from tests.executor.backups import NAME, WAY, backup
from tests.executor.reseeds import (
    TOOL,
    discard,
    held,
    hold,
    measure,
    release,
    seed,
    snapshot,
    stop,
    surviving,
)
from tests.executor.world import CONTROLLER, TASK, World, health, launched

DEFINITION = CONTROLLER.chart.definition
EVENTS = [name for name in DEFINITION.events if name not in DEFINITION.reviews]


def in_waiting() -> World:
    world = World()
    world.boot()
    return world


def in_preparing() -> World:
    world = in_waiting()
    world.feed(launched())
    return world


def in_starting() -> World:
    world = in_preparing()
    world.health = health(leader="")
    world.end(world.of(Prepare)[0])
    world.end(world.of(StartEtcd)[0])
    return world


def in_running() -> World:
    world = World()
    world.serve()
    return world


def in_restarting() -> World:
    world = in_running()
    world.etcd_exits(1)
    return world


def in_holding() -> World:
    world = surviving()
    world.order(hold())
    return world


def in_measuring() -> World:
    world = in_holding()
    stop(world)
    world.order(measure())
    return world


def in_seeding() -> World:
    world = held()
    world.order(seed(world))
    return world


def in_stopping() -> World:
    world = in_running()
    world.feed(ev.KillAsked(task_id=TASK, grace_seconds=None))
    return world


def in_reporting() -> World:
    world = in_stopping()
    world.etcd_exits(0)
    return world


def in_ended() -> World:
    world = in_reporting()
    world.settle()
    return world


WORLDS: dict[str, Callable[[], World]] = {
    "waiting": in_waiting,
    "preparing": in_preparing,
    "starting": in_starting,
    "running": in_running,
    "restarting": in_restarting,
    "holding": in_holding,
    "held": held,
    "measuring": in_measuring,
    "seeding": in_seeding,
    "stopping": in_stopping,
    "reporting": in_reporting,
    "ended": in_ended,
}


SAVED = SavedSnapshot(sha256="aa", size=1, revision=1, applied_index=1, path="reseed/2/s.db")
WORK: tuple[Command, ...] = (
    SaveSnapshot(generation=2, client_url="http://127.0.0.11:31001", path="p"),
    ReadLog(data_directory="d"),
    RunCopy(
        generation=2, data_directory="d", copy_directory="c", name="n", applied_index=1, path="p"
    ),
    RestoreSeed(
        generation=2,
        tool=TOOL,
        snapshot="s",
        sha256="aa",
        data_directory="d",
        aside="a",
        name="n",
        peer_url="http://127.0.0.11:31000",
        token="t",
        bump_revision=0,
    ),
    PutBack(data_directory="d", aside="a", failed="f", remove=()),
    RemoveKept(paths=("p",)),
    CancelWork(),
    SendMessage(data=b"{}"),
    SendBackup(name=NAME, client_url="u", way=WAY, seconds=1.0, idle_seconds=1.0),
    StopBackup(name=NAME),
)


def orders(world: World) -> list[bytes]:
    """Of this attempt, of an earlier and of a later one."""
    made = [snapshot(), hold(), measure(), release()]
    made += [seed(world, sha256="aa")] if world.reports else []
    later = [hold(3), hold(3, in_force=2), release(3), release(3, in_force=2), snapshot(3)]
    backups = (backup(), backup("another"), CancelBackup(task_id=TASK, epoch=4, name=NAME))
    old = (discard(0), discard(9), discard(9, in_force=9))
    return [encode(one) for one in (*backups, *old, *made, *later, hold(1), hold(9, epoch=1))]


def examples(name: str, world: World) -> Iterator[Event]:
    """Events of that name that differ in what guards may look at."""
    model: Model = world.model
    run = model.etcd.run
    failed: list[Command] = [
        *WORK,
        Prepare(data_directory="d", host="h", ports=(1,), room_bytes=1),
        StartEtcd(run=run, arguments=()),
        SignalEtcd(run=run, signal=15),
        ProbeMember(run=run, client_url="http://127.0.0.11:31001"),
        ProbeMember(run=run + 1, client_url="http://127.0.0.11:31001"),
        Subscribe(tasks=(), updates=()),
        *(SendUpdate(update=update) for update in model.updates),
    ]
    of_name: dict[str, list[Event]] = {
        "timer_fired": [ev.TimerFired()],
        "subscribed": [ev.Subscribed()],
        "disconnected": [ev.Disconnected(reason="gone")],
        "task_launched": [
            launched(),
            launched(task_id="another"),
            ev.TaskLaunched(task_id=TASK, data=b"{", task_info="{}"),
        ],
        "kill_asked": [
            ev.KillAsked(task_id=TASK, grace_seconds=None),
            ev.KillAsked(task_id=TASK, grace_seconds=0.0),
            ev.KillAsked(task_id="another", grace_seconds=1.0),
        ],
        "shutdown_asked": [ev.ShutdownAsked(by="SIGTERM")],
        "update_acknowledged": [
            ev.UpdateAcknowledged(task_id=TASK, uuid="00"),
            *(ev.UpdateAcknowledged(task_id=u.task_id, uuid=u.uuid) for u in model.updates),
        ],
        "message_received": [
            ev.MessageReceived(data=data) for data in (b"", b"[]", b'{"epoch": 99}', *orders(world))
        ],
        "etcd_prepared": [ev.EtcdPrepared(version="3.5.30")],
        "etcd_started": [ev.EtcdStarted(run=run, pid=7)],
        "etcd_exited": [
            ev.EtcdExited(run=run, wait_status=status, log_tail=log)
            for status, log in ((0, ""), (-9, ""), (0, f'{{"error":"{REMOVED}"}}'))
        ],
        "member_probed": [
            ev.MemberProbed(run=number, health=one)
            for number in (run, run + 1)
            for one in (health(), health(leader=""), health(learner=True))
        ],
        "peers_answered": [ev.PeersAnswered(run=run, answers=())],
        "snapshot_saved": [
            ev.SnapshotSaved(generation=number, of_copy=of_copy, snapshot=SAVED)
            for number in (1, 2)
            for of_copy in (False, True)
        ],
        "log_read": [ev.LogRead(end=LogEnd(commit_index=7))],
        "seed_restored": [ev.SeedRestored(generation=2)],
        "backup_moved": [ev.BackupMoved(name=NAME, sent=1, size=2)],
        "backup_sent": [
            ev.BackupSent(name=name, size=2, sha256="", tags=(), revision=1, term=1)
            for name in (NAME, "another")
        ],
        "save_failed": [ev.SaveFailed(reason="disk full", conflict=False)],
        "command_done": [ev.CommandDone(command=command) for command in failed],
        "command_failed": [ev.CommandFailed(command=command, reason="no") for command in failed],
        "command_unknown": [ev.CommandUnknown(command=command, reason="cut") for command in failed],
    }
    yield from of_name[name]


@pytest.mark.parametrize(("phase", "name"), list(product(DEFINITION.phases, EVENTS)))
def test_every_cell_is_a_legal_step_or_an_illegal_event(phase: str, name: str) -> None:
    """Whatever the event says, the step lets out a legal phase and a wake-up in the future, or the
    chart calls the event impossible and the model stands."""
    world = WORLDS[phase]()
    model = world.model
    assert model.phase == phase
    impossible = any(v.on == name and phase in v.phases for v in DEFINITION.impossible)
    for event in examples(name, world):
        assert event_name(type(event)) == name
        if impossible:
            with pytest.raises(IllegalEvent):
                CONTROLLER.step(model, event, world.now)
            continue
        step = CONTROLLER.step(model, event, world.now + 0.01)
        assert step.model.phase in DEFINITION.phases
        assert step.wake_at is None or step.wake_at > world.now + 0.01
        if phase in DEFINITION.final:
            assert evolve(step.model, remark="") == evolve(model, remark="")


def test_the_worlds_reach_every_phase() -> None:
    """The product above covers the whole chart."""
    assert set(WORLDS) == set(DEFINITION.phases)
