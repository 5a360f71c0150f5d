"""What a real master sent, byte for byte, comes out as the events it meant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from etcdmesos.cluster.commands import Subscribe
from etcdmesos.cluster.events import (
    AgentLost,
    Disconnected,
    Event,
    FrameworkRefused,
    OfferRescinded,
    OffersReceived,
    Subscribed,
    TaskUpdated,
)
from etcdmesos.mesos.statuses import TaskState
from tests.adapters.mesos.conftest import Posted, Schedulers
from tests.adapters.mesos.scripted_master import ScriptedMaster

CAPTURES = Path(__file__).parents[2] / "data" / "mesos-captures"


def events_of(
    name: str, master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> list[Event]:
    raw = (CAPTURES / name).read_bytes()
    master.on_subscribe = lambda peer: peer.send(raw)
    schedulers(master.address).submit(Subscribe(framework_id=""))
    first = last = posted.next(Event)
    while isinstance(first, Subscribed) and not isinstance(last, Disconnected):
        last = posted.next(Event)
    posted.nothing_more(0.05)
    return posted.all


def test_a_life(
    master: ScriptedMaster,
    schedulers: Schedulers,
    posted: Posted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The story of life.console.txt: offers, launches, kills, until another scheduler took over."""
    events = events_of("stream_life.raw", master, schedulers, posted)
    raw = (CAPTURES / "stream_life.raw").read_bytes()
    counts = Counter(type(event) for event in events)
    assert events[0] == Subscribed(
        framework_id="d558b78c-d632-4e2f-83f8-db3f1fcd699c-0005", master=master.address
    )
    assert counts[OffersReceived] == raw.count(b'{"type":"OFFERS"')
    assert counts[TaskUpdated] == raw.count(b'{"type":"UPDATE"')
    assert counts[TaskUpdated] > 20
    refused, disconnected = events[-2:]
    assert refused == FrameworkRefused(message="Framework failed over")
    assert disconnected == Disconnected(reason="the master sent ERROR: Framework failed over")
    assert not [record for record in caplog.records if record.message.startswith("skipped")]


def test_an_agent_that_dies_and_returns(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """RESCIND when the connection breaks, UNREACHABLE and FAILURE later, RUNNING at its return."""
    events = events_of("stream_ha_partition_aware.raw", master, schedulers, posted)
    kinds = [type(event) for event in events]
    states = [event.status.state for event in events if isinstance(event, TaskUpdated)]
    assert OfferRescinded in kinds or AgentLost in kinds
    assert TaskState.UNREACHABLE in states
    after = states[states.index(TaskState.UNREACHABLE) :]
    assert TaskState.RUNNING in after
    assert kinds[-1] is Disconnected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stream_sub_torn_down.raw", "Framework has been removed"),
        ("stream_sub_bad_role.raw", "not a valid role"),
    ],
)
def test_a_framework_that_is_refused(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, name: str, message: str
) -> None:
    """One ERROR and the last chunk: one FrameworkRefused."""
    [event] = events_of(name, master, schedulers, posted)
    assert isinstance(event, FrameworkRefused)
    assert message in event.message
