"""Through whom proposals are made to show that a quorum commits them."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.commands import ProbeProgress
from etcdmesos.cluster.events import TimerFired
from tests.cluster import make
from tests.cluster.stage import Stage


def asked(story: str) -> set[str]:
    """The members that are asked after `story`, whoever's turn it is."""
    stage = Stage()
    for line in story.splitlines():
        stage.play(line)
    assert stage.model is not None
    found = set()
    for tries in range(6):
        model = evolve(stage.model, progress=evolve(stage.model.progress, tries=tries))
        step = make.CONTROLLER.step(model, TimerFired(), stage.now + 10)
        found |= {c.member for c in step.commands if isinstance(c, ProbeProgress)}
    return found


def test_every_voter_has_its_turn() -> None:
    """One that does not commit may be at fault itself."""
    assert asked("given healthy") == {"etcd-1", "etcd-2", "etcd-3"}


def test_the_dead_are_not_asked() -> None:
    """Only a time-out would come of it, and the cluster would not count as serving until then."""
    assert asked("given healthy\nfailed etcd-2") == {"etcd-1", "etcd-3"}


def test_nobody_is_asked_who_follows_a_dead_leader() -> None:
    """Its followers hand proposals on to it until they have elected another one."""
    assert asked("given healthy\nfailed etcd-1") == set()
    elected = "given healthy\nfailed etcd-1\netcd etcd-2 etcd-3 leader=etcd-3 term=3\ntick 3"
    assert asked(elected) == {"etcd-2", "etcd-3"}
