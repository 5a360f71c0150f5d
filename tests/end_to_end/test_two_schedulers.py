"""Several schedulers of one cluster, with real ZooKeeper: one acts, the others stand by."""

from __future__ import annotations

import http.client
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.schedulers import Scheduler, Stand, healthy, listed, names, stand
from tests.end_to_end.stand import get, until
from tests.real_zookeeper import line, zookeeper

SESSION = 4.0
"""Seconds; on a machine so busy that nothing runs for as long, sessions end by themselves."""
TAKEOVER = SESSION + 20.0
"""Seconds within which the next one has to act, however busy the machine is."""


def standing(here: Stand, url: str, session: float = SESSION) -> Scheduler:
    return here.scheduler(
        f"-zk-framework-persist={url}", f"-zk-session-timeout-seconds={session:g}", artifact_port=0
    )


def waits(scheduler: Scheduler, holder: Scheduler) -> None:
    """It stands by, says for whom, and shows what is on record."""
    until(lambda: holder.admin in scheduler.stats()["why"], "it stands by")
    assert scheduler.stats()["role"] == "standby"
    until(lambda: names(scheduler) == names(holder), "it shows the record")
    assert get(scheduler.admin, "/livez")[0] == 200
    assert get(scheduler.admin, "/healthz")[0] == 500
    connection = http.client.HTTPConnection(scheduler.admin, timeout=60)
    connection.request("POST", "/reseed")
    answer = connection.getresponse()
    assert (answer.status, holder.admin in answer.read().decode()) == (409, True)
    connection.close()


def takes_over(next_one: Scheduler, end: Callable[[], object]) -> None:
    """Within the session's time-out and a little; then all is well."""
    epoch = next_one.stats()["epoch"]
    end()
    began = time.monotonic()
    until(lambda: next_one.stats()["epoch"] > epoch, "the next one acts", pause=0.02)
    assert time.monotonic() - began < TAKEOVER
    healthy(next_one)


def test_the_leader_is_killed_paused_and_cut_off(tmp_path: Path) -> None:
    """Each time the next one takes over the same framework and the same processes; and the one
    that led before ends, having changed nothing more."""
    with zookeeper(1, tmp_path / "zookeeper") as servers, stand(tmp_path) as here:
        url = servers.url("/made/if/missing")
        killed = standing(here, url)
        healthy(killed)
        paused = standing(here, url)
        waits(paused, killed)
        framework, gang = here.frameworks(), names(killed)
        pids = here.etcds(*gang)
        takes_over(paused, killed.kill)

        with line(servers) as between:
            cut = standing(here, between.url("/made/if/missing"))
            waits(cut, paused)
            takes_over(cut, lambda: paused.signal(signal.SIGSTOP))
            assert here.etcds(*gang) == pids
            here.end_member(gang[0])
            until(lambda: gang[0] not in names(cut) and names(cut), "it is removed")
            healthy(cut)
            before = listed(here, cut)
            paused.signal(signal.SIGCONT)
            assert paused.ended() == 1

            last = standing(here, url)
            waits(last, cut)
            takes_over(last, between.freeze)
            assert cut.ended() == 1
        assert listed(here, last) == before == sorted(names(last))
        assert here.etcds(*gang[1:]) == {name: pids[name] for name in gang[1:]}
        assert here.frameworks() == framework
        assert last.stats()["epoch"] == 4


def test_of_three_exactly_one_takes_over(tmp_path: Path) -> None:
    """The leader killed, again and again: one of the others acts in time, the rest stand by for
    it; nobody notices anything else."""
    with zookeeper(1, tmp_path / "zookeeper") as servers, stand(tmp_path) as here:
        url = servers.url("/etcd")
        leader = standing(here, url)
        healthy(leader)
        framework, gang = here.frameworks(), names(leader)
        pids = here.etcds(*gang)
        others = [standing(here, url) for _ in range(2)]
        for standby in others:
            waits(standby, leader)
        while others:
            leader.kill()
            began = time.monotonic()
            until(lambda: "leader" in roles(others), "one of them acts", pause=0.02)
            assert time.monotonic() - began < TAKEOVER
            leader = others.pop(roles(others).index("leader"))
            for standby in others:
                waits(standby, leader)
            healthy(leader)
        assert leader.stats()["epoch"] == 3
        assert here.frameworks() == framework
        assert here.etcds(*gang) == pids


def roles(schedulers: list[Scheduler]) -> list[str]:
    """What each of them says it is; never two of them that they lead."""
    told = [scheduler.stats()["role"] for scheduler in schedulers]
    assert told.count("leader") <= 1
    return told


def test_zookeeper_is_down_while_a_member_dies(tmp_path: Path) -> None:
    """Nothing is changed meanwhile; then it is replaced, by the same process."""
    with zookeeper(1, tmp_path / "zookeeper", tick_ms=1500) as servers, stand(tmp_path) as here:
        # Longer than a server takes to start on a busy machine: the session is to outlive it.
        scheduler = standing(here, servers.url("/etcd"), session=30.0)
        healthy(scheduler)
        lost, *stay = names(scheduler)
        pids = here.etcds(*stay)
        servers.servers[0].kill()
        here.end_member(lost)
        until(lambda: scheduler.stats()["role"] == "suspended", "it stops")
        assert names(scheduler) == [lost, *stay]
        assert get(scheduler.admin, "/healthz")[0] == 200
        servers.start()
        until(lambda: lost not in names(scheduler) and names(scheduler), "it is removed")
        healthy(scheduler)
        assert here.etcds(*stay) == pids
        assert len(listed(here, scheduler)) == 3


AWAY = 60.0


@pytest.mark.long
@pytest.mark.timeout(300)
def test_zookeeper_is_away_for_a_minute(tmp_path: Path) -> None:
    """Longer than the session: the scheduler ends, and those that its supervisor starts wait; etcd
    serves, nothing is changed; and then the dead member is replaced."""
    with zookeeper(1, tmp_path / "zookeeper") as servers, stand(tmp_path) as here:
        first = standing(here, servers.url("/etcd"))
        healthy(first)
        lost, *stay = names(first)
        urls = [m["clientURL"] for m in first.stats()["members"] if m["name"] in stay]
        pids = here.etcds(*stay)
        servers.servers[0].kill()
        here.end_member(lost)
        assert first.ended() == 1
        second = standing(here, servers.url("/etcd"))
        back = time.monotonic() + AWAY
        while time.monotonic() < back:
            assert get(urls[0].removeprefix("http://"), "/health")[0] == 200
            assert second.daemon.process.poll() is None
            time.sleep(1.0)
        assert second.stats()["role"] == "standby"
        assert here.etcds(*stay) == pids
        servers.start()
        until(lambda: lost not in names(second) and names(second), "it is removed")
        healthy(second)
        assert here.etcds(*stay) == pids
