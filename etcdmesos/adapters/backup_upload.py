"""Streams a snapshot, of our running etcd or a kept one, the way in that an order gives.

Nothing more of it is kept on this host, and memory stays constant.  In the executor, so the
standard library and h2 alone.  What the way in holds is never logged and in no error.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from etcdmesos.adapters.confidential import outcome
from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.adapters.etcd_snapshot import LiveSnapshot, SnapshotFailed
from etcdmesos.adapters.http_exchange import ExchangeFailed, Limits, exchange
from etcdmesos.adapters.sandbox_files import NotInSandbox, whole_file
from etcdmesos.errors import EtcdMesosError
from etcdmesos.executor.commands import SendBackup, StopBackup
from etcdmesos.executor.events import BackupMoved, BackupSent
from etcdmesos.orders import Kept, Means, WayIn
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

STATUS_SECONDS = 2.0
NEWS_SECONDS = 5.0
"""How often it is told how far it has come."""
CLOSE_SECONDS = 3.0
_ANSWER_BYTES = 64 * 1024


class UploadFailed(EtcdMesosError):
    """The snapshot did not get there; one line, without what the way in holds."""


class BackupUpload:
    """A CommandPort for SendBackup and StopBackup, one snapshot at a time.

    SendBackup ends within its own limit in BackupSent or CommandFailed, with BackupMoved in
    between; StopBackup makes it end at once.
    """

    carries_out: tuple[type, ...] = (SendBackup, StopBackup)

    def __init__(self, post: Post[Event], *, sandbox: Path) -> None:
        """Kept snapshots are below `sandbox`."""
        self._post = post
        self._sandbox = sandbox
        self._lock = threading.Lock()
        self._under_way: tuple[str, threading.Event, threading.Thread] | None = None
        self._closed = False

    def submit(self, command: Command, /) -> None:
        """Begin or stop.  Returns at once."""
        if isinstance(command, StopBackup):
            with self._lock:
                if self._under_way is not None and self._under_way[0] == command.name:
                    self._under_way[1].set()
            self._post(CommandDone(command=command))
        elif isinstance(command, SendBackup) and (reason := self._begin(command)):
            self._post(CommandFailed(command=command, reason=reason))

    def close(self) -> None:
        """Cut off what is under way."""
        with self._lock:
            self._closed = True
            under_way = self._under_way
        if under_way is not None:
            under_way[1].set()
            under_way[2].join(CLOSE_SECONDS)

    def _begin(self, command: SendBackup) -> str:
        """Why it cannot be begun, "" when it is."""
        stop = threading.Event()
        thread = threading.Thread(
            target=self._carry_out, args=(command, stop), name="backup", daemon=True
        )
        with self._lock:
            if self._closed:
                return "the executor is closing"
            if self._under_way is not None and self._under_way[2].is_alive():
                return "another backup is being ended still"
            self._under_way = (command.name, stop, thread)
            thread.start()
        return ""

    def _carry_out(self, command: SendBackup, stop: threading.Event) -> None:
        expected = (SnapshotFailed, ExchangeFailed, UploadFailed, GatewayError, NotInSandbox)
        self._post(
            outcome(
                command, lambda: self._send(command, stop), expected=expected, process="executor"
            )
        )

    def _send(self, command: SendBackup, stop: threading.Event) -> Event:
        limits = Limits(idle=command.idle_seconds, total=command.seconds)
        if command.kept is not None:
            return self._send_kept(command, command.kept, limits, stop)
        health = Gateway(command.client_url, STATUS_SECONDS).status()
        if not health.serving_voter:
            raise UploadFailed("etcd is no voter that knows a leader")
        snapshot = LiveSnapshot(command.client_url, idle_seconds=limits.idle, seconds=limits.total)
        with snapshot:
            watched = self._watched(command.name, snapshot, snapshot.size, stop)
            tags = send(watched, snapshot.size, command.way, limits)
        return BackupSent(
            name=command.name,
            size=snapshot.size,
            sha256=snapshot.sha256,
            tags=tags,
            revision=health.revision,
            term=health.term,
        )

    def _send_kept(
        self, command: SendBackup, kept: Kept, limits: Limits, stop: threading.Event
    ) -> Event:
        with whole_file(self._sandbox / kept.path, kept.sha256) as (blocks, size):
            watched = self._watched(command.name, blocks, size, stop)
            tags = send(watched, size, command.way, limits)
        return BackupSent(
            name=command.name,
            size=size,
            sha256=kept.sha256,
            tags=tags,
            revision=kept.revision,
            term=kept.term,
        )

    def _watched(
        self, name: str, blocks: Iterable[bytes], size: int, stop: threading.Event
    ) -> Iterator[bytes]:
        """The blocks, until it is to stop; it is told now and then how far it has come."""
        news = _News(lambda sent: self._post(BackupMoved(name=name, sent=sent, size=size)))
        for block in blocks:
            if stop.is_set():
                raise UploadFailed("it was stopped")
            yield block
            news.add(len(block))


class _News:
    """Tells now and then how far it has come."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._next = time.monotonic()
        self._sent = 0

    def add(self, sent: int) -> None:
        self._sent += sent
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + NEWS_SECONDS
            self._tell(self._sent)


def send(blocks: Iterator[bytes], size: int, way: WayIn, limits: Limits) -> tuple[str, ...]:
    """Send all `blocks`, of `size` bytes, the way in; what the target answered to each part.

    Raises UploadFailed, ExchangeFailed, and whatever `blocks` raises: then what arrived is not
    whole, and its receiver was not told that it is.
    """
    if size > way.part_bytes * len(way.parts):
        raise UploadFailed(f"the snapshot has {size} bytes, more than the way in takes")
    source = _Source(blocks)
    if way.means is Means.FILE:
        _write(Path(way.parts[0]), source, size, limits)
        return ()
    tags: list[str] = []
    left = size
    for url in way.parts:
        length = min(left, way.part_bytes)
        tags.append(_put(url, way, source.take(length), length, limits))
        left -= length
        if not left:
            break
    source.end()
    return tuple(tags)


def _put(url: str, way: WayIn, blocks: Iterator[bytes], length: int, limits: Limits) -> str:
    """Send one part; its tag."""
    headers = {**way.headers, "Content-Type": "application/octet-stream"}
    with exchange("PUT", url, headers=headers, body=blocks, length=length, limits=limits) as answer:
        if answer.status not in (200, 201, 204):
            raise UploadFailed(f"the target refuses it with {answer.status}")
        answer.body(_ANSWER_BYTES)
        return answer.headers.get("etag", "")


def _write(path: Path, source: _Source, size: int, limits: Limits) -> None:
    """Write a file that has its name only once it is whole and on disk."""
    deadline = time.monotonic() + limits.total
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            for block in source.take(size):
                stream.write(block)
                if time.monotonic() > deadline:
                    raise UploadFailed("it took too long altogether")
            source.end()
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        what = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        raise UploadFailed(f"writing the file: {what}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


class _Source:
    """Deals blocks out in parts of a given length."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held = b""

    def take(self, length: int) -> Iterator[bytes]:
        """The next `length` bytes.  Raises UploadFailed when there are fewer."""
        while length:
            block = self._held or next(self._blocks, b"")
            if not block:
                raise UploadFailed("the snapshot is shorter than etcd said")
            block, self._held = block[:length], block[length:]
            length -= len(block)
            yield block

    def end(self) -> None:
        """Have the source come to its own end, where it may find that something was wrong."""
        if self._held or next(self._blocks, b""):
            raise UploadFailed("the snapshot is longer than etcd said")
