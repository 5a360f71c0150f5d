"""Virtual time and the network between parties."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.errors import ImpossibleWorld, Runaway
from etcdmesos.simulation.hosts import Hosts
from etcdmesos.simulation.network import CallFailure, Exchange, Network


class Echo:
    """Answers every request with itself."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    def receive(self, request: Any, exchange: Exchange) -> None:
        self.received.append(request)
        exchange.reply(request)


@pytest.fixture
def network() -> Network:
    network = Network(Clock(), Random(1))
    for party in ("a", "b", "c"):
        network.add_party(party)
    return network


def test_calls_come_in_the_order_of_their_times() -> None:
    """And at one time in the order in which they were asked for; cancelled ones not at all."""
    clock = Clock()
    seen: list[str] = []
    clock.call_at(2.0, seen.append, "c")
    clock.call_at(1.0, seen.append, "a")
    clock.call_at(2.0, seen.append, "d")
    clock.call_at(1.0, seen.append, "b")
    never = clock.call_at(1.5, seen.append, "never")
    never.cancel()
    clock.run_until(5.0)
    assert seen == ["a", "b", "c", "d"]
    assert clock.now == 5.0
    clock.call_at(1.0, seen.append, "late")
    assert clock.next_time() == 5.0
    assert [clock.step(), clock.step()] == [True, False]


def test_a_world_that_runs_in_circles_is_stopped() -> None:
    """Rather than for ever."""
    clock = Clock()

    def again() -> None:
        clock.call_after(0.0, again)

    again()
    with pytest.raises(Runaway):
        clock.run_until(1.0, calls_max=1000)


def test_a_cut_stops_what_is_sent_and_what_is_under_way(network: Network) -> None:
    """One way or both; nothing comes after all unless late messages are wanted."""
    seen: list[str] = []
    network.deliver("a", "b", seen.append, "before")
    network.clock.run_until(1.0)
    network.deliver("a", "b", seen.append, "under way")
    network.cut("a", "b", one_way=True)
    network.deliver("a", "b", seen.append, "cut")
    network.deliver("b", "a", seen.append, "the other way")
    network.deliver("a", "c", seen.append, "elsewhere")
    network.clock.run_until(2.0)
    network.heal_all()
    network.clock.run_until(3.0)
    assert sorted(seen) == ["before", "elsewhere", "the other way"]


def test_late_messages_come_when_a_cut_heals_in_time(network: Network) -> None:
    """As TCP sends again what was not acknowledged, for a while."""
    network.late_probability = 1.0
    seen: list[str] = []
    network.cut("a", "b")
    network.deliver("a", "b", seen.append, "late")
    network.clock.run_until(5.0)
    network.heal("a", "b")
    network.clock.run_until(6.0)
    assert seen == ["late"]
    network.cut("a", "b")
    network.deliver("a", "b", seen.append, "too late")
    network.clock.run_until(60.0)
    network.heal("a", "b")
    network.clock.run_until(61.0)
    assert seen == ["late"]


def test_partitions_and_isolation(network: Network) -> None:
    """Cut every way between groups, or around one party."""
    network.partition(("a",), ("b", "c"))
    assert network.connected("b", "c")
    assert not network.is_open("a", "b")
    assert not network.is_open("c", "a")
    network.heal_all()
    network.isolate("c")
    assert network.connected("a", "b")
    assert not network.connected("a", "c")
    with pytest.raises(ImpossibleWorld):
        network.add_party("a")


def test_calls_end_once_in_an_answer_or_in_how_they_failed(network: Network) -> None:
    """The port of nobody, a cut before and a cut after the request has left."""
    echo = Echo()
    answers: list[Any] = []
    assert network.listen("b", 1, echo)
    assert not network.listen("b", 1, Echo())

    def call(port: int = 1) -> None:
        network.call("a", ("b", port), "hello", 1.0, answers.append)

    call()
    network.clock.run_until(2.0)
    call(2)
    network.clock.run_until(4.0)
    network.cut("b", "a", one_way=True)
    call()
    network.clock.run_until(6.0)
    network.heal_all()
    network.slow("a", "b", 0.5)
    call()
    network.clock.run_until(6.7)
    network.cut("a", "b")
    network.clock.run_until(8.0)
    assert answers == [
        "hello",
        CallFailure.REFUSED,
        CallFailure.NO_CONNECTION,
        CallFailure.NO_ANSWER,
    ]
    assert echo.received == ["hello", "hello"]


def test_disks_outlive_their_host() -> None:
    """What lies at a path can be renamed, copied and deleted, and a power cut leaves it alone."""
    clock = Clock()
    network = Network(clock, Random(1))
    hosts = Hosts(clock, network, Random(1))
    host = hosts.add("a")

    class Page:
        def copy(self) -> Page:
            return Page()

    page = Page()
    host.disk.write("/x", page)
    host.disk.rename("/x", "/y")
    host.disk.copy("/y", "/z")
    host.power_off()
    host.power_on()
    assert host.disk.paths == ("/y", "/z")
    assert host.disk.read("/y") is page
    assert host.disk.read("/z") is not page
    with pytest.raises(ImpossibleWorld):
        host.disk.write("/z", page)
    host.disk.delete("/z")
    assert host.disk.read("/z") is None
    host.disk.stalled_until = 3.0
    assert host.disk.fsync_seconds() > 3.0
