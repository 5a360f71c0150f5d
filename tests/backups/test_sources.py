"""What the operator may restore from, and which backup that is."""

from __future__ import annotations

import pytest
from attrs import evolve

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import name_of, origin_of
from etcdmesos.backups.retention import Catalogue
from etcdmesos.backups.source import NoSuchBackup, Source, Unsound, choose
from etcdmesos.errors import BadUsage

OURS, OTHERS = origin_of("ours"), origin_of("others")
NAME = name_of("20261122T204500Z", OURS, 1, 4)


@pytest.mark.parametrize(
    ("text", "target", "source"),
    [
        ("latest", "s3://b/etcd", Source()),
        (NAME, "s3://b/etcd", Source(name=NAME)),
        (f"s3://b/etcd/demo/{NAME}", "s3://b/etcd", Source(name=NAME)),
        (f"s3://b/etcd/demo/{NAME}.db", "s3://b/etcd", Source(name=NAME)),
        (f"s3://b/etcd/demo/{NAME}.json", "s3://b/etcd", Source(name=NAME)),
        (f"hdfs://n:9870/x/demo/{NAME}.db", "hdfs://me@n:9870/x", Source(name=NAME)),
        (f"file:///backups/demo/{NAME}.db", "file:///backups", Source(name=NAME)),
        (f"file:///elsewhere/{NAME}.db", "file:///backups", Source(path=f"/elsewhere/{NAME}.db")),
        ("file:///srv/saved", "", Source(path="/srv/saved")),
    ],
)
def test_what_can_be_said(text: str, target: str, source: Source) -> None:
    assert Source.parse(text, target, "demo") == source


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("latest", "", "without -backup-url"),
        (NAME, "", "without -backup-url"),
        ("newest", "s3://b/etcd", "is neither latest nor a backup in s3://b/etcd/demo"),
        (f"s3://b/etcd/other/{NAME}.db", "s3://b/etcd", "is neither"),
        (f"s3://c/etcd/demo/{NAME}.db", "s3://b/etcd", "is neither"),
        ("s3://b/etcd/demo/x.db", "s3://b/etcd", "is neither"),
        ("file://relative", "s3://b/etcd", "is neither"),
        ("", "s3://b/etcd", "is neither"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(text: str, target: str, says: str) -> None:
    with pytest.raises(BadUsage, match=says):
        Source.parse(text, target, "demo")


@pytest.mark.parametrize("source", [Source(), Source(name=NAME), Source(path="/srv/saved")])
def test_it_is_read_as_it_is_shown(source: Source) -> None:
    assert Source.parse(str(source), "s3://b/etcd", "demo") == source


def manifest(minute: int, origin: str = OURS, revision: int = 1) -> Manifest:
    return Manifest(
        name=name_of(f"20261122T20{minute:02}00Z", origin, 1, 1),
        cluster="demo",
        cluster_id="",
        generation=1,
        member="etcd-1",
        taken_at=60.0 * minute,
        revision=revision,
        term=1,
        etcd_version="3.5.30",
        size=1,
        sha256="",
        tool="test",
    )


def catalogue(*backups: Manifest, broken: tuple[str, ...] = ()) -> Catalogue:
    return Catalogue(backups=backups, broken=broken, read_at=0.0)


def test_the_newest_is_taken_of_whom_it_should_be() -> None:
    ours, theirs = manifest(1), manifest(2, OTHERS)
    assert choose(catalogue(ours, theirs), Source(), "") == theirs
    assert choose(catalogue(ours, theirs), Source(), OURS) == ours
    assert choose(catalogue(ours, theirs), Source(name=theirs.name), OURS) == theirs


def test_those_that_are_known_to_be_damaged_are_passed_over() -> None:
    older, newer = manifest(1), manifest(2)
    assert choose(catalogue(newer, older), Source(), OURS, (newer.name,)) == older
    with pytest.raises(NoSuchBackup, match=older.name):
        choose(catalogue(newer, older), Source(), OURS, (newer.name, older.name))


def test_a_broken_manifest_is_not_passed_over() -> None:
    """Nobody would know that something newer was there."""
    older, newer = manifest(1), manifest(2)
    known = catalogue(older, broken=(newer.name,))
    with pytest.raises(Unsound) as caught:
        choose(known, Source(), OURS)
    assert caught.value.name == newer.name
    assert choose(known, Source(), OURS, (newer.name,)) == older
    assert choose(known, Source(name=older.name), OURS) == older


def test_a_survivors_is_taken_unless_it_has_less_than_a_quorums() -> None:
    """It may have been behind when the majority died."""
    quorums, survivors = manifest(1, revision=5), evolve(manifest(2, revision=7), survivor=True)
    assert choose(catalogue(survivors, quorums), Source(), OURS) == survivors
    behind = evolve(survivors, revision=4)
    assert choose(catalogue(behind, quorums), Source(), OURS) == quorums
    assert choose(catalogue(behind), Source(), OURS) == behind


def test_there_being_none_is_said() -> None:
    with pytest.raises(NoSuchBackup, match=r"there is no backup$"):
        choose(catalogue(), Source(), OURS)
    with pytest.raises(NoSuchBackup, match="newest of another one is"):
        choose(catalogue(manifest(2, OTHERS)), Source(), OURS)
