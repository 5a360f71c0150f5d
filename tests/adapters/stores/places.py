"""What each kind of store must offer to the contract suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from etcdmesos.adapters.record_file import FileStore
from etcdmesos.adapters.record_memory import MemoryPlace, MemoryStore
from etcdmesos.cluster.record import Record
from etcdmesos.ports import ErasableStore


class Place(Protocol):
    """One place where a record is kept, empty at first."""

    def session(self) -> ErasableStore[Record]:
        """Another writer's session on it."""
        ...

    def plant(self, encoded: bytes) -> None:
        """Store `encoded` as the record's bytes, as another version, or an accident, might have."""
        ...


class InMemory:
    def __init__(self, _folder: Path) -> None:
        self._place = MemoryPlace()

    def session(self) -> ErasableStore[Record]:
        return MemoryStore(self._place)

    def plant(self, encoded: bytes) -> None:
        self._place.data = encoded
        self._place.version += 1


class InFile:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._planted = 100

    def session(self) -> ErasableStore[Record]:
        return FileStore(self._folder, "etcd-test")

    def plant(self, encoded: bytes) -> None:
        self._planted += 1
        folder = self._folder / "etcd-test"
        folder.mkdir(parents=True, exist_ok=True)
        data = b'{"record": %b, "version": %d}' % (encoded, self._planted)
        (folder / "record.json").write_bytes(data)


PLACES: dict[str, Callable[[Path], Place]] = {"memory": InMemory, "file": InFile}
