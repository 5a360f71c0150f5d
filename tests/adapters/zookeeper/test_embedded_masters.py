"""Two embedded masters contend in ZooKeeper; the detector and the Mesos adapter follow."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
import time
import uuid
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from etcdmesos.adapters.master_zookeeper import ZooKeeperMaster
from etcdmesos.adapters.mesos_framework import FrameworkDescription
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from etcdmesos.cluster.commands import Subscribe
from etcdmesos.cluster.events import Disconnected, Event, OffersReceived, Subscribed
from etcdmesos.embedded import running
from tests import real_zookeeper
from tests.embedded.scheduler import get_json
from tests.real_etcd import until

pytestmark = pytest.mark.real


def post(address: str, path: str, body: object) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_a_framework_follows_the_leading_master(tmp_path: Path) -> None:
    """The leader fails over to another address: disconnected, found again, subscribed with the
    same id, and the agents are there as well; and back to the first, which had become a standby."""
    url = ZooKeeperUrl.parse(real_zookeeper.shared(1).url(f"/mesos-{uuid.uuid4().hex}"))
    session = ZooKeeperSession(url, timeout_seconds=4.0)
    detector = ZooKeeperMaster(session, url.path)
    detector.start()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    framework = FrameworkDescription(name="etcd-test", user="root", failover_timeout_seconds=60.0)
    scheduler = MesosScheduler(detector=detector, framework=framework, post=events.put)
    detector.on_change(scheduler.master_changed)
    try:
        with running(
            tmp_path, agents=2, master_port=0, agent_port=0, zk=str(url), masters=2
        ) as mesos:
            framework_id, addresses = "", []
            for _ in range(3):
                leader = mesos.master
                until(lambda leader=leader: detector.leading() == leader, "it is found")  # type: ignore[misc]
                subscribed = subscribe(scheduler, events, framework_id)
                assert framework_id in ("", subscribed.framework_id)
                framework_id = subscribed.framework_id
                addresses.append(leader)
                wait_for(events, OffersReceived)
                post(
                    mesos.control.removeprefix("http://"),
                    "/control/master/failover",
                    {"recovery": 0},
                )
                wait_for(events, Disconnected)
                answer = post(leader, "/api/v1/scheduler", {})
                assert answer.status == 307
                assert answer.headers["location"] == f"//{mesos.master}/api/v1/scheduler"
            assert len(set(addresses)) == 2
            assert addresses[0] == addresses[2]
    finally:
        scheduler.close()
        detector.close()
        session.close()


def test_masters_whose_sessions_expired_are_registered_again(tmp_path: Path) -> None:
    """ZooKeeper was away for longer than a session lasts: afterwards somebody leads again, and
    whoever asks the one that is found gets to the one that keeps the books."""
    path = f"/mesos-{uuid.uuid4().hex}"
    servers = real_zookeeper.shared(1)
    url, line = ZooKeeperUrl.parse(servers.url(path)), real_zookeeper.Line(servers.addresses)
    session = ZooKeeperSession(url, timeout_seconds=4.0)
    detector = ZooKeeperMaster(session, url.path)
    detector.start()
    masters = {"zk": line.url(path), "masters": 2, "master_port": 0}
    try:
        with running(tmp_path, agents=1, agent_port=0, **masters) as mesos:
            assert detector.wait(60.0) == mesos.master
            line.cut()
            until(lambda: detector.leading() is None, "the sessions expire")
            line.mend()
            until(lambda: detector.leading() is not None, "somebody leads again")
            found = detector.leading() or ""
            if found != mesos.master:
                location = post(found, "/api/v1/scheduler", {}).headers["location"]
                assert location == f"//{mesos.master}/api/v1/scheduler"
    finally:
        detector.close()
        session.close()
        line.close()


def subscribe(
    scheduler: MesosScheduler, events: queue.SimpleQueue[Event], framework_id: str
) -> Subscribed:
    """Ask until the master takes it: one that has just begun to lead answers 503."""
    answers: list[Event] = []

    def subscribed() -> bool:
        scheduler.submit(Subscribe(framework_id=framework_id))
        while not isinstance(event := events.get(timeout=60.0), Subscribed | Disconnected):
            pass
        answers.append(event)
        return isinstance(event, Subscribed)

    until(subscribed, f"subscribed: {answers}")
    assert isinstance(answers[-1], Subscribed)
    return answers[-1]


def wait_for(events: queue.SimpleQueue[Event], kind: type[Event]) -> None:
    seen: list[Event] = []
    while not seen or not isinstance(seen[-1], kind):
        try:
            seen.append(events.get(timeout=60.0))
        except queue.Empty:
            raise AssertionError(f"no {kind.__name__}, only {seen}") from None


def test_a_killed_master_stays_in_zookeeper_until_its_session_expires(tmp_path: Path) -> None:
    """Meanwhile it is taken to lead and does not answer: as with Mesos, nobody else does.  Nor does
    it answer agents: one that asks it (the first tries go on for so long) asks its successor, too.
    """
    url = ZooKeeperUrl.parse(real_zookeeper.shared(1).url(f"/mesos-{uuid.uuid4().hex}"))
    session = ZooKeeperSession(url, timeout_seconds=4.0)
    detector = ZooKeeperMaster(session, url.path)
    detector.start()
    try:
        masters = {"zk": str(url), "masters": 2, "master_port": 0}
        with running(
            tmp_path, agents=1, agent_port=0, registration_backoff=1.5, **masters
        ) as mesos:
            first, control = mesos.master, mesos.control.removeprefix("http://")
            assert detector.wait(60.0) == first
            failing_over = threading.Thread(
                target=post, args=(control, "/control/master/failover", {"session": 2.0})
            )
            began = time.monotonic()
            failing_over.start()
            until(lambda: refuses(first), "it is dead")
            taken = detector.leading()
            assert taken == first or time.monotonic() - began >= 2.0
            until(lambda: detector.leading() not in (None, first), "another one leads")
            assert time.monotonic() - began >= 2.0
            failing_over.join(30)
            until(lambda: len(get_json(mesos.master, "/state")["slaves"]) == 1, "the agent is back")
    finally:
        detector.close()
        session.close()


def refuses(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def test_masters_of_another_process_are_not_joined(tmp_path: Path) -> None:
    """Nobody could lead both: refused in one line, and the first ones lead on.  What a process left
    that was killed is waited for."""
    servers = real_zookeeper.shared(1)
    url = servers.url(f"/mesos-{uuid.uuid4().hex}")
    there = {"agents": 1, "master_port": 0, "agent_port": 0, "zk": url}
    with running(tmp_path / "one", **there) as mesos:
        with (
            pytest.raises(OSError, match="a path of their own"),
            running(tmp_path / "two", **there),
        ):
            pass
        assert not refuses(mesos.master)
    left = KazooClient(hosts=url.removeprefix("zk://").partition("/")[0])
    left.start()
    try:
        info = {"address": {"ip": "127.0.0.1", "port": int(mesos.master.rpartition(":")[2])}}
        path = url.rpartition("/")[2]
        left.create(f"/{path}/json.info_", json.dumps(info).encode(), ephemeral=True, sequence=True)
        ending = threading.Timer(1.0, left.stop)
        ending.start()
        with running(tmp_path / "three", **there) as again:
            assert not ending.is_alive()
            assert not refuses(again.master)
    finally:
        left.stop()
        left.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"masters": 2}, "2 masters need zk="),
        ({"masters": 0}, "masters must be between 1 and 5"),
        ({"zk": "h:2181/mesos"}, "zk must be zk://"),
        ({"zk": "zk://h:2181"}, "zk must be zk://"),
        ({"zk": "zk://me:secret@h/mesos"}, "without credentials"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, object], said: str) -> None:
    """Refused in one line, without what may be a password."""
    with pytest.raises(ValueError, match=said) as caught, running(tmp_path, **options):
        pass
    assert "secret" not in str(caught.value)
