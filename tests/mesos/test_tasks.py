"""The TaskInfo a member is launched with."""

from __future__ import annotations

import base64
import json

from etcdmesos.cluster.launch import initial_cluster, new_member, server_task
from etcdmesos.cluster.placement import choose
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.tasks import Task, task_info
from tests.cluster import make


def launched() -> Task:
    settings = make.settings(1, etcd_options=("--snapshot-count=7",))
    (place,) = choose([make.offer("a-1")], 1, settings)
    member = new_member(place, 1, 1, settings)
    record = make.record(member, size=1)
    return server_task(member, place, record, settings)


def test_task_and_executor_share_what_the_member_is_given() -> None:
    """Task and executor together hold exactly the settings' share: nothing is asked for twice."""
    info = task_info(launched(), "fw-1")
    sums: dict[str, float] = {}
    for part in (*info["resources"], *info["executor"]["resources"]):
        if part["type"] == "SCALAR":
            sums[part["name"]] = round(sums.get(part["name"], 0) + part["scalar"]["value"], 3)
    settings = make.settings()
    assert sums == {"cpus": settings.cpus, "mem": settings.memory, "disk": settings.disk}
    ports = [p for p in info["resources"] if p["name"] == "ports"]
    assert [p["ranges"]["range"] for p in ports] == [
        [{"begin": 31000, "end": 31000}, {"begin": 31001, "end": 31001}]
    ]


def test_an_executor_of_its_own() -> None:
    """The executor is a custom one, of this framework, fetched with etcd beside it, and the tool
    that restores.  All are executable."""
    executor = task_info(launched(), "fw-1")["executor"]
    assert executor["type"] == "CUSTOM"
    assert executor["framework_id"] == {"value": "fw-1"}
    assert executor["executor_id"] == {"value": "etcd-1-1"}
    assert [(u["output_file"], u["executable"]) for u in executor["command"]["uris"]] == [
        ("etcd-mesos-executor", True),
        ("etcd", True),
        ("etcdutl", True),
    ]
    assert all(not uri["extract"] for uri in executor["command"]["uris"])


def test_the_grace_period_goes_to_both() -> None:
    """Kill policy and shutdown grace are the same time."""
    info = task_info(launched(), "fw-1")
    assert info["kill_policy"]["grace_period"] == {"nanoseconds": 15 * 10**9}
    assert info["executor"]["shutdown_grace_period"] == {"nanoseconds": 15 * 10**9}


def test_only_peers_are_in_the_discovery_of_peers() -> None:
    """One port of protocol tcp: Mesos-DNS makes `_etcd-server._tcp` of all of those."""
    discovery = task_info(launched(), "fw-1")["discovery"]
    protocols = [(p["name"], p["protocol"]) for p in discovery["ports"]["ports"]]
    assert discovery["name"] == "etcd-server"
    assert protocols == [("peer", "tcp"), ("client", "client")]


def test_the_member_is_told_who_it_is() -> None:
    """The task's data is the member's description, with the operator's options and its token."""
    task = launched()
    info = task_info(task, "fw-1")
    spec = MemberSpec.from_json(base64.b64decode(info["data"]))
    assert spec.name == "etcd-1"
    assert spec.options == ("--snapshot-count=7",)
    assert spec.initial_cluster == f"etcd-1={spec.peer_url}"
    assert spec.token == "c-fw-1-1"
    assert (spec.peer_port, spec.client_port) == (31000, 31001)


def test_the_labels_are_enough_to_know_the_member() -> None:
    """From the master's state alone one can tell cluster, member, generation and address."""
    labels = {x["key"]: x["value"] for x in task_info(launched(), "fw-1")["labels"]["labels"]}
    assert labels["etcd-mesos/cluster"] == "c"
    assert labels["etcd-mesos/member"] == "etcd-1"
    assert labels["etcd-mesos/generation"] == "1"
    assert labels["etcd-mesos/client-port"] == "31001"


def test_everything_is_json() -> None:
    """A TaskInfo is sent as JSON."""
    json.dumps(task_info(launched(), "fw-1"))


def test_initial_cluster_names_all() -> None:
    """`--initial-cluster` lists name=peer URL of every member, in the record's order."""
    members = [make.member(1, "a"), make.member(2, "b", scheme="https")]
    assert initial_cluster(members) == "etcd-1=http://10.0.0.1:31000,etcd-2=https://10.0.0.2:31000"
