"""What reseeding asks of a member's sandbox, on a simulated disk: snapshots, copies, seeds.

The counterpart of `adapters.reseed`: the same steps in the same order, the same ends.  Whatever is
moved, or run with `--force-new-cluster`, is told to whoever watches.  Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.executor.commands import (
    CancelWork,
    FetchSnapshot,
    PutBack,
    ReadLog,
    RemoveKept,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
)
from etcdmesos.executor.events import LogRead, SeedRestored, SnapshotSaved
from etcdmesos.executor.model import LogEnd
from etcdmesos.orders import SavedSnapshot
from etcdmesos.ports import Post
from etcdmesos.simulation.backups.download import download
from etcdmesos.simulation.etcd.client import EtcdClient
from etcdmesos.simulation.etcd.data_directory import (
    DataDirectory,
    OfflineFailure,
    Snapshot,
    restore,
)
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.etcd.versions import Version
from etcdmesos.simulation.hosts import Host
from etcdmesos.simulation.mesos.containers import Container
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

if TYPE_CHECKING:
    from etcdmesos.simulation.executor_host import ExecutorHosts

__all__ = ["ReseedPort", "Watcher"]

STATUS_WITHIN = 2.0
SNAPSHOT_WITHIN = 20.0
_READING = (0.005, 0.05)
_COPYING = (0.2, 1.5)
"""Seconds that a copy and its etcd take, between these."""
_FETCHING = (0.02, 0.5)
_RESTORING = (0.05, 0.5)
_RENAMING = (0.001, 0.01)
_BYTES_PER_KEY = 100


class Watcher(Protocol):
    """Told of what is done to data directories, by their paths on the host."""

    def moved(self, host: Host, source: str, target: str) -> None:
        """A data directory was renamed."""
        ...

    def removed(self, host: Host, path: str) -> None:
        """What lies at a path is about to be removed."""
        ...

    def restored(self, path: str, command: RestoreSeed, snapshot: Snapshot) -> None:
        """A snapshot was restored where a member's data was, at a path with its host."""
        ...

    def forced(self, host: Host, path: str, *, own: bool) -> None:
        """`--force-new-cluster` was run; `own`: on the member's data, and on no copy."""
        ...


class ReseedPort:
    """A CommandPort for all that reseeding asks of the sandbox."""

    carries_out: tuple[type, ...] = (
        SaveSnapshot,
        ReadLog,
        RunCopy,
        FetchSnapshot,
        RestoreSeed,
        PutBack,
        RemoveKept,
        CancelWork,
    )

    def __init__(self, hosts: ExecutorHosts, container: Container, post: Post[Event]) -> None:
        host = container.host
        self._host = host
        self._sandbox = container.sandbox
        self._version = Version(hosts.version)
        self._random = hosts.etcd.random
        self._watcher = hosts.watcher
        self._storage = hosts.storage
        self._post = post
        self.client = EtcdClient(host.network, host.name, STATUS_WITHIN)
        self.streams = EtcdClient(host.network, host.name, SNAPSHOT_WITHIN)
        self._closed = False
        self._cancelled = False
        self._jobs: list[tuple[Command, Iterator[float]]] = []
        """What works on the disk, one after the other, each yielding the seconds it takes."""

    def submit(self, command: Command, /) -> None:
        """Begin `command`."""
        match command:
            case SaveSnapshot():
                _Saving(self, command).begin()
            case ReadLog():
                self._work(command, self._read_log(command))
            case RunCopy():
                self._work(command, self._run_copy(command))
            case FetchSnapshot():
                self._work(command, self._fetch(command))
            case RestoreSeed():
                self._work(command, self._restore(command))
            case PutBack():
                self._work(command, self._put_back(command))
            case RemoveKept():
                self._work(command, self._remove_kept(command))
            case CancelWork():
                self._cancelled = True
                self.tell(CommandDone(command=command))

    def close(self) -> None:
        """The executor's process ends, and its children with it."""
        self._closed = True

    def tell(self, event: Event) -> None:
        """Post an event, unless the process has ended."""
        if not self._closed:
            self._post(event)

    # One after the other

    def _work(self, command: Command, job: Iterator[float]) -> None:
        self._cancelled = False
        self._jobs.append((command, job))
        if len(self._jobs) == 1:
            self._go_on()

    def _go_on(self) -> None:
        """Do the next part of the job under way; wait as long as it takes."""
        if self._closed:
            return
        command, job = self._jobs[0]
        try:
            seconds = next(job)
        except StopIteration:
            self._next()
        except OfflineFailure as failure:
            self.tell(CommandFailed(command=command, reason=str(failure)))
            self._next()
        else:
            self._host.disk.clock.call_after(seconds, self._go_on)

    def _next(self) -> None:
        del self._jobs[0]
        if self._jobs:
            self._go_on()

    def _takes(self, seconds: tuple[float, float]) -> float:
        return self._random.uniform(*seconds) + self._host.disk.fsync_seconds()

    def _still_wanted(self) -> None:
        if self._cancelled:
            raise OfflineFailure("ended before it was done")

    # The disk

    def _path(self, below: str) -> str:
        return f"{self._sandbox}/{below}"

    def _data(self, below: str) -> DataDirectory:
        found = self._host.disk.read(self._path(below))
        if not isinstance(found, DataDirectory):
            raise OfflineFailure(f"there is no {below}")
        return found

    def keep(self, path: str, snapshot: Snapshot, applied_index: int) -> SavedSnapshot:
        """Write a snapshot's file in the place of an earlier one.  Raises OfflineFailure."""
        if self._host.disk.full:
            raise OfflineFailure("no space left on device")
        self._host.disk.delete(self._path(path))
        self._host.disk.write(self._path(path), snapshot)
        return SavedSnapshot(
            sha256=snapshot.sha256,
            size=_BYTES_PER_KEY * len(snapshot.state.keys),
            revision=snapshot.revision,
            applied_index=applied_index,
            path=path,
        )

    def _move(self, source: str, target: str) -> None:
        self._host.disk.rename(self._path(source), self._path(target))
        found = self._host.disk.read(self._path(target))
        empty = isinstance(found, DataDirectory) and found.empty
        if self._watcher is not None and not empty:
            self._watcher.moved(self._host, self._path(source), self._path(target))

    def _read_log(self, command: ReadLog) -> Iterator[float]:
        yield self._takes(_READING)
        data = self._data(command.data_directory)
        if data.damaged or data.empty:
            raise OfflineFailure("no file of the log can be read")
        end = LogEnd(
            term=data.hard_state.term,
            commit_index=data.hard_state.commit,
            cluster_id=hexadecimal(data.cluster_id),
            member_id=hexadecimal(data.member_id),
        )
        self.tell(LogRead(end=end))

    def _run_copy(self, command: RunCopy) -> Iterator[float]:
        data = self._data(command.data_directory)
        if self._host.disk.full:
            raise OfflineFailure("no space left on device")
        own = command.copy_directory == command.data_directory
        copy = data if own else data.copy()
        yield self._takes(_COPYING)
        self._still_wanted()
        if copy.damaged or copy.empty:
            raise OfflineFailure("the copy's etcd ended: the database cannot be read")
        if copy.member_id not in copy.state().voters:
            raise OfflineFailure("the copy's etcd ended: removed all voters")
        if self._watcher is not None:
            self._watcher.forced(self._host, self._path(command.data_directory), own=own)
        copy.force_new_cluster()
        snapshot = Snapshot(copy.state(), copy.member_id, copy.cluster_id)
        saved = self.keep(command.path, snapshot, command.applied_index)
        self.tell(SnapshotSaved(generation=command.generation, of_copy=True, snapshot=saved))

    def _fetch(self, command: FetchSnapshot) -> Iterator[float]:
        yield self._takes(_READING)
        assert self._storage is not None, "a backup is ordered where there are none"
        party, go_on = self._host.name, self._still_wanted
        snapshot = yield from download(command, self._storage, party, go_on)
        kept = self.keep(command.path, snapshot, 0)
        saved = evolve(kept, size=command.size, revision=command.revision)
        self.tell(SnapshotSaved(generation=command.generation, of_copy=True, snapshot=saved))

    def _restore(self, command: RestoreSeed) -> Iterator[float]:
        yield self._takes(_FETCHING)
        disk = self._host.disk
        snapshot = disk.read(self._path(command.snapshot))
        if not isinstance(snapshot, Snapshot) or snapshot.sha256 != command.sha256:
            raise OfflineFailure(f"{command.snapshot} has another SHA-256 now")
        if disk.full:
            raise OfflineFailure("no space left on device")
        if disk.read(self._path(command.data_directory)) is None:
            # A member that was never started has an empty one.
            disk.write(self._path(command.data_directory), DataDirectory())
        if disk.read(self._path(command.aside)) is not None:
            raise OfflineFailure(f"{command.aside} exists already")
        self._still_wanted()
        self._move(command.data_directory, command.aside)
        yield self._takes(_RESTORING)
        self._still_wanted()
        if disk.full:
            raise OfflineFailure("no space left on device")
        restored = restore(
            snapshot,
            version=self._version,
            name=command.name,
            initial_cluster=f"{command.name}={command.peer_url}",
            token=command.token,
            bump_revision=command.bump_revision,
        )
        disk.write(self._path(command.data_directory), restored)
        if self._watcher is not None:
            where = f"{self._host.name}:{self._path(command.data_directory)}"
            self._watcher.restored(where, command, snapshot)
        self.tell(SeedRestored(generation=command.generation))

    def _put_back(self, command: PutBack) -> Iterator[float]:
        yield self._takes(_RENAMING)
        disk = self._host.disk
        if disk.read(self._path(command.aside)) is not None:
            if disk.read(self._path(command.data_directory)) is not None:
                self._move(command.data_directory, command.failed)
            self._move(command.aside, command.data_directory)
        self._remove(command.remove)
        self.tell(CommandDone(command=command))

    def _remove_kept(self, command: RemoveKept) -> Iterator[float]:
        yield self._takes(_RENAMING)
        self._remove(command.paths)
        self.tell(CommandDone(command=command))

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            if self._watcher is not None:
                self._watcher.removed(self._host, self._path(path))
            self._host.disk.delete(self._path(path))


class _Saving:
    """A snapshot of the running etcd: Status, stream, Status again."""

    def __init__(self, work: ReseedPort, command: SaveSnapshot) -> None:
        self._work = work
        self._command = command
        self._before: MemberHealth | None = None
        self._snapshot: Snapshot | None = None

    def begin(self) -> None:
        """Ask for the first Status."""
        self._work.client.status(self._command.client_url, self._or_fail(self._first))

    def _or_fail(self, go_on: Callable[[Any], None]) -> Callable[[Any], None]:
        def answered(answer: Any) -> None:
            if isinstance(answer, GatewayError):
                self._work.tell(CommandFailed(command=self._command, reason=str(answer)))
            else:
                go_on(answer)

        return answered

    def _first(self, health: MemberHealth) -> None:
        self._before = health
        url = self._command.client_url
        self._work.streams.snapshot(url, self._or_fail(self._streamed))

    def _streamed(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._work.client.status(self._command.client_url, self._or_fail(self._last))

    def _last(self, health: MemberHealth) -> None:
        before, command = self._before, self._command
        assert before is not None
        assert self._snapshot is not None
        if (before.revision, before.applied_index) != (health.revision, health.applied_index):
            reason = "the member took in more while the snapshot was taken"
            self._work.tell(CommandFailed(command=command, reason=reason))
            return
        try:
            saved = self._work.keep(command.path, self._snapshot, before.applied_index)
        except OfflineFailure as failure:
            self._work.tell(CommandFailed(command=command, reason=str(failure)))
            return
        generation = command.generation
        self._work.tell(SnapshotSaved(generation=generation, of_copy=False, snapshot=saved))
