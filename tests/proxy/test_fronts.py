"""What etcd's own fronts do with the command lines they are given, with real etcd."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from etcdmesos.adapters.etcd_gateway import Gateway
from etcdmesos.adapters.front import FrontProcess
from etcdmesos.cli import proxy_flags
from etcdmesos.cli.programs import etcd_version
from etcdmesos.finding.cluster import Cluster
from etcdmesos.proxy.fronts import Front, Kind
from etcdmesos.proxy.words import (
    CheckFront,
    FrontChecked,
    FrontExited,
    FrontStarted,
    SignalFront,
    StartFront,
)
from etcdmesos.step import CommandDone, CommandFailed, Event
from tests.executor.test_agent import Posted
from tests.free_ports import free_port
from tests.real_etcd import VERSIONS, EtcdCluster, binary, etcd_cluster, until

pytestmark = pytest.mark.real

MakeFront = Callable[[str, Kind], tuple[Front, FrontProcess, Posted]]


@pytest.fixture
def make_front(tmp_path: Path) -> Iterator[MakeFront]:
    made: list[FrontProcess] = []

    def make(version: str, kind: Kind) -> tuple[Front, FrontProcess, Posted]:
        address = f"127.0.0.1:{free_port()}"
        values = {"front": kind, "listen": ("127.0.0.1", int(address.split(":")[1]))}
        etcd = binary(version)
        front = proxy_flags.front_of(values, etcd, etcd_version(etcd))
        posted = Posted()
        folder = tmp_path / "front"
        folder.mkdir(exist_ok=True)
        made.append(FrontProcess(posted, folder=folder, binary=str(etcd), address=address))
        return front, made[-1], posted

    yield make
    for one in made:
        one.close()


def found(etcd: EtcdCluster) -> Cluster:
    return Cluster.of(Gateway(etcd.members[0].client_url, 5.0).list_members())


def etcdctl(version: str, address: str, *arguments: str, seconds: int = 30) -> bool:
    limits = (f"--dial-timeout={seconds}s", f"--command-timeout={seconds}s")
    done = subprocess.run(
        [str(binary(version, "etcdctl")), f"--endpoints={address}", *limits, *arguments],
        capture_output=True,
        env={**os.environ, "ETCDCTL_API": "3"},
        timeout=90,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", Kind)
def test_each_front_serves_and_ends(
    tmp_path: Path, make_front: MakeFront, version: str, kind: Kind
) -> None:
    """It starts, answers /health once it can, and is gone after a signal."""
    front, process, posted = make_front(version, kind)
    with etcd_cluster(version, 1, tmp_path / "etcd") as etcd:
        start = StartFront(run=1, arguments=front.arguments(found(etcd)))
        process.submit(start)
        posted.next(FrontStarted)
        until(lambda: _is_well(process, posted), "the front answers")
        if kind is not Kind.V2_PROXY:
            assert etcdctl(version, front.listen, "put", "key", "value")
        process.submit(SignalFront(run=1, signal=signal.SIGTERM))
        said = {type(event): event for event in (posted.next(Event), posted.next(Event))}
        assert CommandDone in said
        ended = said[FrontExited]
        assert isinstance(ended, FrontExited)
        assert ended.wait_status in (0, 1, -signal.SIGTERM)
        process.submit(SignalFront(run=1, signal=signal.SIGTERM))
        assert "has ended" in posted.next(CommandFailed).reason


def _is_well(process: FrontProcess, posted: Posted, run: int = 1) -> bool:
    process.submit(CheckFront(run=run))
    return posted.next(FrontChecked).well


def test_the_old_proxy_forgets_whom_it_knew(tmp_path: Path, make_front: MakeFront) -> None:
    """It keeps its members on disk, and would go on asking those."""
    front, process, posted = make_front(VERSIONS[-1], Kind.V2_PROXY)
    for run in (1, 2):
        with etcd_cluster(VERSIONS[-1], 1, tmp_path / f"etcd-{run}") as etcd:
            process.submit(StartFront(run=run, arguments=front.arguments(found(etcd))))
            posted.next(FrontStarted)
            until(partial(_is_well, process, posted, run), "the front answers")
            process.submit(SignalFront(run=run, signal=signal.SIGTERM))
            assert {type(posted.next(Event)) for _ in range(2)} == {CommandDone, FrontExited}


def test_which_grpc_proxy_follows(make_front: MakeFront) -> None:
    """Debian's 3.4.23 knows no automatic sync, 3.5.30 does."""
    follows = {v: make_front(v, Kind.GRPC_PROXY)[0].follows for v in VERSIONS}
    assert follows == {"3.4.23": False, "3.5.30": True}
    assert not make_front(VERSIONS[-1], Kind.GATEWAY)[0].follows


def test_a_front_that_follows_sends_nothing_to_a_learner(
    tmp_path: Path, make_front: MakeFront
) -> None:
    """etcd's own sync leaves learners out, which refuse nearly everything, and takes in voters."""
    version = VERSIONS[-1]
    front, process, posted = make_front(version, Kind.GRPC_PROXY)
    with etcd_cluster(version, 1, tmp_path / "etcd") as etcd:
        process.submit(StartFront(run=1, arguments=front.arguments(found(etcd))))
        posted.next(FrontStarted)
        until(lambda: _is_well(process, posted), "the front answers")
        learner = etcd.add_learner()
        synced = time.monotonic() + 3.0
        while time.monotonic() < synced:
            assert etcdctl(version, front.listen, "get", "key")
        gateway = Gateway(etcd.members[0].client_url, 5.0)
        until(lambda: _promoted(gateway, learner.member_id()), "it is promoted")
        # Two voters are a quorum of two, so the first must live until the front knows the second;
        # what shows that it does is that the second alone answers what needs no quorum.
        until(lambda: _answers_serializable(version, front, etcd), "the front has followed")


def _promoted(gateway: Gateway, member_id: str) -> bool:
    try:
        gateway.promote(member_id)
    except Exception:
        return False
    return True


def _answers_serializable(version: str, front: Front, etcd: EtcdCluster) -> bool:
    etcd.members[0].signal(signal.SIGSTOP)
    try:
        # A key that nobody has read yet: others the front answers from its cache.
        return etcdctl(
            version, front.listen, "get", f"key-{uuid.uuid4()}", "--consistency=s", seconds=2
        )
    finally:
        etcd.members[0].signal(signal.SIGCONT)


def test_a_front_that_cannot_be_started(tmp_path: Path) -> None:
    """It is a failure of the command, not of the daemon."""
    posted = Posted()
    process = FrontProcess(
        posted, folder=tmp_path, binary=str(tmp_path / "etcd"), address="127.0.0.1:1"
    )
    try:
        process.submit(StartFront(run=1, arguments=()))
        assert "No such file" in posted.next(CommandFailed).reason
        process.submit(CheckFront(run=1))
        assert not posted.next(FrontChecked).well
    finally:
        process.close()
    process.submit(StartFront(run=2, arguments=()))
    assert "closing" in posted.next(CommandFailed).reason
