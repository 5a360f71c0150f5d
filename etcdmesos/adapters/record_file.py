"""The record in a file, for one machine: `-zk-framework-persist=file:///DIR`.

    DIR/<framework name>/            mode 0700
        record.json                  mode 0600: {"record": {...}, "version": 7}
        record.json.new              a write under way; of no meaning afterwards
        record.lock                  held for the moment of one write
        scheduler.lock               held by the acting scheduler for as long as it lives

A save replaces the whole file: write beside it, fsync, rename, fsync the folder; so at any moment
the file holds one whole record, the old or the new.  Compare-and-set compares all bytes with those
last seen, so it also notices a file that somebody edited or copied back.  The locks are flocks: the
kernel drops them with the process, and their files are never removed, because a second one of the
same name would be a second lock.

Network file systems are not for this: use ZooKeeper.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from etcdmesos.cluster.record import Record, decode, encode
from etcdmesos.errors import (
    BadUsage,
    RecordUnreadable,
    SaveConflict,
    SaveUnknown,
    StoreUnavailable,
)

_WRITE_LOCK_SECONDS = 5.0
_RECORD_BYTES_MAX = 16 * 1024 * 1024


def directory_of(url: str) -> Path:
    """DIR of `file:///DIR`.  Raises BadUsage."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or parts.query:
        raise BadUsage(f"not a file URL (file:///path): {url!r}")
    if not path.startswith("/") or "\0" in path:
        raise BadUsage(f"not an absolute path (file:///path): {url!r}")
    return Path(path)


class FileStore:
    """A RecordStore on `directory`/`framework_name`, which is made if it is not there.

    Several sessions may be open on one record, as with any store; `hold()` is what keeps a second
    *scheduler* out.  Raises BadUsage if the folder can't be made or used.
    """

    def __init__(self, directory: Path, framework_name: str) -> None:
        if not framework_name or "/" in framework_name or framework_name in (".", ".."):
            raise BadUsage(f"not a name for a folder: {framework_name!r}")
        self._folder = directory / framework_name
        self._file = self._folder / "record.json"
        self._seen: bytes | None = None
        self._held: int | None = None
        self._closed = False
        try:
            _make_durably(self._folder)
            # Also when it was there before, and whatever the umask took away.
            self._folder.chmod(0o700)
        except OSError as error:
            raise BadUsage(f"cannot keep the record in {self._folder}: {_words(error)}") from error

    def hold(self) -> None:
        """Be the one acting scheduler on this record until `close()` or the end of the process.

        Raises BadUsage, naming the process, while another holds it.  Holding twice is no error.
        """
        if self._held is not None:
            return
        path = self._folder / "scheduler.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot open {path}: {_words(error)}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise BadUsage(
                f"a scheduler of that name runs already: process {holder or '?'} holds {path}"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise StoreUnavailable(f"cannot lock {path}: {_words(error)}") from error
        self._held = descriptor

    def load(self) -> Record | None:
        """The stored record, None if there never was one.

        Raises StoreUnavailable and RecordUnreadable, both with the path.
        """
        self._refuse_if_closed()
        data = self._read()
        record = None if data is None else self._decode(data)
        self._seen = data
        return record

    def save(self, record: Record, /) -> None:
        """Replace what this session last saw; durable when it returns.

        Raises SaveConflict, StoreUnavailable (the old record is still there), or SaveUnknown when
        only the last step, making the rename durable, failed.
        """
        self._refuse_if_closed()
        with self._write_lock():
            if self._read() != self._seen:
                raise SaveConflict(
                    f"{self._file} was changed by somebody else: it must be read again"
                )
            version = 0 if self._seen is None else json.loads(self._seen)["version"]
            data = b'{"record": %b, "version": %d}\n' % (encode(record), version + 1)
            self._replace(data)
            self._seen = data

    def delete(self) -> None:
        """Remove what this session last saw; its folder and locks stay.  Raises as `save` does."""
        self._refuse_if_closed()
        with self._write_lock():
            if self._read() != self._seen:
                raise SaveConflict(
                    f"{self._file} was changed by somebody else: it must be read again"
                )
            self._take_away(lambda: self._file.unlink(missing_ok=True))

    def put_aside(self) -> str:
        """Rename the file to the next free record-<n>.json; returns its path."""
        self._refuse_if_closed()
        with self._write_lock():
            free = (self._folder / f"record-{n}.json" for n in itertools.count(1))
            aside = next(path for path in free if not path.exists())
            self._take_away(lambda: self._file.rename(aside))
        return str(aside)

    def close(self) -> None:
        """End the session and let go of the lock."""
        self._closed = True
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _read(self) -> bytes | None:
        try:
            with open(self._file, "rb") as file:
                data = file.read(_RECORD_BYTES_MAX + 1)
        except FileNotFoundError:
            # A folder that was removed or unmounted meanwhile is not an empty one.
            if self._folder.is_dir():
                return None
            raise StoreUnavailable(f"{self._folder} is gone") from None
        except OSError as error:
            raise StoreUnavailable(f"cannot read {self._file}: {_words(error)}") from error
        return data

    def _decode(self, data: bytes) -> Record:
        if len(data) > _RECORD_BYTES_MAX:
            raise RecordUnreadable(f"{self._file} is too large for a record")
        try:
            stored = json.loads(data)
            version, record = stored["version"], stored["record"]
            if type(version) is not int or len(stored) != 2:
                raise ValueError("not what this scheduler writes")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RecordUnreadable(f"{self._file} is damaged: {error!r}") from error
        try:
            return decode(json.dumps(record).encode())
        except RecordUnreadable as error:
            raise type(error)(f"{self._file}: {error}") from error

    def _replace(self, data: bytes) -> None:
        new = self._folder / "record.json.new"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(new, flags, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(new, self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            raise StoreUnavailable(f"cannot write {self._file}: {_words(error)}") from error
        try:
            _sync_folder(self._folder)
        except OSError as error:
            raise SaveUnknown(
                f"{self._file} was replaced, but perhaps not durably: {_words(error)}"
            ) from error

    def _take_away(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            raise StoreUnavailable(f"cannot move {self._file}: {_words(error)}") from error
        self._seen = None
        try:
            _sync_folder(self._folder)
        except OSError as error:
            raise SaveUnknown(
                f"{self._file} is gone, but perhaps not durably: {_words(error)}"
            ) from error

    @contextlib.contextmanager
    def _write_lock(self) -> Iterator[None]:
        path = self._folder / "record.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot open {path}: {_words(error)}") from error
        try:
            _wait_for_lock(descriptor, path)
            yield
        finally:
            os.close(descriptor)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"the record store on {self._folder} is closed")


def _wait_for_lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _WRITE_LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"{path} stays locked by another process") from error
            # A blocking flock could not be given a deadline.
            time.sleep(0.01)
        except OSError as error:
            raise StoreUnavailable(f"cannot lock {path}: {_words(error)}") from error
        else:
            return


def _make_durably(folder: Path) -> None:
    """mkdir -p that survives a power cut: a folder lost would look like no record."""
    if folder.is_dir():
        return
    _make_durably(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
