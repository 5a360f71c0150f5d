"""A master and schedulers that say what a test wants, about real etcd clusters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from etcdmesos.cluster.labels import labels_of
from tests.adapters.mesos.scripted_master import Peer, ScriptedMaster
from tests.cluster import make
from tests.finding.make import stats
from tests.real_etcd import EtcdCluster

SUMMARY, STATE, OLD_STATE = "/state-summary", "/state", "/state.json"
TASKS = "/tasks?framework_id=fw-1&limit=10000"


class Server(ScriptedMaster):
    """Answers what it has by path, 404 for the rest."""

    def __init__(self, bodies: Mapping[str, Any]) -> None:
        super().__init__()
        self.bodies = dict(bodies)
        self.on_get = self._answer

    def _answer(self, peer: Peer) -> None:
        if peer.request.path in self.bodies:
            body = json.dumps(self.bodies[peer.request.path]).encode()
            peer.answer("200 OK", body, "Content-Type: application/json")
        else:
            peer.answer("404 Not Found", b"404 Not Found.")

    @property
    def asked(self) -> list[str]:
        return [request.path for request in self.requests]


def url_of(cluster: EtcdCluster) -> str:
    return cluster.members[0].client_url


def id_of(cluster: EtcdCluster) -> str:
    status = cluster.members[0].status()
    assert status is not None
    return status.cluster_id


def task(number: int, client_url: str, **changes: Any) -> dict[str, Any]:
    """A member's task as masters list it."""
    host, port = client_url.removeprefix("http://").split(":")
    member = make.member(number, "a", host=host, client_port=int(port))
    labels = [{"key": k, "value": v} for k, v in labels_of(member, make.record(member))]
    return {
        "id": f"etcd-{number}-1",
        "framework_id": "fw-1",
        "state": "TASK_RUNNING",
        "labels": labels,
        **changes,
    }


def master(
    servers: list[Server],
    *clusters: EtcdCluster,
    webui: str = "",
    others: Mapping[str, Any] | None = None,
) -> Server:
    """One that knows cluster `c`, whose members are of these clusters."""
    framework = {"id": "fw-1", "name": "etcd-c", "active": True, "webui_url": webui}
    tasks = [task(n, url_of(one)) for n, one in enumerate(clusters, 1)]
    bodies = {
        SUMMARY: {"slaves": [], "frameworks": [framework]},
        TASKS: {"tasks": tasks},
        **(others or {}),
    }
    servers.append(Server({path: body for path, body in bodies.items() if body is not None}))
    return servers[-1]


def scheduler(servers: list[Server], cluster: EtcdCluster, **changes: Any) -> Server:
    """The one of cluster `c`, which announces this cluster."""
    members = [{"clientURL": url_of(cluster)}]
    body = stats(**{"cluster_id": id_of(cluster), "members": members, **changes})
    servers.append(Server({"/stats": body}))
    return servers[-1]
