"""Every call goes out as Mesos wants it and ends in one of three outcomes."""

from __future__ import annotations

import base64
import threading
import time
from typing import Any

import pytest

from etcdmesos.adapters.mesos_connection import Limits
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.cluster.commands import (
    Acknowledge,
    Command,
    Decline,
    Kill,
    Launch,
    ProbeMember,
    Reconcile,
    Revive,
    SendMessage,
    Shutdown,
    Subscribe,
    Suppress,
    Teardown,
)
from etcdmesos.cluster.events import CommandDone, CommandFailed, CommandUnknown, Subscribed
from etcdmesos.mesos.resources import Resource
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task, task_info
from tests.adapters.mesos.conftest import Posted, Schedulers
from tests.adapters.mesos.scripted_master import FRAMEWORK_ID, Peer, ScriptedMaster

TASK = Task(
    id="etcd-1.1",
    name="etcd-server",
    agent_id="agent-1",
    executor_id="etcd-1",
    command="./etcd-mesos-executor",
    uris=(),
    resources=(Resource(name="cpus", amount=1.0, tags={"role": "*"}),),
    executor_resources=(),
    labels=(),
    discovery_name="etcd-server",
    ports=(),
    data=b"spec",
    grace_seconds=15.0,
)
STATUS = TaskStatus(
    task_id="etcd-1.1", state=TaskState.RUNNING, agent_id="agent-1", uuid="8z2sT0y1QyqPp1m6V1c3Zg=="
)
TASK_ID, AGENT_ID, EXECUTOR_ID = (
    {"value": "etcd-1.1"},
    {"value": "agent-1"},
    {"value": "etcd-1"},
)
OFFER_IDS = [{"value": "o-1"}, {"value": "o-2"}]
QUICK = Limits(call_seconds=0.3)

CALLS: list[tuple[Command, str, dict[str, Any]]] = [
    (
        Launch(offer_ids=("o-1", "o-2"), tasks=(TASK,)),
        "ACCEPT",
        {
            "accept": {
                "offer_ids": OFFER_IDS,
                "operations": [
                    {"type": "LAUNCH", "launch": {"task_infos": [task_info(TASK, FRAMEWORK_ID)]}}
                ],
            }
        },
    ),
    (
        Decline(offer_ids=("o-1", "o-2"), refuse_seconds=120.0),
        "DECLINE",
        {"decline": {"offer_ids": OFFER_IDS, "filters": {"refuse_seconds": 120.0}}},
    ),
    (Suppress(), "SUPPRESS", {}),
    (Revive(), "REVIVE", {}),
    (
        Acknowledge(status=STATUS),
        "ACKNOWLEDGE",
        {"acknowledge": {"task_id": TASK_ID, "agent_id": AGENT_ID, "uuid": STATUS.uuid}},
    ),
    (
        Reconcile(tasks=(("etcd-1.1", "agent-1"), ("t", ""))),
        "RECONCILE",
        {
            "reconcile": {
                "tasks": [
                    {"task_id": TASK_ID, "agent_id": AGENT_ID},
                    {"task_id": {"value": "t"}},
                ]
            }
        },
    ),
    (Reconcile(tasks=()), "RECONCILE", {"reconcile": {"tasks": []}}),
    (
        Kill(task_id="etcd-1.1", agent_id="agent-1"),
        "KILL",
        {"kill": {"task_id": TASK_ID, "agent_id": AGENT_ID}},
    ),
    (Kill(task_id="etcd-1.1", agent_id=""), "KILL", {"kill": {"task_id": TASK_ID}}),
    (
        Shutdown(executor_id="etcd-1", agent_id="agent-1"),
        "SHUTDOWN",
        {"shutdown": {"executor_id": EXECUTOR_ID, "agent_id": AGENT_ID}},
    ),
    (
        SendMessage(executor_id="etcd-1", agent_id="agent-1", data=b"\x00\xff"),
        "MESSAGE",
        {
            "message": {
                "executor_id": EXECUTOR_ID,
                "agent_id": AGENT_ID,
                "data": base64.b64encode(b"\x00\xff").decode(),
            }
        },
    ),
    (Teardown(), "TEARDOWN", {}),
]


@pytest.mark.parametrize(("command", "kind", "body"), CALLS)
def test_a_call_as_mesos_wants_it(
    subscribed: MesosScheduler,
    master: ScriptedMaster,
    posted: Posted,
    command: Command,
    kind: str,
    body: dict[str, Any],
) -> None:
    """The body of each command's call, compared with Mesos' v1 API; taken, it is done."""
    subscribed.submit(command)
    assert posted.next(CommandDone).command == command
    expected = {"type": kind, "framework_id": {"value": FRAMEWORK_ID}, **body}
    assert master.wait_for(kind).message == expected
    posted.nothing_more(0.05)


def test_every_command_is_carried_out_by_somebody() -> None:
    """The table above holds each class the port claims, Subscribe apart."""
    assert {type(c) for c, _, _ in CALLS} | {Subscribe} == set(MesosScheduler.carries_out)


def test_an_update_without_uuid_needs_no_acknowledgement(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """Done without a call: the master would answer 400."""
    status = TaskStatus(task_id="t", state=TaskState.UNKNOWN)
    subscribed.submit(Acknowledge(status=status))
    posted.next(CommandDone)
    assert master.types() == ["SUBSCRIBE"]


def test_a_launch_of_nothing_fails(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """pymesos would turn it into a DECLINE."""
    subscribed.submit(Launch(offer_ids=("o-1",), tasks=()))
    assert posted.next(CommandFailed).reason == "there is no task to launch"
    assert master.types() == ["SUBSCRIBE"]


def test_a_command_of_another_port_fails(subscribed: MesosScheduler, posted: Posted) -> None:
    """Submitting never raises."""
    subscribed.submit(ProbeMember(member="etcd-1", client_url="http://127.0.0.1:1"))
    assert "does not carry out ProbeMember" in posted.next(CommandFailed).reason


@pytest.mark.parametrize(
    ("status", "body", "outcome", "said"),
    [
        ("400 Bad Request", b"Framework cannot be found", CommandFailed, "cannot be found"),
        ("403 Forbidden", b"Framework is not subscribed", CommandFailed, "403: Framework is not"),
        ("401 Unauthorized", b"", CommandFailed, "401"),
        ("307 Temporary Redirect", b"", CommandFailed, "307"),
        ("503 Service Unavailable", b"not finished recovery", CommandFailed, "recovery"),
        ("500 Internal Server Error", b"oops", CommandUnknown, "500: oops"),
        ("504 Gateway Timeout", b"", CommandUnknown, "504"),
    ],
)
def test_a_call_that_is_not_accepted(
    subscribed: MesosScheduler,
    master: ScriptedMaster,
    posted: Posted,
    status: str,
    body: bytes,
    outcome: type[CommandFailed | CommandUnknown],
    said: str,
) -> None:
    """Refused is failed; an error that may come after the deed is unknown."""
    master.on_call = lambda peer: peer.answer(status, body)
    subscribed.submit(Revive())
    assert said in posted.next(outcome).reason
    master.on_call = lambda peer: peer.answer("202 Accepted")
    subscribed.submit(Revive())
    posted.next(CommandDone)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 20", b"garbage\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\x00" * 100_000],
)
def test_cut_after_the_request(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted, answer: bytes
) -> None:
    """The master had the call, and nobody can tell what it did with it."""
    master.on_call = lambda peer: peer.send(answer)
    subscribed.submit(Revive())
    assert "no answer from" in posted.next(CommandUnknown).reason


def test_an_answer_whose_body_is_cut_is_still_an_answer(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """The status is what counts."""
    master.on_call = lambda peer: peer.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nx")
    subscribed.submit(Revive())
    posted.next(CommandDone)
    master.on_call = lambda peer: peer.send(b"HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nbad")
    subscribed.submit(Revive())
    assert posted.next(CommandFailed).reason == "the master answered 400: bad"


def test_an_answer_that_never_comes(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Unknown after the time-out, also when bytes keep trickling in."""

    def trickle(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 202 Accepted\r\n")
        while not peer._stopping.wait(0.05) and not isinstance(posted.all[-1], CommandUnknown):
            peer.send(b"X: y\r\n")

    scheduler = schedulers(master.address, limits=QUICK)
    scheduler.submit(Subscribe(framework_id=""))
    posted.next(Subscribed)
    for script in (Peer.hold, trickle):
        master.on_call = script
        scheduler.submit(Revive())
        reason = posted.next(CommandUnknown).reason
        assert "no answer from" in reason


def test_calls_behind_a_slow_one_expire_unsent(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Each command ends within twice the call's time-out, however many wait: unsent is failed."""
    master.on_call = Peer.hold
    scheduler = schedulers(master.address, limits=QUICK)
    scheduler.submit(Subscribe(framework_id=""))
    posted.next(Subscribed)
    begin = time.monotonic()
    for _ in range(20):
        scheduler.submit(Revive())
    posted.next(CommandUnknown)
    outcomes = [posted.next(CommandFailed | CommandUnknown) for _ in range(19)]  # type: ignore[arg-type]
    assert any(isinstance(o, CommandFailed) and "waited 0.3 s" in o.reason for o in outcomes)
    assert time.monotonic() - begin < 5
    assert len(master.types()) < 5


def test_a_master_that_is_gone(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """A refused connection is certain failure, not unknown."""
    address = master.address
    master._listener.shutdown(2)
    master._listener.close()
    subscribed.submit(Revive())
    reason = posted.next(CommandFailed).reason
    assert reason == f"could not connect to {address}: Connection refused"


def test_calls_without_a_subscription_fail(schedulers: Schedulers, posted: Posted) -> None:
    """Nothing is sent before Subscribed."""
    scheduler = schedulers("127.0.0.1:1")
    for command, _, _ in CALLS:
        scheduler.submit(command)
        assert posted.next(CommandFailed).reason == "not subscribed"


def test_calls_go_out_in_the_order_of_submission(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """One at a time, each answered before the next leaves."""
    commands = [command for command, _, _ in CALLS]
    for command in commands:
        subscribed.submit(command)
    assert [posted.next(CommandDone).command for _ in commands] == commands
    assert master.types() == ["SUBSCRIBE", *(kind for _, kind, _ in CALLS)]


def test_submitting_does_not_wait(
    subscribed: MesosScheduler, master: ScriptedMaster, posted: Posted
) -> None:
    """`submit` returns while the master still sits on the call; events go on meanwhile."""
    answer = threading.Event()

    def script(peer: Peer) -> None:
        answer.wait(60)
        peer.answer("202 Accepted")

    master.on_call = script
    subscribed.submit(Revive())
    master.wait_for("REVIVE")
    assert [type(event) for event in posted.all] == [Subscribed]
    answer.set()
    posted.next(CommandDone)
