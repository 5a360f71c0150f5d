"""Finding real etcd clusters: who is asked, for what and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from etcdmesos.adapters.cluster_finder import ClusterFinder, Wanted
from etcdmesos.adapters.mesos_framework import FixedMaster
from etcdmesos.adapters.scheduler_word import NoWord, admin_address, ask_scheduler
from etcdmesos.errors import BadUsage
from etcdmesos.finding.choice import NotFound
from tests.adapters.finding.servers import (
    OLD_STATE,
    STATE,
    SUMMARY,
    TASKS,
    Server,
    id_of,
    master,
    scheduler,
    task,
    url_of,
)
from tests.finding.make import stats
from tests.real_etcd import VERSIONS, EtcdCluster, etcd_cluster

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=VERSIONS)
def etcd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EtcdCluster]:
    with etcd_cluster(request.param, 1, tmp_path_factory.mktemp("etcd")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    token = "--initial-cluster-token=another"
    with etcd_cluster(VERSIONS[-1], 1, tmp_path_factory.mktemp("another"), token) as cluster:
        yield cluster


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def finder(at: Server, *schedulers: Server, clock: Clock | None = None) -> ClusterFinder:
    urls = tuple(f"http://{one.address}" for one in schedulers)
    wanted = Wanted(cluster_name="c", framework_name="etcd-c", admin_urls=urls)
    return ClusterFinder(wanted, FixedMaster(at.address), clock=clock or Clock())


def test_the_masters_smallest_answers_lead_to_the_cluster(
    servers: list[Server], etcd: EtcdCluster
) -> None:
    """A summary, and the tasks of one framework."""
    there = master(servers, etcd)
    found = finder(there).find()
    assert found.client_urls == (url_of(etcd),)
    assert found.cluster_id == id_of(etcd)
    assert there.asked == [SUMMARY, TASKS]


def test_a_scheduler_spares_the_master(servers: list[Server], etcd: EtcdCluster) -> None:
    """The master is asked nothing while a scheduler tells where the members are."""
    there, word = master(servers, etcd), scheduler(servers, etcd)
    looking = finder(there, word)
    for _ in range(3):
        assert looking.find().client_urls == (url_of(etcd),)
    assert there.asked == []
    assert word.asked == 3 * ["/stats"]


def test_the_scheduler_that_the_master_names_is_asked(
    servers: list[Server], etcd: EtcdCluster
) -> None:
    """Once; from then on it spares the master."""
    word = scheduler(servers, etcd)
    there = master(servers, webui=f"http://{word.address}")
    looking = finder(there)
    found = looking.find()
    assert looking.find() == found
    assert there.asked == [SUMMARY, TASKS]


def test_a_standby_is_no_word(servers: list[Server], etcd: EtcdCluster) -> None:
    """The next one is asked."""
    standby, word = scheduler(servers, etcd, role="standby"), scheduler(servers, etcd)
    there = master(servers)
    assert finder(there, standby, word).find().client_urls == (url_of(etcd),)
    assert there.asked == []


@pytest.mark.parametrize("path", [STATE, OLD_STATE])
def test_an_older_master_is_asked_for_its_state(
    servers: list[Server], etcd: EtcdCluster, path: str
) -> None:
    """Before the summary there was nothing smaller."""
    framework = {"id": "fw-1", "name": "etcd-c", "active": True, "tasks": [task(1, url_of(etcd))]}
    state = {"slaves": [], "frameworks": [framework]}
    there = master(servers, others={SUMMARY: None, path: state})
    assert finder(there).find().client_urls == (url_of(etcd),)
    assert there.asked[-1] == path


def test_a_master_that_cannot_filter_tasks_is_asked_for_its_state(
    servers: list[Server], etcd: EtcdCluster
) -> None:
    """What it lists may not be all."""
    framework = {"id": "fw-1", "name": "etcd-c", "active": True, "tasks": [task(1, url_of(etcd))]}
    others = [task(9, "http://127.0.0.1:1", framework_id="fw-2")]
    bodies = {TASKS: {"tasks": others}, STATE: {"slaves": [], "frameworks": [framework]}}
    there = master(servers, others=bodies)
    assert finder(there).find().client_urls == (url_of(etcd),)
    assert there.asked == [SUMMARY, TASKS, STATE]


def test_two_clusters_that_answer_are_none_without_the_schedulers_word(
    servers: list[Server], etcd: EtcdCluster, another: EtcdCluster
) -> None:
    """After a reseed old members may live on: neither is taken by chance, and the one that the
    scheduler announced is kept when it tells nothing more."""
    there = master(servers, etcd, another)
    with pytest.raises(NotFound, match="members of 2 clusters answer"):
        finder(there).find()
    for announced in (etcd, another):
        word = scheduler(servers, announced)
        looking = finder(there, word)
        found = looking.find()
        assert found.client_urls == (url_of(announced),)
        word.bodies.clear()
        assert looking.find() == found


def test_the_announced_cluster_takes_the_place_of_the_known_one(
    servers: list[Server], etcd: EtcdCluster, another: EtcdCluster
) -> None:
    """Though the known one still answers; and nobody goes back to it, whether the new one answers
    or not."""
    word = scheduler(servers, etcd)
    looking = finder(master(servers, etcd), word)
    assert looking.find().cluster_id == id_of(etcd)
    nowhere = {"clientURL": "http://127.0.0.1:1"}
    word.bodies["/stats"] |= {"cluster_id": id_of(another), "members": [nowhere]}
    with pytest.raises(NotFound, match="connection refused") as caught:
        looking.find()
    assert caught.value.outdated
    said = dict(word.bodies)
    word.bodies.clear()
    with pytest.raises(NotFound, match="has not announced"):
        looking.find()
    word.bodies.update(said)
    word.bodies["/stats"] |= {"members": [{"clientURL": url_of(another)}]}
    found = looking.find()
    assert (found.cluster_id, found.client_urls) == (id_of(another), (url_of(another),))


def test_what_is_not_announced_is_not_found(
    servers: list[Server], etcd: EtcdCluster, another: EtcdCluster
) -> None:
    """Though it answers, and nobody else does: a seed that its scheduler has not verified yet."""
    word = scheduler(servers, etcd, cluster_id=id_of(another), why="verifies the seed")
    looking = finder(master(servers, etcd), word)
    with pytest.raises(NotFound, match="has not announced"):
        looking.find()
    word.bodies.clear()
    for _ in range(2):
        with pytest.raises(NotFound, match="has not announced"):
            looking.find()


def test_a_cluster_that_is_reseeded_is_not_to_be_used(
    servers: list[Server], etcd: EtcdCluster
) -> None:
    """Whatever answers meanwhile may be a seed that is given up; then it is as it was."""
    word = scheduler(servers, etcd)
    looking = finder(master(servers), word)
    found = looking.find()
    word.bodies["/stats"] |= {"phase": "reseeding", "why": "holds"}
    with pytest.raises(NotFound, match="makes another cluster of it: holds") as caught:
        looking.find()
    assert caught.value.outdated
    word.bodies["/stats"] |= {"phase": "healthy"}
    assert looking.find() == found


def test_a_scheduler_without_a_cluster_changes_nothing(
    servers: list[Server], etcd: EtcdCluster
) -> None:
    """It may just load its record."""
    word = scheduler(servers, etcd)
    looking = finder(master(servers), word)
    looking.find()
    word.bodies["/stats"] |= {"cluster_id": "", "members": [], "why": "loads the record"}
    with pytest.raises(NotFound, match="announces no cluster yet: loads the record") as caught:
        looking.find()
    assert not caught.value.outdated


@pytest.mark.parametrize(
    ("bodies", "why"),
    [
        ({SUMMARY: {"slaves": [], "frameworks": []}}, "knows no framework etcd-c"),
        ({TASKS: {"tasks": []}}, "framework etcd-c at the Mesos master .* runs no member yet"),
        ({SUMMARY: None}, "answered 404"),
        ({SUMMARY: 7}, "makes no sense"),
    ],
)
def test_what_is_missing_is_said(servers: list[Server], bodies: dict[str, Any], why: str) -> None:
    """In one line."""
    there = master(servers, others=bodies)
    with pytest.raises(NotFound, match=why) as caught:
        finder(there).find()
    assert "\n" not in str(caught.value)


def test_the_master_is_asked_ever_more_seldom(servers: list[Server]) -> None:
    """While there is no cluster: after 1, 2, 4, 8 and then every 10 s."""
    there, clock, asked_at = master(servers), Clock(), []
    looking = finder(there, clock=clock)
    for second in range(40):
        clock.now = float(second)
        before = len(there.asked)
        with pytest.raises(NotFound):
            looking.find()
        if len(there.asked) > before:
            asked_at.append(second)
    assert asked_at == [0, 1, 3, 7, 15, 25, 35]


def test_a_master_that_is_not_there_is_said() -> None:
    """By its address."""
    wanted = Wanted(cluster_name="c", framework_name="etcd-c")
    with pytest.raises(NotFound, match=r"could not connect to 127\.0\.0\.1:1"):
        ClusterFinder(wanted, FixedMaster("127.0.0.1:1")).find()


@pytest.mark.parametrize(
    "url", ["", "h:1", "https://h:1", "http://h:x", "http://h/path", "http://", "http://h h:1"]
)
def test_what_is_no_admin_url(url: str) -> None:
    """Refused by name, wherever it comes from."""
    with pytest.raises(BadUsage):
        admin_address(url)
    with pytest.raises(NoWord):
        ask_scheduler(url, "c")


def test_the_admin_port_has_a_default() -> None:
    """The scheduler's own."""
    assert str(admin_address("http://h")) == "h:23400"


@pytest.mark.parametrize(
    "body", [{"cluster_name": "d"}, stats(cluster_name="d"), [], "text", stats(role="standby")]
)
def test_what_is_no_word(servers: list[Server], body: Any) -> None:
    """Of another cluster, of a standby, of something else."""
    servers.append(Server({"/stats": body}))
    with pytest.raises(NoWord):
        ask_scheduler(f"http://{servers[-1].address}", "c")
