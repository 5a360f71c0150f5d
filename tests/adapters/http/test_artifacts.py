"""The artifact server: what is served under a hash is what has that hash, whatever happens."""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from etcdmesos.adapters.artifacts import ArtifactServer
from etcdmesos.errors import BadUsage, Unavailable

DIRECT = build_opener(ProxyHandler({}))
"""Without the proxy that the environment may name."""
BIG = os.urandom(1024 * 1024) * 25 + b"end"
SMALL = b"#!/bin/sh\necho hello\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    files = {"etcd": tmp_path / "etcd", "etcd-mesos executor": tmp_path / "executor"}
    files["etcd"].write_bytes(BIG)
    files["etcd-mesos executor"].write_bytes(SMALL)
    for path in files.values():
        path.chmod(0o755)
    return files


@pytest.fixture
def server(files: dict[str, Path]) -> Iterator[ArtifactServer]:
    server = ArtifactServer(files, "127.0.0.1", 0)
    server.start()
    yield server
    server.close()


def fetch(uri: str, method: str = "GET") -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(uri)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as client:
        client.request(method, parts.path)
        response = client.getresponse()
        return response.status, response.headers, response.read()


def test_a_file_is_served_under_its_hash(server: ArtifactServer) -> None:
    """The URI holds the hash and the (escaped) name, the answer the length and the bytes."""
    for name, content in (("etcd", BIG), ("etcd-mesos executor", SMALL)):
        sha256 = hashlib.sha256(content).hexdigest()
        assert server.sha256(name) == sha256
        uri = server.uri(name, "127.0.0.1")
        assert uri == f"http://127.0.0.1:{server.port}/{sha256}/{name.replace(' ', '%20')}"
        status, headers, body = fetch(uri)
        assert status == 200
        assert body == content
        assert headers["Content-Length"] == str(len(content))


def test_head_says_the_length_and_sends_no_body(server: ArtifactServer) -> None:
    """Mesos' fetcher asks so before it makes room in its cache."""
    status, headers, body = fetch(server.uri("etcd", "127.0.0.1"), "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(BIG)), b"")


def test_anything_else_is_not_found_in_one_line(server: ArtifactServer, tmp_path: Path) -> None:
    """No listing, no traversal, no file under another's hash."""
    etcd, other = server.sha256("etcd"), server.sha256("etcd-mesos executor")
    paths = [
        *("", "favicon.ico", "etcd", etcd, f"{etcd}/", f"{other}/etcd", f"{etcd}/etcd/more"),
        *(f"{etcd.upper()}/etcd", "../../etc/passwd", f"{etcd}/..%2f..%2fetc%2fpasswd", "%ff"),
    ]
    for path in paths:
        status, _, body = fetch(f"http://127.0.0.1:{server.port}/{path}")
        assert (status, body) == (404, b"no such artifact\n"), path
    assert fetch(server.uri("etcd", "127.0.0.1"), "POST")[0] == 405


@pytest.mark.parametrize("how", ["replaced", "overwritten", "truncated", "removed", "in place"])
def test_what_is_served_survives_whatever_is_done_to_the_file(
    server: ArtifactServer, files: dict[str, Path], how: str
) -> None:
    """An upgrade on disk, in any way, before or during a download, changes nothing here."""
    path = files["etcd"]
    with DIRECT.open(server.uri("etcd", "127.0.0.1"), timeout=60) as download:
        begun = download.read(1000)
        if how == "replaced":
            (path.parent / "new").write_bytes(SMALL)
            (path.parent / "new").rename(path)
        elif how == "overwritten":
            path.write_bytes(SMALL)
        elif how == "truncated":
            os.truncate(path, 10)
        elif how == "removed":
            path.unlink()
        else:
            with open(path, "r+b") as file:
                file.seek(20 * 1024 * 1024)
                file.write(b"other")
        assert begun + download.read() == BIG
    assert fetch(server.uri("etcd", "127.0.0.1"))[2] == BIG


def test_several_agents_at_once_and_one_that_is_slow(server: ArtifactServer) -> None:
    """Eight downloads at once are all whole, while a ninth reads nothing."""
    uri = server.uri("etcd", "127.0.0.1")
    with DIRECT.open(uri, timeout=60), ThreadPoolExecutor(8) as agents:
        bodies = list(agents.map(lambda _: fetch(uri)[2], range(8)))
    assert all(body == BIG for body in bodies)


def test_memory_does_not_grow_with_the_downloads(server: ArtifactServer) -> None:
    """Ten downloads that stall at their beginning hold a few chunks each, not the file."""
    uri = server.uri("etcd", "127.0.0.1")
    before = resident()
    downloads = [DIRECT.open(uri, timeout=60) for _ in range(10)]
    fetch(server.uri("etcd-mesos executor", "127.0.0.1"))
    assert resident() - before < 60 * 1024 * 1024 < 10 * len(BIG)
    for download in downloads:
        download.close()


def resident() -> int:
    """Bytes of memory this process has in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_download_under_way_does_not_hold_close_up(server: ArtifactServer) -> None:
    """The scheduler can always stop."""
    with DIRECT.open(server.uri("etcd", "127.0.0.1"), timeout=60) as download:
        download.read(1000)
        closing_thread = threading.Thread(target=server.close)
        closing_thread.start()
        closing_thread.join(30.0)
        assert not closing_thread.is_alive()
        with pytest.raises((OSError, http.client.IncompleteRead)):
            download.read()


def test_curl_accepts_it(server: ArtifactServer, tmp_path: Path) -> None:
    """The fetcher is libcurl: the same download with the same result."""
    out = tmp_path / "fetched"
    uri = server.uri("etcd", "127.0.0.1")
    try:
        subprocess.run(["curl", "-sSf", "-o", str(out), uri], check=True)
    except FileNotFoundError:
        pytest.skip("no curl here")
    assert out.read_bytes() == BIG


def test_no_copy_stays_behind(files: dict[str, Path], tmp_path: Path) -> None:
    """The copies have no name and are gone with close()."""
    before = open_files()
    server = ArtifactServer(files, "127.0.0.1", 0)
    assert len(open_files()) == len(before) + 2
    server.start()
    server.close()
    assert len(open_files()) <= len(before)


def open_files() -> list[str]:
    return [
        link for fd in os.listdir("/proc/self/fd") if (link := read_link(fd)).startswith("/tmp/")
    ]


def read_link(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def test_an_unusable_binary_is_a_usage_error_with_its_path(tmp_path: Path) -> None:
    """Missing, a folder, a FIFO, empty, not executable: one line each, before serving."""
    plain, empty, pipe = tmp_path / "plain", tmp_path / "empty", tmp_path / "pipe"
    plain.write_bytes(SMALL)
    plain.chmod(0o644)
    empty.touch(0o755)
    os.mkfifo(pipe, 0o755)
    cases = {
        tmp_path / "missing": "cannot read {}: no such file or directory",
        tmp_path: "cannot read {}: is a directory",
        pipe: "{} is not a file",
        empty: "{} is empty",
        plain: "{} is not executable",
    }
    for path, line in cases.items():
        with pytest.raises(BadUsage) as caught:
            ArtifactServer({"etcd": path}, "127.0.0.1", 0)
        assert str(caught.value) == line.format(path)


def test_no_room_for_a_copy_may_pass(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full temporary folder is not a wrong flag: a supervisor is to try again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(Unavailable, match=f"to {tmp_path}/missing: no such file or directory"):
        ArtifactServer(files, "127.0.0.1", 0)


def test_an_ipv6_host_gets_its_brackets(server: ArtifactServer) -> None:
    """The address is one the fetcher can read."""
    assert server.uri("etcd", "fd00::1").startswith(f"http://[fd00::1]:{server.port}/")
