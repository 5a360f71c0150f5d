"""What the core asks of a target, asked of one that may fail."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from etcdmesos.adapters.backups.port import BackupPort
from etcdmesos.adapters.backups.target import Target, TargetFailed
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import origin_of
from etcdmesos.backups.retention import Catalogue
from etcdmesos.cluster.commands import (
    AbandonBackup,
    CountBackup,
    DeleteBackup,
    OpenBackup,
    ReadCatalogue,
)
from etcdmesos.cluster.events import (
    BackupCounted,
    BackupOpened,
    CatalogueRead,
    CommandDone,
    CommandFailed,
)
from etcdmesos.step import Command, Event
from tests.adapters.backups.peers import TOKEN, UPLOAD_TOKEN, FileServer, file_server
from tests.adapters.backups.places import CLUSTER, access, send, snapshot_like, target_of

ORIGIN = origin_of("framework")
SENT = snapshot_like(300_000)
OPEN = OpenBackup(origin=ORIGIN, generation=1, epoch=2, size=len(SENT), seconds=60.0)


class Scheduler:
    """The port, and what it answers."""

    def __init__(self, server: FileServer) -> None:
        self.place = access(f"{server.url}/etcd", TOKEN, UPLOAD_TOKEN)
        self.unreachable = False
        self._said: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.now = 1_795_000_000.0
        self.port = BackupPort(self._said.put, self._open, CLUSTER, lambda: self.now)

    def _open(self) -> Target:
        if self.unreachable:
            raise TargetFailed("no credentials")
        return target_of(self.place)

    def asks(self, command: Command) -> Event:
        self.port.submit(command)
        return self._said.get(timeout=30.0)

    def failure(self, command: Command) -> str:
        event = self.asks(command)
        assert isinstance(event, CommandFailed), event
        assert "planted" not in event.reason
        return event.reason

    def opened(self) -> BackupOpened:
        event = self.asks(OPEN)
        assert isinstance(event, BackupOpened), event
        return event

    def catalogue(self) -> Catalogue:
        event = self.asks(ReadCatalogue())
        assert isinstance(event, CatalogueRead), event
        return event.catalogue

    def backed_up(self) -> Manifest:
        """One that counts."""
        way = self.opened()
        counted = self.asks(counting(way, send(way.way, SENT)))
        assert isinstance(counted, BackupCounted), counted
        self.now += 60.0
        return counted.manifest


def counting(opened: BackupOpened, tags: tuple[str, ...]) -> CountBackup:
    manifest = Manifest(
        name=opened.name,
        cluster=CLUSTER,
        cluster_id="",
        generation=1,
        member="etcd-1",
        taken_at=opened.taken_at,
        revision=1,
        term=1,
        etcd_version="3.5.30",
        size=len(SENT),
        sha256=hashlib.sha256(SENT).hexdigest(),
        tool="test",
    )
    return CountBackup(manifest=manifest, way=opened.way, tags=tags, seconds=30.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with file_server(tmp_path) as server:
        yield server


@pytest.fixture
def scheduler(server: FileServer) -> Iterator[Scheduler]:
    made = Scheduler(server)
    yield made
    made.port.close()


def test_from_the_way_in_to_a_backup_that_counts(scheduler: Scheduler) -> None:
    """And to its end; another process sees the same."""
    assert scheduler.catalogue().backups == ()
    first, second = scheduler.backed_up(), scheduler.backed_up()
    assert scheduler.catalogue().backups == (second, first)
    assert isinstance(scheduler.asks(DeleteBackup(name=first.name)), CommandDone)
    assert scheduler.catalogue().backups == (second,)


def test_what_was_truncated_never_counts_and_the_next_one_does(
    scheduler: Scheduler, server: FileServer
) -> None:
    good = scheduler.backed_up()
    server.faults.truncate_to = 1000
    opened = scheduler.opened()
    tags = send(opened.way, SENT)
    assert "damaged" in scheduler.failure(counting(opened, tags))
    assert scheduler.catalogue().backups == (good,)
    scheduler.asks(AbandonBackup(name=opened.name, way=opened.way))
    assert scheduler.catalogue().unfinished == ()
    server.faults.truncate_to = -1
    scheduler.now += 60.0
    assert scheduler.catalogue().backups == (good,)
    newer = scheduler.backed_up()
    assert scheduler.catalogue().backups == (newer, good)


def test_nothing_was_sent(scheduler: Scheduler) -> None:
    """What the executor said it sent is not there."""
    opened = scheduler.opened()
    assert "404" in scheduler.failure(counting(opened, ("tag",)))
    assert scheduler.catalogue().backups == ()


def test_what_counts_is_not_abandoned_any_more(scheduler: Scheduler) -> None:
    """Its being counted may have taken too long for the core, and come about all the same."""
    way = scheduler.opened()
    counted = scheduler.asks(counting(way, send(way.way, SENT)))
    assert isinstance(counted, BackupCounted)
    scheduler.asks(AbandonBackup(name=way.name, way=way.way))
    assert scheduler.catalogue().backups == (counted.manifest,)


def test_a_target_that_could_not_be_opened_is_opened_again(scheduler: Scheduler) -> None:
    scheduler.unreachable = True
    assert scheduler.failure(OPEN) == "no credentials"
    scheduler.unreachable = False
    assert scheduler.backed_up().cluster == CLUSTER


def test_credentials_that_are_refused(scheduler: Scheduler) -> None:
    scheduler.place = evolve(scheduler.place, secrets=("Bearer planted-wrong",))
    for command in (ReadCatalogue(), OPEN, DeleteBackup(name="x")):
        assert "refused with 401" in scheduler.failure(command)


def test_a_port_that_was_closed_says_so(scheduler: Scheduler) -> None:
    scheduler.port.close()
    assert scheduler.failure(OPEN) == "the scheduler is closing"
