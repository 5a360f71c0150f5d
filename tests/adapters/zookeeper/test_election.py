"""The election, on real servers: who may act, who is told of it, and when it ends."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.election import Contender, Election
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from etcdmesos.cluster.events import (
    Event,
    LeaderSeen,
    LeadershipGained,
    LeadershipLost,
    LeadershipSuspended,
)
from tests import real_zookeeper
from tests.real_etcd import until

pytestmark = pytest.mark.real

TIMEOUT = 3.0
LONG = 10.0
"""Where what is tested comes long before the session's end, or is to."""
LIMIT = 60.0
"""Seconds that an event may take on a busy machine."""

HOLDER = """
import sys, threading
from etcdmesos.adapters.election import Contender, Election
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
url = ZooKeeperUrl.parse(sys.argv[1])
election = Election(
    session=ZooKeeperSession(url, timeout_seconds=float(sys.argv[2])),
    path=url.path,
    contender=Contender(host="there", pid=1, admin="there:23400"),
    post=lambda event: print(type(event).__name__, flush=True),
)
election.start()
threading.Event().wait(120)
"""


class Scheduler:
    """One contender, behind a line of its own; `told` is what all of them were told, in order."""

    def __init__(
        self,
        servers: real_zookeeper.ZooKeeperServers,
        path: str,
        name: str,
        timeout: float,
        told: list[tuple[str, Event]],
    ) -> None:
        self.closed = False
        self.line = real_zookeeper.Line(servers.addresses)
        url = ZooKeeperUrl.parse(self.line.url(path))
        self.session = ZooKeeperSession(url, timeout_seconds=timeout)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()

        def post(event: Event) -> None:
            told.append((name, event))
            self.events.put(event)

        self.election = Election(
            session=self.session,
            path=path,
            contender=Contender(host=name, pid=17, admin=f"{name}:23400"),
            post=post,
        )
        self.election.start()

    def next(self) -> Event:
        """The next event."""
        try:
            return self.events.get(timeout=LIMIT)
        except queue.Empty:
            pytest.fail(f"no event within {LIMIT:g} s")

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self.line.thaw()
        self.line.mend()
        self.election.close()
        self.session.close()
        self.line.close()


class Stand:
    """Contenders for the leadership of one framework."""

    def __init__(self, servers: real_zookeeper.ZooKeeperServers) -> None:
        self.servers = servers
        self.path = f"/elections/{uuid.uuid4().hex}/etcd-test"
        self.told: list[tuple[str, Event]] = []
        self._schedulers: list[Scheduler] = []

    def scheduler(self, name: str, timeout: float = TIMEOUT) -> Scheduler:
        made = Scheduler(self.servers, self.path, name, timeout, self.told)
        self._schedulers.append(made)
        return made

    def last_two(self) -> list[tuple[str, type[Event]]]:
        """Who was told what last, in order."""
        return [(name, type(event)) for name, event in self.told[-2:]]

    def close(self) -> None:
        for scheduler in self._schedulers:
            scheduler.close()


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand(real_zookeeper.shared(1))
    yield stand
    stand.close()


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[Stand]:
    with real_zookeeper.zookeeper(3, tmp_path / "zk") as servers:
        stand = Stand(servers)
        yield stand
        stand.close()


def seen(name: str) -> LeaderSeen:
    return LeaderSeen(holder=f"{name}, process 17, admin {name}:23400")


def test_the_first_holds_and_the_others_know_it(stand: Stand) -> None:
    """One acts; the rest stand by, name it, and take over in the order in which they came."""
    one = stand.scheduler("one")
    assert one.next() == LeadershipGained()
    two = stand.scheduler("two")
    assert two.next() == seen("one")
    three = stand.scheduler("three")
    assert three.next() == seen("one")
    one.close()
    assert two.next() == LeadershipGained()
    assert three.next() == seen("two")
    assert one.events.empty()


def test_a_holder_that_ends_in_order_is_followed_at_once(stand: Stand) -> None:
    """Closing the session removes the place: nobody waits for a time-out."""
    one = stand.scheduler("one", LONG)
    one.next()
    two = stand.scheduler("two", LONG)
    two.next()
    began = time.monotonic()
    one.close()
    assert two.next() == LeadershipGained()
    assert time.monotonic() - began < LONG


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_holder_that_is_killed_or_paused_is_followed(
    stand: Stand, number: signal.Signals
) -> None:
    """The session of a process that says nothing expires; one that was merely paused knows, as
    soon as it goes on, that it leads no more."""
    command = [sys.executable, "-c", HOLDER, stand.servers.url(stand.path), str(TIMEOUT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "LeadershipGained\n"
            two = stand.scheduler("two")
            assert two.next() == LeaderSeen(holder="there, process 1, admin there:23400")
            holder.send_signal(number)
            assert two.next() == LeadershipGained()
            if number == signal.SIGSTOP:
                holder.send_signal(signal.SIGCONT)
                assert holder.stdout.readline() in (
                    "LeadershipLost\n",
                    "LeadershipSuspended\n",
                )
        finally:
            holder.kill()


def test_a_frozen_connection_suspends_and_then_loses_within_the_time_out(stand: Stand) -> None:
    """Nothing comes back any more: suspended early enough, lost no later than anybody else can be
    elected, and the other one gains."""
    one = stand.scheduler("one")
    one.next()
    two = stand.scheduler("two")
    two.next()
    one.line.freeze()
    assert isinstance(one.next(), LeadershipSuspended)
    assert isinstance(one.next(), LeadershipLost)
    assert two.next() == LeadershipGained()
    assert stand.last_two() == [("one", LeadershipLost), ("two", LeadershipGained)]
    one.line.cut()
    one.line.thaw()
    one.line.mend()
    assert one.next() == seen("two")


def test_what_zookeeper_grants_counts_and_not_what_was_asked_for(tmp_path: Path) -> None:
    """A server ends the session sooner than we asked for: the leadership is given up before the
    next one has it."""
    with real_zookeeper.zookeeper(1, tmp_path / "zk", tick_ms=150) as servers:
        stand = Stand(servers)
        try:
            one = stand.scheduler("one", timeout=30.0)
            assert one.next() == LeadershipGained()
            assert one.session.timeout_seconds == 3.0
            two = stand.scheduler("two", timeout=30.0)
            assert two.next() == seen("one")
            one.line.freeze()
            assert isinstance(one.next(), LeadershipSuspended)
            assert isinstance(one.next(), LeadershipLost)
            assert two.next() == LeadershipGained()
            assert stand.last_two() == [("one", LeadershipLost), ("two", LeadershipGained)]
        finally:
            stand.close()


def test_a_session_that_outlives_what_was_asked_for_is_given_up_in_time(tmp_path: Path) -> None:
    """Granted more, a holder goes by what it asked for: the others only wait a little longer."""
    with real_zookeeper.zookeeper(1, tmp_path / "zk", tick_ms=1500) as servers:
        stand = Stand(servers)
        try:
            one = stand.scheduler("one", timeout=1.0)
            assert one.next() == LeadershipGained()
            assert one.session.timeout_seconds == 1.0
            one.line.cut()
            assert isinstance(one.next(), LeadershipSuspended)
            lost = one.next()
            assert isinstance(lost, LeadershipLost)
            assert "no answer from ZooKeeper for 1 s" in lost.reason
        finally:
            stand.close()


def test_a_short_interruption_suspends_and_ends(stand: Stand) -> None:
    """Connected again in the same session: the leadership goes on, and nobody else had it."""
    one = stand.scheduler("one", LONG)
    one.next()
    two = stand.scheduler("two", LONG)
    two.next()
    session = one.session.session_id
    one.line.cut()
    assert isinstance(one.next(), LeadershipSuspended)
    one.line.mend()
    assert one.next() == LeadershipGained()
    assert one.session.session_id == session
    assert two.events.empty()


def test_a_session_that_the_server_ended_is_lost(stand: Stand) -> None:
    """Cut off beyond the time-out: lost by our own clock; back again, another session stands at the
    end of the queue."""
    one = stand.scheduler("one")
    one.next()
    one.line.cut()
    assert isinstance(one.next(), LeadershipSuspended)
    lost = one.next()
    assert isinstance(lost, LeadershipLost)
    assert "no answer from ZooKeeper for 3 s" in lost.reason
    two = stand.scheduler("two")
    told = two.next()
    assert (two.next() if told == seen("one") else told) == LeadershipGained()
    one.line.mend()
    assert one.next() == seen("two")


def test_a_place_that_somebody_removed_is_lost_and_taken_again(stand: Stand) -> None:
    """An operator's hand in the queue: no two act, and nobody stands outside for ever."""
    one = stand.scheduler("one")
    one.next()
    path = f"{stand.path}/election"
    (place,) = one.session.ask(lambda client: client.get_children_async(path))
    one.session.ask(lambda client: client.delete_async(f"{path}/{place}"))
    lost = one.next()
    assert isinstance(lost, LeadershipLost)
    assert one.next() == LeadershipGained()


def test_a_holder_survives_the_restart_of_the_server(tmp_path: Path) -> None:
    """ZooKeeper is away for longer than the time-out: lost; when it is back, with its sessions,
    somebody acts again."""
    with real_zookeeper.zookeeper(1, tmp_path / "zk") as servers:
        stand = Stand(servers)
        try:
            one = stand.scheduler("one")
            one.next()
            servers.servers[0].kill()
            assert isinstance(one.next(), LeadershipSuspended)
            assert isinstance(one.next(), LeadershipLost)
            servers.servers[0].start()
            assert one.next() == LeadershipGained()
        finally:
            stand.close()


def test_the_leading_server_killed(ensemble: Stand) -> None:
    """Whatever the ensemble goes through, whoever was told to act acts again or another does, and
    never two."""
    one, two = ensemble.scheduler("one", LONG), ensemble.scheduler("two", LONG)
    until(lambda: not one.events.empty() and not two.events.empty())
    first = {one.next(): one, two.next(): two}
    holder = first[LeadershipGained()]
    other = two if holder is one else one
    ensemble.servers.leader().kill()
    ensemble.servers.wait()
    until(lambda: one.session.connected and two.session.connected)
    # Whoever was connected to a follower may hear nothing of it at all.
    time.sleep(TIMEOUT / 2)
    name = "one" if holder is one else "two"
    until(lambda: last_told(ensemble, name) == LeadershipGained(), "it acts again")
    assert LeadershipGained() not in drained(other)
    holder.close()
    assert other.next() == LeadershipGained()


def last_told(stand: Stand, name: str) -> Event:
    return [event for whom, event in list(stand.told) if whom == name][-1]


def drained(scheduler: Scheduler) -> list[Event]:
    told = []
    while not scheduler.events.empty():
        told.append(scheduler.events.get())
    return told
