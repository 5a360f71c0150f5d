"""What reseeding does to a sandbox, simulated: a CommandPort as `adapters.reseed` is one.

Snapshots lie on the host's disk beside the data.  A copy is measured without a process of its own:
what `--force-new-cluster` would make of it is worked out, and takes as long as such a run may.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.cluster.member_health import MemberHealth
from etcdmesos.executor.commands import (
    CancelWork,
    PutBack,
    ReadLog,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
)
from etcdmesos.executor.events import LogRead, SeedRestored, SnapshotSaved
from etcdmesos.executor.model import LogEnd
from etcdmesos.orders import SavedSnapshot
from etcdmesos.ports import Post
from etcdmesos.simulation.etcd.client import EtcdClient
from etcdmesos.simulation.etcd.data_directory import (
    DataDirectory,
    OfflineFailure,
    Snapshot,
    restore,
)
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.etcd.versions import Version
from etcdmesos.simulation.mesos.containers import Container
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

if TYPE_CHECKING:
    from etcdmesos.simulation.executor_host import ExecutorHosts

__all__ = ["ReseedPort"]

_CALL_WITHIN = 2.0
_READING = (0.001, 0.01)
_COPYING = (0.2, 3.0)
_RESTORING = (0.03, 0.3)
"""Seconds, between these."""


class Impossible(Exception):
    """The work cannot be done; the text says why."""


class ReseedPort:
    """Snapshots, the log's end, copies and seeds, each after the time that it takes."""

    carries_out: tuple[type, ...] = (
        SaveSnapshot,
        ReadLog,
        RunCopy,
        RestoreSeed,
        PutBack,
        CancelWork,
    )

    def __init__(self, hosts: ExecutorHosts, container: Container, post: Post[Event]) -> None:
        self._hosts = hosts
        self._container = container
        self._disk = container.host.disk
        self._post = post
        self._client = EtcdClient(hosts.etcd.network, container.host.name, _CALL_WITHIN)
        self._closed = False
        self._cancelled = False

    def submit(self, command: Command, /) -> None:
        """Begin `command`."""
        match command:
            case SaveSnapshot():
                self._save(command)
            case ReadLog():
                self._work(command, _READING, lambda: self._read_log(command))
            case RunCopy():
                self._work(command, _COPYING, lambda: self._run_copy(command))
            case RestoreSeed():
                self._work(command, _RESTORING, lambda: self._restore(command))
            case PutBack():
                self._work(command, _READING, lambda: self._put_back(command))
            case CancelWork():
                self._cancelled = True
                self._post(CommandDone(command=command))

    def close(self) -> None:
        """The executor's process ends."""
        self._closed = True

    def _path(self, below: str) -> str:
        return f"{self._container.sandbox}/{below}"

    def _work(
        self, command: Command, seconds: tuple[float, float], carry_out: Callable[[], Event]
    ) -> None:
        self._cancelled = False

        def end() -> None:
            if self._closed:
                return
            try:
                if self._cancelled:
                    raise Impossible("ended before it was done")
                event = carry_out()
            except (Impossible, OfflineFailure) as error:
                event = CommandFailed(command=command, reason=str(error))
            self._post(event)

        etcd = self._hosts.etcd
        etcd.clock.call_after(etcd.random.uniform(*seconds) + self._disk.fsync_seconds(), end)

    def _data(self, below: str) -> DataDirectory:
        found = self._disk.read(self._path(below))
        if not isinstance(found, DataDirectory) or found.empty:
            raise Impossible("there is no write-ahead log")
        if found.damaged:
            raise Impossible("the disk returns rubbish")
        return found

    # The running member: its Status, the snapshot, its Status again

    def _save(self, command: SaveSnapshot) -> None:
        def failed(error: GatewayError | str) -> None:
            if not self._closed:
                self._post(CommandFailed(command=command, reason=str(error)))

        def begun(before: MemberHealth | GatewayError) -> None:
            if isinstance(before, GatewayError):
                failed(before)
                return
            self._client.snapshot(command.client_url, lambda answer: taken(before, answer))

        def taken(before: MemberHealth, answer: Snapshot | GatewayError) -> None:
            if isinstance(answer, GatewayError):
                failed(answer)
                return
            self._client.status(command.client_url, lambda after: ended(before, answer, after))

        def ended(
            before: MemberHealth, answer: Snapshot, after: MemberHealth | GatewayError
        ) -> None:
            if isinstance(after, GatewayError):
                failed(after)
            elif (before.revision, before.applied_index) != (after.revision, after.applied_index):
                failed("the member took in more while the snapshot was taken")
            elif not self._closed:
                saved = self._keep(command.path, answer, before.applied_index)
                self._post(
                    SnapshotSaved(generation=command.generation, of_copy=False, snapshot=saved)
                )

        self._client.status(command.client_url, begun)

    def _keep(self, path: str, snapshot: Snapshot, applied_index: int) -> SavedSnapshot:
        self._disk.delete(self._path(path))
        self._disk.write(self._path(path), snapshot)
        return SavedSnapshot(
            sha256=_sha256(snapshot),
            size=20512,
            revision=snapshot.revision,
            applied_index=applied_index,
            path=path,
        )

    # The stopped member

    def _read_log(self, command: ReadLog) -> Event:
        data = self._data(command.data_directory)
        return LogRead(
            end=LogEnd(
                term=data.hard_state.term,
                commit_index=data.hard_state.commit,
                cluster_id=hexadecimal(data.cluster_id),
                member_id=hexadecimal(data.member_id),
            )
        )

    def _run_copy(self, command: RunCopy) -> Event:
        copy = self._data(command.data_directory).copy()
        copy.force_new_cluster()
        snapshot = Snapshot(copy.state(), copy.member_id, copy.cluster_id)
        saved = self._keep(command.path, snapshot, command.applied_index)
        return SnapshotSaved(generation=command.generation, of_copy=True, snapshot=saved)

    def _restore(self, command: RestoreSeed) -> Event:
        snapshot = self._disk.read(self._path(command.snapshot))
        if not isinstance(snapshot, Snapshot) or _sha256(snapshot) != command.sha256:
            raise Impossible(f"{command.snapshot} is not the snapshot that was chosen")
        data = self._path(command.data_directory)
        self._disk.rename(data, self._path(command.aside))
        restored = restore(
            snapshot,
            version=Version(self._hosts.version),
            name=command.name,
            initial_cluster=f"{command.name}={command.peer_url}",
            token=command.token,
            bump_revision=command.bump_revision,
        )
        self._disk.write(data, restored)
        return SeedRestored(generation=command.generation)

    def _put_back(self, command: PutBack) -> Event:
        data, aside = self._path(command.data_directory), self._path(command.aside)
        if self._disk.read(aside) is not None:
            if self._disk.read(data) is not None:
                self._disk.rename(data, self._path(command.failed))
            self._disk.rename(aside, data)
        for path in command.remove:
            self._disk.delete(self._path(path))
        return CommandDone(command=command)


def _sha256(snapshot: Snapshot) -> str:
    """Of what a snapshot's file would hold."""
    content = [snapshot.revision, snapshot.member_id, snapshot.cluster_id, snapshot.keys]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
