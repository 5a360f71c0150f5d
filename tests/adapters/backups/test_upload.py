"""Live snapshots of a real etcd, streamed to every target; and targets that fail on the way."""

from __future__ import annotations

import base64
import hashlib
import os
import queue
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from etcdmesos.adapters.backup_upload import BackupUpload
from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.target import Target, TargetFailed
from etcdmesos.executor.commands import SendBackup, StopBackup
from etcdmesos.executor.events import BackupMoved, BackupSent, CommandFailed
from etcdmesos.orders import Kept, Means, WayIn
from etcdmesos.step import Event
from tests.adapters.backups.peers import TOKEN, UPLOAD_TOKEN, FileServer, file_server
from tests.adapters.backups.places import CLUSTER, PLACES, access, snapshot_like, target_of
from tests.adapters.etcd.peers import post
from tests.free_ports import free_port
from tests.real_etcd import VERSIONS, EtcdCluster, binary, etcd_cluster

NAME = "20261122T204500Z-0a0b0c0d-g1-e4"
FILE = NAME + ".db"
VALUES = 8
WITHIN = 60.0


@pytest.fixture(scope="module", params=VERSIONS)
def etcd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EtcdCluster]:
    """One member with a few MiB."""
    with etcd_cluster(request.param, 1, tmp_path_factory.mktemp("etcd") / "e") as cluster:
        value = base64.b64encode(os.urandom(512 * 1024)).decode()
        for n in range(VALUES):
            key = base64.b64encode(b"key-%d" % n).decode()
            post(cluster.members[0].client_url, "/v3/kv/put", {"key": key, "value": value})
        yield cluster


class Executor:
    """The adapter, and what it said."""

    def __init__(self, sandbox: Path) -> None:
        self.sandbox = sandbox
        self.said: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.port = BackupUpload(self.said.put, sandbox=sandbox)

    def send(self, etcd: EtcdCluster, way: WayIn, name: str = NAME, **limits: float) -> None:
        command = SendBackup(
            name=name,
            client_url=etcd.members[0].client_url,
            way=way,
            seconds=limits.get("seconds", WITHIN),
            idle_seconds=limits.get("idle_seconds", WITHIN),
        )
        self.port.submit(command)

    def end(self) -> Event:
        """How it ended."""
        while True:
            event = self.said.get(timeout=WITHIN)
            if not isinstance(event, BackupMoved):
                return event

    def failure(self) -> str:
        event = self.end()
        assert isinstance(event, CommandFailed), event
        assert "\n" not in event.reason
        assert "planted" not in event.reason
        return event.reason


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    made = Executor(tmp_path)
    yield made
    made.port.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with file_server(tmp_path / "server") as server:
        yield server


def way_of(server: FileServer) -> tuple[Target, WayIn]:
    target = target_of(access(f"{server.url}/planted-path", TOKEN, UPLOAD_TOKEN))
    return target, target.way_in(FILE, size=1, seconds=60.0)


# It works


@pytest.mark.real
@pytest.mark.parametrize("kind", sorted(PLACES))
def test_what_arrives_is_a_snapshot_by_etcds_own_word(
    kind: str, etcd: EtcdCluster, executor: Executor, tmp_path: Path
) -> None:
    """Whole, with every key, of the size and hash that were told."""
    with PLACES[kind](tmp_path / "place") as place:
        target = target_of(place)
        way = target.way_in(FILE, size=VALUES << 19, seconds=60.0)
        executor.send(etcd, way)
        sent = executor.end()
        assert isinstance(sent, BackupSent), sent
        assert sent.revision == VALUES + 1
        target.finish(FILE, way, sent.tags)
        content = Library(target, CLUSTER, lambda: 0.0).read_back(NAME, seconds=WITHIN)
        assert (content.size, content.sha256) == (sent.size, sent.sha256)
        with target.read(FILE, seconds=WITHIN) as blocks:
            (tmp_path / "snapshot.db").write_bytes(b"".join(blocks))
    tool = "etcdctl" if etcd.version.startswith("3.4") else "etcdutl"
    said = subprocess.check_output(
        [binary(etcd.version, tool), "snapshot", "status", tmp_path / "snapshot.db"],
        text=True,
        env={"ETCDCTL_API": "3"},
    )
    assert f", {VALUES + 1}, " in said


@pytest.mark.real
def test_parts_are_as_long_as_the_way_in_says(
    etcd: EtcdCluster, executor: Executor, server: FileServer
) -> None:
    """And only as many of them are used as are needed."""
    _, one = way_of(server)
    parts = tuple(f"{one.parts[0]}.{n}.db" for n in range(9))
    executor.send(etcd, evolve(one, parts=parts, part_bytes=1 << 20))
    sent = executor.end()
    assert isinstance(sent, BackupSent), sent
    sizes = [size for name, size in sorted(server.stored().items()) if name.startswith(NAME)]
    assert sum(sizes) == sent.size
    assert set(sizes[:-1]) == {1 << 20}
    assert len(sizes) == len(sent.tags) == -(-sent.size // (1 << 20))


# It does not


@pytest.mark.real
@pytest.mark.parametrize(
    ("fault", "amount", "reason"),
    [
        ("refuse", 403, "refuses it with 403"),
        ("refuse", 503, "refuses it with 503"),
        ("cut_after", 1 << 20, "cut"),
        ("full_after", 1 << 20, "refuses it with 507"),
        ("stall_after", 1 << 20, "takes no more|does not answer"),
    ],
)
def test_a_target_that_fails_gets_no_backup_and_the_next_one_is_whole(
    etcd: EtcdCluster, executor: Executor, server: FileServer, fault: str, amount: int, reason: str
) -> None:
    """Whatever it does, in time."""
    target, way = way_of(server)
    setattr(server.faults, fault, amount)
    executor.send(etcd, way, idle_seconds=0.5 if fault == "stall_after" else WITHIN)
    said = executor.failure()
    assert any(part in said for part in reason.split("|")), said
    assert FILE not in server.stored()
    target.abandon(FILE, way)
    setattr(server.faults, fault, 0 if fault == "refuse" else -1)
    _, way = way_of(server)
    executor.send(etcd, way)
    assert isinstance(executor.end(), BackupSent)
    Library(target, CLUSTER, lambda: 0.0).read_back(NAME, seconds=WITHIN)


@pytest.mark.real
def test_a_target_that_keeps_less_than_it_says_is_found_out(
    etcd: EtcdCluster, executor: Executor, server: FileServer
) -> None:
    """By reading back, which is why nothing counts before that."""
    target, way = way_of(server)
    server.faults.truncate_to = 1 << 20
    executor.send(etcd, way)
    assert isinstance(executor.end(), BackupSent)
    with pytest.raises(TargetFailed, match="damaged"):
        Library(target, CLUSTER, lambda: 0.0).read_back(NAME, seconds=WITHIN)


@pytest.mark.real
def test_one_that_is_stopped_ends_at_once(
    etcd: EtcdCluster, executor: Executor, server: FileServer
) -> None:
    """And the next may begin; one at a time."""
    _, way = way_of(server)
    server.faults.stall_after = 1 << 20
    executor.send(etcd, way, idle_seconds=WITHIN)
    assert isinstance(executor.said.get(timeout=WITHIN), BackupMoved)
    executor.send(etcd, way, name="another")
    assert "another backup" in executor.failure()
    executor.port.submit(StopBackup(name=NAME))
    executor.end()
    assert executor.failure()
    assert FILE not in server.stored()


@pytest.mark.real
def test_what_is_larger_than_the_way_in_is_not_begun(
    etcd: EtcdCluster, executor: Executor, server: FileServer
) -> None:
    _, way = way_of(server)
    executor.send(etcd, evolve(way, part_bytes=1000))
    assert "more than the way in takes" in executor.failure()
    assert not [request for request in server.requests if FILE in request]


@pytest.mark.real
def test_a_folder_that_cannot_be_written_to(etcd: EtcdCluster, executor: Executor) -> None:
    way = WayIn(means=Means.FILE, parts=("/proc/planted/x.db",), part_bytes=1 << 40)
    executor.send(etcd, way)
    assert "no such file or directory" in executor.failure()


@pytest.mark.real
def test_nobody_at_the_other_end(etcd: EtcdCluster, executor: Executor) -> None:
    url = f"http://127.0.0.1:{free_port()}/planted?planted"
    executor.send(etcd, WayIn(means=Means.PUT, parts=(url,), part_bytes=1 << 40))
    assert "connection refused" in executor.failure()


# A snapshot that was kept


def keep(executor: Executor, content: bytes) -> Kept:
    """A file in the sandbox, and what is known of it."""
    folder = executor.sandbox / "reseed" / "2"
    folder.mkdir(parents=True)
    (folder / "snapshot.db").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Kept(path="reseed/2/snapshot.db", sha256=digest, revision=7, term=3)


def send_kept(executor: Executor, way: WayIn, kept: Kept) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    executor.port.submit(
        SendBackup(
            name=NAME, client_url=nobody, way=way, seconds=WITHIN, idle_seconds=5.0, kept=kept
        )
    )


def test_a_kept_snapshot_is_sent_without_etcd(executor: Executor, server: FileServer) -> None:
    target, way = way_of(server)
    kept = keep(executor, snapshot_like(1_000_000))
    send_kept(executor, way, kept)
    sent = executor.end()
    assert isinstance(sent, BackupSent), sent
    assert (sent.size, sent.sha256, sent.revision, sent.term) == (1_000_000, kept.sha256, 7, 3)
    content = Library(target, CLUSTER, lambda: 0.0).read_back(NAME, seconds=WITHIN)
    assert (content.size, content.sha256) == (sent.size, sent.sha256)


def test_a_kept_snapshot_that_has_changed_is_not_sent_to_its_end(
    executor: Executor, server: FileServer
) -> None:
    _, way = way_of(server)
    kept = keep(executor, snapshot_like(1_000_000))
    (executor.sandbox / kept.path).write_bytes(snapshot_like(1_000_000)[:-1] + b"!")
    send_kept(executor, way, kept)
    assert "has the SHA-256" in executor.failure()
    assert FILE not in server.stored()


def test_a_kept_snapshot_that_is_gone(executor: Executor, server: FileServer) -> None:
    _, way = way_of(server)
    kept = keep(executor, snapshot_like(1000))
    (executor.sandbox / kept.path).unlink()
    send_kept(executor, way, kept)
    assert "snapshot.db cannot be read: No such file or directory" in executor.failure()


def test_without_etcd_nothing_is_sent(executor: Executor, server: FileServer) -> None:
    _, way = way_of(server)
    executor.port.submit(
        SendBackup(
            name=NAME,
            client_url=f"http://127.0.0.1:{free_port()}",
            way=way,
            seconds=5.0,
            idle_seconds=1.0,
        )
    )
    assert executor.failure() == "connection refused"
    assert not [request for request in server.requests if FILE in request]
