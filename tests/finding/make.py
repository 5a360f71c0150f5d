"""Member lists, tasks and answers for the tests of finding a cluster."""

from __future__ import annotations

from typing import Any

from etcdmesos.cluster.labels import labels_of
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.finding.cluster import Cluster
from etcdmesos.mesos.master_state import ListedFramework, ListedTask
from etcdmesos.mesos.statuses import TaskState
from tests.cluster import make

ID, OTHER_ID = f"{1:016x}", f"{2:016x}"


def listed(number: int, **changes: Any) -> ListedMember:
    """A started voter."""
    fields: dict[str, Any] = {
        "id": f"{number:016x}",
        "name": f"etcd-{number}",
        "peer_urls": (f"http://10.0.0.{number}:31000",),
        "client_urls": (f"http://10.0.0.{number}:31001",),
        "learner": False,
    }
    return ListedMember(**{**fields, **changes})


def listing(*members: ListedMember, cluster_id: str = ID) -> MemberList:
    return MemberList(cluster_id=cluster_id, members=members)


def cluster(*numbers: int, cluster_id: str = ID) -> Cluster:
    """One with the voters of these numbers."""
    return Cluster.of(listing(*map(listed, numbers), cluster_id=cluster_id))


def framework(*tasks: ListedTask, **changes: Any) -> ListedFramework:
    """The one of cluster `c`, as `tests.cluster.make` has it."""
    fields: dict[str, Any] = {
        "id": "fw-1",
        "name": "etcd-c",
        "active": True,
        "connected": True,
        "webui_url": "http://10.0.0.9:23400",
        "tasks": tasks,
    }
    return ListedFramework(**{**fields, **changes})


def task(number: int, state: TaskState = TaskState.RUNNING, **labels: str) -> ListedTask:
    """The task of a member of cluster `c`; `labels` are put in place of its own."""
    member = make.member(number, "a")
    told = dict(labels_of(member, make.record(member)))
    told.update({f"etcd-mesos/{key}": text for key, text in labels.items()})
    return ListedTask(id=f"etcd-{number}-1", agent_id="a", executor_id="", state=state, labels=told)


def stats(**changes: Any) -> dict[str, Any]:
    """The body of the acting scheduler's /stats."""
    body = {
        "cluster_name": "c",
        "role": "leader",
        "cluster_id": ID,
        "phase": "healthy",
        "why": "nothing",
        "members": [{"clientURL": "http://10.0.0.1:31001"}],
    }
    return {**body, **changes}
