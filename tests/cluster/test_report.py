"""What /stats, /members and /healthz say of a model."""

from __future__ import annotations

import json

import pytest

from etcdmesos.cluster import report
from etcdmesos.cluster.model import Model
from tests.cluster.stage import Stage

STATS_OF_THE_ORIGINAL = (
    "running_servers",
    "launched_servers",
    "failed_servers",
    "cluster_livelocks",
    "cluster_reseeds",
    "healthy",
)
MEMBER_OF_THE_ORIGINAL = ("name", "host", "rpcPort", "clientPort", "httpPort", "type", "slaveID")


def staged(story: str) -> tuple[Model, float]:
    stage = Stage()
    stage.play(story)
    assert stage.model is not None
    return stage.model, stage.now


def test_the_originals_counters_come_first() -> None:
    """Tools made for the original find its fields, under their names, before any new one."""
    stats = report.stats(*staged("given healthy"))
    assert tuple(stats)[: len(STATS_OF_THE_ORIGINAL)] == STATS_OF_THE_ORIGINAL
    assert [stats[name] for name in STATS_OF_THE_ORIGINAL] == [3, 3, 0, 0, 0, 1]


def test_the_originals_members_come_first() -> None:
    """A member's first fields are the original's."""
    members = report.members(*staged("given healthy"))
    assert [member["name"] for member in members] == ["etcd-1", "etcd-2", "etcd-3"]
    for member in members:
        assert tuple(member)[: len(MEMBER_OF_THE_ORIGINAL)] == MEMBER_OF_THE_ORIGINAL
    first = members[0]
    assert (first["rpcPort"], first["clientPort"], first["httpPort"]) == (31000, 31001, 31001)
    assert (first["type"], first["slaveID"]) == ("new", "a")


def test_one_member_leads() -> None:
    """The leader is named once, by name in /stats and by flag in /members."""
    model, now = staged("given healthy")
    assert report.stats(model, now)["leader"] == "etcd-1"
    assert [m["leader"] for m in report.members(model, now)] == [True, False, False]


def test_the_dead_are_counted_and_do_not_serve() -> None:
    """A member that ended is no running server; it is listed, with its task's state."""
    model, now = staged('given healthy\netcd etcd-1 etcd-3\nfailed etcd-2 message="gone"\ntick 3')
    stats = report.stats(model, now)
    assert (stats["running_servers"], stats["failed_servers"], stats["healthy"]) == (2, 1, 1)
    second = report.members(model, now)[1]
    assert (second["taskState"], second["serving"]) == ("TASK_FAILED", False)
    text = "etcd-2 is dead (TASK_FAILED: gone)"
    assert stats["findings"] == [{"name": "dead", "member": "etcd-2", "text": text}]


@pytest.mark.parametrize(
    ("story", "good", "begins"),
    [
        ("start", False, "not serving, recovering: waits for the record"),
        ("given connected", False, "not serving, bootstrapping: waits for offers"),
        ("given started", False, "not serving, bootstrapping: waits for the gang"),
        ("given healthy", True, "healthy: 3 of 3 members"),
        ("given healthy size=1", True, "healthy: 1 of 1 members"),
        ("given healthy\nfailed etcd-2", True, "serving, reconfiguring: removes etcd-2; serves"),
        ("given healthy\nfailed etcd-1", True, "serving, degraded: serves with 2 of 3 members"),
        (
            "given healthy\netcd etcd-1 etcd-2 etcd-3 nospace=etcd-1\ntick 3",
            False,
            "refuses writes, healthy: nothing: all 3 members serve, but etcd-1 raises NOSPACE",
        ),
        ("given healthy\nfailed etcd-2 etcd-3", False, "not serving, reconfiguring: removes"),
        ("given healthy\nfailed etcd-1 etcd-2 etcd-3", False, "not serving, lost: every member"),
        ("given healthy\ndisconnected x", True, "healthy: 3 of 3 members"),
    ],
)
def test_healthz_is_the_clusters(story: str, good: bool, begins: str) -> None:
    """/healthz tells of the cluster, not of the scheduler: one line, and a truth."""
    said, line = report.health(*staged(story))
    assert said is good
    assert line.startswith(begins)
    assert "\n" not in line


@pytest.mark.parametrize(
    "story",
    ["start", "given connected\noffers a", "given launched", "given healthy", "given started"],
)
def test_everything_is_json(story: str) -> None:
    """Both bodies can be sent as JSON in every phase, and agree on the members."""
    model, now = staged(story)
    stats = json.loads(json.dumps(report.stats(model, now)))
    assert stats["members"] == json.loads(json.dumps(report.members(model, now)))
    assert stats["phase"] == model.phase
