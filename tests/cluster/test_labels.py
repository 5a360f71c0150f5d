"""What a task's labels tell of its member."""

from __future__ import annotations

import pytest
from attrs import evolve

from etcdmesos.cluster.labels import PREFIX, Labels, labels_of
from etcdmesos.cluster.record import Role, Step
from tests.cluster import make

MEMBER = make.member(
    4,
    "a",
    region="r1",
    zone="z1",
    attributes={"rack": "1"},
    artifact="ab",
    initial_state="existing",
)
RECORD = make.record(MEMBER, epoch=7)
LABELS = dict(labels_of(MEMBER, RECORD))


def test_a_member_is_known_again_by_its_labels() -> None:
    """All but what only its task, etcd and its executor know."""
    read = Labels.of(LABELS, "c", "fw-1")
    assert read is not None
    known = evolve(MEMBER, id="", agent_id="", tasks=(), role=Role.VOTER, step=Step.LAUNCHING)
    assert read.member() == known
    assert (read.number, read.generation, read.epoch) == (4, 1, 7)
    assert (read.peer_url, read.client_url) == (MEMBER.peer_url, MEMBER.client_url)


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "another"},
        {"token": "c-fw-0-1"},
        {"generation": "2"},
        {"generation": "two"},
        {"member": "etcd-0"},
        {"member": "zookeeper"},
        {"attributes": "no JSON"},
        {"attributes": "[]"},
        {"client-port": ""},
    ],
)
def test_other_labels_are_no_member_of_ours(changes: dict[str, str]) -> None:
    """Of another cluster, framework or generation, or not what we write."""
    labels = {**LABELS, **{PREFIX + key: text for key, text in changes.items()}}
    assert Labels.of(labels, "c", "fw-1") is None


@pytest.mark.parametrize("key", sorted(LABELS))
def test_a_label_that_is_missing(key: str) -> None:
    """Nothing is guessed; the older scheduler's tasks, without some of them, are none."""
    labels = {k: text for k, text in LABELS.items() if k != key}
    assert Labels.of(labels, "c", "fw-1") is None
