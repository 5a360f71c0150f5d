"""A legal world around the executor's core: an agent, one etcd, peers; it only does what they can.

It carries the core's commands out when a test says so, in whatever order, and after every step it
checks what must always hold.  It knows the core by `step` alone.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import TypeVar

from attrs import evolve

from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import (
    AskPeers,
    CancelWork,
    FetchSnapshot,
    Prepare,
    ProbeMember,
    PutBack,
    ReadLog,
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
from etcdmesos.executor.controller import Controller
from etcdmesos.executor.crashes import REMOVED
from etcdmesos.executor.model import ExecutorRecord, Model, Update
from etcdmesos.executor.settings import Settings
from etcdmesos.member_spec import MemberSpec
from etcdmesos.orders import BackupReport, Order, Report, decode, encode
from etcdmesos.step import Command, CommandDone, CommandFailed, Event, Exit, Step
from tests.executor.sandbox import Sandbox, Work

C = TypeVar("C", bound=Command)

CONTROLLER = Controller()
TASK = "etcd-1-1"
MEMBER_ID = "00000000000000a1"
CLUSTER_ID = "00000000000000c1"
SPEC = MemberSpec(
    name="etcd-1",
    generation=1,
    epoch=3,
    token="demo/f/1",
    initial_cluster="etcd-1=http://127.0.0.11:31000,etcd-2=http://127.0.0.12:31000",
    initial_cluster_state="new",
    scheme="http",
    host="127.0.0.11",
    peer_port=31000,
    client_port=31001,
    quota_bytes=1 << 26,
    grace_seconds=3.0,
)
SETTINGS = Settings(
    identity="framework/etcd-1-1/container",
    sandbox="/sandbox",
    checkpoint=True,
    recovery_timeout=60.0,
    shutdown_grace=10.0,
)


def launched(spec: MemberSpec = SPEC, task_id: str = TASK) -> ev.TaskLaunched:
    return ev.TaskLaunched(
        task_id=task_id, data=spec.to_json(), task_info=json.dumps({"task_id": {"value": task_id}})
    )


def health(*, leader: str = MEMBER_ID, learner: bool = False) -> MemberHealth:
    return MemberHealth(
        cluster_id=CLUSTER_ID,
        member_id=MEMBER_ID,
        version="3.5.30",
        leader=leader,
        term=2,
        commit_index=9,
        applied_index=9,
        revision=1,
        db_size=20480,
        db_size_in_use=16384,
        learner=learner,
    )


class World:
    """The outside.  `pending` are the commands that have not ended yet."""

    def __init__(self, settings: Settings = SETTINGS, record: ExecutorRecord | None = None) -> None:
        self.now = 1000.0
        self.model: Model = CONTROLLER.start(settings, self.now, record)
        self.wake_at: float | None = None
        self.pending: list[Command] = []
        self.saved: list[ExecutorRecord] = []
        self.exit: Exit | None = None
        self.subscribed = False
        self.etcd_run: int | None = None
        self.started: list[int] = []
        self.removed = False
        self.answers: tuple[ev.PeerAnswer, ...] = ()
        self.health = health()
        self.served_in_run: int | None = None
        self.at_agent: dict[str, Update] = {}
        """What the agent has stored, by uuid, in the order it came."""
        self.sandbox = Sandbox()
        self.reports: list[Report] = []
        """What the executor said of its orders, oldest first."""
        self.backup_reports: list[BackupReport] = []

    # Steps

    def feed(self, event: Event) -> Step[Model, ExecutorRecord]:
        before = self.model
        step = CONTROLLER.step(before, event, self.now)
        self.model, self.wake_at = step.model, step.wake_at
        if step.save is not None:
            self.saved.append(step.save)
        for command in step.commands:
            self._check_command(command)
            if isinstance(command, Exit):
                self.exit = command
            else:
                self.pending.append(command)
        self._check(before)
        return step

    def feed_unsaved(self, event: Event) -> None:
        """A step; if it saves, the save fails and its commands are dropped."""
        before = list(self.pending)
        if self.feed(event).save is None:
            return
        self.saved.pop()
        dropped = [command for command in self.pending if command not in before]
        self.pending = before
        self.feed(ev.SaveFailed(reason="disk full", conflict=False))
        for command in dropped:
            self.feed(ev.CommandFailed(command=command, reason="the record was not saved"))

    def _check_command(self, command: Command) -> None:
        last: tuple[Update, ...] = ()
        match command:
            case StartEtcd():
                assert self.etcd_run is None, "two etcds at once"
                assert not self.of(StartEtcd), "two starts at once"
                assert not self.removed, "a removed member was started again"
                assert self.saved, "etcd started before the epoch was durable"
                assert not self.works, "etcd started on data that is being worked on"
                assert self.sandbox.place != "nothing", "etcd started empty"
                self._check_start()
            case ReadLog() | RunCopy() | FetchSnapshot() | RestoreSeed() | PutBack():
                assert self.etcd_run is None, "data is worked on that etcd has open"
                assert not self.of(StartEtcd), "data is worked on that etcd is to open"
                assert not self.works, "data is worked on twice at once"
            case SaveSnapshot():
                assert not self.of(SaveSnapshot), "two snapshots under way"
            case SendBackup():
                assert not self.of(SendBackup), "two backups under way"
                assert self.etcd_run is not None or command.kept, "a backup of nothing"
            case SendUpdate(update=update):
                assert not self.of(SendUpdate), "two updates under way"
                last = (update,)
            case Subscribe(updates=updates):
                assert not self.subscribed
                assert not self.of(Subscribe), "two subscriptions under way"
                last = updates
            case SignalEtcd(signal=number):
                assert number in (signal.SIGTERM, signal.SIGKILL)
        if any(update.last for update in last):
            assert self.etcd_run is None, "the end was told before etcd was reaped"
            assert not self.of(StartEtcd), "the end was told while a start was under way"
            assert not self.works, "the end was told while data was worked on"

    def _check_start(self) -> None:
        record = self.saved[-1]
        assert record.held is None, "a held member was started"
        assert self.sandbox.place == (
            f"seed {record.seeded}" if record.seeded else self.sandbox.own
        )

    @property
    def works(self) -> list[Command]:
        return [command for command in self.pending if isinstance(command, Work)]

    def _check(self, before: Model) -> None:
        assert self.sandbox.own_data_exists
        assert self.model.record.generation >= before.record.generation
        assert self.wake_at is None or self.wake_at > self.now, "a wake-up in the past"
        assert self.model.record.epoch >= before.record.epoch
        if self.exit is not None:
            assert self.etcd_run is None, "left before etcd was reaped"
        running = [u for u in self.model.updates if u.state == "TASK_RUNNING"]
        assert not running or self.served_in_run is not None, "RUNNING before it ever served"

    # What the world may do

    def of(self, kind: type[C]) -> list[C]:
        return [command for command in self.pending if isinstance(command, kind)]

    def end(self, command: Command) -> None:
        """Carry out a pending command, as the real thing would now."""
        self.pending.remove(command)
        answer: Callable[[Command], None] = {
            Subscribe: self._subscribe,
            SendUpdate: self._send,
            Prepare: lambda _: self._post(ev.EtcdPrepared(version="3.5.30")),
            StartEtcd: self._start,
            SignalEtcd: self._signal,
            ProbeMember: self._probe,
            AskPeers: self._ask,
            SendMessage: self._report,
            CancelWork: self._cancel,
            SendBackup: self._back_up,
            StopBackup: self._stop_backup,
        }.get(type(command), self._work)
        answer(command)

    def fail(self, command: Command, reason: str = "no") -> None:
        """A pending command certainly fails."""
        self.pending.remove(command)
        if isinstance(command, Subscribe):
            self._post(ev.Disconnected(reason=reason))
        else:
            self._post(ev.CommandFailed(command=command, reason=reason))

    def lose_answer(self, command: SendUpdate, *, arrived: bool) -> None:
        """The answer to an update is lost, whether or not it reached the agent."""
        self.pending.remove(command)
        if arrived:
            self._store(command.update)
        self._post(ev.CommandUnknown(command=command, reason="cut"))

    def _post(self, event: Event) -> None:
        if self.exit is None:
            self.feed(event)

    def _subscribe(self, command: Command) -> None:
        assert isinstance(command, Subscribe)
        self.subscribed = True
        self._post(ev.Subscribed())
        for update in command.updates:
            self._store(update)

    def _send(self, command: Command) -> None:
        assert isinstance(command, SendUpdate)
        if not self.subscribed:
            self._post(ev.CommandFailed(command=command, reason="not subscribed"))
            return
        self._post(ev.CommandDone(command=command))
        self._store(command.update)

    def _store(self, update: Update) -> None:
        """The agent stores an update once; its acknowledgement is `acknowledge`'s."""
        stored = [u.uuid for u in self.at_agent.values()]
        assert len(stored) == len(set(stored))
        plain = evolve(update, taken_at=None, again_at=0.0)
        assert self.at_agent.setdefault(update.uuid, plain) == plain, "one uuid, two meanings"

    def acknowledge(self) -> None:
        """The agent acknowledges all it has and the executor still keeps."""
        for update in list(self.model.updates):
            if update.uuid in self.at_agent and self.subscribed:
                self._post(ev.UpdateAcknowledged(task_id=update.task_id, uuid=update.uuid))

    def _start(self, command: Command) -> None:
        assert isinstance(command, StartEtcd)
        self.etcd_run = command.run
        self.started.append(command.run)
        self._post(ev.EtcdStarted(run=command.run, pid=command.run + 100))

    def _signal(self, command: Command) -> None:
        assert isinstance(command, SignalEtcd)
        if self.etcd_run != command.run:
            self._post(ev.CommandFailed(command=command, reason="that etcd has ended"))
            return
        self._post(ev.CommandDone(command=command))
        if command.signal == signal.SIGKILL:
            self.etcd_exits(-9)

    def _probe(self, command: Command) -> None:
        assert isinstance(command, ProbeMember)
        if self.etcd_run != command.run:
            self._post(ev.CommandFailed(command=command, reason="connection refused"))
            return
        if self.health.serving_voter:
            self.served_in_run = command.run
        self._post(ev.MemberProbed(run=command.run, health=self.health))

    def _report(self, command: Command) -> None:
        assert isinstance(command, SendMessage)
        report = decode(command.data)
        if self.subscribed and isinstance(report, BackupReport):
            self.backup_reports.append(report)
            self._post(CommandDone(command=command))
        elif self.subscribed:
            assert isinstance(report, Report)
            self.reports.append(report)
            self._post(CommandDone(command=command))
        else:
            self._post(CommandFailed(command=command, reason="not subscribed"))

    def _back_up(self, command: Command) -> None:
        assert isinstance(command, SendBackup)
        kept = command.kept
        if self.etcd_run is None and kept is None:
            self._post(CommandFailed(command=command, reason="the connection was cut"))
            return
        self._post(ev.BackupMoved(name=command.name, sent=1, size=3))
        self._post(
            ev.BackupSent(
                name=command.name,
                size=3,
                sha256=kept.sha256 if kept else "ab",
                tags=("t",),
                revision=kept.revision if kept else 1,
                term=kept.term if kept else 2,
            )
        )

    def _stop_backup(self, command: Command) -> None:
        assert isinstance(command, StopBackup)
        for sending in self.of(SendBackup):
            if sending.name == command.name:
                self.fail(sending, "it was stopped")
        self._post(CommandDone(command=command))

    def _work(self, command: Command) -> None:
        if isinstance(command, SaveSnapshot) and self.etcd_run is None:
            self._post(CommandFailed(command=command, reason="the connection was cut"))
        else:
            self._post(self.sandbox.carry_out(command))

    def _cancel(self, command: Command) -> None:
        for work in self.works:
            if isinstance(work, RunCopy | FetchSnapshot | RestoreSeed):
                self.fail(work, "cancelled")
        self._post(CommandDone(command=command))

    def _ask(self, command: Command) -> None:
        assert isinstance(command, AskPeers)
        self._post(ev.PeersAnswered(run=command.run, answers=self.answers))

    def etcd_exits(self, wait_status: int, log: str = "") -> None:
        assert self.etcd_run is not None
        run, self.etcd_run = self.etcd_run, None
        self.removed = self.removed or REMOVED in log
        self._post(ev.EtcdExited(run=run, wait_status=wait_status, log_tail=log))

    def disconnect(self) -> None:
        self.subscribed = False
        self._post(ev.Disconnected(reason="the agent closed the connection"))

    def pass_time(self, seconds: float) -> None:
        """Time passes; the timer fires where it was asked for."""
        until = self.now + seconds
        while self.exit is None and self.wake_at is not None and self.wake_at <= until:
            self.now = self.wake_at
            self.feed(ev.TimerFired())
        self.now = until

    # Conveniences for stories

    def order(self, order: Order) -> None:
        self.feed(ev.MessageReceived(data=encode(order)))

    @property
    def report(self) -> Report:
        """The last that reached the agent."""
        return self.reports[-1]

    def settle(self, rounds: int = 100) -> None:
        """Carry out everything pending, and acknowledge, until nothing more is asked."""
        for _ in range(rounds):
            self.acknowledge()
            if not self.pending or self.exit is not None:
                return
            self.end(self.pending[0])
        raise AssertionError(f"it never comes to rest: {self.pending}")

    def boot(self) -> None:
        """From nothing to a subscribed executor that waits for its task."""
        self.feed(ev.TimerFired())
        self.settle()

    def serve(self) -> None:
        """From nothing to a member that serves."""
        self.boot()
        self.feed(launched())
        self.settle()

    @property
    def told(self) -> list[tuple[str, bool | None]]:
        """What the agent knows, oldest first."""
        return [(update.state, update.healthy) for update in self.at_agent.values()]


def peers_listing(*ids: str, cluster_id: str = CLUSTER_ID) -> ev.PeerAnswer:
    members = tuple((member_id, ("http://127.0.0.12:31000",)) for member_id in ids)
    return ev.PeerAnswer(peer_url="http://127.0.0.12:31000", cluster_id=cluster_id, members=members)
