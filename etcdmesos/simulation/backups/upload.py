"""An executor's way to where backups lie, in the simulation: the counterpart of
`adapters.backup_upload`.

A snapshot is of one moment, and sent over some seconds, in which everything may happen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define

from etcdmesos.adapters.backups.target import TargetFailed
from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.executor.commands import SendBackup, StopBackup
from etcdmesos.executor.events import BackupMoved, BackupSent
from etcdmesos.ports import Post
from etcdmesos.simulation.backups.storage import PARTY, Storage, Taken
from etcdmesos.simulation.etcd.client import EtcdClient
from etcdmesos.simulation.etcd.data_directory import Snapshot
from etcdmesos.simulation.etcd.process import EtcdProcess
from etcdmesos.simulation.mesos.containers import Container
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

if TYPE_CHECKING:
    from etcdmesos.simulation.executor_host import ExecutorHosts

__all__ = ["UploadPort"]

STATUS_WITHIN = 2.0
SNAPSHOT_WITHIN = 20.0
_SECONDS = (0.3, 9.0)
"""That a snapshot takes to be sent, between these."""
_PIECE = 0.5
"""Seconds between two looks at what is under way."""


@define(eq=False)
class _Sending:
    """One that is under way."""

    command: SendBackup
    begun: float
    stopped: bool = False
    content: bytes = b""
    revision: int = 0
    term: int = 0
    etcd: EtcdProcess | None = None
    """None for a snapshot that was kept."""
    left: float = 0.0
    """Seconds that it takes still."""
    idle: float = 0.0
    """For how long nothing has moved."""

    @property
    def file(self) -> str:
        return f"{self.command.name}.db"


class UploadPort:
    """A CommandPort for SendBackup and StopBackup."""

    carries_out: tuple[type, ...] = (SendBackup, StopBackup)

    def __init__(
        self, storage: Storage, hosts: ExecutorHosts, container: Container, post: Post[Event]
    ) -> None:
        self._storage = storage
        self._etcds = hosts.etcd.processes
        self._host = container.host
        self._sandbox = container.sandbox
        self._post = post
        network = container.host.network
        self._client = EtcdClient(network, container.host.name, STATUS_WITHIN)
        self._streams = EtcdClient(network, container.host.name, SNAPSHOT_WITHIN)
        self._under_way: _Sending | None = None
        self._closed = False

    def submit(self, command: Command, /) -> None:
        """Begin or stop."""
        if isinstance(command, StopBackup):
            if self._under_way is not None and self._under_way.command.name == command.name:
                self._under_way.stopped = True
            self._post(CommandDone(command=command))
        elif isinstance(command, SendBackup):
            if self._under_way is not None:
                reason = "another backup is being ended still"
                self._post(CommandFailed(command=command, reason=reason))
                return
            self._under_way = sending = _Sending(command, self._storage.clock.now)
            self._begin(sending)

    def close(self) -> None:
        """The executor's process ends, and its connections with it."""
        self._closed = True
        if self._under_way is not None and self._under_way.content:
            self._storage.cut(self._under_way.file, self._under_way.content)

    def _begin(self, sending: _Sending) -> None:
        command = sending.command
        if command.kept is not None:
            found = self._host.disk.read(f"{self._sandbox}/{command.kept.path}")
            if not isinstance(found, Snapshot) or found.sha256 != command.kept.sha256:
                self._fail(sending, "it is not what was kept")
                return
            sending.revision, sending.term = command.kept.revision, command.kept.term
            self._stream(sending, found)
            return
        self._client.status(command.client_url, self._or_fail(sending, self._answered))

    def _or_fail(
        self, sending: _Sending, go_on: Callable[[_Sending, Any], None]
    ) -> Callable[[Any], None]:
        def answered(answer: Any) -> None:
            if isinstance(answer, GatewayError):
                self._fail(sending, str(answer))
            else:
                go_on(sending, answer)

        return answered

    def _answered(self, sending: _Sending, health: MemberHealth) -> None:
        if not health.serving_voter:
            self._fail(sending, "etcd is no voter that knows a leader")
            return
        sending.revision, sending.term = health.revision, health.term
        url = sending.command.client_url
        sending.etcd = next((p for p in self._etcds if p.options.client_url == url), None)
        self._streams.snapshot(url, self._or_fail(sending, self._stream))

    def _stream(self, sending: _Sending, snapshot: Snapshot) -> None:
        sending.content = snapshot.content
        learner = snapshot.member_id in snapshot.state.learners
        self._storage.note(Taken(snapshot=snapshot, learner=learner))
        sending.left = self._storage.random.uniform(*_SECONDS)
        self._go_on(sending)

    def _go_on(self, sending: _Sending) -> None:
        """Look how it goes, now and then."""
        if self._closed:
            return
        storage, command = self._storage, sending.command
        if reason := self._cut_off(sending):
            storage.cut(sending.file, sending.content)
            self._fail(sending, reason)
            return
        connected = storage.network.connected(self._host.name, PARTY)
        if storage.stalled or not connected:
            sending.idle += _PIECE
        elif sending.left <= 0.0:
            self._finish(sending)
            return
        else:
            sending.idle, sending.left = 0.0, sending.left - _PIECE
            size = len(sending.content)
            self._post(BackupMoved(name=command.name, sent=size // 2, size=size))
        storage.clock.call_after(_PIECE, self._go_on, sending)

    def _cut_off(self, sending: _Sending) -> str:
        """Why it ends here; "" when it goes on."""
        storage, command = self._storage, sending.command
        if sending.stopped:
            return "it was stopped"
        if storage.clock.now >= sending.begun + command.seconds:
            return "it took too long altogether"
        if sending.idle >= command.idle_seconds:
            return "the target takes no more"
        if storage.refusing:
            return "the target refuses it with 503"
        if storage.cutting and sending.left < _SECONDS[1] / 2:
            return "the connection was cut"
        if sending.etcd is not None and not sending.etcd.running:
            return "no snapshot from etcd: the connection was cut"
        return ""

    def _finish(self, sending: _Sending) -> None:
        try:
            self._storage.put_snapshot(sending.file, sending.content)
        except TargetFailed as error:
            self._fail(sending, str(error))
            return
        self._under_way = None
        self._post(
            BackupSent(
                name=sending.command.name,
                size=len(sending.content),
                sha256=hashlib.sha256(sending.content).hexdigest(),
                tags=("tag",),
                revision=sending.revision,
                term=sending.term,
            )
        )

    def _fail(self, sending: _Sending, reason: str) -> None:
        self._under_way = None
        if not self._closed:
            self._post(CommandFailed(command=sending.command, reason=reason))
