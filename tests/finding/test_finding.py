"""Which answers count, and what clients are told of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.chart_definition import read
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.finding.choice import Answers, NotFound, choose
from etcdmesos.finding.cluster import Cluster
from etcdmesos.finding.sources import SEEDING, Announced, announced, hints, present
from etcdmesos.mesos.statuses import TaskState
from tests.finding.make import (
    ID,
    OTHER_ID,
    cluster,
    framework,
    listed,
    listing,
    stats,
    task,
)

# The cluster


def test_endpoints_are_the_started_voters() -> None:
    """Neither learners nor members that were added and never started."""
    found = Cluster.of(
        listing(
            listed(1),
            listed(2, learner=True),
            listed(3, name="", client_urls=()),
            listed(4, client_urls=("http://10.0.0.4:31001", "http://four:31001/")),
        )
    )
    assert [voter.name for voter in found.voters] == ["etcd-1", "etcd-4"]
    assert found.client_urls == (
        "http://10.0.0.1:31001",
        "http://10.0.0.4:31001",
        "http://four:31001/",
    )
    assert found.endpoints == ("10.0.0.1:31001", "10.0.0.4:31001", "four:31001")


# What the master tells


def test_hints_are_running_tasks_and_the_scheduler() -> None:
    """Of this cluster and framework: what runs no more or is somebody else's is none."""
    tasks = (
        task(1),
        task(2, TaskState.STAGING),
        task(3, TaskState.UNREACHABLE),
        task(4, cluster="another"),
        task(5, token="c-fw-0-1"),
    )
    found = hints([framework(*tasks)], "c")
    assert found.admin_urls == ("http://10.0.0.9:23400",)
    [url] = found.client_urls
    assert url == "http://" + task(1).labels["etcd-mesos/host"] + ":31001"


def test_a_link_that_is_no_address_is_no_scheduler() -> None:
    """-framework-weburi may name anything."""
    assert hints([framework(webui_url="https://wiki/etcd")], "c").admin_urls == ()
    assert hints([framework(webui_url="")], "c").admin_urls == ()


def test_an_inactive_framework_counts_only_while_none_is_active() -> None:
    """A scheduler that is away does not hide its cluster; one that lost its record does not
    confuse it with the new one."""
    active, away = framework(), framework(id="fw-0", active=False)
    assert present([away, active]) == (active,)
    assert present([away]) == (away,)


# What the scheduler tells


def test_the_acting_scheduler_announces_its_cluster() -> None:
    """The id, and whom to ask for the rest."""
    assert announced(stats(), "c") == Announced(
        cluster_id=ID, client_urls=("http://10.0.0.1:31001",), why="nothing"
    )
    assert announced(stats(cluster_id="", members=[]), "c") == Announced(
        cluster_id="", why="nothing"
    )
    for phase in ("reseeding", "restoring"):
        seeding = announced(stats(phase=phase), "c")
        assert seeding is not None
        assert seeding.reseeding


def test_the_phase_is_one_of_the_chart() -> None:
    """Renamed there, it would be forgotten here."""
    assert set(SEEDING) <= set(read("cluster").phases)


@pytest.mark.parametrize("role", ["standby", "suspended"])
def test_a_standby_announces_nothing(role: str) -> None:
    """It knows the record at best, and perhaps an old one."""
    assert announced(stats(role=role), "c") is None


@pytest.mark.parametrize(
    "body", [stats(cluster_name="d"), {}, [], None, stats(members=[7]), stats(members=7)]
)
def test_somebody_else_announces_nothing(body: Any) -> None:
    """Another cluster's scheduler, or no scheduler at all."""
    with pytest.raises(ValueError):
        announced(body, "c")


# Which of the answers counts

IDS = st.sampled_from([ID, OTHER_ID, f"{3:016x}"])
LISTS = st.lists(
    st.builds(
        lambda cluster_id, numbers: listing(*map(listed, numbers), cluster_id=cluster_id),
        IDS,
        st.lists(st.integers(1, 9), max_size=3, unique=True),
    ),
    max_size=4,
)


@given(LISTS, IDS | st.just(""), IDS | st.just(""))
def test_the_cluster_that_counts(lists: list[MemberList], counts: str, found: str) -> None:
    """It, and no other one, is found; and while nobody knows which it is, two answers are none."""
    ids = {one.cluster_id for one in lists}
    answers = Answers(lists=lists, failures=["x: no"])
    refused: NotFound | None = None
    try:
        chosen = choose(answers, counts=counts, found=found)
    except NotFound as error:
        refused = error
    if refused is None:
        assert chosen.voters
        assert {chosen.cluster_id} == ({counts} if counts else ids)
    elif refused.outdated:
        assert found
        assert counts not in ("", found) or found not in ids


def test_a_reseeded_cluster_is_not_followed_before_it_is_announced() -> None:
    """What answers at the known endpoints is another cluster: the known one counts no more, and the
    new one not yet."""
    answers = Answers(lists=[listing(listed(1), cluster_id=OTHER_ID)])
    with pytest.raises(NotFound, match="has not announced") as caught:
        choose(answers, counts=ID, found=ID)
    assert caught.value.outdated
    assert choose(answers, counts=OTHER_ID, found=ID) == cluster(1, cluster_id=OTHER_ID)


def test_old_members_that_live_are_no_endpoints() -> None:
    """Once another cluster is announced the old one counts no more, found or not."""
    answers = Answers(lists=[listing(listed(1), cluster_id=ID)])
    with pytest.raises(NotFound) as caught:
        choose(answers, counts=OTHER_ID, found=ID)
    assert caught.value.outdated


def test_a_lost_quorum_outdates_nothing() -> None:
    """Members that answer for no quorum are kept: they may again in a moment."""
    with pytest.raises(NotFound, match="no member answers for a quorum: a: timeout") as caught:
        choose(Answers(failures=["a: timeout"]), counts=ID, found=ID)
    assert not caught.value.outdated
