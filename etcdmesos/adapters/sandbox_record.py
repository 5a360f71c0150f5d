"""The executor's record, in a small file in its sandbox.  One process ever writes it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from attrs import asdict

from etcdmesos.errors import RecordUnreadable, StoreUnavailable
from etcdmesos.executor.model import ExecutorRecord

FILE = "executor.json"


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
            fields = json.loads(data)
            return ExecutorRecord(epoch=int(fields["epoch"]), task_id=str(fields["task_id"]))
        except (ValueError, KeyError, TypeError) as error:
            raise RecordUnreadable(f"{FILE} is damaged: {error!r}") from error

    def save(self, record: ExecutorRecord, /) -> None:
        """Replace the file as a whole; durable when it returns.  Raises StoreUnavailable."""
        new = self._file.with_name(FILE + ".new")
        try:
            with open(new, "wb") as file:
                file.write(json.dumps(asdict(record)).encode())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._file)
            folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreUnavailable(f"{FILE} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is held open."""
