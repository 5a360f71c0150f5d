"""Each thing that can be wrong is a finding with a name, and is gone when it is over."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.cluster.findings import BEHIND, Kind, findings
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.terms import RISES, WINDOW, Terms
from tests.cluster.stage import Stage

ALL = "etcd etcd-1 etcd-2 etcd-3"


def staged(story: str) -> tuple[Model, float]:
    stage = Stage()
    stage.play(story)
    assert stage.model is not None
    return stage.model, stage.now


def found(story: str) -> list[tuple[Kind, str]]:
    model, now = staged(story)
    return [(f.kind, f.member) for f in findings(model, assess(model, now), now)]


@pytest.mark.parametrize(
    ("trouble", "kind", "member"),
    [
        ("failed etcd-2\netcd etcd-1 etcd-3\ntick 1", Kind.DEAD, "etcd-2"),
        ("etcd etcd-1 etcd-3\nunreachable etcd-2\ntick 20", Kind.OUT_OF_REACH, "etcd-2"),
        ("etcd etcd-1 etcd-3\ntick 20", Kind.SILENT, "etcd-2"),
        (f"{ALL} learner=etcd-2\ntick 3", Kind.LEARNER, "etcd-2"),
        (f"{ALL} leaderless=etcd-2\ntick 3", Kind.NO_LEADER, "etcd-2"),
        (f"{ALL} follows-2=etcd-2\ntick 3", Kind.DIVERGING_LEADERS, "etcd-2"),
        (f"{ALL} foreign=etcd-2\ntick 3", Kind.CLUSTER_ID_MISMATCH, "etcd-2"),
        (f"{ALL} cluster=c9\ntick 12", Kind.CLUSTER_ID_MISMATCH, ""),
        (f"{ALL} term=9\ntick 9", Kind.TERM_FLAPPING, ""),
        (f"{ALL} progress=stuck\ntick 20", Kind.STUCK_COMMIT_INDEX, ""),
        (f"{ALL} stuck=etcd-2\ntick 20", Kind.STUCK_APPLIED_INDEX, "etcd-2"),
        (f"{ALL} nospace=etcd-2\ntick 3", Kind.NOSPACE, "etcd-2"),
        (f"{ALL} corrupt=etcd-2\ntick 3", Kind.CORRUPT, "etcd-2"),
        (f"{ALL} corrupt=etcd-9\ntick 3", Kind.CORRUPT, ""),
    ],
)
def test_what_is_wrong_has_a_name(trouble: str, kind: Kind, member: str) -> None:
    """And nothing else is found than that."""
    assert found(f"given healthy\n{trouble}") == [(kind, member)]


def test_of_a_healthy_cluster_nothing_is_found() -> None:
    """Nor when it has been healthy for an hour, longer than anything is watched."""
    assert found("given healthy") == []
    assert found("given healthy\ntick 3600") == []


def test_a_member_far_behind_is_found_though_it_applies() -> None:
    """It moves, and is further behind than etcd itself puts up with."""
    model, now = staged("given healthy\ntick 10")
    latest = model.view("etcd-2").latest
    assert latest is not None
    for lag, wrong in ((BEHIND, False), (BEHIND + 1, True)):
        slow = evolve(latest, commit_index=99999, applied_index=99999 - lag)
        views = {**model.views, "etcd-2": evolve(model.view("etcd-2"), latest=slow)}
        other = evolve(model, views=views)
        kinds = [f.kind for f in findings(other, assess(other, now), now) if f.member == "etcd-2"]
        assert kinds == ([Kind.STUCK_APPLIED_INDEX] if wrong else [])


def test_what_was_not_watched_is_not_stuck() -> None:
    """A member that was silent for long, and has applied nothing meanwhile, gets a new start."""
    silent = "given healthy\netcd etcd-1 etcd-3 stuck=etcd-2\ntick 40"
    assert found(f"{silent}\n{ALL} stuck=etcd-2\ntick 8") == []


@given(st.lists(st.tuples(st.floats(0, 300), st.integers(0, 3)), min_size=1, max_size=30))
def test_terms_flap_when_they_rose_often_within_the_window(
    readings: list[tuple[float, int]],
) -> None:
    """Against the same counted simply, over all that was ever seen."""
    terms, now, term, all_rises = Terms(), 0.0, 0, []
    for wait, rise in readings:
        now, before, term = now + wait, term, term + rise
        terms = terms.seeing(term, now)
        all_rises += [now] * (term - before) if before else []
        assert terms.flapping(now) is (sum(now - at <= WINDOW for at in all_rises) > RISES)


def test_a_term_that_goes_back_says_nothing() -> None:
    """A member that lags behind names an older term."""
    terms = Terms().seeing(5, 0.0).seeing(3, 1.0).seeing(5, 2.0)
    assert terms == Terms().seeing(5, 0.0)


def test_a_restart_explains_elections() -> None:
    """A task that starts or ends; a mere answer to a question explains nothing."""
    flaps = f"{ALL} term=9\ntick 9"
    assert found(f"given healthy\n{flaps}\nrunning etcd-1 reconciled") == [(Kind.TERM_FLAPPING, "")]
    assert found(f"given healthy\n{flaps}\nrunning etcd-1") == []


def test_the_names_never_change() -> None:
    """Tools of operators look for them."""
    assert {kind.value for kind in Kind} == {
        *("dead", "out_of_reach", "silent", "starting", "learner", "no_leader"),
        *("diverging_leaders", "term_flapping", "cluster_id_mismatch"),
        *("stuck_commit_index", "stuck_applied_index", "nospace", "corrupt", "backup"),
    }
