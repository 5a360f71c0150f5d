"""A scripted master, a scheduler pointed at it, and what the scheduler posted."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

import pytest

from etcdmesos.adapters.mesos_connection import Limits
from etcdmesos.adapters.mesos_framework import FixedMaster, FrameworkDescription
from etcdmesos.adapters.mesos_http import Credentials
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.cluster.commands import Subscribe
from etcdmesos.cluster.events import Event, Subscribed
from tests.adapters.mesos.scripted_master import ScriptedMaster

E = TypeVar("E", bound=Event)

FRAMEWORK = FrameworkDescription(
    name="etcd-demo", user="root", failover_timeout_seconds=3600.0, webui_url="http://127.0.0.1:1"
)


class Posted:
    """Takes events as the runtime would, and lets a test wait for them."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._queue: queue.Queue[Event] = queue.Queue()

    def __call__(self, event: Event, /) -> None:
        self.all.append(event)
        self._queue.put(event)

    def next(self, kind: type[E], seconds: float = 60.0) -> E:
        """The next event, which must be of this kind."""
        try:
            event = self._queue.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no {kind.__name__} within {seconds} s: {self.all}") from None
        assert isinstance(event, kind), event
        return event

    def nothing_more(self, seconds: float = 0.2) -> None:
        """Fails if another event comes within `seconds`."""
        with pytest.raises(queue.Empty):
            raise AssertionError(f"unexpected {self._queue.get(timeout=seconds)}")


class Schedulers:
    """Makes schedulers and closes them at the end of the test."""

    def __init__(self, posted: Posted) -> None:
        self._posted = posted
        self._made: list[MesosScheduler] = []

    def __call__(
        self,
        address: str,
        *,
        limits: Limits | None = None,
        credentials: Credentials | None = None,
        framework: FrameworkDescription = FRAMEWORK,
    ) -> MesosScheduler:
        scheduler = MesosScheduler(
            detector=FixedMaster(address),
            framework=framework,
            post=self._posted,
            credentials=credentials,
            limits=limits,
        )
        self._made.append(scheduler)
        return scheduler

    def close(self) -> None:
        for scheduler in self._made:
            scheduler.close()


@pytest.fixture
def posted() -> Posted:
    return Posted()


@pytest.fixture
def master() -> Iterator[ScriptedMaster]:
    scripted = ScriptedMaster()
    yield scripted
    scripted.close()


@pytest.fixture
def schedulers(posted: Posted, master: ScriptedMaster) -> Iterator[Schedulers]:
    # Depends on the master so that schedulers close first, as their connections hold it up.
    made = Schedulers(posted)
    yield made
    made.close()


@pytest.fixture
def subscribed(master: ScriptedMaster, schedulers: Schedulers, posted: Posted) -> MesosScheduler:
    """A scheduler whose subscription is up at a master that takes every call."""
    scheduler = schedulers(master.address, limits=Limits(call_seconds=30.0))
    scheduler.submit(Subscribe(framework_id=""))
    posted.next(Subscribed)
    return scheduler


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 60
    while left := [t for t in threading.enumerate() if t not in before and t.is_alive()]:
        assert time.monotonic() < deadline, f"threads left: {left}"
        left[0].join(0.1)
