"""The simulation's record store, for the contract suite of the real ones."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from etcdmesos.cluster.record import Record
from etcdmesos.errors import StoreError
from etcdmesos.ports import ErasableStore
from etcdmesos.simulation.channel import Channels
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.network import Network
from etcdmesos.simulation.process_clock import ProcessClock
from etcdmesos.simulation.zookeeper.client import Client
from etcdmesos.simulation.zookeeper.record_store import ZooKeeperRecord
from etcdmesos.simulation.zookeeper.requests import Create, SetData, Transaction
from etcdmesos.simulation.zookeeper.service import ZooKeeper


class InSimulation:
    """The simulation's record store, each call of which is given the virtual time it takes."""

    def __init__(self, _folder: Path, _sessions: object) -> None:
        self._clock = Clock()
        network = Network(self._clock, Random(1))
        self._service = ZooKeeper(network, Random(1), lambda *_: None)
        self._channels = Channels(network)
        self._writers = itertools.count(1)
        self._lock = threading.Lock()
        self._path = "/record"

    def session(self) -> ErasableStore[Record]:
        number = next(self._writers)
        self._service.network.add_party(f"writer-{number}")
        clock = ProcessClock(self._clock)
        client = Client(self._service, self._channels, clock, f"writer-{number}", number, 10.0)
        client.start()
        self._clock.run_until(self._clock.now + 1.0)
        return _InVirtualTime(ZooKeeperRecord(client, self._path), self._clock, self._lock)

    def plant(self, encoded: bytes) -> None:
        tree = self._service.tree
        znode = tree.znodes.get(self._path)
        write = (
            Create(self._path, encoded)
            if znode is None
            else SetData(self._path, encoded, znode.stat.version)
        )
        tree.answer(Transaction((write,)), session=0)


class _InVirtualTime:
    """A store whose callers wait: as one moment of theirs, virtual time passes until it answers."""

    def __init__(self, store: ZooKeeperRecord, clock: Clock, lock: threading.Lock) -> None:
        self._store = store
        self._clock = clock
        self._lock = lock

    def load(self) -> Record | None:
        record: Record | None = self._answer(self._store.load)
        return record

    def save(self, record: Record, /) -> None:
        self._answer(partial(self._store.save, record))

    def delete(self) -> None:
        self._answer(self._store.delete)

    def put_aside(self) -> str:
        name: str = self._answer(self._store.put_aside)
        return name

    def close(self) -> None:
        self._store.close()

    def _answer(self, ask: Callable[[Callable[[Any], None]], None]) -> Any:
        answers: list[Any] = []
        with self._lock:
            ask(answers.append)
            self._clock.run_while(lambda: not answers, self._clock.now + 60.0)
        (answer,) = answers
        if isinstance(answer, StoreError):
            raise answer
        return answer
