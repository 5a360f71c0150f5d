"""A live snapshot over etcd's gRPC: of real etcds, and of peers that break off or lie."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.etcd_snapshot import LiveSnapshot, SnapshotFailed
from etcdmesos.adapters.snapshot_hash import HASH_BYTES
from tests.adapters.etcd.grpc_peer import Answer, framed, serving
from tests.adapters.etcd.peers import answering, peer, post
from tests.free_ports import free_port
from tests.real_etcd import VERSIONS, binary, etcd_cluster, until

DATABASE = bytes(range(256)) * 1024
DIGEST = hashlib.sha256(DATABASE).digest()


def varint(number: int) -> bytes:
    rest, low = number >> 7, number & 0x7F
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def message(blob: bytes, remaining: int = 0) -> bytes:
    """A SnapshotResponse in its frame: a header, what remains, the blob."""
    told = b"\x10" + varint(remaining) if remaining else b""
    return framed(b"\x0a\x02\x08\x01" + told + b"\x1a" + varint(len(blob)) + blob)


def stream(blobs: Iterable[bytes], digest: bytes = DIGEST) -> list[bytes]:
    """What etcd would send of a database in these pieces."""
    pieces = list(blobs)
    remaining = [sum(map(len, pieces[n + 1 :])) for n in range(len(pieces))]
    return [*map(message, pieces, remaining), message(digest)]


def in_pieces(size: int) -> list[bytes]:
    return [DATABASE[at : at + size] for at in range(0, len(DATABASE), size)]


def read(url: str, *, idle_seconds: float = 60.0, seconds: float = 60.0) -> bytes:
    with LiveSnapshot(url, idle_seconds=idle_seconds, seconds=seconds) as snapshot:
        data = b"".join(snapshot)
        assert len(data) == snapshot.size
    return data


def failure(serve: Callable[[socket.socket], None], **limits: float) -> str:
    with peer(serve) as url, pytest.raises(SnapshotFailed) as caught:
        read(url, **limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Real etcd


@pytest.mark.real
@pytest.mark.parametrize("version", VERSIONS)
def test_without_quorum_etcds_own_tool_takes_it_for_a_snapshot(
    version: str, tmp_path: Path
) -> None:
    """A survivor of three gives all it has; etcd's tool finds every write in it."""
    with etcd_cluster(version, 3, tmp_path / "etcd") as cluster:
        survivor = cluster.members[0]
        value = base64.b64encode(bytes(100_000)).decode()
        for n in range(5):
            key = base64.b64encode(b"key-%d" % n).decode()
            post(survivor.client_url, "/v3/kv/put", {"key": key, "value": value})
        for other in cluster.members[1:]:
            other.kill()
        until(lambda: not survivor.leader(), "the survivor knows no leader")
        file = tmp_path / "snapshot.db"
        file.write_bytes(read(survivor.client_url))
        tool = binary(version, "etcdctl" if version.startswith("3.4") else "etcdutl")
        said = subprocess.run(
            [str(tool), "snapshot", "status", str(file), "-w", "json"],
            capture_output=True,
            check=True,
            env={"ETCDCTL_API": "3"},
        )
        assert json.loads(said.stdout)["revision"] == 6


# Peers


@pytest.mark.parametrize("size", [1000, 32 * 1024, len(DATABASE)])
def test_whatever_the_pieces_it_is_the_same(size: int) -> None:
    """Pieces shorter than the hash's distance from the end change nothing."""
    with peer(serving(Answer(data=stream(in_pieces(size))))) as url:
        assert read(url) == DATABASE + DIGEST


def test_memory_does_not_grow_with_the_size() -> None:
    """64 MiB pass through less than 4."""
    piece = bytes(32 * 1024)
    count = 2048
    whole = hashlib.sha256(piece * count).digest()

    def pieces() -> Iterator[bytes]:
        for n in range(count):
            yield message(piece, (count - n - 1) * len(piece))
        yield message(whole)

    with peer(serving(Answer(data=pieces()))) as url:
        tracemalloc.start()
        try:
            with LiveSnapshot(url, idle_seconds=60.0, seconds=60.0) as snapshot:
                received = sum(map(len, snapshot))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert received == snapshot.size == count * len(piece) + HASH_BYTES
    # The peer's own buffers are counted, too.
    assert peak < 8 << 20


def test_a_wrong_hash_is_found_before_the_hash_is_given() -> None:
    """Whoever does not get the last bytes has no snapshot."""
    with peer(serving(Answer(data=stream(in_pieces(32 * 1024), bytes(32))))) as url:
        given: list[bytes] = []
        with LiveSnapshot(url, idle_seconds=60.0, seconds=60.0) as snapshot:
            with pytest.raises(SnapshotFailed, match="does not match the hash"):
                given.extend(snapshot)
        assert sum(map(len, given)) < snapshot.size


@pytest.mark.parametrize("kept", [0, 10, 30_000, 200_000, -40])
def test_a_stream_that_is_cut_is_no_snapshot(kept: int) -> None:
    """Whether it is the connection, or etcd that calls it complete."""
    whole = b"".join(stream(in_pieces(32 * 1024)))
    assert "cut" in failure(serving(Answer(data=[whole[:kept]], trailers=None)))
    assert failure(serving(Answer(data=[whole[:kept]])))


def test_a_message_that_is_missing_is_noticed() -> None:
    """etcd said at the beginning how much it would be."""
    pieces = in_pieces(32 * 1024)
    sent = [message(pieces[0], len(DATABASE) - len(pieces[0])), message(DIGEST)]
    assert "bytes of 262176" in failure(serving(Answer(data=sent)))


def test_etcds_own_complaint_is_passed_on() -> None:
    """In the middle of the stream or instead of it."""
    trailers = {"grpc-status": "14", "grpc-message": "etcdserver: stopped%0Aor so"}
    for data in ([message(b"x", 9)], []):
        said = failure(serving(Answer(data=data, trailers=trailers)))
        assert said == "no snapshot from etcd: refused: etcdserver: stopped or so"
    refused = Answer(headers={":status": "404"}, data=[b"Not Found"], trailers={})
    assert "404" in failure(serving(refused))


@pytest.mark.parametrize(
    "data", [b"<html>", framed(b"\x1a\x7fx"), framed(b"\x19"), framed(b"\xff\xff"), b"\1\0\0\0\0"]
)
def test_what_is_no_etcd_is_called_so(data: bytes) -> None:
    """Whatever it sends."""
    assert "does not speak like etcd" in failure(serving(Answer(data=[data])))
    assert "cut within the stream" in failure(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


def test_an_etcd_that_stands_still_is_given_up() -> None:
    """After `idle_seconds` without a byte, and after `seconds` however much comes."""

    def for_ever(connection: socket.socket) -> None:
        serving(Answer(data=iter(lambda: message(bytes(1024), 1 << 40), b"")))(connection)

    assert "not complete within 0.2 s" in failure(for_ever, seconds=0.2)

    def stand_still(connection: socket.socket) -> None:
        serving(Answer(data=[message(b"x", 9)], trailers=None, stays=True))(connection)

    said = failure(stand_still, idle_seconds=0.2)
    assert said == "no snapshot from etcd: nothing was sent for 0.2 s"


def test_nobody_there() -> None:
    """The reason is the system's."""
    with pytest.raises(SnapshotFailed, match="connection refused"):
        read(f"http://127.0.0.1:{free_port()}")
