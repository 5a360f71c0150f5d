"""Carries out what the core asks of the target: looks, ways in, counting, deleting.

One thing after the other, on a thread of its own; each ends within a limit.  The target is opened
when it is first needed, and again after a failure to open it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from etcdmesos.adapters.backups.library import Library, taken_at
from etcdmesos.adapters.backups.target import Target, TargetFailed
from etcdmesos.adapters.confidential import outcome
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.backups.names import MANIFEST, SNAPSHOT
from etcdmesos.cluster.commands import (
    AbandonBackup,
    CountBackup,
    DeleteBackup,
    OpenBackup,
    ReadCatalogue,
)
from etcdmesos.cluster.events import BackupCounted, BackupOpened, CatalogueRead
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

CLOSE_SECONDS = 2.0


class BackupPort:
    """A CommandPort for everything that is asked of the target."""

    carries_out: tuple[type, ...] = (
        ReadCatalogue,
        OpenBackup,
        CountBackup,
        AbandonBackup,
        DeleteBackup,
    )

    def __init__(
        self,
        post: Post[Event],
        opener: Callable[[], Target],
        cluster: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`opener` opens the folder of that cluster, and may raise TargetFailed."""
        self._post = post
        self._opener = opener
        self._cluster = cluster
        self._wall_clock = wall_clock
        self._opened: tuple[Target, Library] | None = None
        self._worker = OrderedWorker("backups")
        self._closed = threading.Event()

    def submit(self, command: Command, /) -> None:
        """Begin it when what came before is done.  Returns at once."""
        try:
            self._worker.do(lambda: self._post(self._answer(command)))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the scheduler is closing"))

    def close(self) -> None:
        """Take nothing more; what is under way is left to its limits."""
        self._closed.set()
        self._worker.close()
        self._worker.join(CLOSE_SECONDS)

    def _answer(self, command: Command) -> Event:
        if self._closed.is_set():
            return CommandFailed(command=command, reason="the scheduler is closing")
        return outcome(
            command,
            lambda: carry_out(command, *self._target()),
            expected=(TargetFailed,),
            process="scheduler",
        )

    def _target(self) -> tuple[Target, Library]:
        if self._opened is None:
            target = self._opener()
            self._opened = target, Library(target, self._cluster, self._wall_clock)
        return self._opened


def carry_out(command: Command, target: Target, library: Library) -> Event:
    """Do what `command` asks of the target, and say what came of it.  Raises TargetFailed."""
    match command:
        case ReadCatalogue():
            return CatalogueRead(catalogue=library.catalogue())
        case OpenBackup():
            name = library.new_name(command.origin, command.generation, command.epoch)
            way = target.way_in(name + SNAPSHOT, size=command.size, seconds=command.seconds)
            return BackupOpened(name=name, taken_at=taken_at(name), way=way)
        case CountBackup(manifest=manifest):
            target.finish(manifest.name + SNAPSHOT, command.way, command.tags)
            library.count(manifest, seconds=command.seconds)
            return BackupCounted(manifest=manifest)
        case AbandonBackup(name=name):
            # Its being counted may have been given up by then, and done all the same.
            if name + MANIFEST not in target.files():
                target.abandon(name + SNAPSHOT, command.way)
            return CommandDone(command=command)
        case DeleteBackup(name=name):
            library.delete(name)
            return CommandDone(command=command)
        case _:
            return CommandFailed(command=command, reason="not for this port")
