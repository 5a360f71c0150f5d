"""`etcd --discovery-srv` with the names that Mesos-DNS makes of our tasks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.cluster.launch import new_member, server_task
from etcdmesos.cluster.placement import Place
from etcdmesos.cluster.record import Member
from etcdmesos.mesos.tasks import task_info
from tests.cluster import make
from tests.free_ports import free_port
from tests.mesos_dns import DnsServer, srv_records, target
from tests.real_etcd import binary, until

pytestmark = pytest.mark.real

RESOLVER = "127.0.0.153"


@pytest.fixture
def resolver(tmp_path: Path) -> Path:
    """A resolv.conf for those who are asked to use it, in a view of the files of their own."""
    path = tmp_path / "resolv.conf"
    path.write_text(f"nameserver {RESOLVER}\n")
    try:
        subprocess.run(asking(path, "true"), check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount")
    return path


def asking(resolver: Path, *command: str) -> list[str]:
    """`command`, for which `resolver` is /etc/resolv.conf."""
    mount = f"mount --bind {resolver} /etc/resolv.conf"
    view = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c")
    return [*view, f'{mount} && exec "$0" "$@"', *command]


def gang() -> list[Member]:
    """Three members on three hosts."""
    return [new_member(_place(n), n, 1, make.settings()) for n in (1, 2, 3)]


def _place(number: int) -> Place:
    return Place(
        offer_ids=("o",),
        agent_id=f"S{number}",
        hostname=f"127.0.0.{160 + number}",
        address=f"127.0.0.{160 + number}",
        peer_port=free_port(),
        client_port=free_port(),
        resources=(),
        executor_resources=(),
    )


def state(members: Sequence[Member]) -> dict[str, Any]:
    """What the master lists of them, once they run."""
    record, settings = make.record(*members), make.settings()
    tasks = []
    for number, member in enumerate(members, 1):
        info = task_info(server_task(member, _place(number), record, settings), "fw-1")
        discovery, slave = info["discovery"], member.agent_id
        tasks.append({"state": "TASK_RUNNING", "slave_id": slave, "discovery": discovery})
    return {
        "slaves": [{"id": m.agent_id, "hostname": m.host} for m in members],
        "frameworks": [{"name": "etcd-c", "tasks": tasks}],
    }


@pytest.fixture
def started(tmp_path: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(version: str, member: Member, resolver: Path, folder: Path, stack: ExitStack) -> Path:
    """An etcd that knows nothing but the domain; returns its log."""
    at = target(member.host)
    command = asking(
        resolver,
        str(binary(version)),
        f"--name={member.name}",
        f"--data-dir={folder / member.name}",
        "--discovery-srv=etcd-c.mesos",
        "--initial-cluster-state=new",
        f"--initial-advertise-peer-urls=http://{at}:{member.peer_port}",
        f"--listen-peer-urls={member.peer_url}",
        f"--listen-client-urls={member.client_url}",
        f"--advertise-client-urls={member.client_url}",
        "--logger=zap",
    )
    log = folder / f"{member.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)
    return log


def serves(member: Member) -> bool:
    try:
        return bool(Gateway(member.client_url, 1.0).status().leader)
    except GatewayError:
        return False


def test_etcd_finds_its_peers_by_srv_records(
    tmp_path: Path, resolver: Path, started: ExitStack
) -> None:
    """Three, not six: client ports are not among them.  3.5.30; 3.4.23's server wants records for
    TLS, and says so."""
    members = gang()
    with closing(_dns(members)):
        logs = [start("3.5.30", member, resolver, tmp_path, started) for member in members]
        for member, log in zip(members, logs, strict=True):
            until(partial(serves, member), log.read_text()[-800:])
        listed = Gateway(members[0].client_url, 5.0).list_members().members
        assert {entry.name for entry in listed} == {"etcd-1", "etcd-2", "etcd-3"}
        (tmp_path / "older").mkdir()
        log = start("3.4.23", gang()[0], resolver, tmp_path / "older", started)
        until(lambda: b"discovery failed" in log.read_bytes(), "3.4.23 refuses")


def _dns(members: Sequence[Member]) -> DnsServer:
    try:
        return DnsServer(RESOLVER, srv_records(state(members)))
    except OSError as error:
        pytest.skip(f"cannot answer at {RESOLVER}:53: {error.strerror}")
