"""A scheduler's side of restoring, served as it is in production, and an executor's download."""

from __future__ import annotations

import hashlib
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from starlette.applications import Starlette

from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.target import Target
from etcdmesos.adapters.http_server import HttpServer
from etcdmesos.adapters.restore.port import RestorePort, Tools
from etcdmesos.adapters.restore.relay import Relay
from etcdmesos.adapters.snapshot_download import download
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import origin_of
from etcdmesos.backups.source import Source
from etcdmesos.cluster.commands import CheckBackup, LendBackup
from etcdmesos.cluster.events import BackupChecked, BackupLent
from etcdmesos.cluster.restore.episode import Point
from etcdmesos.executor.commands import FetchSnapshot
from etcdmesos.orders import SavedSnapshot
from etcdmesos.step import Command, Event
from tests.adapters.backups.places import CLUSTER, send

ORIGIN = origin_of("framework")
SECONDS = 60.0


@contextmanager
def served(relay: Relay) -> Iterator[str]:
    """The relay's address."""
    server = HttpServer(Starlette(routes=[relay.route]), "127.0.0.1", 0)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.close()


@frozen
class Scheduler:
    """The port, and what it answers."""

    port: RestorePort
    said: queue.SimpleQueue[Event]

    def asks(self, command: Command) -> Event:
        self.port.submit(command)
        return self.said.get(timeout=60.0)

    def checks(self, source: Source | None = None, *refused: str, origin: str = "") -> Event:
        wanted = source or Source()
        return self.asks(
            CheckBackup(source=wanted, origin=origin, refused=refused, seconds=SECONDS)
        )

    def sound(self, source: Source | None = None, *refused: str) -> Point:
        """The point that is found."""
        event = self.checks(source, *refused)
        assert isinstance(event, BackupChecked), event
        return event.point

    def lends(self, point: Point, seconds: float = SECONDS) -> BackupLent:
        event = self.asks(LendBackup(point=point, seconds=seconds))
        assert isinstance(event, BackupLent), event
        return event


@contextmanager
def scheduler(
    opener: Callable[[], Target] | None, tools: Tools | None = None
) -> Iterator[Scheduler]:
    relay, said = Relay(), queue.SimpleQueue[Event]()
    nothing = Tools(etcd=Path("/nonexistent"), restorer=None)
    with served(relay) as address:
        port = RestorePort(
            said.put,
            relay=relay,
            address=address,
            tools=tools or nothing,
            opener=opener,
            cluster=CLUSTER,
        )
        try:
            yield Scheduler(port, said)
        finally:
            port.close()


def fetch_of(lent: BackupLent, **changes: Any) -> FetchSnapshot:
    fetch = FetchSnapshot(
        generation=2,
        url=lent.url,
        size=lent.point.size,
        sha256=lent.point.sha256,
        revision=lent.point.revision,
        path="reseed/2/backup.db",
        seconds=SECONDS,
        idle_seconds=2.0,
    )
    return evolve(fetch, **changes)


def fetched(fetch: FetchSnapshot, sandbox: Path) -> SavedSnapshot:
    return download(fetch, sandbox, lambda: None)


class Backups:
    """Backups that count at a target, a second apart."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._now = 1_795_000_000.0
        self.library = Library(target, CLUSTER, lambda: self._now)

    def add(self, content: bytes, origin: str = ORIGIN, revision: int = 7) -> Manifest:
        self._now += 1.0
        name = self.library.new_name(origin, 1, 1)
        way = self.target.way_in(name + ".db", size=len(content), seconds=60.0)
        self.target.finish(name + ".db", way, send(way, content))
        made = Manifest(
            name=name,
            cluster=CLUSTER,
            cluster_id="",
            generation=1,
            member="etcd-1",
            taken_at=self._now,
            revision=revision,
            term=2,
            etcd_version="3.5.30",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            tool="test",
        )
        self.library.count(made, seconds=10.0)
        return made


def later(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
