"""What an operator saved on the scheduler's host, with real etcds of both versions."""

from __future__ import annotations

import base64
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.restore.port import Tools
from etcdmesos.backups.source import Source
from etcdmesos.cluster.events import BackupDamaged
from tests.adapters.etcd.peers import post
from tests.adapters.restore.lending import Scheduler, fetch_of, fetched, scheduler
from tests.real_etcd import VERSIONS, EtcdProcess, binary, etcd_cluster

pytestmark = pytest.mark.real


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def tools_of(version: str) -> Tools:
    tool = "etcdctl" if version.startswith("3.4") else "etcdutl"
    return Tools(etcd=binary(version), restorer=binary(version, tool))


@pytest.fixture
def member(version: str, tmp_path: Path) -> Iterator[EtcdProcess]:
    """It has 12 writes."""
    with etcd_cluster(version, 1, tmp_path / "etcd") as cluster:
        one = cluster.members[0]
        for n in range(12):
            key = base64.b64encode(f"key-{n}".encode()).decode()
            post(one.client_url, "/v3/kv/put", {"key": key, "value": "eA=="})
        yield one


@pytest.fixture
def here(version: str) -> Iterator[Scheduler]:
    with scheduler(None, tools_of(version)) as made:
        yield made


def snapshot_of(member: EtcdProcess, file: Path) -> None:
    tool = binary(member.version, "etcdctl")
    command = [str(tool), f"--endpoints={member.client_url}", "snapshot", "save", str(file)]
    subprocess.run(command, capture_output=True, timeout=30, check=True)


def test_a_snapshot_file_and_a_data_directory(
    member: EtcdProcess, here: Scheduler, tmp_path: Path
) -> None:
    """Both have everything; what was saved is as it was, and damage is seen in either."""
    file, data = tmp_path / "saved.db", tmp_path / "saved"
    snapshot_of(member, file)
    member.signal(signal.SIGTERM)
    assert member.process is not None
    member.process.wait(60)
    shutil.copytree(member.folder / "data", data)
    before = contents(data)
    for path in (file, data):
        point = here.sound(Source(path=str(path)))
        assert (point.name, point.path, point.revision) == (str(path), str(path), 13)
        lent = here.lends(point)
        assert lent.point == point
        assert fetched(fetch_of(lent), tmp_path / "sandbox").sha256 == point.sha256
    assert contents(data) == before
    _damaged(here, file, data)


def _damaged(here: Scheduler, file: Path, data: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    shutil.rmtree(data / "member" / "wal")
    for path, says in ((file, "hash"), (data, "holds no member/wal"), (data / "x", "is neither")):
        event = here.checks(Source(path=str(path)))
        assert isinstance(event, BackupDamaged), event
        assert event.name == str(path)
        assert says in event.reason


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
