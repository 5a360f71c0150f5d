"""Clients that know nothing but the proxy's address, whatever becomes of members and masters."""

from __future__ import annotations

import http.client
import json
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from etcdmesos import discovery
from etcdmesos.adapters.etcd_gateway import Gateway
from tests.adapters.finding.servers import Server, master, scheduler, url_of
from tests.embedded.scheduler import Scheduler as BareScheduler
from tests.end_to_end.proxies import Proxy, Writer, proxy, watching
from tests.end_to_end.schedulers import Stand, healthy, stand
from tests.end_to_end.stand import (
    etcd_binary,
    executor_process,
    get,
    local,
    processes_below,
    stats,
    until,
)
from tests.mesos_dns import srv_records
from tests.real_etcd import EtcdCluster, etcd_cluster

LONGEST, USUAL = 5.0, 0.25
"""Seconds that no request may take, retries and all, where one usually takes no longer than the
other; on a machine so busy that it does, as much longer."""


@pytest.mark.parametrize(
    ("version", "front"),
    [
        # Follows by itself.
        ("3.5.30", "grpc-proxy"),
        # Is started again when members have moved.
        ("3.4.23", "grpc-proxy"),
        pytest.param("3.5.30", "gateway", marks=pytest.mark.long),
    ],
)
def test_all_members_are_replaced_one_after_the_other(
    tmp_path: Path, version: str, front: str
) -> None:
    """No request, tried again by its client, takes longer than 5 s; a watch misses nothing."""
    with (
        local(
            tmp_path,
            "-cluster-size=3",
            "-agents=5",
            f"-etcd-bin={etcd_binary(version)}",
            "-probe-interval-seconds=0.5",
        ) as mesos,
        proxy(
            master := mesos.wait_for("Mesos master: http://").split(" ")[0],
            version,
            f"-front={front}",
            f"-data-dir={tmp_path}/proxy",
        ) as through,
    ):
        admin = mesos.wait_for("dashboard: http://").split("/")[0]
        through.put("key", "first")
        with watching(through, tmp_path / "watch") as seen:
            until(lambda: b"first" in seen.read_bytes(), "the watch has begun")
            writer = Writer(through)
            members = [member["name"] for member in stats(admin)["members"]]
            for name in members:
                os.kill(executor_process(tmp_path, name), signal.SIGKILL)
                until(lambda name=name: _healthy_without(admin, name), f"{name} is replaced")
            writer.stop()
            last = writer.written[-1].encode() + b"\n"
            until(lambda: seen.read_bytes().endswith(last), "the watch has seen the last write")
            shown = seen.read_text().splitlines()
        assert [value for value in writer.written if value not in shown] == []
        allowed = LONGEST * max(1.0, median(writer.took) / USUAL)
        assert max(writer.took) < allowed, f"{writer.took}\n{through.said()}"
        assert not set(members) & {member["name"] for member in stats(admin)["members"]}
        _is_in_dns(master, admin)
        assert through.end() == 0
        assert processes_below(tmp_path / "proxy") == []


def _healthy_without(admin: str, name: str) -> bool:
    now = stats(admin)
    return now["phase"] == "healthy" and name not in {m["name"] for m in now["members"]}


def _is_in_dns(master: str, admin: str) -> None:
    """Peers under the name that `etcd --discovery-srv` looks for, and they alone: with client ports
    among them it would form a cluster of twice the size."""
    records = srv_records(json.loads(get(master, "/state")[1]))
    members = stats(admin)["members"]
    peers = {(m["host"], m["rpcPort"]) for m in members}
    clients = {(m["host"], m["clientPort"]) for m in members}
    assert records == {
        "_etcd-server._tcp.etcd-default.mesos": peers,
        "_peer._etcd-server._tcp.etcd-default.mesos": peers,
        "_etcd-server._client.etcd-default.mesos": clients,
        "_client._etcd-server._client.etcd-default.mesos": clients,
    }


def _tell(here: Stand, path: str, **body: Any) -> None:
    connection = http.client.HTTPConnection(here.control, timeout=30)
    connection.request("POST", f"/control/{path}", json.dumps(body))
    assert connection.getresponse().status == 200
    connection.close()


def _completed_framework(here: Stand) -> None:
    """One called as ours, which came and went before."""
    with BareScheduler(here.master, name="etcd-mycluster") as theirs:
        theirs.call("TEARDOWN")
    until(lambda: here.frameworks("completed_frameworks"), "it is completed")


def test_two_clusters_on_one_master_each_with_its_proxy(tmp_path: Path) -> None:
    """Each waits for its own, and keeps to it: through a failover of the master, and without any
    scheduler to ask."""
    version = "3.5.30"
    with stand(tmp_path) as here:
        _completed_framework(here)
        with (
            proxy(here.master, version, "-cluster-name=mycluster") as ours,
            proxy(here.master, version, "-cluster-name=other") as theirs,
        ):
            ours.daemon.wait_for_part("knows no framework etcd-mycluster")
            first = here.scheduler("-cluster-size=1")
            second = here.scheduler("-cluster-size=1", "-cluster-name=other", artifact_port=0)
            for name, through, scheduler in (
                ("mycluster", ours, first),
                ("other", theirs, second),
            ):
                healthy(scheduler)
                through.put("who", name)
            assert (ours.value("who"), theirs.value("who")) == ("mycluster", "other")

            _tell(here, "master/failover")
            ours.put("after", "failover")
            until(lambda: len(here.frameworks()) == 2, "both schedulers are back")
            with proxy(here.master, version, "-cluster-name=mycluster") as late:
                late.put("after", "that")
                assert ours.value("after") == "that"

            first.kill()
            second.kill()
            with proxy(here.master, version, "-cluster-name=mycluster") as alone:
                assert alone.value("who") == "mycluster"
            other = discovery.discover(here.master, "other")
            with discovery.connect(other) as client:
                assert client.get("who")[0] == b"other"
            assert (ours.value("who"), theirs.value("who")) == ("mycluster", "other")
            assert [ours.end(signal.SIGINT), theirs.end(signal.SIGTERM)] == [0, 0]


def test_a_reseed_is_followed(tmp_path: Path) -> None:
    """A majority dies at once, and another cluster is made of the survivor: clients find there what
    they wrote.  (How quick the reseed is decides whether the proxy is seen to wait for it.)"""
    version = "3.5.30"
    with (
        local(
            tmp_path,
            "-cluster-size=3",
            "-agents=3",
            f"-etcd-bin={etcd_binary(version)}",
            "-probe-interval-seconds=0.5",
        ) as mesos,
        proxy(mesos.wait_for("Mesos master: http://").split(" ")[0], version) as through,
    ):
        admin = mesos.wait_for("dashboard: http://").split("/")[0]
        through.put("key", "kept")
        before = stats(admin)["cluster_id"]
        for name in ("etcd-1", "etcd-2"):
            os.kill(executor_process(tmp_path, name), signal.SIGKILL)
        until(lambda: stats(admin)["cluster_id"] != before, "another cluster is announced")
        through.daemon.wait_for_part(f"cluster={stats(admin)['cluster_id']} ")
        until(lambda: through.value("key") == "kept", "the new cluster is served")
        through.put("key", "after")


def found(etcd: EtcdCluster) -> discovery.Cluster:
    return discovery.Cluster.of(Gateway(url_of(etcd), 5.0).list_members())


def test_a_reseeded_cluster_is_followed_once_it_is_announced(tmp_path: Path) -> None:
    """Another cluster id, announced by the scheduler: from then on nobody gets to the old members,
    though they are alive and the front was well with them."""
    version, servers = "3.5.30", list[Server]()
    token = "--initial-cluster-token=generation-2"
    with (
        etcd_cluster(version, 1, tmp_path / "old") as old,
        etcd_cluster(version, 1, tmp_path / "new", token) as new,
        ExitStack() as closing,
    ):
        for cluster, value in ((old, "old"), (new, "new")):
            with discovery.connect(found(cluster)) as client:
                client.put("who", value)
        word = scheduler(servers, old)
        at = master(servers, old, new)
        for server in servers:
            closing.callback(server.close)
        with proxy(
            at.address,
            version,
            "-cluster-name=c",
            f"-admin-urls=http://{word.address}",
            f"-data-dir={tmp_path}/proxy",
        ) as through:
            until(lambda: through.value("who") == "old", "the old one is served")
            word.bodies["/stats"] = scheduler(servers, new).bodies["/stats"]
            closing.callback(servers[-1].close)
            until(lambda: through.value("who") == "new", "the new one is served")
            for _ in range(20):
                assert through.value("who") == "new"
            word.bodies.clear()
            through.daemon.wait_for_part("another one now")
            assert through.value("who") == "new"
            _outlives_its_front(through)
            _leaves_nothing_when_killed(through, tmp_path / "proxy")
        assert "/state" not in at.asked


def _outlives_its_front(through: Proxy) -> None:
    """A front that is killed is started again."""
    pid = int(through.daemon.wait_for_part("front started").rpartition("pid=")[2])
    os.kill(pid, signal.SIGKILL)
    through.daemon.wait_for_part("the front ended with -9")
    until(lambda: through.value("who") == "new", "another front serves")


def _leaves_nothing_when_killed(through: Proxy, folder: Path) -> None:
    """The front dies with the proxy, even if that had no time to end it."""
    assert processes_below(folder)
    through.end(signal.SIGKILL)
    until(lambda: processes_below(folder) == [], "the front dies, too")
