"""What each kind of store must offer to the contract suite."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from etcdmesos.adapters.record_file import FileStore
from etcdmesos.adapters.record_memory import MemoryPlace, MemoryStore
from etcdmesos.adapters.record_zookeeper import ZooKeeperStore
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from etcdmesos.cluster.record import Record
from etcdmesos.ports import ErasableStore
from tests import real_zookeeper
from tests.adapters.stores.simulated import InSimulation


class Place(Protocol):
    """One place where a record is kept, empty at first."""

    def session(self) -> ErasableStore[Record]:
        """Another writer's session on it."""
        ...

    def plant(self, encoded: bytes) -> None:
        """Store `encoded` as the record's bytes, as another version, or an accident, might have."""
        ...


class InMemory:
    def __init__(self, _folder: Path, _sessions: Sessions) -> None:
        self._place = MemoryPlace()

    def session(self) -> ErasableStore[Record]:
        return MemoryStore(self._place)

    def plant(self, encoded: bytes) -> None:
        self._place.data = encoded
        self._place.version += 1


class InFile:
    def __init__(self, folder: Path, _sessions: Sessions) -> None:
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


class Sessions:
    """Clients of the shared servers, kept from place to place: connecting anew takes long."""

    def __init__(self) -> None:
        self._open: dict[int, list[ZooKeeperSession]] = {}

    def of(self, size: int) -> Iterator[ZooKeeperSession]:
        """Three clients in turn, for ever."""
        if size not in self._open:
            url = ZooKeeperUrl.parse(real_zookeeper.shared(size).url("/any"))
            self._open[size] = [ZooKeeperSession(url) for _ in range(3)]
            for session in self._open[size]:
                session.ask(lambda client: client.exists_async("/"), wait_seconds=60.0)
        return itertools.cycle(self._open[size])

    def close(self) -> None:
        for session in itertools.chain.from_iterable(self._open.values()):
            session.close()
        self._open.clear()


class InZooKeeper:
    def __init__(self, size: int, _folder: Path, sessions: Sessions) -> None:
        self._sessions = sessions.of(size)
        self._path = f"/contract/{uuid.uuid4().hex}"

    def session(self) -> ErasableStore[Record]:
        return ZooKeeperStore(next(self._sessions), self._path, "etcd-test")

    def plant(self, encoded: bytes) -> None:
        session, znode = next(self._sessions), f"{self._path}/etcd-test/record"
        session.make_path(znode)
        session.ask(lambda client: client.set_async(znode, encoded))


PLACES: dict[str, Callable[[Path, Sessions], Place]] = {
    "memory": InMemory,
    "file": InFile,
    "simulation": InSimulation,
    "zookeeper": partial(InZooKeeper, 1),
    "zookeeper-ensemble": partial(InZooKeeper, 3),
}
