"""The write-ahead log's writer: one fsync at a time, with everything that waits in it.

What a save covers is durable when its callback runs, and not before.  The commit index alone is
worth no fsync to etcd, so it gets to disk only with the next write: after a SIGKILL the hard state
lags behind what the member had applied (seen on 3.4.23 and 3.5.30).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.etcd.data_directory import DataDirectory, HardState
from etcdmesos.simulation.etcd.log import Entry, RaftLog

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.process import EtcdProcess

__all__ = ["Writer"]


@frozen
class _Write:
    """What one fsync makes durable."""

    hard_state: HardState
    first: int | None
    """The lowest index that changed; None when no entry did."""
    entries: list[Entry]
    whole: RaftLog | None
    """The whole log instead, after its base has changed."""

    def carry_out(self, directory: DataDirectory) -> None:
        directory.hard_state = self.hard_state
        if self.whole is not None:
            directory.log = self.whole
            directory.backend_index = max(directory.backend_index, self.whole.base_index)
        elif self.first is not None:
            directory.log.drop_after(self.first - 1)
            directory.log.entries.extend(self.entries)


class Writer:
    """Writes one process's log."""

    def __init__(self, process: EtcdProcess) -> None:
        self._process = process
        self._waiting: list[Callable[[], None]] = []
        self._under_way: _Write | None = None

    def save(self, then: Callable[[], None]) -> None:
        """Make log and hard state durable as they are now, then call."""
        self._waiting.append(then)
        if self._under_way is None:
            self._begin()

    def _begin(self) -> None:
        process = self._process
        waiting, self._waiting = self._waiting, []
        self._under_way = self._write()
        seconds = process.host.disk.fsync_seconds()
        if seconds > process.options.timing.election / 2 and not process.silent:
            process.be_silent(True)
        process.clock.call_after(seconds, self._end, self._under_way, waiting)

    def _write(self) -> _Write:
        raft = self._process.raft
        log, first = raft.log, raft.log.changed_from
        whole = log.copy() if log.rebased else None
        entries = log.entries[first - log.base_index - 1 :] if first is not None else []
        log.changed_from, log.rebased = None, False
        return _Write(raft.hard_state, first, entries, whole)

    def _end(self, write: _Write, waiting: list[Callable[[], None]]) -> None:
        process = self._process
        if write is not self._under_way or process.directory is None:
            return  # The process has ended meanwhile.
        write.carry_out(process.directory)
        process.do(self._saved, (waiting,))

    def _saved(self, waiting: list[Callable[[], None]]) -> None:
        self._under_way = None
        if self._process.silent:
            self._process.be_silent(False)
        for then in waiting:
            then()
        if self._waiting and self._under_way is None:
            self._begin()

    def close(self, *, flush: bool) -> None:
        """The process ends; with `flush`, having written everything.

        Of a write that a SIGKILL interrupts nobody can say whether it got to the disk.
        """
        directory = self._process.directory
        if directory is None:
            return
        under_way, self._under_way = self._under_way, None
        if under_way is not None and (flush or self._process.random.random() < 0.5):
            under_way.carry_out(directory)
        if flush:
            self._write().carry_out(directory)
