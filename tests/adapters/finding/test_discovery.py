"""The library: a cluster by one call, a client of it, and a watch, with real etcd and ZooKeeper."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcdmesos import discovery
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from etcdmesos.errors import BadUsage, EtcdMesosError
from tests import real_zookeeper
from tests.adapters.finding.servers import Server, id_of, master, scheduler, url_of
from tests.real_etcd import VERSIONS, EtcdCluster, etcd_cluster, until

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    with etcd_cluster(VERSIONS[-1], 3, tmp_path_factory.mktemp("etcd")) as cluster:
        yield cluster


class Masters:
    """Mesos masters as ZooKeeper knows them."""

    def __init__(self) -> None:
        servers = real_zookeeper.shared(1)
        self.path = f"/mesos-{uuid.uuid4().hex}"
        self.url = servers.url(self.path)
        self._session = ZooKeeperSession(ZooKeeperUrl.parse(self.url))

    def enter(self, address: str) -> str:
        """Another contender; returns its znode."""
        host, port = address.split(":")
        info = json.dumps({"address": {"ip": host, "port": int(port)}}).encode()
        self._session.ask(lambda client: client.exists_async("/"), wait_seconds=60.0)
        self._session.make_path(self.path)
        znode = f"{self.path}/json.info_"
        made = self._session.ask(
            lambda client: client.create_async(znode, info, ephemeral=True, sequence=True)
        )
        return str(made)

    def leave(self, znode: str) -> None:
        self._session.ask(lambda client: client.delete_async(znode))

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def masters() -> Iterator[Masters]:
    made = Masters()
    yield made
    made.close()


def test_one_call_and_a_client(servers: list[Server], etcd: EtcdCluster) -> None:
    """All voters, though the master knows one member only; the client outlives a member."""
    found = discovery.discover(master(servers, etcd).address, "c")
    assert sorted(found.client_urls) == sorted(m.client_url for m in etcd.members)
    assert sorted(voter.name for voter in found.voters) == ["m0", "m1", "m2"]
    with discovery.connect(found) as client:
        client.put("key", "value")
        first = next(m for m in etcd.members if m.client_url == found.client_urls[0])
        first.kill()
        until(lambda: _reads(client), "another member answers")
        first.start(",".join(f"{m.name}={m.peer_url}" for m in etcd.members), options=etcd.options)
        until(first.leader, "it is back")


def _reads(client: object) -> bool:
    try:
        value, _ = client.get("key")  # type: ignore[attr-defined]
    except Exception:
        return False
    assert value == b"value"
    return True


def test_by_zookeeper_and_through_a_failover(
    servers: list[Server], masters: Masters, etcd: EtcdCluster
) -> None:
    """The leading master is found, and the next one when it is gone."""
    first, second = master(servers, etcd), master(servers, etcd)
    leading = masters.enter(first.address)
    masters.enter(second.address)
    with discovery.Discovery(masters.url, "c") as found:
        assert found.cluster().cluster_id == id_of(etcd)
        assert first.asked
        assert not second.asked
        masters.leave(leading)
        until(lambda: _asked_again(found, second), "the other master is asked")


def _asked_again(found: discovery.Discovery, master: Server) -> bool:
    found.cluster()
    return bool(master.asked)


def test_a_watch_tells_what_changes_and_ends(
    servers: list[Server], etcd: EtcdCluster, tmp_path: Path
) -> None:
    """Once for each change, not for each look."""
    token = "--initial-cluster-token=another"
    seen: list[discovery.Cluster] = []
    with etcd_cluster(VERSIONS[-1], 1, tmp_path / "another", token) as another:
        word = scheduler(servers, etcd)
        at = master(servers)
        urls = [f"http://{word.address}"]
        with discovery.Discovery(at.address, "c", admin_urls=urls) as found:
            watching = threading.Thread(target=lambda: seen.extend(found.changes(0.05)))
            watching.start()
            try:
                asked = len(word.asked) + 5
                until(lambda: len(seen) == 1 and len(word.asked) > asked, "looked often")
                word.bodies["/stats"] = scheduler(servers, another).bodies["/stats"]
                until(lambda: len(seen) == 2, "the change is told")
            finally:
                found.close()
                watching.join(60.0)
            assert not watching.is_alive()
        assert [one.cluster_id for one in seen] == [id_of(etcd), id_of(another)]
        assert seen[1].client_urls == (url_of(another),)


def test_the_first_of_a_watch(servers: list[Server], etcd: EtcdCluster) -> None:
    """A generator: who asks no more has closed it."""
    changes = discovery.watch(master(servers, etcd).address, "c")
    assert next(changes).cluster_id == id_of(etcd)
    changes.close()


def test_no_cluster_is_told_in_time(servers: list[Server]) -> None:
    """With what is missing."""
    with pytest.raises(discovery.NotFound, match="runs no member yet"):
        discovery.discover(master(servers).address, "c", wait_seconds=0.1)


def test_what_is_no_master() -> None:
    """Refused at once."""
    for master_ in ("http://h:5050", "zk://h", "h:x"):
        with pytest.raises(BadUsage):
            discovery.Discovery(master_)


def test_no_client_without_an_address() -> None:
    """A host name that nobody knows."""
    nowhere = discovery.Cluster(
        cluster_id="1",
        voters=(
            discovery.Voter(
                id="1", name="m", peer_urls=(), client_urls=("http://no-such-host.invalid:1",)
            ),
        ),
    )
    with pytest.raises(EtcdMesosError, match=r"no-such-host\.invalid"):
        discovery.connect(nowhere)
