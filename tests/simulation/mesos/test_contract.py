"""What a scheduler sees of Mesos, the same of the simulated one and of the embedded one.

The embedded one is held to recordings of Apache Mesos elsewhere; through this suite they hold for
the simulation, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from etcdmesos.cluster.commands import (
    Acknowledge,
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
    AgentLost,
    CommandDone,
    Disconnected,
    Event,
    ExecutorLost,
    ExecutorSaid,
    FrameworkRefused,
    MasterStateRead,
    OfferRescinded,
    OffersReceived,
    Subscribed,
    TaskUpdated,
)
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.mesos.resources import Resource, port_ranges, total
from etcdmesos.mesos.statuses import TaskState
from tests.simulation.mesos.stands import EmbeddedStand, Session, SimulatedStand, Stand

Start = Callable[..., Stand]

RECONCILIATION = "REASON_RECONCILIATION"


@pytest.fixture(params=["simulated", "embedded"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Start a Mesos with some agents."""
    with ExitStack() as stack:

        def begin(agents: int = 1) -> Stand:
            stand: Stand
            if request.param == "simulated":
                stand = SimulatedStand(agents)
            else:
                stand = EmbeddedStand(agents, tmp_path)
            stack.callback(stand.close)
            return stand

        yield begin


def subscribed(stand: Stand, framework_id: str = "") -> Session:
    """A scheduler that is subscribed."""
    session = stand.scheduler(framework_id)
    session.subscribe()
    return session


def state(session: Session) -> MasterState:
    """The master's state."""
    session.submit(ReadMasterState(subscription=1))
    return session.wait(MasterStateRead).state


def test_who_subscribes_gets_an_id_and_an_offer_of_every_agent(start: Start) -> None:
    session = subscribed(start(agents=2))
    offers = session.wait(OffersReceived).offers
    assert len({offer.agent_id for offer in offers}) == 2
    for offer in offers:
        assert total(offer.resources, "cpus") == 4.0
        assert total(offer.resources, "mem") == 4096.0
        assert sum(map(len, port_ranges(offer.resources))) == 100
        assert offer.address == offer.hostname
    seen = state(session)
    assert seen.registered_agents == {offer.agent_id for offer in offers}
    assert [(f.id, f.connected) for f in seen.frameworks] == [(session.framework_id, True)]


def test_a_declined_offer_comes_back_after_a_while_or_upon_revive(start: Start) -> None:
    session = subscribed(start())
    session.do(Decline(offer_ids=(session.offer().id,), refuse_seconds=2.0))
    session.none_of(OffersReceived, lambda _: True, seconds=0.5)
    session.do(Decline(offer_ids=(session.offer().id,), refuse_seconds=600.0))
    session.none_of(OffersReceived, lambda _: True, seconds=0.3)
    session.do(Revive())
    session.offer()


def test_a_suppressed_framework_gets_no_offers_until_it_revives(start: Start) -> None:
    session = subscribed(start())
    offer = session.offer()
    session.do(Suppress())
    session.do(Decline(offer_ids=(offer.id,), refuse_seconds=0.0))
    session.none_of(OffersReceived, lambda _: True, seconds=0.4)
    session.do(Revive())
    session.offer()


def test_a_rescinded_offer_is_void(start: Start) -> None:
    stand = start()
    session = subscribed(stand)
    offer = session.offer()
    stand.rescind()
    session.wait(OfferRescinded, lambda event: event.offer_id == offer.id)
    session.do(Launch(offer_ids=(offer.id,), tasks=(session.task(offer, "t"),)))
    session.status("t", TaskState.DROPPED, "REASON_INVALID_OFFERS")


def test_updates_come_one_after_the_other_each_after_the_acknowledgement(start: Start) -> None:
    session = subscribed(start())
    session.launch("t", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
    starting = session.status("t", TaskState.STARTING)
    assert starting.uuid
    assert (starting.source, starting.executor_id) == ("SOURCE_EXECUTOR", "executor-t")
    again = session.status("t", TaskState.STARTING)
    assert again.uuid == starting.uuid
    session.none_of(TaskUpdated, lambda e: e.status.state is TaskState.RUNNING, seconds=0.2)
    session.do(Acknowledge(status=starting))
    session.acknowledge("t", TaskState.RUNNING)
    session.acknowledge("t", TaskState.FINISHED)
    session.do(Reconcile(tasks=(("t", ""),)))
    session.status("t", TaskState.UNKNOWN, RECONCILIATION)


def test_what_a_launch_leaves_of_an_offer_is_offered_again_after_five_seconds(
    start: Start,
) -> None:
    session = subscribed(start())
    offer = session.launch("t", "TASK_RUNNING")
    session.none_of(OffersReceived, lambda _: True, seconds=0.5)
    session.do(Revive())
    rest = session.offer()
    assert total(rest.resources, "cpus") == total(offer.resources, "cpus") - 0.1
    assert total(rest.resources, "mem") == total(offer.resources, "mem") - 32.0


def test_a_kill_is_passed_on_to_the_executor(start: Start) -> None:
    session = subscribed(start())
    offer = session.run("t")
    session.do(Kill(task_id="t", agent_id=offer.agent_id))
    session.acknowledge("t", TaskState.KILLED)


def test_a_kill_of_an_unknown_task_is_answered_like_a_reconciliation(start: Start) -> None:
    session = subscribed(start())
    offer = session.offer()
    session.do(Kill(task_id="none", agent_id=offer.agent_id))
    session.status("none", TaskState.GONE, RECONCILIATION)
    session.do(Kill(task_id="none", agent_id=""))
    session.status("none", TaskState.UNKNOWN, RECONCILIATION)


def test_reconciliation_knows_what_runs_and_who_never_did(start: Start) -> None:
    session = subscribed(start())
    offer = session.run("t")
    asked = (("t", offer.agent_id), ("none", offer.agent_id), ("none2", "no-such-agent"))
    session.do(Reconcile(tasks=asked))
    known = session.status("t", TaskState.RUNNING, RECONCILIATION)
    assert (known.uuid, known.source) == ("", "SOURCE_MASTER")
    session.status("none", TaskState.GONE, RECONCILIATION)
    session.status("none2", TaskState.UNKNOWN, RECONCILIATION)
    session.do(Reconcile(tasks=()))
    session.status("t", TaskState.RUNNING, RECONCILIATION)
    (framework,) = state(session).frameworks
    (listed,) = framework.tasks
    assert (listed.id, listed.agent_id, listed.state) == ("t", offer.agent_id, TaskState.RUNNING)
    assert dict(listed.labels) == {"role": "test"}


def test_an_offer_is_good_for_one_launch(start: Start) -> None:
    session = subscribed(start())
    offer = session.launch("t", "TASK_RUNNING")
    session.do(Launch(offer_ids=(offer.id,), tasks=(session.task(offer, "t2"),)))
    dropped = session.status("t2", TaskState.DROPPED, "REASON_INVALID_OFFERS")
    assert (dropped.uuid, dropped.source) == ("", "SOURCE_MASTER")


def test_a_task_that_can_not_be_is_an_error(start: Start) -> None:
    session = subscribed(start())
    session.run("t")
    session.do(Revive())
    offer = session.offer()
    twice = session.task(offer, "t", executor_id="other")
    session.do(Launch(offer_ids=(offer.id,), tasks=(twice,)))
    error = session.status("t", TaskState.ERROR, "REASON_TASK_INVALID")
    assert error.message == "Task has duplicate ID: t"
    session.do(Revive())
    offer = session.offer()
    much = (Resource(name="cpus", amount=100.0, tags={"role": "*"}),)
    session.do(Launch(offer_ids=(offer.id,), tasks=(session.task(offer, "big", resources=much),)))
    session.status("big", TaskState.ERROR, "REASON_TASK_INVALID")


def test_a_second_scheduler_takes_over_and_the_first_is_told(start: Start) -> None:
    stand = start()
    first = subscribed(stand)
    first.run("t")
    second = subscribed(stand, first.framework_id)
    assert second.framework_id == first.framework_id
    assert first.wait(FrameworkRefused).message == "Framework failed over"
    first.wait(Disconnected)
    assert "not subscribed" in first.refused(Revive())
    second.do(Reconcile(tasks=()))
    second.status("t", TaskState.RUNNING, RECONCILIATION)


def test_an_unacknowledged_update_finds_the_next_scheduler(start: Start) -> None:
    stand = start()
    first = subscribed(stand)
    first.launch("t", "TASK_RUNNING")
    unacknowledged = first.status("t", TaskState.RUNNING)
    first.close()
    second = subscribed(stand, first.framework_id)
    again = second.wait(TaskUpdated, lambda event: event.status.uuid == unacknowledged.uuid)
    assert again.status.state is TaskState.RUNNING


def test_a_framework_that_was_torn_down_never_comes_back(start: Start) -> None:
    session = subscribed(start())
    session.run("t")
    session.submit(Teardown())
    session.wait(Disconnected)
    session.submit(Subscribe(framework_id=session.framework_id))
    assert session.wait(FrameworkRefused).message == "Framework has been removed"
    assert state(session).frameworks == ()


def test_a_scheduler_that_stays_away_too_long_loses_its_framework(start: Start) -> None:
    stand = start()
    session = stand.scheduler(failover=0.3)
    session.subscribe()
    session.close()
    other = stand.scheduler(session.framework_id)
    assert not stand.pass_time(lambda: False, 0.8)
    other.submit(Subscribe(framework_id=session.framework_id))
    assert other.wait(FrameworkRefused).message == "Framework has been removed"


def test_a_lost_agent_is_unreachable_and_its_task_runs_when_it_is_back(start: Start) -> None:
    stand = start()
    session = subscribed(stand)
    offer = session.run("t")
    stand.lose(1)
    lost = session.status("t", TaskState.UNREACHABLE, "REASON_AGENT_REMOVED")
    assert lost.uuid == ""
    assert session.wait(AgentLost).agent_id == offer.agent_id
    seen = state(session)
    assert (seen.registered_agents, seen.unreachable_agents) == (frozenset(), 1)
    session.do(Reconcile(tasks=(("t", offer.agent_id), ("t", ""))))
    session.status("t", TaskState.UNREACHABLE, RECONCILIATION)
    session.status("t", TaskState.UNKNOWN, RECONCILIATION)
    stand.give_back(1)
    session.status("t", TaskState.RUNNING, "REASON_AGENT_REREGISTERED")
    assert state(session).registered_agents == {offer.agent_id}


def test_an_implicit_reconciliation_leaves_out_the_unreachable(start: Start) -> None:
    """A master answers for `framework->tasks`, where unreachable ones are no more; recorded in
    stream_ha_partition_aware."""
    stand = start()
    session = subscribed(stand)
    session.run("t")
    stand.lose(1)
    session.status("t", TaskState.UNREACHABLE, "REASON_AGENT_REMOVED")
    session.do(Reconcile(tasks=()))
    session.none_of(TaskUpdated, lambda _: True, seconds=0.5)


def test_the_offers_of_an_agent_are_void_as_soon_as_its_daemon_dies(start: Start) -> None:
    stand = start()
    session = subscribed(stand)
    offer = session.offer()
    stand.kill_daemon(1)
    session.wait(OfferRescinded, lambda event: event.offer_id == offer.id, seconds=1.0)
    session.wait(AgentLost)


def test_a_task_outlives_its_agents_daemon(start: Start) -> None:
    stand = start()
    session = subscribed(stand)
    session.launch("t", "TASK_RUNNING")
    running = session.status("t", TaskState.RUNNING)
    stand.restart_daemon(1)
    again = session.wait(TaskUpdated, lambda event: event.status.uuid == running.uuid)
    session.do(Acknowledge(status=again.status))
    session.do(SendMessage(executor_id="executor-t", agent_id=running.agent_id, data=b"still?"))
    assert session.wait(ExecutorSaid).data == b"still?"


def test_an_executor_that_does_not_come_back_to_its_agent_is_gone(start: Start) -> None:
    stand = start()
    session = subscribed(stand)
    session.run("t", mode="once")
    stand.restart_daemon(1)
    session.acknowledge("t", TaskState.GONE)
    lost = session.wait(ExecutorLost)
    assert (lost.executor_id, lost.wait_status) == ("executor-t", 9)


@pytest.mark.parametrize(("end", "wait_status"), [("signal:9", 9), ("exit:3", 768)])
def test_an_executor_that_ends_fails_its_task(start: Start, end: str, wait_status: int) -> None:
    session = subscribed(start())
    session.launch("t", "TASK_RUNNING", end)
    session.acknowledge("t", TaskState.RUNNING)
    failed = session.acknowledge("t", TaskState.FAILED)
    assert (failed.source, failed.reason) == ("SOURCE_AGENT", "REASON_EXECUTOR_TERMINATED")
    assert failed.message == "Executor terminated"
    assert session.wait(ExecutorLost).wait_status == wait_status


def test_a_shutdown_is_enforced_and_a_kill_is_not(start: Start) -> None:
    session = subscribed(start())
    offer = session.run("t", mode="stubborn")
    session.do(Kill(task_id="t", agent_id=offer.agent_id))
    session.none_of(TaskUpdated, lambda _: True, seconds=0.8)
    session.do(Shutdown(executor_id="executor-t", agent_id=offer.agent_id))
    session.acknowledge("t", TaskState.FAILED)
    assert session.wait(ExecutorLost).wait_status == 9


def test_a_message_goes_there_and_another_comes_back(start: Start) -> None:
    session = subscribed(start())
    offer = session.run("t")
    session.do(SendMessage(executor_id="executor-t", agent_id=offer.agent_id, data=b"\x00hello"))
    said = session.wait(ExecutorSaid)
    assert (said.executor_id, said.agent_id) == ("executor-t", offer.agent_id)
    assert said.data == b"\x00hello"
    nobody = SendMessage(executor_id="none", agent_id="none", data=b"")
    session.submit(nobody)
    session.wait(CommandDone, lambda event: event.command is nobody)


def subscribed_again(stand: Stand, session: Session) -> None:
    """By one attempt after the other: a master that has just begun to lead refuses the first."""

    def tried() -> bool:
        session.submit(Subscribe(framework_id=session.framework_id))
        answer = session.wait(Event, lambda event: isinstance(event, Subscribed | Disconnected))
        return isinstance(answer, Subscribed)

    while not tried():
        stand.pass_time(lambda: False, 0.05)


def test_a_new_master_knows_agents_and_tasks_as_they_come_back(start: Start) -> None:
    stand = start()
    session = subscribed(stand)
    offer = session.run("t")
    stand.fail_over()
    session.wait(Disconnected)
    assert "not subscribed" in session.refused(Revive())
    subscribed_again(stand, session)
    session.offer(offer.agent_id)
    session.do(Reconcile(tasks=(("t", offer.agent_id),)))
    session.status("t", TaskState.RUNNING, RECONCILIATION)
    seen = state(session)
    assert seen.registered_agents == {offer.agent_id}
    assert seen.outstanding_agents == 0


def test_a_new_master_says_nothing_of_agents_that_are_still_to_come(start: Start) -> None:
    stand = start(agents=2)
    session = subscribed(stand)
    offer = session.run("t")
    agent = 1 if offer.hostname.endswith("1") else 2
    stand.lose(agent)
    stand.fail_over()
    session.wait(Disconnected)
    subscribed_again(stand, session)
    session.offer()
    assert state(session).outstanding_agents == 1
    session.do(Reconcile(tasks=(("t", offer.agent_id),)))
    session.none_of(TaskUpdated, lambda _: True, seconds=0.3)
    stand.give_back(agent)
    session.offer(offer.agent_id)
    session.do(Reconcile(tasks=(("t", offer.agent_id),)))
    session.status("t", TaskState.RUNNING, RECONCILIATION)
