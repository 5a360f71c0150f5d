"""The control API breaks and heals the embedded Mesos as real failures were recorded."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.embedded import EmbeddedMesos, running
from etcdmesos.embedded.server import Endpoints, Listener
from tests.embedded import captures
from tests.embedded.conftest import QUICK, Start
from tests.embedded.scheduler import (
    Scheduler,
    command_task,
    control,
    custom_task,
    executor_info,
    get_json,
    post_json,
    request,
)
from tests.embedded.test_lifecycle import alive, log, sandbox, until

Json = dict[str, Any]


def launch(scheduler: Scheduler, task_id: str, *steps: str, mode: str = "", **more: Any) -> Json:
    """A running task of an executor of its own; its offer."""
    offer = scheduler.offer()
    info = executor_info(f"e-{task_id}", mode, **more)
    scheduler.accept(offer, custom_task(task_id, offer, info, "TASK_RUNNING", *steps), refuse=0)
    scheduler.update(task_id, "TASK_RUNNING")
    return offer


def states(scheduler: Scheduler, task_id: str, since: int) -> list[str]:
    """The states told of a task."""
    told = [one["update"]["status"] for one in scheduler.events[since:] if one["type"] == "UPDATE"]
    return [one["state"] for one in told if one["task_id"]["value"] == task_id]


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("how", ["lose", "pause"])
def test_an_agent_that_is_not_heard(start: Start, how: str, aware: bool) -> None:
    """RESCIND, TASK_UNREACHABLE (TASK_LOST), FAILURE; back again TASK_RUNNING and offers."""
    mesos = start()
    capabilities = [{"type": "MULTI_ROLE"}] + [{"type": "PARTITION_AWARE"}] * aware
    with Scheduler(mesos.master, capabilities=capabilities) as scheduler:
        launch(scheduler, "t")
        held = scheduler.offer()
        position = len(scheduler.events)
        control(mesos, f"agent/{how}", agent="agent1")
        if how == "pause":
            with pytest.raises(TimeoutError):
                quick_get(mesos.agents["agent1"])
        scheduler.wait(lambda one: one["type"] == "FAILURE", position)
        told = scheduler.events[position:]
        assert [one["type"] for one in told] == ["RESCIND", "UPDATE", "FAILURE"]
        assert told[0]["rescind"] == {"offer_id": held["id"]}
        status = told[1]["update"]["status"]
        assert status["state"] == ("TASK_UNREACHABLE" if aware else "TASK_LOST")
        assert status["message"] == "health check timed out"
        assert status["reason"] == "REASON_AGENT_REMOVED"
        assert "uuid" not in status
        assert int(status["unreachable_time"]["nanoseconds"]) > 0
        assert told[2]["failure"] == {"agent_id": held["agent_id"]}
        assert get_json(mesos.master, "/state")["unreachable_slaves"] == 1
        position = len(scheduler.events)
        scheduler.call(
            "RECONCILE", tasks=[{"task_id": {"value": "t"}, "agent_id": held["agent_id"]}]
        )
        expected = "TASK_UNREACHABLE" if aware else "TASK_LOST"
        scheduler.update("t", expected, position)
        control(mesos, "agent/return", agent="127.0.0.11")
        back = scheduler.update("t", "TASK_RUNNING", position)
        assert back["reason"] == "REASON_AGENT_REREGISTERED"
        assert back["message"] == "Unreachable agent re-reregistered"
        assert scheduler.offer()["agent_id"] == held["agent_id"]


def quick_get(address: str) -> None:
    connection = http.client.HTTPConnection(address, timeout=0.2)
    try:
        connection.request("GET", "/state")
        connection.getresponse()
    finally:
        connection.close()


def test_an_agent_that_dies_and_comes_back(start: Start) -> None:
    """Executors live on and subscribe again; dead and silent ones are told of; tasks go on."""
    mesos = start(ping_timeouts_max=50, executor_shutdown_grace_period=2)
    with Scheduler(mesos.master) as scheduler:
        offer = scheduler.offer()
        known = [custom_task("rec", offer, executor_info("e-rec"), "TASK_RUNNING")]
        norec = executor_info("e-norec", "once")
        known.append(custom_task("norec", offer, norec, "TASK_RUNNING"))
        known.append(custom_task("dead", offer, executor_info("e-dead"), "TASK_RUNNING"))
        command = "while [ ! -e go ]; do sleep 0.02; done; exit 3"
        known.append(command_task("command", offer, command))
        scheduler.accept(offer, *known, refuse=0)
        for name in ("rec", "norec", "dead", "command"):
            scheduler.update(name, "TASK_RUNNING")
        pids = {
            name: next(one["pid"] for one in log(mesos, f"e-{name}") if "pid" in one)
            for name in ("rec", "norec", "dead")
        }
        held = scheduler.offer()
        position = len(scheduler.events)
        control(mesos, "agent/kill", agent=held["agent_id"]["value"])
        scheduler.wait(lambda one: one["type"] == "RESCIND", position)
        with pytest.raises(ConnectionRefusedError):
            request(mesos.agents["agent1"], "GET", "/health")
        assert all(alive(pid) for pid in pids.values())
        os.kill(pids["dead"], signal.SIGKILL)
        (sandbox(mesos, "command") / "go").touch()
        pids["command"] = scheduler.update("command")["container_status"]["executor_pid"]
        until(lambda: not alive(pids["dead"]) and not alive(pids["command"]), "both ends")
        assert control(mesos, "agent/restart", agent="agent1")["state"] == "recovering"
        status, _, text = request(mesos.agents["agent1"], "GET", "/slave(1)/state")
        assert (status, text) == (503, b"Agent has not finished recovery")
        assert request(mesos.agents["agent1"], "GET", "/health")[0] == 200
        gone = scheduler.update("norec", "TASK_GONE", position)
        assert gone["reason"] == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"
        assert gone["message"] == "Executor did not reregister within 2secs"
        assert scheduler.failure("e-norec")["status"] == 9
        dead = scheduler.update("dead", "TASK_FAILED", position)
        assert dead["reason"] == "REASON_EXECUTOR_TERMINATED"
        failures = [one["failure"] for one in scheduler.events if one["type"] == "FAILURE"]
        assert [one["executor_id"]["value"] for one in failures] == ["e-norec"]
        assert scheduler.update("command", "TASK_FAILED", position)["message"].endswith("status 3")
        # The one that came back takes further tasks; nothing was started twice.
        offer = scheduler.offer()
        scheduler.accept(offer, custom_task("more", offer, executor_info("e-rec"), "TASK_FINISHED"))
        scheduler.update("more", "TASK_FINISHED", position)
        assert alive(pids["rec"])
        # An update whose acknowledgement the agent lost may come again, nothing else.
        assert set(states(scheduler, "rec", position)) <= {"TASK_RUNNING"}
        scheduler.call("RECONCILE", tasks=[])
        scheduler.update("rec", "TASK_RUNNING", position)


def test_without_checkpoint_a_dead_agent_loses_its_tasks(start: Start) -> None:
    """TASK_LOST at once, without uuid, with the recorded words."""
    mesos = start()
    with Scheduler(mesos.master, checkpoint=False) as scheduler:
        launch(scheduler, "t")
        pid = next(one["pid"] for one in log(mesos, "e-t") if "pid" in one)
        control(mesos, "agent/kill", agent="agent1")
        status = scheduler.update("t", "TASK_LOST")
        assert status["message"] == "Agent 127.0.0.11 disconnected"
        assert status["reason"] == "REASON_AGENT_DISCONNECTED"
        assert "uuid" not in status
        control(mesos, "agent/return", agent="agent1")
        until(lambda: not alive(pid), "the end of the orphan")


def test_a_machine_that_is_gone(start: Start) -> None:
    """gone kills the agent and all it ran; after return the tasks are TASK_FAILED."""
    mesos = start(agents=2, ping_timeouts_max=50)
    with Scheduler(mesos.master) as scheduler:
        offer = launch(scheduler, "t", "child")
        place = f"agent{int(offer['hostname'].split('.')[-1]) - 10}"
        seen = until(lambda: [o for o in log(mesos, "e-t") if "child" in o], "the child")
        pid = next(one["pid"] for one in log(mesos, "e-t") if "pid" in one)
        control(mesos, "agent/gone", agent=place)
        assert not alive(pid)
        assert not alive(seen[0]["child"])
        control(mesos, "agent/return", agent=place)
        assert scheduler.update("t", "TASK_FAILED")["reason"] == "REASON_EXECUTOR_TERMINATED"


def test_another_master_leads(start: Start) -> None:
    """Streams end without the last chunk, 503 for a moment, the old framework id is taken."""
    mesos = start(agents=2)
    with Scheduler(mesos.master) as scheduler:
        launch(scheduler, "t")
        before = get_json(mesos.master, "/state")["id"]
        position = len(scheduler.events)
        answer = control(mesos, "master/failover", recovery=1.5, agents_after=60)
        assert scheduler.wait_end().startswith("EOF"), "no last chunk"
        state = get_json(mesos.master, "/state")
        assert state["id"] == answer["id"] != before
        assert [len(state["slaves"]), len(state["recovered_slaves"])] == [0, 2]
        call: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": scheduler.info}}
        refused = post_json(mesos.master, "/api/v1/scheduler", call)
        assert refused == (503, b"Master has not finished recovery")
        until(lambda: subscribable(mesos, call), "the end of the recovery")
        scheduler.subscribe()
        scheduler.call("RECONCILE", tasks=[{"task_id": {"value": "t"}}])
        for agent in mesos.agents:  # there would be a minute for that
            control(mesos, "agent/lose", agent=agent)
            control(mesos, "agent/return", agent=agent)
        scheduler.offer()
        until(lambda: not get_json(mesos.master, "/state")["recovered_slaves"], "the agents")
        assert states(scheduler, "t", position) == [], "no answer while agents are missing"
        scheduler.call("RECONCILE", tasks=[{"task_id": {"value": "t"}}])
        status = scheduler.update("t", "TASK_RUNNING", position)
        assert status["message"] == "Reconciliation: Latest task state"
        unknown = [{"task_id": {"value": "never"}}]
        scheduler.call("RECONCILE", tasks=unknown)
        scheduler.update("never", "TASK_UNKNOWN", position)
        scheduler.call("KILL", task_id={"value": "t"})
        scheduler.update("t", "TASK_KILLED", position)


def test_implicit_reconciliation_leaves_out_the_unreachable(start: Start) -> None:
    """Recorded: asked for by name with its agent it is UNREACHABLE; asked for all, those within
    reach are RUNNING and nothing is said of it until its agent is back."""
    mesos = start(agents=2)
    with Scheduler(mesos.master) as scheduler:
        lost, kept = (launch(scheduler, name) for name in ("lost", "kept"))
        assert lost["agent_id"] != kept["agent_id"]
        control(mesos, "agent/lose", agent=lost["hostname"])
        scheduler.update("lost", "TASK_UNREACHABLE")
        position = len(scheduler.events)
        one = {"task_id": {"value": "lost"}, "agent_id": lost["agent_id"]}
        scheduler.call("RECONCILE", tasks=[one])
        scheduler.update("lost", "TASK_UNREACHABLE", position)
        scheduler.call("RECONCILE", tasks=[])
        scheduler.update("kept", "TASK_RUNNING", position)
        control(mesos, "agent/return", agent=lost["hostname"])
        scheduler.update("lost", "TASK_RUNNING", position)
        told = [e["update"]["status"] for e in scheduler.events[position:] if e["type"] == "UPDATE"]
        ours = [(one["state"], one["message"]) for one in told]
    events = captures.events("stream_ha_partition_aware")
    recorded = [e["update"]["status"] for e in events if e["type"] == "UPDATE"]
    texts = [(one["state"], one.get("message", "")) for one in recorded]
    first = texts.index(("TASK_UNREACHABLE", "Reconciliation: Task is unreachable"))
    back = texts.index(("TASK_RUNNING", "Unreachable agent re-reregistered"))
    # There were two tasks within reach.
    assert len(texts[first:back]) == 3
    assert list(dict.fromkeys(texts[first : back + 1])) == ours


def test_the_next_master_knows_who_was_unreachable(start: Start) -> None:
    """The registry lists them: Master::_recover takes `registry.unreachable()` into
    `slaves.unreachable`, and `registry.slaves()` into `slaves.recovered`."""
    mesos = start(agents=2)
    with Scheduler(mesos.master) as scheduler:
        offer = launch(scheduler, "t")
        control(mesos, "agent/lose", agent=offer["hostname"])
        scheduler.update("t", "TASK_UNREACHABLE")
        position = len(scheduler.events)
        control(mesos, "master/failover", recovery=0, agents_after=0)
        scheduler.wait_end()
        scheduler.subscribe()
        state = get_json(mesos.master, "/state")
        assert state["unreachable_slaves"] == 1
        assert offer["agent_id"]["value"] not in [one["id"] for one in state["recovered_slaves"]]
        scheduler.call(
            "RECONCILE", tasks=[{"task_id": {"value": "t"}, "agent_id": offer["agent_id"]}]
        )
        status = scheduler.update("t", "TASK_UNREACHABLE", position)
        assert status["message"] == "Reconciliation: Task is unreachable"
        control(mesos, "agent/return", agent=offer["hostname"])
        status = scheduler.update("t", "TASK_RUNNING", position)
        assert status["message"] == "Unreachable agent re-reregistered"
        assert get_json(mesos.master, "/state")["unreachable_slaves"] == 0


def test_what_a_returning_agent_does_not_name_is_forgotten(start: Start) -> None:
    """Without a word: Master::__reregisterSlave drops all of an agent's `unreachableTasks` once it
    is back ("All tasks from this agent are now reachable so clean them up")."""
    mesos = start()
    with Scheduler(mesos.master, checkpoint=False) as scheduler:
        offer = launch(scheduler, "t")
        # A frozen agent's connection stands, so the task is not lost with it.
        control(mesos, "agent/pause", agent="agent1")
        scheduler.update("t", "TASK_UNREACHABLE")
        [framework] = get_json(mesos.master, "/state")["frameworks"]
        assert [one["id"] for one in framework["unreachable_tasks"]] == ["t"]
        position = len(scheduler.events)
        # Without checkpoint the new daemon knows nothing of it.
        control(mesos, "agent/restart", agent="agent1")
        assert scheduler.offer()["agent_id"] == offer["agent_id"]
        [framework] = get_json(mesos.master, "/state")["frameworks"]
        assert framework["unreachable_tasks"] == []
        assert states(scheduler, "t", position) == []
        scheduler.call(
            "RECONCILE", tasks=[{"task_id": {"value": "t"}, "agent_id": offer["agent_id"]}]
        )
        scheduler.update("t", "TASK_GONE", position)


def subscribable(mesos: EmbeddedMesos, call: Json) -> bool:
    return post_json(mesos.master, "/api/v1/scheduler", {**call, "subscribe": {}})[0] != 503


def test_messages_get_lost_and_late(start: Start) -> None:
    """A dropped update is sent again; delayed offers come later; rescinded ones are void."""
    mesos = start()
    control(mesos, "messages/drop", kind="StatusUpdate", direction="to_master", count=1)
    control(mesos, "messages/delay", kind="Offers", direction="to_scheduler", seconds=0.3)
    began = time.monotonic()
    with Scheduler(mesos.master) as scheduler:
        offer = scheduler.offer()
        assert time.monotonic() - began >= 0.3
        scheduler.accept(offer, command_task("c", offer, "sleep 600"), refuse=0)
        began = time.monotonic()
        scheduler.update("c", "TASK_STARTING")
        assert time.monotonic() - began >= 0.29, "the first was dropped, the retry came"
        offer = scheduler.offer()
        taken = control(mesos, "offers/rescind")
        assert taken == {"rescinded": [offer["id"]["value"]]}
        scheduler.wait(lambda one: one.get("rescind") == {"offer_id": offer["id"]})
        scheduler.accept(offer, command_task("late", offer, "true"))
        message = scheduler.update("late", "TASK_DROPPED")["message"]
        assert message.endswith(f"Offer {offer['id']['value']} is no longer valid")
        assert control(mesos, "messages/clear") == {"cleared": 0}


BAD_CALLS: list[tuple[str, Any, str]] = [
    ("agent/kill", {"agent": "agent9"}, "no agent 'agent9'; there are agent1, agent2, agent3"),
    ("agent/kill", {}, "the body must name an 'agent'"),
    ("agent/lose", [], "Failed to convert JSON into Call protobuf: Expecting a JSON object"),
    ("messages/drop", {"kind": "X", "direction": "up"}, "'direction' must be one of"),
    ("messages/drop", {"direction": "to_master"}, "the body must name a 'kind'"),
    ("master/failover", {"down": "long"}, "'down' must be a number of seconds"),
    ("messages/delay", {"kind": "X", "direction": "to_master"}, "'seconds' must be"),
]


@pytest.mark.parametrize(("path", "body", "text"), BAD_CALLS)
def test_bad_control_calls_are_one_line(
    shared: EmbeddedMesos, path: str, body: Any, text: str
) -> None:
    """400 and one line that says what is wrong; nothing is broken by it."""
    address = shared.control.removeprefix("http://")
    status, answer = post_json(address, f"/control/{path}", body)
    assert status == 400
    assert answer.decode().startswith(text)
    assert answer.count(b"\n") == 1
    agents = get_json(address, "/control/agents")["agents"]
    assert [one["state"] for one in agents] == ["up", "up", "up"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"agents": -1}, "agents must be between 0 and 200, not -1"),
        ({"agent_port": 70000}, "agent_port must be between 0 and 65535, not 70000"),
        ({"cpus": 0}, "cpus must be more than 0, not 0"),
        ({"master_port": 5, "control_port": 5}, "control_port and master_port are both 5"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    """ValueError with one line, before anything starts."""
    with pytest.raises(ValueError, match=f"^{text}$"), running(tmp_path, **options):
        pass


def test_a_port_in_use_is_named_and_nothing_stays(tmp_path: Path) -> None:
    """OSError names the address; ports and threads are free again after the failed start."""
    before = set(threading.enumerate())
    with socket.socket() as taken:
        taken.bind(("127.0.0.12", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = {**QUICK, "agent_port": port}
        with (
            pytest.raises(OSError, match=f"cannot listen on 127.0.0.12:{port}: Address already"),
            running(tmp_path, agents=2, **options),
        ):
            pass
        with socket.socket() as free:
            free.bind(("127.0.0.11", port))
    assert set(threading.enumerate()) <= before


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    """Executors with children are gone, connections are refused, streams have ended."""
    with running(tmp_path, agents=1, **QUICK) as mesos:
        scheduler = Scheduler(mesos.master)
        scheduler.subscribe()
        launch(scheduler, "t", "child", mode="stubborn")
        until(lambda: [o for o in log(mesos, "e-t") if "child" in o], "the child")
        pids = [one[name] for one in log(mesos, "e-t") for name in ("pid", "child") if name in one]
        addresses = [mesos.master, mesos.control.removeprefix("http://"), *mesos.agents.values()]
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)
    scheduler.wait_end()
    scheduler.disconnect()
    for address in addresses:
        with pytest.raises(ConnectionRefusedError):
            request(address, "GET", "/health")


@pytest.mark.parametrize("turns", range(5))
def test_a_connection_ends_with_its_listener(turns: int) -> None:
    """However far the event loop has got with accepting it."""

    async def meet() -> None:
        listener = Listener("127.0.0.1", 0, Endpoints("/"))
        await listener.open()
        with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await listener.kill()
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""

    asyncio.run(meet())


def test_recorded_reregistration_fields(start: Start) -> None:
    """TASK_GONE of an executor that did not come back has the recorded fields."""
    mesos = start(ping_timeouts_max=50)
    with Scheduler(mesos.master) as scheduler:
        launch(scheduler, "norec-1", mode="once")
        control(mesos, "agent/restart", agent="agent1")
        ours = scheduler.update("norec-1", "TASK_GONE")
        recorded = captures.updates("executor_console")["norec-1"][0]
        assert sorted(ours) == sorted(recorded)
        assert json.dumps(ours["message"])[:30] == json.dumps(recorded["message"])[:30]
