"""What reseeding does to a sandbox, with real etcds of both versions."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from attrs import evolve

from etcdmesos.adapters.etcd_gateway import Gateway
from etcdmesos.adapters.reseed import Reseed
from etcdmesos.adapters.sandbox_record import FILE, HELD_FILE, SandboxRecord
from etcdmesos.adapters.wal import UnreadableLog, read_log_end
from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import (
    CancelWork,
    PutBack,
    ReadLog,
    RemoveKept,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
)
from etcdmesos.executor.model import ExecutorRecord, Held
from etcdmesos.orders import Tool
from tests.adapters.etcd.peers import post
from tests.executor.test_agent import Posted
from tests.quiet_server import QuietServer
from tests.real_etcd import PATIENCE, VERSIONS, EtcdProcess, binary, etcd_cluster, until

pytestmark = pytest.mark.real

DATA = "m0/data"
ASIDE = "aside/m0-2"
COPY = RunCopy(
    generation=2,
    data_directory=DATA,
    copy_directory="reseed/2/copy",
    name="m0",
    applied_index=77,
    path="reseed/2/copy.db",
)


def put(url: str, key: str) -> None:
    post(url, "/v3/kv/put", {"key": base64.b64encode(key.encode()).decode(), "value": "eA=="})


def keys(url: str) -> int:
    return int(post(url, "/v3/kv/range", {"key": "AA==", "range_end": "AA=="}).get("count", 0))


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def posted() -> Posted:
    return Posted()


@pytest.fixture
def survivor(version: str, tmp_path: Path) -> Iterator[EtcdProcess]:
    """One of three, with 40 writes; the others were killed, and it knows no leader."""
    with etcd_cluster(version, 3, tmp_path) as cluster:
        one = cluster.members[0]
        for n in range(40):
            put(one.client_url, f"key-{n}")
        for other in cluster.members[1:]:
            other.kill()
        until(lambda: not one.leader(), "the survivor knows no leader")
        yield one


@pytest.fixture
def work(version: str, posted: Posted, tmp_path: Path) -> Iterator[Reseed]:
    reseed = Reseed(posted, sandbox=tmp_path, binary=str(binary(version)))
    yield reseed
    reseed.close()


def stop(member: EtcdProcess) -> None:
    member.signal(signal.SIGTERM)
    assert member.process is not None
    member.process.wait(60)


def tool_of(version: str) -> Path:
    return binary(version, "etcdctl" if version.startswith("3.4") else "etcdutl")


@pytest.fixture
def served(version: str) -> Iterator[Tool]:
    """The tool, as a scheduler serves it."""
    path = tool_of(version)
    handler = partial(SimpleHTTPRequestHandler, directory=str(path.parent))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with QuietServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Tool(
            name=path.name,
            url=f"http://127.0.0.1:{server.server_address[1]}/{path.name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        server.shutdown()
        thread.join()


def restore_of(saved: ev.SnapshotSaved, tool: Tool, member: EtcdProcess) -> RestoreSeed:
    return RestoreSeed(
        generation=2,
        tool=tool,
        snapshot=saved.snapshot.path,
        sha256=saved.snapshot.sha256,
        data_directory=DATA,
        aside=ASIDE,
        name="m0",
        peer_url=member.peer_url,
        token="demo/f/2",
        bump_revision=0,
    )


def test_from_the_survivor_to_the_seed_and_back(
    survivor: EtcdProcess, work: Reseed, served: Tool, posted: Posted, tmp_path: Path
) -> None:
    """Live snapshot without quorum; the log ends where Status said; the seed is a new cluster of
    one with every write; put back, the data is byte for byte what it was."""
    status = Gateway(survivor.client_url, PATIENCE).status()
    work.submit(
        SaveSnapshot(generation=2, client_url=survivor.client_url, path="reseed/2/snapshot.db")
    )
    saved = posted.next(ev.SnapshotSaved)
    assert saved.snapshot.revision == status.revision == 41
    assert saved.snapshot.applied_index == status.applied_index
    stop(survivor)
    before = contents(tmp_path / DATA)
    work.submit(ReadLog(data_directory=DATA))
    end = posted.next(ev.LogRead).end
    assert end.commit_index == status.commit_index
    assert (end.cluster_id, end.member_id) == (status.cluster_id, status.member_id)
    assert end.term >= status.term
    restore = restore_of(saved, served, survivor)
    work.submit(restore)
    posted.next(ev.SeedRestored)
    assert contents(tmp_path / ASIDE) == before
    survivor.start(f"m0={survivor.peer_url}")
    until(survivor.leader, "the seed serves")
    seed = Gateway(survivor.client_url)
    assert seed.status().cluster_id != status.cluster_id
    assert [member.name for member in seed.list_members().members] == ["m0"]
    assert keys(survivor.client_url) == 40
    put(survivor.client_url, "one more")
    survivor.kill()
    work.submit(PutBack(data_directory=DATA, aside=ASIDE, failed="aside/failed-2", remove=()))
    posted.next(ev.CommandDone)
    assert contents(tmp_path / DATA) == before
    assert (tmp_path / "aside/failed-2/member").is_dir()


def test_a_copy_shows_what_was_committed(
    survivor: EtcdProcess, work: Reseed, posted: Posted, tmp_path: Path
) -> None:
    """What a member restarted without quorum would not tell; afterwards the copy is gone."""
    survivor.kill()
    before = contents(tmp_path / DATA)
    committed = read_log_end(tmp_path / DATA).commit_index
    work.submit(COPY)
    saved = posted.next(ev.SnapshotSaved).snapshot
    assert contents(tmp_path / DATA) == before
    assert not (tmp_path / COPY.copy_directory).exists()
    assert saved.applied_index == 77
    # Nothing is known to be committed beyond the hard state; one entry elected the leader.
    assert 39 <= saved.revision <= 41
    assert committed >= saved.revision
    assert (tmp_path / saved.path).stat().st_size == saved.size


def test_a_restore_that_fails_leaves_all_to_be_put_back(
    survivor: EtcdProcess, work: Reseed, served: Tool, posted: Posted, tmp_path: Path
) -> None:
    """A wrong tool, a wrong snapshot, a broken one: the reason in a line, the data untouched."""
    work.submit(SaveSnapshot(generation=2, client_url=survivor.client_url, path="s.db"))
    saved = posted.next(ev.SnapshotSaved)
    stop(survivor)
    before = contents(tmp_path / DATA)
    restore = restore_of(saved, served, survivor)
    work.submit(evolve(restore, tool=evolve(served, sha256="00")))
    assert "another SHA-256 than ordered" in posted.next(ev.CommandFailed).reason
    work.submit(evolve(restore, sha256="00"))
    assert "has the SHA-256" in posted.next(ev.CommandFailed).reason
    assert contents(tmp_path / DATA) == before
    # Right by its own hash, and no snapshot.
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(bytes(1024))
    digest = hashlib.sha256(bytes(1024)).hexdigest()
    work.submit(evolve(restore, snapshot="rubbish.db", sha256=digest))
    reason = posted.next(ev.CommandFailed).reason
    assert reason.startswith(served.name)
    assert "\n" not in reason
    for _ in range(2):
        work.submit(PutBack(data_directory=DATA, aside=ASIDE, failed="aside/f", remove=()))
        posted.next(ev.CommandDone)
        assert contents(tmp_path / DATA) == before


def test_what_is_old_is_removed(work: Reseed, posted: Posted, tmp_path: Path) -> None:
    """Files and folders; what lies beside them stays, and what is gone already is no failure."""
    for path in ("aside/m0-2/member/wal/0.wal", "aside/m0-9/kept", "reseed/2/snapshot.db"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("x")
    for _ in range(2):
        work.submit(RemoveKept(paths=("aside/m0-2", "reseed/2/snapshot.db")))
        posted.next(ev.CommandDone)
        assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()] == [
            "aside/m0-9/kept"
        ]
        assert not (tmp_path / "reseed/2").exists()


def test_a_copy_that_is_not_wanted_any_more_is_ended(
    posted: Posted, tmp_path: Path, version: str
) -> None:
    """Its etcd is killed and reaped, the copy removed."""
    if version != VERSIONS[-1]:
        pytest.skip("one version is enough")
    (tmp_path / DATA / "member/wal").mkdir(parents=True)
    script = tmp_path / "etcd"
    # Whole when it is there: a file that is only opened is there, too.
    write_pid = f"echo $$ > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/pid"
    script.write_text(f"#!/bin/sh\n{write_pid}\nexec sleep 1000\n")
    script.chmod(0o755)
    work = Reseed(posted, sandbox=tmp_path, binary="etcd")
    work.submit(COPY)
    until(lambda: (tmp_path / "pid").exists(), "the copy runs")
    work.submit(CancelWork())
    posted.next(ev.CommandDone)
    assert posted.next(ev.CommandFailed).reason == "ended before it was done"
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / COPY.copy_directory).exists()
    work.close()


# What needs no etcd


def failing(posted: Posted, tmp_path: Path, do: Callable[[Reseed], None]) -> str:
    work = Reseed(posted, sandbox=tmp_path, binary="./missing")
    do(work)
    reason = posted.next(ev.CommandFailed).reason
    work.close()
    return reason


def test_a_disk_without_room_takes_no_copy(
    posted: Posted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at before anything is written."""
    (tmp_path / DATA).mkdir(parents=True)
    full = os.statvfs_result((4096, 4096, 10, 10, 10, 1, 1, 1, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    reason = failing(posted, tmp_path, lambda work: work.submit(COPY))
    assert reason == "the disk has 0 MiB free, 64 MiB are needed"


def test_an_etcd_that_cannot_run_is_no_measure(posted: Posted, tmp_path: Path) -> None:
    """The reason is the system's, and the copy is gone."""
    (tmp_path / DATA).mkdir(parents=True)
    reason = failing(posted, tmp_path, lambda work: work.submit(COPY))
    assert reason == "the copy's etcd ended: No such file or directory"
    assert not (tmp_path / COPY.copy_directory).exists()


def test_a_log_that_is_none(tmp_path: Path) -> None:
    """Nothing there, nothing in it, or nothing of etcd's."""
    with pytest.raises(UnreadableLog, match="there is no write-ahead log"):
        read_log_end(tmp_path)
    wal = tmp_path / "member/wal"
    wal.mkdir(parents=True)
    (wal / "0000000000000000-0000000000000000.wal").write_bytes(b"")
    with pytest.raises(UnreadableLog, match="no hard state"):
        read_log_end(tmp_path)
    (wal / "0000000000000000-0000000000000000.wal").write_bytes(b"\x05" + bytes(7) + b"hello")
    with pytest.raises(UnreadableLog, match="no record at offset"):
        read_log_end(tmp_path)


def test_the_hold_is_written_for_people_too(tmp_path: Path) -> None:
    """And gone once it is over."""
    store = SandboxRecord(tmp_path)
    held = ExecutorRecord(epoch=4, task_id="t", generation=2, held=Held(epoch=4, generation=2))
    store.save(held)
    assert (tmp_path / HELD_FILE).read_text() == "held by epoch 4, generation 2\n"
    assert store.load() == held
    store.save(evolve(held, held=None, seeded=2))
    assert not (tmp_path / HELD_FILE).exists()


def test_a_record_of_before_is_read(tmp_path: Path) -> None:
    """It knew neither holds nor seeds."""
    (tmp_path / FILE).write_text('{"epoch": 3, "task_id": "t"}')
    assert SandboxRecord(tmp_path).load() == ExecutorRecord(epoch=3, task_id="t")
