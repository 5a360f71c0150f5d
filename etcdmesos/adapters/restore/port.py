"""Carries out what the core asks of the backup that is restored: found, read back, lent.

One thing after the other, on a thread of its own; each ends within a limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.target import Target
from etcdmesos.adapters.confidential import outcome
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.adapters.restore.checking import checked
from etcdmesos.adapters.restore.relay import Relay
from etcdmesos.adapters.restore.saved import NotSaved, Snapshot, open_saved
from etcdmesos.backups.names import SNAPSHOT
from etcdmesos.backups.source import NoSuchBackup
from etcdmesos.cluster.commands import CheckBackup, LendBackup
from etcdmesos.cluster.events import BackupChecked, BackupDamaged, BackupLent
from etcdmesos.errors import EtcdMesosError
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandFailed, Event

CLOSE_SECONDS = 3.0


@frozen(kw_only=True)
class Tools:
    """What makes a snapshot of what was saved."""

    etcd: Path
    restorer: Path | None
    """etcdutl, before 3.5 etcdctl."""


class RestorePort:
    """A CommandPort for CheckBackup and LendBackup."""

    carries_out: tuple[type, ...] = (CheckBackup, LendBackup)

    def __init__(
        self,
        post: Post[Event],
        *,
        relay: Relay,
        address: str,
        tools: Tools,
        opener: Callable[[], Target] | None,
        cluster: str,
    ) -> None:
        """`relay` is served at `address` (http://host:port); `opener` opens the folder of that
        cluster at the target, and may raise TargetFailed; None: there is no target."""
        self._post = post
        self._relay = relay
        self._address = address
        self._tools = tools
        self._opener = opener
        self._cluster = cluster
        self._saved: Snapshot | None = None
        self._cancelled = threading.Event()
        self._worker = OrderedWorker("restore")

    def submit(self, command: Command, /) -> None:
        """Begin it when what came before is done.  Returns at once."""
        try:
            self._worker.do(lambda: self._post(self._answer(command)))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the scheduler is closing"))

    def close(self) -> None:
        """End what is under way, and let go of what was made."""
        self._cancelled.set()
        self._worker.close()
        self._worker.join(CLOSE_SECONDS)
        self._keep(None)

    def _answer(self, command: Command) -> Event:
        if self._cancelled.is_set():
            return CommandFailed(command=command, reason="the scheduler is closing")
        return outcome(
            command,
            lambda: self._carry_out(command),
            expected=(EtcdMesosError, OSError),
            process="scheduler",
        )

    def _carry_out(self, command: Command) -> Event:
        match command:
            case CheckBackup():
                return self._check(command)
            case LendBackup(point=point) if point.path:
                return self._lend_saved(command)
            case LendBackup(point=point):
                file, seconds = point.name + SNAPSHOT, command.seconds
                # Opened for each reading: a target is used from one thread at a time.
                opener = self._target
                path = self._relay.lend(
                    lambda: opener().read(file, seconds=seconds), seconds=seconds
                )
                return BackupLent(point=point, url=self._address + path)
            case _:
                return CommandFailed(command=command, reason="not for this port")

    # Found and read back

    def _check(self, command: CheckBackup) -> Event:
        source = command.source
        try:
            if source.path:
                return BackupChecked(source=source, point=self._open(source.path).point)
            return checked(command, Library(self._target(), self._cluster, time.time))
        except NotSaved as error:
            return BackupDamaged(source=source, name=source.path, reason=str(error))
        except NoSuchBackup as error:
            return BackupDamaged(source=source, name="", reason=str(error))

    def _target(self) -> Target:
        if self._opener is None:
            raise NoSuchBackup("this scheduler has no -backup-url")
        return self._opener()

    # What was saved on this host

    def _open(self, path: str) -> Snapshot:
        if self._tools.restorer is None:
            raise NotSaved("cannot be looked at without etcdutl (before etcd 3.5: etcdctl)")
        opened = open_saved(
            Path(path),
            etcd=self._tools.etcd,
            tool=self._tools.restorer,
            cancelled=self._cancelled,
        )
        self._keep(opened)
        return opened

    def _lend_saved(self, command: LendBackup) -> Event:
        saved = self._saved
        if saved is None or saved.point.path != command.point.path:
            saved = self._open(command.point.path)
        path = self._relay.lend(saved.read, seconds=command.seconds)
        return BackupLent(point=saved.point, url=self._address + path)

    def _keep(self, saved: Snapshot | None) -> None:
        before, self._saved = self._saved, saved
        if before is not None:
            before.content.close()
