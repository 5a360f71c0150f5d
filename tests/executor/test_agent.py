"""The port to the agent: what it makes of an agent's answers, and of an agent that misbehaves."""

from __future__ import annotations

import base64
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from etcdmesos.adapters.mesos_executor import MesosExecutor
from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import SendUpdate, Subscribe
from etcdmesos.executor.model import Update
from etcdmesos.step import Event
from tests.executor.scripted_agent import ScriptedAgent
from tests.real_etcd import until

E = TypeVar("E", bound=Event)

UPDATE = Update(
    task_id="etcd-1-1",
    uuid="000102030405068708090a0b0c0d0e0f",
    state="TASK_RUNNING",
    message="m",
    reason="REASON_TASK_INVALID",
    healthy=False,
    data='{"pid": "1"}',
)
NOTHING = Subscribe(tasks=(), updates=())


class Posted:
    """Takes events as the runtime would."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Event] = queue.Queue()

    def __call__(self, event: Event, /) -> None:
        self.queue.put(event)

    def next(self, kind: type[E], seconds: float = 60.0) -> E:
        event = self.queue.get(timeout=seconds)
        assert isinstance(event, kind), event
        return event


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedAgent]:
    agent = ScriptedAgent()
    monkeypatch.setenv("MESOS_AGENT_ENDPOINT", agent.endpoint)
    monkeypatch.setenv("MESOS_FRAMEWORK_ID", "f")
    monkeypatch.setenv("MESOS_EXECUTOR_ID", "e")
    agent.start()
    yield agent
    agent.stop()


@pytest.fixture
def posted() -> Posted:
    return Posted()


@pytest.fixture
def port(agent: ScriptedAgent, posted: Posted) -> Iterator[MesosExecutor]:
    port = MesosExecutor(posted)
    yield port
    port.close()


def test_an_event_for_everything_the_agent_says(
    agent: ScriptedAgent, posted: Posted, port: MesosExecutor
) -> None:
    """Each callback is one event, in the order they came."""
    port.submit(NOTHING)
    posted.next(ev.Subscribed)
    agent.launch("etcd-1-1", b"data")
    launched = posted.next(ev.TaskLaunched)
    assert (launched.task_id, launched.data) == ("etcd-1-1", b"data")
    assert json.loads(launched.task_info)["name"] == "etcd-server"
    agent.kill("etcd-1-1")
    assert posted.next(ev.KillAsked) == ev.KillAsked(task_id="etcd-1-1", grace_seconds=None)
    agent.kill("etcd-1-1", 2.5)
    assert posted.next(ev.KillAsked).grace_seconds == 2.5
    agent.send({"type": "MESSAGE", "message": {"data": base64.b64encode(b"hello").decode()}})
    assert posted.next(ev.MessageReceived).data == b"hello"
    agent.send({"type": "HEARTBEAT"})
    agent.send({"type": "SHUTDOWN"})
    posted.next(ev.ShutdownAsked)


def test_an_update_as_the_agent_gets_it(
    agent: ScriptedAgent, posted: Posted, port: MesosExecutor
) -> None:
    """All of it, the same each time it is sent, and acknowledged by its uuid."""
    port.submit(NOTHING)
    posted.next(ev.Subscribed)
    port.submit(SendUpdate(update=UPDATE))
    first = agent.next_update()
    # The 202 and the ACKNOWLEDGED come over two connections, in either order.
    outcomes = {type(posted.next(Event)) for _ in range(2)}
    assert outcomes == {ev.CommandDone, ev.UpdateAcknowledged}
    assert first["uuid"] == base64.b64encode(bytes.fromhex(UPDATE.uuid)).decode()
    assert first["source"] == "SOURCE_EXECUTOR"
    assert (first["state"], first["healthy"], first["message"]) == ("TASK_RUNNING", False, "m")
    assert json.loads(base64.b64decode(first["data"])) == {"pid": "1"}


def test_what_was_not_acknowledged_is_named_unchanged(
    agent: ScriptedAgent, posted: Posted, port: MesosExecutor
) -> None:
    """Down to the timestamp: the agent stored it the first time, perhaps."""
    agent.acknowledges = False
    port.submit(NOTHING)
    posted.next(ev.Subscribed)
    port.submit(SendUpdate(update=UPDATE))
    posted.next(ev.CommandDone)
    first = agent.next_update()
    agent.cut()
    posted.next(ev.Disconnected)
    agent.next_subscription()
    task = '{"task_id": {"value": "etcd-1-1"}}'
    port.submit(Subscribe(tasks=(task,), updates=(UPDATE,)))
    posted.next(ev.Subscribed)
    named = agent.next_subscription()
    assert named["unacknowledged_updates"] == [{"status": first}]
    assert named["unacknowledged_tasks"] == [json.loads(task)]


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda agent: agent.cut(), id="the stream ends"),
        pytest.param(lambda agent: agent.stop(), id="the agent dies"),
        pytest.param(
            lambda agent: agent.send({"type": "ERROR", "error": {"message": "no"}}), id="ERROR"
        ),
    ],
)
def test_the_end_of_a_subscription_is_told_once(
    agent: ScriptedAgent,
    posted: Posted,
    port: MesosExecutor,
    break_it: Callable[[ScriptedAgent], None],
) -> None:
    """And nothing is done about it here: whether to subscribe again is the core's."""
    port.submit(NOTHING)
    posted.next(ev.Subscribed)
    agent.next_subscription()
    break_it(agent)
    posted.next(ev.Disconnected)
    port.submit(SendUpdate(update=UPDATE))
    assert posted.next(ev.CommandFailed).reason == "not subscribed"
    assert posted.queue.empty()
    assert agent.subscriptions.empty()


@pytest.mark.parametrize(
    ("status", "text"),
    [(503, "Agent has not finished recovery"), (400, "Framework cannot be found"), (404, "")],
)
def test_a_refusal_is_an_end_with_its_reason(
    agent: ScriptedAgent, posted: Posted, port: MesosExecutor, status: int, text: str
) -> None:
    """No exception, no interrupted main thread, no attempt of its own to try again."""
    agent.refuses = (status, text)
    port.submit(NOTHING)
    reason = posted.next(ev.Disconnected).reason
    assert f"answered {status}" in reason
    assert text in reason


@pytest.mark.parametrize(
    "record",
    [
        b"no JSON",
        b"[]",
        b'{"type": "UNHEARD_OF", "unheard_of": {}}',
        b'{"type": "KILL"}',
        b'{"type": "KILL", "kill": {}}',
        b'{"type": "ACKNOWLEDGED", "acknowledged": {"uuid": 7}}',
        b'{"type": "MESSAGE", "message": {"data": 1}}',
    ],
)
def test_an_event_without_sense_is_skipped(
    agent: ScriptedAgent, posted: Posted, port: MesosExecutor, record: bytes
) -> None:
    """The next one is heard."""
    port.submit(NOTHING)
    posted.next(ev.Subscribed)
    agent.send_bytes(record)
    agent.kill("etcd-1-1")
    assert posted.next(ev.KillAsked).task_id == "etcd-1-1"


def test_data_that_is_no_base64_is_handed_on(
    agent: ScriptedAgent, posted: Posted, port: MesosExecutor
) -> None:
    """The core fails such a task, which it could not if the event were dropped."""
    port.submit(NOTHING)
    posted.next(ev.Subscribed)
    task = {"task_id": {"value": "t"}, "data": "%%%"}
    agent.send({"type": "LAUNCH", "launch": {"task": task}})
    assert posted.next(ev.TaskLaunched).data == b"%%%"


def test_closing_leaves_no_thread(agent: ScriptedAgent, posted: Posted) -> None:
    """Neither the one that listens nor the one that calls."""
    port = MesosExecutor(posted)
    port.submit(NOTHING)
    posted.next(ev.Subscribed)
    port.close()
    posted.next(ev.Disconnected)
    ours = ("agent-events", "agent-calls")
    until(lambda: not [t for t in threading.enumerate() if t.name in ours])


def test_importing_leaves_sigint_alone() -> None:
    """pymesos takes it at its import; whatever was in its place is put back."""
    program = (
        "import signal\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "import etcdmesos.adapters.mesos_executor\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
