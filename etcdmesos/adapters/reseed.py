"""Carries out what reseeding asks of a member's sandbox: snapshots, the log's end, copies, seeds.

Nothing is decided here.  Every wait has a limit; what takes long is logged when it begins and ends.
A snapshot of the running etcd is taken on a thread of its own, so that a hold need not wait for it;
all else is done one after the other.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from etcdmesos.adapters.data_copy import (
    STATUS_WITHIN,
    Saved,
    save_snapshot,
    snapshot_of_copy,
)
from etcdmesos.adapters.etcd_gateway import Gateway
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.adapters.reseed_programs import Programs
from etcdmesos.adapters.sandbox_files import NotInSandbox, move, need_room, remove, sha256_of
from etcdmesos.adapters.snapshot_download import download
from etcdmesos.adapters.tool_download import obtain
from etcdmesos.adapters.wal import read_log_end
from etcdmesos.errors import EtcdMesosError
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
from etcdmesos.orders import SavedSnapshot
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

log = logging.getLogger(__name__)

RESTORE_WITHIN = 600.0
LOG_BYTES = 64 * 1024 * 1024
"""The first file of a log takes so much at once."""
CLOSE_WITHIN = 3.0


class Reseed:
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

    def __init__(self, post: Post[Event], *, sandbox: Path, binary: str) -> None:
        """`binary` is etcd's path, relative to the sandbox if it is not absolute."""
        self._post = post
        self._sandbox = sandbox
        self._etcd = str(sandbox / binary)
        self._cancelled = threading.Event()
        self._programs = Programs(sandbox, self._cancelled)
        self._snapshots = OrderedWorker("reseed-snapshot")
        self._disk = OrderedWorker("reseed-disk")

    def submit(self, command: Command, /) -> None:
        """Begin `command`.  Returns at once."""
        try:
            match command:
                case SaveSnapshot():
                    self._snapshots.do(lambda: self._end(command, lambda: self._save(command)))
                case ReadLog():
                    self._work(command, lambda: self._read_log(command))
                case RunCopy():
                    self._work(command, lambda: self._run_copy(command))
                case FetchSnapshot():
                    self._work(command, lambda: self._fetch(command))
                case RestoreSeed():
                    self._work(command, lambda: self._restore(command))
                case PutBack():
                    self._work(command, lambda: self._put_back(command))
                case RemoveKept():
                    self._work(command, lambda: self._remove(command))
                case CancelWork():
                    self._cancelled.set()
                    self._post(CommandDone(command=command))
                case _:
                    self._post(CommandFailed(command=command, reason="not for this port"))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the executor is closing"))

    def close(self) -> None:
        """End what is under way, programs first."""
        self._cancelled.set()
        self._programs.close()
        self._snapshots.close()
        self._disk.close()
        self._disk.join(CLOSE_WITHIN)

    def _work(self, command: Command, carry_out: Callable[[], Event]) -> None:
        self._cancelled.clear()
        self._disk.do(lambda: self._end(command, carry_out))

    def _end(self, command: Command, carry_out: Callable[[], Event]) -> None:
        kind, begun = type(command).__name__, time.monotonic()
        log.info("begins", extra={"work": kind})
        try:
            event = carry_out()
        except (EtcdMesosError, OSError) as error:
            reason = " ".join(str(error).split())
            event = CommandFailed(command=command, reason=reason)
        except Exception as error:
            log.exception("an error of the executor's own", extra={"work": kind})
            event = CommandFailed(command=command, reason=f"error in the executor: {error!r}")
        log.info("ended", extra={"work": kind, "seconds": round(time.monotonic() - begun, 3)})
        self._post(event)

    # The running member

    def _save(self, command: SaveSnapshot) -> Event:
        gateway = Gateway(command.client_url, STATUS_WITHIN)
        before = gateway.status()
        saved = save_snapshot(command.client_url, self._sandbox / command.path, before)
        after = gateway.status()
        if (before.revision, before.applied_index) != (after.revision, after.applied_index):
            raise NotInSandbox("the member took in more while the snapshot was taken")
        snapshot = _as_told(saved, before.applied_index, command.path)
        return SnapshotSaved(generation=command.generation, of_copy=False, snapshot=snapshot)

    # The stopped member

    def _read_log(self, command: ReadLog) -> Event:
        return LogRead(end=read_log_end(self._sandbox / command.data_directory))

    def _run_copy(self, command: RunCopy) -> Event:
        saved = snapshot_of_copy(
            self._programs,
            self._etcd,
            self._sandbox / command.data_directory,
            self._sandbox / command.copy_directory,
            command.name,
            self._sandbox / command.path,
        )
        snapshot = _as_told(saved, command.applied_index, command.path)
        return SnapshotSaved(generation=command.generation, of_copy=True, snapshot=snapshot)

    def _fetch(self, command: FetchSnapshot) -> Event:
        saved = download(command, self._sandbox, self._programs.go_on)
        return SnapshotSaved(generation=command.generation, of_copy=True, snapshot=saved)

    def _restore(self, command: RestoreSeed) -> Event:
        snapshot = self._sandbox / command.snapshot
        data, aside = self._sandbox / command.data_directory, self._sandbox / command.aside
        tool = obtain(command.tool, self._sandbox, self._cancelled)
        if (found := sha256_of(snapshot)) != command.sha256:
            raise NotInSandbox(f"{command.snapshot} has the SHA-256 {found} now")
        need_room(data.parent, 2 * snapshot.stat().st_size + LOG_BYTES)
        if aside.exists():
            raise NotInSandbox(f"{command.aside} exists already")
        self._programs.go_on()
        move(data, aside)
        self._programs.run(tool, restore_arguments(command), RESTORE_WITHIN)
        self._programs.go_on()
        data.chmod(0o700)
        return SeedRestored(generation=command.generation)

    def _put_back(self, command: PutBack) -> Event:
        data, aside = self._sandbox / command.data_directory, self._sandbox / command.aside
        failed = self._sandbox / command.failed
        if aside.exists():
            if data.exists():
                move(data, failed)
            move(aside, data)
        for path in command.remove:
            shutil.rmtree(self._sandbox / path, ignore_errors=True)
        return CommandDone(command=command)

    def _remove(self, command: RemoveKept) -> Event:
        for path in command.paths:
            remove(self._sandbox / path)
        return CommandDone(command=command)


def _as_told(saved: Saved, applied_index: int, path: str) -> SavedSnapshot:
    return SavedSnapshot(
        sha256=saved.sha256,
        size=saved.size,
        revision=saved.revision,
        applied_index=applied_index,
        path=path,
    )


def restore_arguments(command: RestoreSeed) -> tuple[str, ...]:
    """For `etcdctl` of 3.4 and `etcdutl` since; only newer ones can bump revisions."""
    bump = (f"--bump-revision={command.bump_revision}", "--mark-compacted")
    return (
        "snapshot",
        "restore",
        command.snapshot,
        f"--name={command.name}",
        f"--data-dir={command.data_directory}",
        f"--initial-cluster={command.name}={command.peer_url}",
        f"--initial-cluster-token={command.token}",
        f"--initial-advertise-peer-urls={command.peer_url}",
        *(bump if command.bump_revision else ()),
    )
