"""The master found in ZooKeeper and the record kept there, by the built executables."""

from __future__ import annotations

import http.client
import json
import signal
from pathlib import Path

import pytest

from etcdmesos.adapters.master_zookeeper import ZooKeeperMaster
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from tests import real_zookeeper
from tests.end_to_end.stand import (
    Daemon,
    etcd_binary,
    etcd_process,
    get,
    local,
    stats,
    until,
)
from tests.free_ports import free_port

pytestmark = pytest.mark.real


def test_a_scheduler_finds_master_and_record_in_zookeeper(tmp_path: Path) -> None:
    """Healthy with both in ZooKeeper; killed -9 and started again, the same framework and the same
    members, from the record."""
    admin, artifacts = free_port(), free_port()
    address = f"127.0.0.1:{admin}"
    with (
        real_zookeeper.zookeeper(1, tmp_path / "zk") as servers,
        local(tmp_path, "-mesos-only", "-agents=3") as mesos,
    ):
        master = mesos.wait_for("Mesos master: http://").split()[0]
        arguments = [
            f"-master={servers.url('/mesos')}",
            f"-zk-framework-persist={servers.url('/etcd-mesos')}",
            f"-admin-port={admin}",
            f"-artifact-port={artifacts}",
            f"-etcd-bin={etcd_binary('3.5.30')}",
            "-zk-session-timeout-seconds=4",
            "-address=127.0.0.1",
        ]
        session = ZooKeeperSession(ZooKeeperUrl.parse(servers.url("/mesos")))
        started = []
        try:
            session.ask(lambda client: client.exists_async("/"), wait_seconds=10.0)
            scheduler = Daemon("etcd-mesos-scheduler", *arguments)
            started.append(scheduler)
            scheduler.wait_for_part("started")
            until(lambda: "no Mesos master uses it" in why(address), "it says who is missing")
            host, port = master.split(":")
            info = {"address": {"hostname": "x", "ip": host, "port": int(port)}}
            session.make_path("/mesos")
            session.ask(
                lambda client: client.create_async(
                    "/mesos/json.info_", json.dumps(info).encode(), ephemeral=True, sequence=True
                )
            )
            until(lambda: stats(address)["phase"] == "healthy", "healthy")
            before = members(address)
            framework, _ = session.ask(
                lambda client: client.get_async("/etcd-mesos/etcd-default/framework_id")
            )
            assert framework
            scheduler.end(signal.SIGKILL)
            scheduler = Daemon("etcd-mesos-scheduler", *arguments)
            started.append(scheduler)
            scheduler.wait_for_part("started")
            until(lambda: stats(address)["phase"] == "healthy", "healthy again")
            assert members(address) == before
            assert (
                framework
                == session.ask(
                    lambda client: client.get_async("/etcd-mesos/etcd-default/framework_id")
                )[0]
            )
            assert scheduler.end() == 0
        finally:
            for one in started:
                one.end(signal.SIGKILL)
            session.close()


def test_a_cluster_outlives_the_leading_mesos_master(tmp_path: Path) -> None:
    """Two masters in ZooKeeper, the leading one is killed and stays there for a while: the
    framework is subscribed at the other, under its old id, and every etcd is the process it was."""
    with real_zookeeper.zookeeper(1, tmp_path / "zk") as servers:
        url = servers.url("/mesos")
        etcd = etcd_binary("3.5.30")
        with local(tmp_path, f"-zk={url}", "-masters=2", f"-etcd-bin={etcd}") as mesos:
            first = mesos.wait_for("Mesos master: http://").split()[0]
            control = mesos.wait_for("control of the embedded Mesos: http://")
            admin = mesos.wait_for("dashboard: http://").split("/")[0]
            before = [etcd_process(tmp_path, f"etcd-{n}") for n in (1, 2, 3)]
            ids = framework_ids(first)
            assert len(ids) == 1
            failover(control)
            second = until(lambda: leading(url, other_than=first), "another master leads")
            until(lambda: framework_ids(second) == ids, "subscribed at the other master")
            until(lambda: stats(admin)["phase"] == "healthy", "healthy again")
            assert [etcd_process(tmp_path, f"etcd-{n}") for n in (1, 2, 3)] == before


def failover(control: str) -> None:
    connection = http.client.HTTPConnection(control, timeout=30)
    connection.request("POST", "/control/master/failover", '{"session": 1.5}')
    assert connection.getresponse().status == 200
    connection.close()


def framework_ids(master: str) -> list[str]:
    """The frameworks that are connected to this master."""
    try:
        state = json.loads(get(master, "/state")[1])
    except (OSError, ValueError):
        return []
    return [one["id"] for one in state["frameworks"] if one["connected"]]


def leading(url: str, *, other_than: str) -> str | None:
    session = ZooKeeperSession(ZooKeeperUrl.parse(url))
    detector = ZooKeeperMaster(session, ZooKeeperUrl.parse(url).path)
    detector.start()
    found = detector.wait(10.0)
    detector.close()
    session.close()
    return found if found != other_than else None


def why(address: str) -> str:
    return str(stats(address)["why"])


def members(address: str) -> list[tuple[str, str]]:
    return [(member["name"], member["clientURL"]) for member in stats(address)["members"]]
