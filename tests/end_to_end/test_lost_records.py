"""A record that is gone, damaged, or of a framework that is over: no second cluster, and the
operator is told what can be done."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient

from tests.end_to_end.schedulers import Scheduler, Stand, healthy, names, stand
from tests.end_to_end.stand import BIN, until
from tests.real_zookeeper import ZooKeeperServers, zookeeper

GANG = ["etcd-1", "etcd-2", "etcd-3"]
RECORD = "/etcd/etcd-mycluster/record"
GARBAGE = b"\x00 what a disk full of errors leaves"


@contextmanager
def operator_at(servers: ZooKeeperServers) -> Iterator[Any]:
    """A client of ZooKeeper, to do what an operator's hand does."""
    client = KazooClient(hosts=",".join(f"{host}:{port}" for host, port in servers.addresses))
    try:
        client.start(timeout=30)
        yield client
    finally:
        client.stop()
        client.close()


def beside(client: Any) -> dict[str, bytes]:
    """What lies in the folder of the record."""
    folder = RECORD.rpartition("/")[0]
    return {name: client.get(f"{folder}/{name}")[0] for name in client.get_children(folder)}


@pytest.mark.parametrize(
    ("damage", "says"), [("wiped", "has tasks"), ("garbage", "record is damaged")]
)
def test_a_record_in_zookeeper_is_lost_beside_a_living_cluster(
    tmp_path: Path, damage: str, says: str
) -> None:
    """`why` says what was found and what can be done, and nothing is changed: no member is
    launched or ended, and what cannot be read stays as it is.  Then it is made anew."""
    with (
        zookeeper(1, tmp_path / "zookeeper") as servers,
        operator_at(servers) as by_hand,
        stand(tmp_path) as here,
    ):
        url = servers.url("/etcd")
        first = in_zookeeper(here, url)
        healthy(first)
        framework, pids = here.frameworks(), here.etcds(*GANG)
        first.kill()
        if damage == "wiped":
            by_hand.delete("/etcd", recursive=True)
        else:
            by_hand.set(RECORD, GARBAGE)
        second = in_zookeeper(here, url)
        until(lambda: "-rebuild-record" in second.stats()["why"], "it says what can be done")
        assert says in second.stats()["why"]
        assert second.stats()["members"] == []
        assert here.etcds(*GANG) == pids
        assert here.frameworks() == framework
        if damage == "garbage":
            assert beside(by_hand)["record"] == GARBAGE
        second.daemon.end(signal.SIGTERM)
        third = in_zookeeper(here, url, "-rebuild-record")
        healthy(third)
        assert third.stats()["framework_id"] == framework[0]
        assert here.etcds(*GANG) == pids
        assert names(third) == GANG
        aside = [data for name, data in beside(by_hand).items() if name.startswith("record-")]
        assert aside == ([GARBAGE] if damage == "garbage" else [])


def in_zookeeper(here: Stand, url: str, *flags: str) -> Scheduler:
    return here.scheduler(
        f"-zk-framework-persist={url}", "-zk-session-timeout-seconds=4", *flags, artifact_port=0
    )


def test_a_framework_that_mesos_removed(tmp_path: Path) -> None:
    """Nobody came back in time: it is said, nothing is begun, and only the operator's word puts
    the record aside; then there is a new cluster."""
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length\n")
    flags = ("-failover-timeout-seconds=0.5", f"-admin-token-file={token}")
    with stand(tmp_path) as here:
        first = here.scheduler(*flags)
        healthy(first)
        assert ctl(first, token, "forget", "mycluster").returncode == 1
        framework = here.record()["framework_id"]
        first.kill()
        until(lambda: here.frameworks("completed_frameworks") == [framework], "it is removed")
        second = here.scheduler(*flags)
        until(lambda: "-forget-cluster=mycluster" in second.stats()["why"], "it says so")
        assert framework in second.stats()["why"]
        assert here.frameworks() == []
        wrong = ctl(second, token, "forget", "yourcluster")
        assert (wrong.returncode, "of cluster mycluster" in wrong.stderr) == (1, True)
        right = ctl(second, token, "forget", "mycluster")
        assert (right.returncode, right.stderr) == (0, "")
        assert second.ended() == 0
        assert framework in here.file.with_name("record-1.json").read_text()
        third = here.scheduler(*flags)
        healthy(third)
        assert here.frameworks() == [here.record()["framework_id"]] != [framework]


def test_a_cluster_is_uninstalled_without_a_restart(tmp_path: Path) -> None:
    """etcd-mesos-ctl asks for it: tasks and framework end, and whoever is started again begins
    nothing; one that is told to uninstall deletes the record."""
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length\n")
    with stand(tmp_path) as here:
        first = here.scheduler(f"-admin-token-file={token}")
        healthy(first)
        framework = here.frameworks()
        asked = ctl(first, token, "uninstall", "mycluster")
        assert (asked.returncode, asked.stderr) == (0, "")
        until(lambda: "is uninstalled" in first.stats()["why"], "it is uninstalled")
        assert here.frameworks() == []
        assert here.frameworks("completed_frameworks") == framework
        first.daemon.end(signal.SIGTERM)
        second = here.scheduler()
        until(lambda: "is uninstalled" in second.stats()["why"], "it knows")
        assert here.frameworks() == []
        second.daemon.end(signal.SIGTERM)
        assert here.scheduler("-uninstall=mycluster").ended() == 0
        assert not here.file.exists()


def ctl(scheduler: Scheduler, token: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            BIN / "etcd-mesos-ctl",
            f"-admin={scheduler.admin}",
            f"-token-file={token}",
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=90,
    )
