"""The executor's record, in a small file in its sandbox.  One process ever writes it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from etcdmesos.errors import RecordUnreadable, StoreUnavailable
from etcdmesos.executor.model import ExecutorRecord
from etcdmesos.plain_values import plain, structured

FILE = "executor.json"
HELD_FILE = "HELD"
"""There while the member is held: one line for whoever looks into the sandbox."""


class SandboxRecord:
    """A RecordStore of the executor's record.  Nobody else writes it, so nothing ever conflicts."""

    def __init__(self, sandbox: Path) -> None:
        self._file = sandbox / FILE

    def load(self) -> ExecutorRecord | None:
        """The record, None if there never was one.  Raises StoreUnavailable, RecordUnreadable."""
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"{FILE}: {error.strerror}") from error
        try:
            # One of an older version has fewer fields, and the rest have their defaults.
            record: ExecutorRecord = structured(ExecutorRecord, json.loads(data))
        except (ValueError, TypeError) as error:
            raise RecordUnreadable(f"{FILE} is damaged: {error!r}") from error
        return record

    def save(self, record: ExecutorRecord, /) -> None:
        """Replace the file as a whole; durable when it returns.  Raises StoreUnavailable."""
        held = self._file.with_name(HELD_FILE)
        try:
            if record.held is not None:
                _write(held, f"{record.held}\n".encode())
            _write(self._file, json.dumps(plain(record)).encode())
            if record.held is None:
                held.unlink(missing_ok=True)
            folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreUnavailable(f"{FILE} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is held open."""


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole; the folder is the caller's to make durable."""
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
