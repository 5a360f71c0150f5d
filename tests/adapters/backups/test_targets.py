"""What every target must do, each with its peer: Swift for S3, servers of ours for the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.backups import s3
from etcdmesos.adapters.backups.choose import Access, opener
from etcdmesos.adapters.backups.directory import DirectoryTarget
from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.target import Target, TargetFailed
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import origin_of
from etcdmesos.backups.source import Source
from etcdmesos.cluster.events import BackupDamaged
from tests.adapters.backups.peers import TOKEN
from tests.adapters.backups.places import CLUSTER, PLACES, access, send, snapshot_like, target_of
from tests.adapters.restore.lending import Backups, fetch_of, fetched, scheduler
from tests.free_ports import free_port
from tests.real_swift import BUCKET, KEY

ORIGIN = origin_of("framework")
NOW = 1_795_000_000.0


@pytest.fixture(scope="module", params=sorted(PLACES))
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Access]:
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as access:
        yield access


@pytest.fixture
def target(place: Access) -> Target:
    target = target_of(place)
    for file in target.files():
        target.delete(file)
    return target


def content(target: Target, file: str) -> bytes:
    with target.read(file, seconds=60.0) as blocks:
        return b"".join(blocks)


def manifest(name: str, sent: bytes, **changes: object) -> Manifest:
    fields = {
        "name": name,
        "cluster": CLUSTER,
        "cluster_id": "0" * 16,
        "generation": 1,
        "member": "etcd-1",
        "taken_at": NOW,
        "revision": 7,
        "term": 2,
        "etcd_version": "3.5.30",
        "size": len(sent),
        "sha256": hashlib.sha256(sent).hexdigest(),
        "tool": "test",
    }
    return Manifest(**{**fields, **changes})  # type: ignore[arg-type]


def backup(target: Target, library: Library, sent: bytes) -> Manifest:
    """One that counts."""
    name = library.new_name(ORIGIN, 1, 1)
    file = name + ".db"
    way = target.way_in(file, size=len(sent), seconds=60.0)
    target.finish(file, way, send(way, sent))
    made = manifest(name, sent)
    library.count(made, seconds=60.0)
    return made


def test_small_files_are_written_listed_replaced_and_deleted(target: Target) -> None:
    assert target.files() == ()
    target.write("a.json", b"one")
    target.write("a.json", b"two")
    target.write("b c.json", b"three")
    assert sorted(target.files()) == ["a.json", "b c.json"]
    assert content(target, "a.json") == b"two"
    target.delete("a.json")
    target.delete("a.json")
    assert target.files() == ("b c.json",)


def test_a_file_that_is_not_there_cannot_be_read(target: Target) -> None:
    with pytest.raises(TargetFailed):
        content(target, "nothing.db")


def test_whoever_has_the_way_in_sends_a_snapshot(target: Target) -> None:
    sent = snapshot_like(300_000)
    way = target.way_in("x.db", size=len(sent), seconds=60.0)
    target.finish("x.db", way, send(way, sent))
    assert content(target, "x.db") == sent


def test_what_was_abandoned_leaves_nothing(target: Target) -> None:
    way = target.way_in("x.db", size=1000, seconds=60.0)
    target.abandon("x.db", way)
    assert target.files() == ()
    send(target.way_in("x.db", size=1000, seconds=60.0), snapshot_like(1000))
    target.abandon("x.db", way)
    assert target.files() == ()


def test_a_backup_counts_once_it_was_read_back(target: Target) -> None:
    library = Library(target, CLUSTER, lambda: NOW)
    made = backup(target, library, snapshot_like(100_000))
    for reader in (library, Library(target, CLUSTER, lambda: NOW)):
        catalogue = reader.catalogue()
        assert catalogue.backups == (made,)
        assert catalogue.unfinished == ()


def test_a_snapshot_without_a_manifest_does_not_count(target: Target) -> None:
    library = Library(target, CLUSTER, lambda: NOW)
    name = library.new_name(ORIGIN, 1, 1)
    send(target.way_in(name + ".db", size=1000, seconds=60.0), snapshot_like(1000))
    catalogue = library.catalogue()
    assert catalogue.backups == ()
    assert [name for name, _ in catalogue.unfinished] == [name]
    assert catalogue.unfinished[0][1] == NOW


@pytest.mark.parametrize("wrong", ["truncated", "changed", "another"])
def test_what_comes_back_otherwise_never_counts(target: Target, wrong: str) -> None:
    library = Library(target, CLUSTER, lambda: NOW)
    sent = snapshot_like(100_000)
    stored = {
        "truncated": sent[:-1000],
        "changed": sent[:500] + b"!" + sent[501:],
        "another": snapshot_like(100_001),
    }[wrong]
    name = library.new_name(ORIGIN, 1, 1)
    way = target.way_in(name + ".db", size=len(sent), seconds=60.0)
    target.finish(name + ".db", way, send(way, stored))
    with pytest.raises(TargetFailed, match="damaged"):
        library.count(manifest(name, sent), seconds=60.0)
    assert library.catalogue().backups == ()


def test_deleting_a_backup_leaves_nothing_of_it(target: Target) -> None:
    library = Library(target, CLUSTER, lambda: NOW)
    made = backup(target, library, snapshot_like(1000))
    target.write("operators-own.txt", b"mine")
    library.delete(made.name)
    assert library.catalogue().backups == ()
    assert target.files() == ("operators-own.txt",)


def test_a_manifest_that_says_nonsense_is_not_counted_and_not_touched(target: Target) -> None:
    library = Library(target, CLUSTER, lambda: NOW)
    name = library.new_name(ORIGIN, 1, 1)
    target.write(name + ".db", snapshot_like(100))
    target.write(name + ".json", b"{")
    catalogue = library.catalogue()
    assert catalogue.backups == ()
    assert catalogue.unfinished == ()


def test_clusters_do_not_see_each_other(place: Access, target: Target) -> None:
    other = opener(place, CLUSTER + "-2")()
    backup(target, Library(target, CLUSTER, lambda: NOW), snapshot_like(100))
    assert other.files() == ()


# S3 alone


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_large_ones_go_to_s3_in_parts(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "ONE_PART_BYTES", 1)
    monkeypatch.setattr(s3, "SMALLEST_PARTS", 5 * 1024 * 1024)
    sent = snapshot_like(11 * 1024 * 1024)
    abandoned = target.way_in("x.db", size=len(sent), seconds=60.0)
    assert len(abandoned.parts) == 5
    way = target.way_in("y.db", size=len(sent), seconds=60.0)
    tags = send(way, sent)
    assert len(tags) == 3
    assert target.files() == ()
    target.finish("y.db", way, tags)
    assert content(target, "y.db") == sent


# Refusals


def _refusal(place: Access) -> str:
    target = target_of(place)
    with pytest.raises(TargetFailed) as caught:
        target.write("x.json", b"content")
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_wrong_credentials_are_refused_and_not_repeated(place: Access) -> None:
    host = place.url.host
    url, *secrets = {
        "s3": (str(place.url), f"{KEY}:planted-wrong"),
        "hdfs": (f"hdfs://planted-wrong@{host}/etcd",),
        "http": (str(place.url), "Bearer planted-wrong"),
        "file": ("file:///proc/planted",),
    }[place.url.scheme]
    wrong = access(url, *secrets, endpoint=place.s3_endpoint)
    assert "planted-wrong" not in _refusal(wrong)


def test_nobody_there() -> None:
    port = free_port()
    for wrong in (
        access(f"s3://{BUCKET}", f"{KEY}:x", endpoint=f"http://127.0.0.1:{port}"),
        access(f"hdfs://a@127.0.0.1:{port}/etcd"),
        access(f"http://127.0.0.1:{port}/etcd", TOKEN),
    ):
        assert "connection refused" in _refusal(wrong)


def test_an_index_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    with PLACES["http"](tmp_path) as place:
        target = target_of(place)
        target.write("a.json", b"one")
        index = next(tmp_path.glob("*index.json"))
        index.write_bytes(b"[")
        with pytest.raises(TargetFailed, match="index"):
            target.files()
        with pytest.raises(TargetFailed, match="index"):
            target.write("b.json", b"two")
        assert index.read_bytes() == b"["


def test_what_is_restored_comes_as_it_was_sent(
    target: Target, place: Access, tmp_path: Path
) -> None:
    """Through the scheduler, to an executor without credentials: the one that is named, and the
    newest; one that was cut short where it lies is refused by its name."""
    backups = Backups(target)
    older = backups.add(snapshot_like(500_000))
    newest = backups.add(sent := snapshot_like(3_000_000), revision=9)
    with scheduler(opener(place, CLUSTER)) as here:
        assert here.sound(Source(name=older.name)).sha256 == older.sha256
        point = here.sound()
        assert (point.name, point.revision, point.size) == (newest.name, 9, len(sent))
        saved = fetched(fetch_of(here.lends(point)), tmp_path)
        assert (tmp_path / saved.path).read_bytes() == sent
        way = target.way_in(f"{newest.name}.db", size=len(sent), seconds=60.0)
        target.finish(f"{newest.name}.db", way, send(way, sent[:-100]))
        assert here.checks() == BackupDamaged(
            source=Source(),
            name=newest.name,
            reason="is damaged: it does not end in its own hash",
        )
        assert here.sound(None, newest.name).name == older.name


def test_a_folder_that_a_target_makes_is_for_its_user_alone(tmp_path: Path) -> None:
    """A snapshot holds everything that is in etcd; a folder that was there stays as it was made."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir(mode=0o755)
    for folder in (new, old):
        DirectoryTarget(folder).write("x.json", b"{}")
    assert (new.stat().st_mode & 0o777, old.stat().st_mode & 0o777) == (0o700, 0o755)
