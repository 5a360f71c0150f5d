"""What comes down the stream becomes one event each, and nothing that comes ends the process."""

from __future__ import annotations

import base64
import logging
import socket
import time
from typing import Any

import pytest

from etcdmesos.cluster.commands import Acknowledge, Revive, Subscribe
from etcdmesos.cluster.events import (
    AgentLost,
    CommandDone,
    CommandFailed,
    Disconnected,
    ExecutorLost,
    ExecutorSaid,
    FrameworkRefused,
    OfferRescinded,
    OffersReceived,
    Subscribed,
    TaskUpdated,
)
from etcdmesos.mesos import recordio
from etcdmesos.mesos.statuses import TaskState
from tests.adapters.mesos.conftest import Posted, Schedulers
from tests.adapters.mesos.scripted_master import (
    FRAMEWORK_ID,
    Peer,
    ScriptedMaster,
    offer,
    subscribe_and_hold,
    subscribed_event,
)

NEW = Subscribe(framework_id="")

STATUS = {
    "task_id": {"value": "t-1"},
    "state": "TASK_RUNNING",
    "agent_id": {"value": "agent-1"},
    "uuid": "8z2sT0y1QyqPp1m6V1c3Zg==",
}
LAST = {"type": "OFFERS", "offers": {"offers": [offer(99)]}}


def subscribe_to(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, *events: object
) -> None:
    """Subscribe at a master that sends `events` after SUBSCRIBED."""

    def script(peer: Peer) -> None:
        peer.subscribed()
        for event in events:
            peer.event(event)
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    posted.next(Subscribed)


def test_each_event_becomes_ours(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """One posted event for each event of Mesos; heartbeats become none."""
    agent, executor = {"value": "agent-1"}, {"value": "etcd-1"}
    message = {
        "agent_id": agent,
        "executor_id": executor,
        "data": base64.b64encode(b"\x00hi").decode(),
    }
    subscribe_to(
        master,
        schedulers,
        posted,
        {"type": "HEARTBEAT"},
        {"type": "OFFERS", "offers": {"offers": [offer(1), offer(2)]}},
        {"type": "RESCIND", "rescind": {"offer_id": {"value": "o-1"}}},
        {"type": "UPDATE", "update": {"status": STATUS}},
        {"type": "MESSAGE", "message": message},
        {"type": "FAILURE", "failure": {"agent_id": agent}},
        {"type": "FAILURE", "failure": {"agent_id": agent, "executor_id": executor, "status": 9}},
        {"type": "FAILURE", "failure": {"agent_id": agent, "executor_id": executor}},
    )
    assert [o.id for o in posted.next(OffersReceived).offers] == ["o-1", "o-2"]
    assert posted.next(OfferRescinded).offer_id == "o-1"
    status = posted.next(TaskUpdated).status
    assert (status.task_id, status.state, status.uuid) == (
        "t-1",
        TaskState.RUNNING,
        STATUS["uuid"],
    )
    said = posted.next(ExecutorSaid)
    assert (said.agent_id, said.executor_id, said.data) == ("agent-1", "etcd-1", b"\x00hi")
    assert posted.next(AgentLost).agent_id == "agent-1"
    lost = ExecutorLost(agent_id="agent-1", executor_id="etcd-1", wait_status=9)
    assert posted.next(ExecutorLost) == lost
    assert posted.next(ExecutorLost).wait_status == -1
    posted.nothing_more()


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        7,
        None,
        "HEARTBEAT",
        {"type": None},
        {"type": "NEW_IN_MESOS_2", "new_in_mesos_2": {}},
        {"type": "CLOSE", "close": {}},
        {"type": "EVENT", "event": {"type": "EVENT"}},
        {"type": "OFFERS"},
        {"type": "OFFERS", "offers": None},
        {"type": "OFFERS", "offers": {"offers": 7}},
        {"type": "RESCIND", "rescind": {}},
        {"type": "UPDATE", "update": {"status": {}}},
        {"type": "UPDATE", "update": {"status": {**STATUS, "state": "TASK_DREAMING"}}},
        {"type": "MESSAGE", "message": {"agent_id": {}, "executor_id": {}, "data": "aGk="}},
        {
            "type": "MESSAGE",
            "message": {
                "agent_id": {"value": "a"},
                "executor_id": {"value": "e"},
                "data": "no base64!",
            },
        },
        {"type": "FAILURE", "failure": {}},
        {"type": "FAILURE", "failure": 7},
        {"type": "UPDATE_OPERATION_STATUS", "update_operation_status": {"status": {}}},
        subscribed_event(),
    ],
)
def test_an_event_that_makes_no_sense_is_logged_and_skipped(
    master: ScriptedMaster,
    schedulers: Schedulers,
    posted: Posted,
    caplog: pytest.LogCaptureFixture,
    event: object,
) -> None:
    """The next event arrives as if nothing had been; the log names the type."""
    subscribe_to(master, schedulers, posted, event, LAST)
    assert posted.next(OffersReceived).offers[0].id == "o-99"
    skipped = [record for record in caplog.records if record.message.startswith("skipped")]
    assert skipped, caplog.records


def test_a_record_that_is_no_json_is_skipped(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Its frame is sound, so the stream goes on; an empty record and deep nesting too."""

    def script(peer: Peer) -> None:
        peer.subscribed()
        for record in (b"{", b"", b"\xff\xff", b"[" * 200_000):
            peer.chunk(recordio.encode(record))
        peer.event(LAST)
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    posted.next(Subscribed)
    posted.next(OffersReceived)


def test_one_bad_offer_does_not_spoil_the_others(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """It is skipped; an OFFERS of bad ones only is not posted."""
    bad: list[Any] = [{}, 7, offer(5, resources=[{}]), offer(6, attributes=[{"type": "SCALAR"}])]
    subscribe_to(
        master,
        schedulers,
        posted,
        {"type": "OFFERS", "offers": {"offers": [bad[0], offer(1), *bad[1:], offer(2)]}},
        {"type": "OFFERS", "offers": {"offers": bad}},
        LAST,
    )
    assert [o.id for o in posted.next(OffersReceived).offers] == ["o-1", "o-2"]
    assert [o.id for o in posted.next(OffersReceived).offers] == ["o-99"]


def test_updates_are_acknowledged_only_when_asked(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """pymesos would acknowledge at once; here the controller does, when it has saved."""

    def script(peer: Peer) -> None:
        peer.subscribed()
        peer.event({"type": "UPDATE", "update": {"status": STATUS}})
        peer.hold()

    master.on_subscribe = script
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    posted.next(Subscribed)
    status = posted.next(TaskUpdated).status
    scheduler.submit(Revive())  # calls are in order: an acknowledgement would be before it
    posted.next(CommandDone)
    assert master.types() == ["SUBSCRIBE", "REVIVE"]
    scheduler.submit(Acknowledge(status=status))
    posted.next(CommandDone)
    assert master.wait_for("ACKNOWLEDGE").message["acknowledge"] == {
        key: STATUS[key] for key in ("agent_id", "task_id", "uuid")
    }


def test_inverse_offers_are_declined_at_once(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Nothing above knows maintenance, and an unanswered inverse offer would stay open."""
    inverse = {"inverse_offers": [{"id": {"value": "io-1"}}, {"id": {"value": "io-2"}}]}
    subscribe_to(
        master, schedulers, posted, {"type": "INVERSE_OFFERS", "inverse_offers": inverse}, LAST
    )
    posted.next(OffersReceived)
    declined = master.wait_for("DECLINE_INVERSE_OFFERS").message["decline_inverse_offers"]
    assert declined["inverse_offer_ids"] == [{"value": "io-1"}, {"value": "io-2"}]
    posted.nothing_more()


def test_error_on_an_established_subscription(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """FrameworkRefused, then the one Disconnected, and nothing of what follows."""
    subscribe_to(
        master,
        schedulers,
        posted,
        {"type": "ERROR", "error": {"message": "Framework failed over"}},
        LAST,
    )
    assert posted.next(FrameworkRefused).message == "Framework failed over"
    assert posted.next(Disconnected).reason == "the master sent ERROR: Framework failed over"
    posted.nothing_more()


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (b"", "closed the connection"),
        (b"5\r\n100\n{\r\n", "closed the connection"),
        (b"ff\r\n100\n{", "closed the connection"),
        (b"0\r\n\r\n", "ended the event stream"),
        (b"zz\r\n", "no HTTP answer"),
    ],
)
def test_the_end_of_a_stream(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, last: bytes, said: str
) -> None:
    """Cut between or in the middle of records: one Disconnected, and calls fail from then on."""

    def script(peer: Peer) -> None:
        peer.subscribed()
        peer.event(LAST)
        peer.send(last)

    master.on_subscribe = script
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    posted.next(Subscribed)
    posted.next(OffersReceived)
    assert said in posted.next(Disconnected).reason
    scheduler.submit(Revive())
    posted.next(CommandFailed)
    posted.nothing_more()
    assert master.types() == ["SUBSCRIBE"]


def test_a_connection_that_is_reset(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """RST instead of FIN."""

    def script(peer: Peer) -> None:
        peer.subscribed()
        while not posted.all:
            time.sleep(0.01)
        linger_zero = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        peer._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    posted.next(Subscribed)
    assert "reset by peer" in posted.next(Disconnected).reason


def test_the_scheduler_outlives_a_bad_master_and_subscribes_again(
    master: ScriptedMaster,
    schedulers: Schedulers,
    posted: Posted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After garbage the same scheduler serves the next Subscribe, and no error was its own."""
    caplog.set_level(logging.DEBUG)
    scheduler = schedulers(master.address)
    master.on_subscribe = lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n")
    scheduler.submit(NEW)
    posted.next(Disconnected)
    master.on_subscribe = subscribe_and_hold
    scheduler.submit(Subscribe(framework_id=FRAMEWORK_ID))
    posted.next(Subscribed)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
