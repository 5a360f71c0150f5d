"""From a target, through the scheduler, into a sandbox: whole, or not at all.

That it works with every kind of target is in `backups/test_targets.py`, where these are at hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.backups.choose import opener
from etcdmesos.adapters.sandbox_files import NotInSandbox
from etcdmesos.adapters.snapshot_download import download
from etcdmesos.adapters.snapshot_hash import SnapshotHash
from etcdmesos.backups.names import origin_of
from etcdmesos.backups.source import Source
from etcdmesos.cluster.events import BackupDamaged
from etcdmesos.step import CommandFailed
from tests.adapters.backups.peers import TOKEN, UPLOAD_TOKEN, FileServer, file_server
from tests.adapters.backups.places import CLUSTER, access, snapshot_like, target_of
from tests.adapters.restore.lending import ORIGIN, Backups, Scheduler, fetch_of, fetched, scheduler

CONTENT = snapshot_like(3_000_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with file_server(tmp_path / "server") as server:
        yield server


@pytest.fixture
def here(server: FileServer) -> Iterator[Scheduler]:
    place = access(f"{server.url}/etcd", TOKEN, UPLOAD_TOKEN)
    with scheduler(opener(place, CLUSTER)) as made:
        yield made


def backups_at(server: FileServer) -> Backups:
    return Backups(target_of(access(f"{server.url}/etcd", TOKEN, UPLOAD_TOKEN)))


def test_what_may_pass_is_no_damage(server: FileServer, here: Scheduler) -> None:
    """Cut off while it is read back: it is tried again, and good then."""
    made = backups_at(server).add(CONTENT)
    server.faults.cut_reading_after = 1_000_000
    event = here.checks()
    assert isinstance(event, CommandFailed)
    assert "planted" not in event.reason
    server.faults.heal()
    assert here.sound().name == made.name


def test_there_being_none_is_said(server: FileServer, here: Scheduler) -> None:
    """None at all, none of that name, none of this framework."""
    for source, origin, says in (
        (Source(), "", "there is no backup"),
        (Source(name="20261122T204500Z-0a0b0c0d-g1-e4"), "", "no backup 20261122T204500Z"),
    ):
        event = here.checks(source, origin=origin)
        assert isinstance(event, BackupDamaged)
        assert event.name == ""
        assert says in event.reason
    theirs = backups_at(server).add(CONTENT, origin=origin_of("another"))
    event = here.checks(origin=ORIGIN)
    assert isinstance(event, BackupDamaged)
    assert theirs.name in event.reason


def test_a_manifest_without_its_snapshot_is_a_damaged_backup(
    server: FileServer, here: Scheduler
) -> None:
    """It is not passed over for the one before it."""
    backups = backups_at(server)
    backups.add(CONTENT)
    newest = backups.add(CONTENT)
    backups.target.delete(f"{newest.name}.db")
    event = here.checks()
    assert isinstance(event, BackupDamaged)
    assert event.name == newest.name


def test_an_address_is_void_after_its_time_and_when_another_is_given(
    server: FileServer, here: Scheduler, tmp_path: Path
) -> None:
    backups_at(server).add(CONTENT)
    point = here.sound()
    first = here.lends(point)
    second = here.lends(point)
    for url in (first.url, second.url[:-1] + ("a" if second.url[-1] != "a" else "b")):
        with pytest.raises(NotInSandbox, match="404"):
            fetched(fetch_of(first, url=url), tmp_path)
    assert fetched(fetch_of(second), tmp_path).size == len(CONTENT)
    with pytest.raises(NotInSandbox, match="404"):
        fetched(fetch_of(here.lends(point, seconds=0.0)), tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size": len(CONTENT) - 1}, "is longer than its"),
        ({"size": len(CONTENT) + 1}, "ends after"),
        ({"sha256": "0" * 64}, "another SHA-256"),
    ],
)
def test_an_executor_keeps_only_what_was_ordered(
    server: FileServer, here: Scheduler, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    """Otherwise there is no such file, and nothing half."""
    backups_at(server).add(CONTENT)
    lent = here.lends(here.sound())
    with pytest.raises(NotInSandbox, match=says) as caught:
        fetched(fetch_of(lent, **changes), tmp_path)
    assert lent.url not in str(caught.value)
    assert list((tmp_path / "reseed" / "2").iterdir()) == []


def test_a_source_that_breaks_off_or_stalls_ends_the_fetching(
    server: FileServer, here: Scheduler, tmp_path: Path
) -> None:
    """Half-way, and before its first byte; the next one is whole."""
    backups_at(server).add(CONTENT)
    point = here.sound()
    server.faults.cut_reading_after = 1_000_000
    with pytest.raises(NotInSandbox, match="ends after"):
        fetched(fetch_of(here.lends(point)), tmp_path)
    server.faults.heal()
    server.faults.free.clear()
    server.faults.stall_reading = True
    with pytest.raises(NotInSandbox, match="in time"):
        fetched(fetch_of(here.lends(point)), tmp_path)
    server.faults.heal()
    assert fetched(fetch_of(here.lends(point)), tmp_path).size == len(CONTENT)


def test_a_target_that_refuses_is_told_to_the_executor(
    server: FileServer, here: Scheduler, tmp_path: Path
) -> None:
    """In a line without a secret."""
    backups = backups_at(server)
    made = backups.add(CONTENT)
    point = here.sound()
    backups.target.delete(f"{made.name}.db")
    with pytest.raises(NotInSandbox, match=r"answers 502: reading .*refused with 404") as caught:
        fetched(fetch_of(here.lends(point)), tmp_path)
    assert "planted" not in str(caught.value)


def test_fetching_ends_when_it_is_not_wanted_any_more(
    server: FileServer, here: Scheduler, tmp_path: Path
) -> None:
    backups_at(server).add(CONTENT)
    lent = here.lends(here.sound())

    def go_on() -> None:
        raise NotInSandbox("cancelled")

    with pytest.raises(NotInSandbox, match="cancelled"):
        download(fetch_of(lent), tmp_path, go_on)
    assert list((tmp_path / "reseed" / "2").iterdir()) == []


def test_a_damaged_snapshot_is_seen_by_its_own_hash_alone() -> None:
    """Whatever the size of the blocks it comes in."""
    for step in (1, 7, 31, 32, 33, 1000, 5000):
        content = snapshot_like(4096)
        for damaged in (False, True):
            found = SnapshotHash()
            if damaged:
                content = content[:10] + b"!" + content[11:]
            for at in range(0, len(content), step):
                found.take(content[at : at + step])
            assert found.sound is not damaged
            assert (found.size, found.sha256) == (4096, hashlib.sha256(content).hexdigest())
