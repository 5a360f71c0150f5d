"""A subscription lives as long as its heartbeats come."""

from __future__ import annotations

import pytest

from etcdmesos.cluster.commands import Revive, Subscribe
from etcdmesos.cluster.events import (
    CommandFailed,
    Disconnected,
    OffersReceived,
    Subscribed,
)
from tests.adapters.mesos.conftest import Posted, Schedulers
from tests.adapters.mesos.scripted_master import (
    Peer,
    ScriptedMaster,
    offer,
)

NEW = Subscribe(framework_id="")


def test_missed_heartbeats_end_a_half_open_connection(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Three intervals without an event, and the subscription is over."""

    def script(peer: Peer) -> None:
        peer.subscribed(heartbeat_seconds=0.1)
        peer.hold()

    master.on_subscribe = script
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    posted.next(Subscribed)
    reason = posted.next(Disconnected).reason
    assert reason == f"no heartbeat from {master.address} for 0.3 s"
    scheduler.submit(Revive())
    assert posted.next(CommandFailed).reason == "not subscribed"
    posted.nothing_more()
    assert master.types() == ["SUBSCRIBE"]


def test_bytes_that_complete_no_event_are_no_heartbeat(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """A broken length would swallow heartbeats for ever: only events count."""

    def script(peer: Peer) -> None:
        peer.subscribed(heartbeat_seconds=0.2)
        peer.chunk(b"99999999\n")
        for _ in range(100):
            if Disconnected in map(type, posted.all):
                return
            peer.event({"type": "HEARTBEAT"})
            peer._stopping.wait(0.1)

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    posted.next(Subscribed)
    assert "no heartbeat" in posted.next(Disconnected).reason


def test_heartbeats_keep_the_subscription(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """As long as they come in time, nothing is disconnected."""

    def script(peer: Peer) -> None:
        peer.subscribed(heartbeat_seconds=0.6)
        for _ in range(24):
            peer.event({"type": "HEARTBEAT"})
            peer._stopping.wait(0.1)
        peer.event({"type": "OFFERS", "offers": {"offers": [offer(1)]}})
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    posted.next(Subscribed)
    posted.next(OffersReceived)


@pytest.mark.parametrize("interval", [0, -1, "soon", None, float("inf")])
def test_a_heartbeat_interval_without_sense_is_not_believed(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, interval: object
) -> None:
    """The default of 15 s stands in for it."""

    def script(peer: Peer) -> None:
        peer.subscribed(interval)  # type: ignore[arg-type]
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    posted.next(Subscribed)
    posted.nothing_more(0.1)
