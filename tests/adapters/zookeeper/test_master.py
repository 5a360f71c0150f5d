"""Which Mesos master leads, by znodes written as Mesos writes them."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Iterator

import pytest

from etcdmesos.adapters.master_zookeeper import ZooKeeperMaster, address_in
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from etcdmesos.errors import BadUsage
from tests import real_zookeeper
from tests.real_etcd import until

pytestmark = pytest.mark.real


def info(port: int) -> bytes:
    """A MasterInfo as Mesos 1.11 writes it."""
    return json.dumps(
        {
            "address": {"hostname": "master.example", "ip": "127.0.0.1", "port": port},
            "capabilities": [{"type": "AGENT_UPDATE"}],
            "hostname": "master.example",
            "id": "0c5d0a40-ce4b-4c2a-8cd9-b6d0c1b6bd3e",
            "ip": 16777343,
            "pid": f"master@127.0.0.1:{port}",
            "port": port,
            "version": "1.11.0",
        }
    ).encode()


class Masters:
    """The masters' own session, and a detector behind a line of its own."""

    def __init__(self) -> None:
        servers = real_zookeeper.shared(1)
        self.path = f"/mesos-{uuid.uuid4().hex}"
        self.session = ZooKeeperSession(ZooKeeperUrl.parse(servers.url(self.path)))
        self.line = real_zookeeper.Line(servers.addresses)
        url = ZooKeeperUrl.parse(self.line.url(self.path))
        self.watching = ZooKeeperSession(url, timeout_seconds=4.0)
        self.detector = ZooKeeperMaster(self.watching, self.path)
        self.changes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.detector.on_change(self.changes.put)
        self.detector.start()

    def enter(self, data: bytes, name: str = "json.info_") -> str:
        """Another contender; returns its znode."""
        self.session.ask(lambda client: client.exists_async("/"), wait_seconds=60.0)
        self.session.make_path(self.path)
        znode = self.session.ask(
            lambda client: client.create_async(
                f"{self.path}/{name}", data, ephemeral=True, sequence=True
            )
        )
        assert isinstance(znode, str)
        return znode

    def leave(self, znode: str) -> None:
        self.session.ask(lambda client: client.delete_async(znode))

    def close(self) -> None:
        self.line.mend()
        self.detector.close()
        self.watching.close()
        self.session.close()
        self.line.close()


@pytest.fixture
def masters() -> Iterator[Masters]:
    masters = Masters()
    yield masters
    masters.close()


def test_the_lowest_sequence_leads(masters: Masters) -> None:
    """Each change is told; what else lies there (log replicas, older formats) is no master."""
    masters.enter(b"", name="log_replicas")
    masters.enter(b"\x0a\x01", name="info_")
    first = masters.enter(info(5050))
    assert masters.detector.wait(60.0) == "127.0.0.1:5050"
    second = masters.enter(info(5060))
    masters.enter(info(5070))
    masters.leave(first)
    assert [masters.changes.get(timeout=60.0) for _ in range(2)] == [
        "127.0.0.1:5050",
        "127.0.0.1:5060",
    ]
    masters.leave(second)
    assert masters.changes.get(timeout=60.0) == "127.0.0.1:5070"
    assert masters.detector.leading() == "127.0.0.1:5070"


def test_no_leader_has_a_reason(masters: Masters) -> None:
    """Nothing there, nobody there, nonsense there: each is said."""
    until(lambda: "there is nothing at" in masters.detector.why_none())
    assert masters.detector.leading() is None
    znode = masters.enter(b"{}")
    until(lambda: "makes no sense" in masters.detector.why_none())
    masters.leave(znode)
    until(lambda: "none is registered at" in masters.detector.why_none())
    assert masters.detector.leading() is None


def test_without_zookeeper_the_last_leader_stays(masters: Masters) -> None:
    """A master needs no ZooKeeper to serve; a change is noticed when it is back."""
    first = masters.enter(info(5050))
    assert masters.detector.wait(60.0) == "127.0.0.1:5050"
    masters.enter(info(5060))
    masters.line.cut()
    until(lambda: not masters.watching.connected)
    masters.leave(first)
    assert masters.detector.leading() == "127.0.0.1:5050"
    masters.line.mend()
    until(lambda: masters.detector.leading() == "127.0.0.1:5060")


def test_a_detector_without_zookeeper_says_so() -> None:
    """Nobody answers at all: the reason names the servers."""
    with real_zookeeper.line(real_zookeeper.shared(1)) as line:
        line.cut()
        url = ZooKeeperUrl.parse(line.url("/mesos"))
        session = ZooKeeperSession(url, timeout_seconds=4.0)
        detector = ZooKeeperMaster(session, "/mesos")
        detector.start()
        until(lambda: f"no connection to ZooKeeper at {session.servers}" in detector.why_none())
        detector.close()
        session.close()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"address": {}}', b'{"address": {"hostname": "h h", "port": 1}}']
)
def test_what_is_no_address(data: bytes) -> None:
    """Whatever a znode holds, it is no crash."""
    with pytest.raises((BadUsage, KeyError, TypeError, ValueError)):
        address_in(data)


def test_a_name_will_do() -> None:
    """Without an IP address the host name is taken."""
    assert address_in(b'{"address": {"hostname": "h", "port": 5050}}') == "h:5050"
