"""One Subscribe is one attempt, and it ends in one event a person understands."""

from __future__ import annotations

import json
import socket

import pytest

from etcdmesos.adapters.mesos_connection import Limits
from etcdmesos.adapters.mesos_framework import FrameworkDescription
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.cluster.commands import Revive, Subscribe
from etcdmesos.cluster.events import (
    CommandDone,
    Disconnected,
    Event,
    FrameworkRefused,
    Subscribed,
)
from tests.adapters.mesos.conftest import FRAMEWORK, Posted, Schedulers
from tests.adapters.mesos.scripted_master import (
    FRAMEWORK_ID,
    STREAM_ID,
    Peer,
    ScriptedMaster,
    offer,
    subscribe_and_hold,
)

NEW = Subscribe(framework_id="")
QUICK = Limits(subscribe_seconds=0.4)


def test_a_new_framework_subscribes(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """The FrameworkInfo goes out as described: no GPU_RESOURCES, no 100 s, checkpointed."""
    schedulers(master.address).submit(NEW)
    assert posted.next(Subscribed) == Subscribed(framework_id=FRAMEWORK_ID, master=master.address)
    request = master.wait_for("SUBSCRIBE")
    assert request.path == "/api/v1/scheduler"
    assert "mesos-stream-id" not in request.headers
    assert "authorization" not in request.headers
    assert request.message == {
        "type": "SUBSCRIBE",
        "subscribe": {
            "framework_info": {
                "user": "root",
                "name": "etcd-demo",
                "failover_timeout": 3600.0,
                "checkpoint": True,
                "capabilities": [{"type": "PARTITION_AWARE"}],
                "webui_url": "http://127.0.0.1:1",
            }
        },
    }


def test_a_known_framework_subscribes_under_its_id_and_roles(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """The id is in the call and in the info, as the master demands; roles need MULTI_ROLE."""
    framework = FrameworkDescription(
        name="etcd-demo",
        user="etcd",
        failover_timeout_seconds=60.0,
        roles=("db", "prod"),
        principal="etcd",
        hostname="h",
    )
    schedulers(master.address, framework=framework).submit(Subscribe(framework_id=FRAMEWORK_ID))
    posted.next(Subscribed)
    message = master.wait_for("SUBSCRIBE").message
    info = message["subscribe"]["framework_info"]
    assert message["framework_id"] == info["id"] == {"value": FRAMEWORK_ID}
    assert info["capabilities"] == [{"type": "PARTITION_AWARE"}, {"type": "MULTI_ROLE"}]
    assert (info["roles"], info["principal"], info["hostname"]) == (["db", "prod"], "etcd", "h")


def test_nobody_listens(schedulers: Schedulers, posted: Posted) -> None:
    """A refused connection is told with the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    schedulers(address).submit(NEW)
    reason = posted.next(Disconnected).reason
    assert reason == f"could not connect to {address}: Connection refused"
    posted.nothing_more()


def test_a_name_that_does_not_exist(schedulers: Schedulers, posted: Posted) -> None:
    """A host name without an address ends the attempt, not the process."""
    schedulers("no-such-host.invalid").submit(NEW)
    assert "could not connect to no-such-host.invalid:5050" in posted.next(Disconnected, 60).reason


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        ("503 Service Unavailable", b"Master has not finished recovery", "recovery"),
        ("400 Bad Request", b"Failed to validate\nscheduler::Call", "validate scheduler::Call"),
        ("401 Unauthorized", b"", "answered 401"),
        ("403 Forbidden", b"x" * 100_000, "xxx…"),
        ("404 Not Found", b"\xff\xfe", "answered 404"),
        ("302 Found", b"", "answered 302"),
    ],
)
def test_an_answer_that_is_no_stream(
    master: ScriptedMaster,
    schedulers: Schedulers,
    posted: Posted,
    status: str,
    body: bytes,
    said: str,
) -> None:
    """Status and text are in the reason, once, and nothing is tried again."""
    master.on_subscribe = lambda peer: peer.answer(status, body)
    schedulers(master.address).submit(NEW)
    reason = posted.next(Disconnected).reason
    assert status[:3] in reason
    assert said in reason
    assert "\n" not in reason
    assert len(reason) < 400
    posted.nothing_more()
    assert master.types() == ["SUBSCRIBE"]


def test_a_refusal_whose_body_never_ends(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """What has come of the text by the time-out is told."""

    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nrecovering")
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address, limits=QUICK).submit(NEW)
    assert "answered 503: recovering" in posted.next(Disconnected).reason


def test_200_without_chunks(master: ScriptedMaster, schedulers: Schedulers, posted: Posted) -> None:
    """A web page on that port is not taken for a master."""
    master.on_subscribe = lambda peer: peer.answer("200 OK", b"<h1>It works</h1>")
    schedulers(master.address).submit(NEW)
    reason = posted.next(Disconnected).reason
    assert "answered 200, but not as an event stream: <h1>It works</h1>" in reason


def test_200_without_a_stream_id(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Without a Mesos-Stream-Id no call could be fenced, so it is no subscription."""

    def script(peer: Peer) -> None:
        peer.begin_stream("X-Nothing: 1")
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    assert "no Mesos-Stream-Id" in posted.next(Disconnected).reason


@pytest.mark.parametrize(
    ("garbage", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP answer"),
        (b"\x00" * 70_000, "no HTTP answer"),
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-", "closed the connection"),
    ],
)
def test_garbage_instead_of_http(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, garbage: bytes, said: str
) -> None:
    """Whatever comes back ends in one Disconnected."""
    master.on_subscribe = lambda peer: peer.send(garbage)
    schedulers(master.address).submit(NEW)
    assert said in posted.next(Disconnected).reason
    posted.nothing_more()


@pytest.mark.parametrize("garbage", [b"hello\n{}", b"-5\n{}", b"9" * 40, b"\n\n"])
def test_garbage_instead_of_recordio(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, garbage: bytes
) -> None:
    """A broken frame ends the stream: nobody can find the next one."""

    def script(peer: Peer) -> None:
        peer.begin_stream()
        peer.chunk(garbage)
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    assert "sent no event stream" in posted.next(Disconnected).reason


def test_a_master_that_accepts_and_says_nothing(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """The subscribe time-out covers everything up to SUBSCRIBED."""
    master.on_subscribe = Peer.hold
    schedulers(master.address, limits=QUICK).submit(NEW)
    reason = posted.next(Disconnected).reason
    assert reason == f"{master.address} accepted the connection and answered nothing within 0.4 s"


def test_a_stream_without_subscribed(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Heartbeats alone are no subscription, and events before SUBSCRIBED are not posted."""

    def script(peer: Peer) -> None:
        peer.begin_stream()
        for number in range(10):
            peer.event({"type": "HEARTBEAT"})
            peer.event({"type": "OFFERS", "offers": {"offers": [offer(number)]}})
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address, limits=QUICK).submit(NEW)
    assert "sent no SUBSCRIBED within 0.4 s" in posted.next(Disconnected).reason
    assert len(posted.all) == 1


def test_a_subscribed_without_sense(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """A SUBSCRIBED that names no framework ends the attempt at once."""

    def script(peer: Peer) -> None:
        peer.begin_stream()
        peer.event({"type": "SUBSCRIBED", "subscribed": {}})
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    assert "SUBSCRIBED without sense" in posted.next(Disconnected).reason


def test_error_instead_of_subscribed(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """The attempt ends in FrameworkRefused and in nothing else."""

    def script(peer: Peer) -> None:
        peer.begin_stream()
        peer.event({"type": "ERROR", "error": {"message": "Framework has been removed"}})
        peer.chunk(b"")

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    assert posted.next(FrameworkRefused).message == "Framework has been removed"
    posted.nothing_more()


def test_one_redirect_is_followed(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """A follower's 307 leads to the leader, whose address is what Subscribed names."""
    follower = ScriptedMaster()
    location = f"Location: //{master.address}/master/api/v1/scheduler"
    follower.on_subscribe = lambda peer: peer.answer("307 Temporary Redirect", b"", location)
    try:
        scheduler = schedulers(follower.address)
        scheduler.submit(NEW)
        assert posted.next(Subscribed).master == master.address
        scheduler.submit(Revive())
        posted.next(CommandDone)
        assert master.types() == ["SUBSCRIBE", "REVIVE"]
        assert follower.types() == ["SUBSCRIBE"]
    finally:
        follower.close()


def test_redirects_in_a_circle(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """After three redirects it is over."""
    location = f"Location: //{master.address}/master/api/v1/scheduler"
    master.on_subscribe = lambda peer: peer.answer("307 Temporary Redirect", b"", location)
    schedulers(master.address).submit(NEW)
    assert "redirected more than 3 times" in posted.next(Disconnected).reason
    assert master.types() == ["SUBSCRIBE"] * 4


@pytest.mark.parametrize(
    "headers", [(), ("Location: /elsewhere",), ("Location: https://a:1/",), ("Location: //[::/",)]
)
def test_a_redirect_to_nowhere(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, headers: tuple[str, ...]
) -> None:
    """A Location without an address of a master ends the attempt."""
    master.on_subscribe = lambda peer: peer.answer("307 Temporary Redirect", b"", *headers)
    schedulers(master.address).submit(NEW)
    assert "redirected to" in posted.next(Disconnected).reason


def test_no_master_is_known(posted: Posted) -> None:
    """A detector that knows no leader ends the attempt."""

    class Nobody:
        def leading(self) -> str | None:
            return None

        def why_none(self) -> str:
            return "nobody leads"

    scheduler = MesosScheduler(detector=Nobody(), framework=FRAMEWORK, post=posted)
    scheduler.submit(NEW)
    assert posted.next(Disconnected).reason == "nobody leads"
    scheduler.close()


def test_a_detector_that_raises(posted: Posted) -> None:
    """An error in the adapter's own code is a Disconnected too; the next attempt is served."""

    class Broken:
        def leading(self) -> str | None:
            raise RuntimeError("broken")

        def why_none(self) -> str:
            return ""

    scheduler = MesosScheduler(detector=Broken(), framework=FRAMEWORK, post=posted)
    for _ in range(2):
        scheduler.submit(NEW)
        assert "an error in the adapter" in posted.next(Disconnected).reason
    scheduler.close()


def test_a_new_subscribe_closes_the_old_one_first(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """The old subscription's Disconnected comes before the new Subscribed; each exactly once."""
    ended: list[str] = []

    def script(peer: Peer) -> None:
        subscribe_and_hold(peer)
        ended.append("old" if len(master.requests) == 1 else "not closed before the next came")

    master.on_subscribe = script
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    posted.next(Subscribed)
    scheduler.submit(Subscribe(framework_id=FRAMEWORK_ID))
    assert "in favour of a new subscription" in posted.next(Disconnected).reason
    posted.next(Subscribed)
    posted.nothing_more()
    assert len(ended) == 1


def test_calls_keep_to_the_subscription_they_were_submitted_under(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """A call that waited while its subscription was replaced fails instead of slipping over."""

    def slow(peer: Peer) -> None:
        peer.hold()

    master.on_call = slow
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    posted.next(Subscribed)
    first, second = Revive(), Revive()
    scheduler.submit(first)
    scheduler.submit(second)
    master.wait_for("REVIVE")
    scheduler.submit(Subscribe(framework_id=FRAMEWORK_ID))
    kinds = [type(posted.next(Event)).__name__ for _ in range(4)]
    assert sorted(kinds) == ["CommandFailed", "CommandUnknown", "Disconnected", "Subscribed"]
    assert kinds[-1] == "Subscribed"
    assert master.types() == ["SUBSCRIBE", "REVIVE", "SUBSCRIBE"]


def test_two_subscribes_at_once(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """The first ends in Disconnected, the second is served."""
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    scheduler.submit(NEW)
    kinds = [type(posted.next(Event)).__name__ for _ in range(2)]
    if kinds == ["Subscribed", "Disconnected"]:  # the first was that quick
        kinds = [*kinds[1:], type(posted.next(Subscribed)).__name__]
    assert kinds == ["Disconnected", "Subscribed"]
    posted.nothing_more()


def test_the_stream_id_goes_with_every_call(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """Calls are fenced by the Mesos-Stream-Id of their subscription."""
    subscribed.submit(Revive())
    posted.next(CommandDone)
    request = master.wait_for("REVIVE")
    assert request.headers["mesos-stream-id"] == STREAM_ID
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body)["framework_id"] == {"value": FRAMEWORK_ID}


def test_another_leading_master_ends_the_subscription_at_the_old_one(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """The old one may live on without the others' knowing; told of the same again, nothing ends."""
    master.on_subscribe = subscribe_and_hold
    scheduler = schedulers(master.address)
    scheduler.master_changed("127.0.0.1:1")
    scheduler.submit(NEW)
    posted.next(Subscribed)
    scheduler.master_changed(master.address)
    posted.nothing_more()
    scheduler.master_changed("127.0.0.1:1")
    reason = posted.next(Disconnected).reason
    assert reason == "the leading Mesos master is 127.0.0.1:1 now"
