"""How the adapter behaves in the process it lives in: threads, signals, logs, secrets, TEARDOWN."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import pytest

from etcdmesos.adapters.master_state import MasterStateReader
from etcdmesos.adapters.mesos_connection import Limits, Subscription
from etcdmesos.adapters.mesos_events import SubscriptionEvents
from etcdmesos.adapters.mesos_framework import FixedMaster
from etcdmesos.adapters.mesos_http import Credentials
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.cluster.commands import ReadMasterState, Revive, Subscribe
from etcdmesos.cluster.events import (
    CommandDone,
    CommandFailed,
    CommandUnknown,
    Disconnected,
    Event,
    Subscribed,
)
from etcdmesos.errors import BadUsage
from tests.adapters.mesos.conftest import FRAMEWORK, Posted, Schedulers
from tests.adapters.mesos.scripted_master import Peer, ScriptedMaster, subscribe_and_hold

NEW = Subscribe(framework_id="")
SECRET = "pässwört-5up3r"


def adapter_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("mesos-")]


def test_importing_leaves_signals_and_log_handlers_alone() -> None:
    """pymesos installs a SIGINT handler and a handler on stderr; both are taken back."""
    program = (
        "import signal, logging\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "import etcdmesos.adapters.mesos_scheduler\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
        "assert logging.getLogger('pymesos').handlers == []\n"
        "assert not logging.getLogger('pymesos.process').isEnabledFor(logging.ERROR)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_importing_keeps_a_handler_installed_before() -> None:
    """Also when pymesos was imported by somebody else first."""
    program = (
        "import signal\n"
        "mine = lambda *_: None\n"
        "signal.signal(signal.SIGINT, mine)\n"
        "import pymesos\n"
        "import etcdmesos.adapters.mesos_scheduler\n"
        "assert signal.getsignal(signal.SIGINT) is mine\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_all_threads_are_named_daemons_and_close_ends_them(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """Within seconds, with one Disconnected and without TEARDOWN."""
    assert sorted(adapter_threads()) == ["mesos-calls", "mesos-subscription"]
    assert all(t.daemon for t in threading.enumerate() if t.name.startswith("mesos-"))
    begin = time.monotonic()
    subscribed.close()
    assert time.monotonic() - begin < 15
    assert adapter_threads() == []
    assert posted.next(Disconnected).reason == "the Mesos adapter was closed"
    subscribed.close()
    posted.nothing_more()
    assert master.types() == ["SUBSCRIBE"]


def test_closing_ends_every_command(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """The one under way is unknown, those that wait and those that come later have failed."""
    master.on_call = Peer.hold
    for _ in range(3):
        subscribed.submit(Revive())
    master.wait_for("REVIVE")
    begin = time.monotonic()
    subscribed.close()
    assert time.monotonic() - begin < 15
    subscribed.submit(Revive())
    subscribed.submit(NEW)
    kinds = sorted(type(posted.next(Event)).__name__ for _ in range(6))
    assert kinds == sorted([*["CommandFailed"] * 3, "CommandUnknown", *["Disconnected"] * 2])
    assert master.types() == ["SUBSCRIBE", "REVIVE"]
    posted.nothing_more()


@pytest.mark.parametrize("script", [Peer.hold, lambda peer: peer.subscribed()])
def test_closing_while_subscribing(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted, script: object
) -> None:
    """Whatever the attempt is doing, it ends in Disconnected and no thread is left."""
    master.on_subscribe = script  # type: ignore[assignment]
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    master.wait_for("SUBSCRIBE")
    scheduler.close()
    assert adapter_threads() == []
    assert sum(isinstance(event, Disconnected) for event in posted.all) == 1


def test_closing_at_once(schedulers: Schedulers, master: ScriptedMaster, posted: Posted) -> None:
    """A Subscribe whose turn has not come ends too."""
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    scheduler.close()
    assert isinstance(posted.all[-1], Disconnected)
    assert adapter_threads() == []


def test_no_teardown_however_it_ends(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Not on an exception on pymesos' thread, not on stop, not on a driver told failover=False."""

    class Broken(SubscriptionEvents):
        def processHeartBeat(self, driver: object) -> None:  # noqa: N802
            raise SystemError("as bad as it gets")

    def script(peer: Peer) -> None:
        peer.subscribed()
        peer.event({"type": "HEARTBEAT"})
        peer.hold()

    master.on_subscribe = script
    subscription = Subscription(
        detector=FixedMaster(master.address),
        framework=FRAMEWORK,
        framework_id="",
        credentials=None,
        events=Broken(posted, lambda _ids: None),
        limits=Limits(),
    )
    subscription.start()
    posted.next(Subscribed)
    subscription.stop(failover=False)
    subscription.join(60)
    posted.next(Disconnected)
    assert master.types() == ["SUBSCRIBE"]
    assert adapter_threads() == []


def test_an_error_of_the_adapters_own_interrupts_nobody(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """pymesos raises SIGINT in the main thread on any exception; here it is a Disconnected."""
    interrupted: list[int] = []

    class Detector:
        def leading(self) -> str | None:
            raise SystemError("broken")

        def why_none(self) -> str:
            return ""

    before = signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    try:
        scheduler = MesosScheduler(detector=Detector(), framework=FRAMEWORK, post=posted)
        scheduler.submit(NEW)
        posted.next(Disconnected)
        scheduler.close()
        time.sleep(0)  # a pending signal would be handled here
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupted == []


def test_principal_and_secret_go_as_basic_authorization(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """With SUBSCRIBE, with calls, and with the reading of the state; UTF-8."""
    credentials = Credentials(principal="etcd", secret=SECRET)
    scheduler = schedulers(master.address, credentials=credentials)
    scheduler.submit(NEW)
    posted.next(Subscribed)
    scheduler.submit(Revive())
    posted.next(CommandDone)
    reader = MasterStateReader(
        detector=FixedMaster(master.address),
        framework_name="f",
        post=posted,
        credentials=credentials,
    )
    reader.submit(ReadMasterState(subscription=1))
    posted.next(CommandFailed)
    reader.close()
    sent = [request.headers["authorization"] for request in master.requests]
    assert sent == ["Basic ZXRjZDpww6Rzc3fDtnJ0LTV1cDNy"] * len(master.requests)
    assert len(sent) == 3


def test_the_secret_shows_nowhere(
    master: ScriptedMaster,
    schedulers: Schedulers,
    posted: Posted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in a log, an event or a repr, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    credentials = Credentials(principal="etcd", secret=SECRET)
    scheduler = schedulers(master.address, credentials=credentials, limits=Limits(call_seconds=0.2))
    for script in (
        lambda peer: peer.answer("401 Unauthorized"),
        lambda peer: peer.send(b"garbage"),
        subscribe_and_hold,
    ):
        master.on_subscribe = script
        scheduler.submit(NEW)
        posted.next(Event)
    for call in (lambda peer: peer.answer("403 Forbidden"), Peer.hold, lambda _peer: None):
        master.on_call = call
        scheduler.submit(Revive())
        assert isinstance(posted.next(Event), CommandFailed | CommandUnknown)
    with pytest.raises(BadUsage) as refused:
        Credentials(principal="et:cd", secret=SECRET)
    encoded = credentials.authorization().removeprefix("Basic ")
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    shown = [repr(credentials), repr(scheduler), str(refused.value), repr(posted.all), *logged]
    for text in shown:
        assert SECRET not in text
        assert encoded not in text


def test_log_messages_are_constant(
    master: ScriptedMaster,
    schedulers: Schedulers,
    posted: Posted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What varies is in the record's fields."""
    caplog.set_level(logging.DEBUG)
    scheduler = schedulers(master.address)
    scheduler.submit(NEW)
    posted.next(Subscribed)
    scheduler.close()
    ended = [record for record in caplog.records if record.message == "Mesos subscription ended"]
    assert [record.__dict__["reason"] for record in ended] == ["the Mesos adapter was closed"]


def test_many_attempts_leak_nothing(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Threads, descriptors and memory stay where they are over hundreds of refused attempts."""
    master.on_subscribe = lambda peer: peer.answer("503 Service Unavailable")
    scheduler = schedulers(master.address)

    def attempts(count: int) -> int:
        for _ in range(count):
            scheduler.submit(NEW)
            posted.next(Disconnected)
        return len(_open_descriptors())

    before = attempts(50)
    tracemalloc.start()
    try:
        size = tracemalloc.get_traced_memory()[0]
        assert attempts(200) <= before + 2
        grown = tracemalloc.get_traced_memory()[0] - size
    finally:
        tracemalloc.stop()
    assert grown < 4_000_000, grown
    assert len(adapter_threads()) <= 2


def _open_descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")
