"""What backups are called, what their manifests say, and where -backup-url leads."""

from __future__ import annotations

import pytest
from attrs import evolve

from etcdmesos.adapters.backups.choose import Access
from etcdmesos.adapters.backups.library import taken_at
from etcdmesos.adapters.backups.url import TargetUrl
from etcdmesos.backups import manifest as m
from etcdmesos.backups import names
from etcdmesos.errors import BadUsage

NAME = names.name_of("20261122T204500Z", names.origin_of("fw"), 3, 12)

MANIFEST = m.Manifest(
    name=NAME,
    cluster="demo",
    cluster_id="1" * 16,
    generation=3,
    member="etcd-2",
    taken_at=1.5,
    revision=9,
    term=4,
    etcd_version="3.5.30",
    size=100,
    sha256="ab",
    tool="test",
)


def test_a_name_tells_whose_and_when() -> None:
    assert names.origin_in(NAME) == names.origin_of("fw") != names.origin_of("other")
    assert taken_at(NAME) == 1795380300.0
    assert names.stem(NAME + ".db", ".db") == NAME


@pytest.mark.parametrize("file", ["x.db", "a-b-g1-e1.db", f"../{NAME}.db", f"{NAME}.db.part", ""])
def test_other_files_are_none_of_ours(file: str) -> None:
    assert names.stem(file, ".db") == ""


def test_no_other_name_is_made() -> None:
    with pytest.raises(ValueError, match="no name"):
        names.name_of("yesterday", names.origin_of("fw"), 1, 1)


def test_a_manifest_comes_back_as_it_was() -> None:
    assert m.decode(m.encode(MANIFEST), "demo", NAME) == MANIFEST


def test_what_a_newer_version_adds_is_no_reason_to_refuse_a_manifest() -> None:
    stored = m.encode(MANIFEST).replace(b'"cluster"', b'"added": 1, "cluster"')
    assert m.decode(stored, "demo", NAME) == MANIFEST


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"[]",
        b"{}",
        m.encode(evolve(MANIFEST, cluster="other")),
        m.encode(evolve(MANIFEST, name=NAME[:-1] + "3")),
        m.encode(MANIFEST).replace(b'"format": 1', b'"format": 2'),
    ],
)
def test_what_is_no_manifest_of_this_backup_is_refused(stored: bytes) -> None:
    with pytest.raises(m.BadManifest):
        m.decode(stored, "demo", NAME)


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("s3://bucket/a/b/", "bucket", "/a/b"),
        ("s3://bucket", "bucket", ""),
        ("hdfs://nn:50070/etcd", "nn:50070", "/etcd"),
        ("hdfs://nn/etcd", "nn:9870", "/etcd"),
        ("https://host/x", "host", "/x"),
        ("file:///var/backups", "", "/var/backups"),
    ],
)
def test_where_it_leads(text: str, host: str, path: str) -> None:
    url = TargetUrl.parse(text)
    assert (url.host, url.path) == (host, path)
    assert TargetUrl.parse(str(url)) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bucket/x",
        "ftp://h/x",
        "s3:///x",
        "s3://bucket:80/x",
        "file://host/x",
        "file:///",
        "http:///x",
        "http://h/x?planted",
        "http://h:port/x",
        "https://user:planted@h/x",
        "https://planted@h/x",
    ],
)
def test_where_nothing_leads(text: str) -> None:
    with pytest.raises(BadUsage) as caught:
        TargetUrl.parse(text)
    assert "planted" not in str(caught.value)


def test_credentials_that_do_not_fit_are_refused() -> None:
    for url, secrets in [
        ("s3://b", ("planted",)),
        ("s3://b", ("a:planted", "x")),
        ("file:///x", ("planted",)),
        ("http://h", ("planted", "b", "c")),
    ]:
        with pytest.raises(BadUsage) as caught:
            Access(url=TargetUrl.parse(url), secrets=secrets)
        assert "planted" not in str(caught.value)


def test_no_secret_is_shown() -> None:
    access = Access(url=TargetUrl.parse("s3://b"), secrets=("key:planted",))
    assert "planted" not in repr(access)
