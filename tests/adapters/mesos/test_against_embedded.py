"""The adapter against the embedded Mesos: real HTTP, a real executor process, a real failover."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from etcdmesos.adapters.master_state import MasterStateReader
from etcdmesos.adapters.mesos_framework import FixedMaster
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.cluster.commands import (
    Acknowledge,
    Command,
    Decline,
    Kill,
    Launch,
    ReadMasterState,
    Reconcile,
    Revive,
    SendMessage,
    Shutdown,
    Subscribe,
    Suppress,
    Teardown,
)
from etcdmesos.cluster.events import (
    CommandDone,
    CommandFailed,
    Disconnected,
    Event,
    ExecutorLost,
    ExecutorSaid,
    MasterStateRead,
    OffersReceived,
    Subscribed,
    TaskUpdated,
)
from etcdmesos.embedded import EmbeddedMesos, running
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import take_scalar
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from tests.adapters.mesos.conftest import FRAMEWORK, Posted, Schedulers
from tests.embedded.scheduler import TINY_EXECUTOR, control

E = TypeVar("E", bound=Event)


class Session:
    """A scheduler at the embedded Mesos; remembers every event and waits for those of interest."""

    def __init__(self, scheduler: MesosScheduler, posted: Posted) -> None:
        self.scheduler = scheduler
        self._posted = posted
        self._seen: list[Event] = []

    def wait(self, kind: type[E], wanted: Callable[[E], bool] = lambda _: True) -> E:
        """The first event of that kind not waited for before; others stay for later."""
        while True:
            for event in self._seen:
                if isinstance(event, kind) and wanted(event):
                    self._seen.remove(event)
                    return event
            self._seen.append(self._posted.next(Event))

    def do(self, command: Command) -> None:
        """Submit and wait until it is done."""
        self.scheduler.submit(command)
        self.wait(CommandDone, lambda event: event.command is command)

    def status(self, task_id: str, state: TaskState, *, reason: str = "") -> TaskStatus:
        """The next such status."""

        def wanted(event: TaskUpdated) -> bool:
            status = event.status
            same = (status.task_id, status.state) == (task_id, state)
            return same and (not reason or status.reason == reason)

        return self.wait(TaskUpdated, wanted).status


@pytest.fixture
def mesos(tmp_path: Path) -> Iterator[EmbeddedMesos]:
    options = {"agents": 2, "allocation_interval": 0.05, "heartbeat_interval": 1.0}
    with running(tmp_path, master_port=0, agent_port=0, **options) as embedded:
        yield embedded


@pytest.fixture
def session(mesos: EmbeddedMesos, schedulers: Schedulers, posted: Posted) -> Iterator[Session]:
    scheduler = schedulers(mesos.master)
    yield Session(scheduler, posted)
    scheduler.close()


def task_on(offer: Offer, task_id: str, *steps: str) -> Task:
    return Task(
        id=task_id,
        name="etcd-server",
        agent_id=offer.agent_id,
        executor_id=f"executor-{task_id}",
        command=f"exec {sys.executable} {TINY_EXECUTOR}",
        uris=(),
        resources=take_scalar(offer.resources, "cpus", 1.0),
        executor_resources=take_scalar(offer.resources, "mem", 64.0),
        labels=(("member", "etcd-1"),),
        discovery_name="etcd-server",
        ports=(),
        data=json.dumps({"steps": steps}).encode(),
        grace_seconds=2.0,
    )


def test_a_tasks_life(mesos: EmbeddedMesos, session: Session, posted: Posted) -> None:
    """Subscribe, launch, acknowledge, talk, reconcile, kill, shut down, tear down."""
    session.scheduler.submit(Subscribe(framework_id=""))
    framework_id = session.wait(Subscribed).framework_id
    first, *rest = session.wait(OffersReceived).offers
    if rest:
        session.do(Decline(offer_ids=tuple(o.id for o in rest), refuse_seconds=60.0))
    task = task_on(first, "t-1", "TASK_RUNNING")
    session.do(Launch(offer_ids=(first.id,), tasks=(task,)))
    session.do(Suppress())
    status = session.status("t-1", TaskState.RUNNING)
    assert status.uuid
    session.do(Acknowledge(status=status))

    message = SendMessage(executor_id=task.executor_id, agent_id=task.agent_id, data=b"\x00hello")
    session.do(message)
    assert session.wait(ExecutorSaid).data == b"\x00hello"

    for tasks in ((("t-1", task.agent_id),), ()):
        session.do(Reconcile(tasks=tasks))
        answer = session.status("t-1", TaskState.RUNNING, reason="REASON_RECONCILIATION")
        assert answer.uuid == ""
    session.do(Reconcile(tasks=(("nobody", task.agent_id),)))
    session.status("nobody", TaskState.GONE)

    reader = MasterStateReader(
        detector=FixedMaster(mesos.master), framework_name=FRAMEWORK.name, post=posted
    )
    reader.submit(ReadMasterState(subscription=1))
    [framework] = session.wait(MasterStateRead).state.frameworks
    reader.close()
    assert framework.id == framework_id
    assert [(t.id, t.labels["member"]) for t in framework.tasks] == [("t-1", "etcd-1")]

    session.do(Kill(task_id="t-1", agent_id=task.agent_id))
    session.do(Acknowledge(status=session.status("t-1", TaskState.KILLED)))
    session.do(Shutdown(executor_id=task.executor_id, agent_id=task.agent_id))
    assert session.wait(ExecutorLost).executor_id == task.executor_id
    session.do(Revive())
    session.wait(OffersReceived)

    session.do(Teardown())
    session.wait(Disconnected)


def test_closing_leaves_the_framework_and_its_tasks(
    mesos: EmbeddedMesos, session: Session, schedulers: Schedulers, posted: Posted
) -> None:
    """A scheduler that goes away tears nothing down; the next one takes over by framework id."""
    session.scheduler.submit(Subscribe(framework_id=""))
    framework_id = session.wait(Subscribed).framework_id
    offer = session.wait(OffersReceived).offers[0]
    session.do(Launch(offer_ids=(offer.id,), tasks=(task_on(offer, "t-1", "TASK_RUNNING"),)))
    status = session.status("t-1", TaskState.RUNNING)
    session.do(Acknowledge(status=status))
    session.scheduler.close()
    session.wait(Disconnected)

    successor = Session(schedulers(mesos.master), posted)
    successor.scheduler.submit(Subscribe(framework_id=framework_id))
    assert successor.wait(Subscribed).framework_id == framework_id
    successor.do(Reconcile(tasks=(("t-1", offer.agent_id),)))
    successor.status("t-1", TaskState.RUNNING)


def test_the_master_fails_over(mesos: EmbeddedMesos, session: Session) -> None:
    """One Disconnected; calls fail; the next Subscribe gets the framework back."""
    session.scheduler.submit(Subscribe(framework_id=""))
    framework_id = session.wait(Subscribed).framework_id
    control(mesos, "master/failover")
    session.wait(Disconnected)
    session.scheduler.submit(Revive())
    session.wait(CommandFailed)
    deadline = time.monotonic() + 20
    event: Event = Disconnected(reason="")
    while not isinstance(event, Subscribed) and time.monotonic() < deadline:
        session.scheduler.submit(Subscribe(framework_id=framework_id))
        event = session.wait(Event, lambda e: isinstance(e, Subscribed | Disconnected))
    assert event == Subscribed(framework_id=framework_id, master=mesos.master)
    session.do(Revive())


def test_a_master_that_freezes(mesos: EmbeddedMesos, session: Session) -> None:
    """No heartbeat for three intervals: Disconnected."""
    session.scheduler.submit(Subscribe(framework_id=""))
    session.wait(Subscribed)
    control(mesos, "master/pause")
    try:
        assert "no heartbeat" in session.wait(Disconnected).reason
    finally:
        control(mesos, "master/resume")


def test_another_scheduler_takes_over(
    mesos: EmbeddedMesos, session: Session, schedulers: Schedulers
) -> None:
    """The deposed one hears it, and its late calls are refused by the stream id."""
    session.scheduler.submit(Subscribe(framework_id=""))
    framework_id = session.wait(Subscribed).framework_id
    theirs = Posted()
    other = MesosScheduler(detector=FixedMaster(mesos.master), framework=FRAMEWORK, post=theirs)
    other.submit(Subscribe(framework_id=framework_id))
    theirs.next(Subscribed)
    assert "failed over" in session.wait(Disconnected).reason
    session.scheduler.submit(Revive())
    session.wait(CommandFailed)
    other.close()
