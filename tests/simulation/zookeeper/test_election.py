"""The simulated election says what the real one does: see tests/adapters/zookeeper."""

from __future__ import annotations

from random import Random

from etcdmesos.cluster.events import (
    LeaderSeen,
    LeadershipGained,
    LeadershipLost,
    LeadershipSuspended,
)
from etcdmesos.simulation.channel import Channels
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.network import Network
from etcdmesos.simulation.process_clock import ProcessClock
from etcdmesos.simulation.zookeeper.client import Client
from etcdmesos.simulation.zookeeper.election import Election
from etcdmesos.simulation.zookeeper.requests import Create, Transaction
from etcdmesos.simulation.zookeeper.service import ADDRESS, ZooKeeper
from etcdmesos.step import Event

SESSION = 3.0
PATH = "/election"


class Stand:
    """ZooKeeper, and contenders on machines of their own."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, Random(1))
        self.service = ZooKeeper(self.network, Random(1), lambda *_: None)
        self.service.tree.answer(Transaction((Create(PATH),)), session=0)
        self._channels = Channels(self.network)
        self.count = 0

    def contender(self) -> Contender:
        self.count += 1
        return Contender(self, self._channels, self.count)

    def run(self, seconds: float) -> None:
        self.clock.run_until(self.clock.now + seconds)


class Contender:
    """One scheduler's part; `heard` is what it was told since last asked."""

    def __init__(self, stand: Stand, channels: Channels, number: int) -> None:
        self.host = f"host-{number}"
        stand.network.add_party(self.host)
        self.clock = ProcessClock(stand.clock)
        self.client = Client(stand.service, channels, self.clock, self.host, number, SESSION)
        self._heard: list[Event] = []
        self._told = 0
        self.client.start()
        Election(self.client, self.clock, PATH, f"c{number}", self._heard.append).start()
        stand.run(0.5)

    def heard(self) -> list[type[Event]]:
        new, self._told = self._heard[self._told :], len(self._heard)
        return [type(event) for event in new]


def two() -> tuple[Stand, Contender, Contender]:
    """One that leads and one that stands by."""
    stand = Stand()
    first, second = stand.contender(), stand.contender()
    assert (first.heard(), second.heard()) == ([LeadershipGained], [LeaderSeen])
    return stand, first, second


def test_one_holds_and_the_next_follows_when_it_ends_in_order() -> None:
    stand, first, second = two()
    stand.run(60.0)
    assert (first.heard(), second.heard()) == ([], [])
    first.client.close()
    stand.run(0.1)
    assert second.heard() == [LeadershipGained]


def test_the_killed_is_followed_when_its_session_has_expired_and_not_before() -> None:
    stand, first, second = two()
    first.client.abandon()
    stand.run(SESSION - 1.0)
    assert second.heard() == []
    stand.run(3.0)
    assert second.heard() == [LeadershipGained]


def test_who_is_cut_off_is_suspended_and_loses_before_anybody_is_elected() -> None:
    stand, first, second = two()
    stand.network.cut(first.host, ADDRESS[0])
    lost_at = gained_at = None
    said: list[type[Event]] = []
    for _ in range(80):
        stand.run(0.1)
        said += first.heard()
        lost_at = lost_at or (stand.clock.now if LeadershipLost in said else None)
        gained_at = gained_at or (stand.clock.now if second.heard() else None)
    assert said == [LeadershipSuspended, LeadershipLost]
    assert lost_at is not None
    assert gained_at is not None
    assert lost_at <= gained_at
    stand.network.heal(first.host, ADDRESS[0])
    stand.run(2.0)
    assert first.heard() == [LeaderSeen]


def test_a_short_cut_only_suspends() -> None:
    stand, first, second = two()
    stand.network.cut(first.host, ADDRESS[0])
    stand.run(SESSION * 0.6)
    stand.network.heal(first.host, ADDRESS[0])
    stand.run(2.0)
    assert first.heard() == [LeadershipSuspended, LeadershipGained]
    assert second.heard() == []


def test_sessions_outlive_servers_that_are_away() -> None:
    stand, first, second = two()
    stand.service.go_away()
    stand.run(1.0)
    stand.service.come_back()
    stand.run(2.0)
    assert first.heard() == [LeadershipSuspended, LeadershipGained]
    assert second.heard() == []


def test_who_stood_still_learns_of_it_by_its_own_clock() -> None:
    stand, first, second = two()
    first.clock.stop()
    stand.run(60.0)
    assert (first.heard(), second.heard()) == ([], [LeadershipGained])
    first.clock.go_on()
    assert first.heard() == [LeadershipLost]
    stand.run(2.0)
    assert first.heard() == [LeaderSeen]
