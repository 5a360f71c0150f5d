"""The executor API answers as recorded: each odd call, in the recorded order, and the events."""

from __future__ import annotations

import http.client
import json
import re
from typing import Any

import pytest

from etcdmesos.embedded import EmbeddedMesos
from etcdmesos.mesos import recordio
from tests.embedded import captures
from tests.embedded.conftest import Start
from tests.embedded.scheduler import Scheduler, custom_task, executor_info, get_json

Json = dict[str, Any]

RECORDED_FRAMEWORK = "c593d2b6-c9d1-47a9-b8bb-bf9090fa946f-0000"


class Impostor:
    """Speaks for an executor whose process never subscribes."""

    def __init__(self, agent: str, scheduler: Scheduler) -> None:
        self.agent = agent
        self.ids = {
            "executor_id": {"value": "ex-main"},
            "framework_id": {"value": scheduler.framework_id},
        }
        self._answers: list[http.client.HTTPResponse] = []
        self._connections: list[http.client.HTTPConnection] = []

    def subscribe(self, **body: Any) -> http.client.HTTPResponse:
        """A stream of events."""
        connection = http.client.HTTPConnection(self.agent, timeout=60)
        call = json.dumps({**self.ids, "type": "SUBSCRIBE", "subscribe": body})
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", "/api/v1/executor", call, headers)
        answer = connection.getresponse()
        self._connections.append(connection)
        self._answers.append(answer)
        assert answer.status == 200, answer.read()
        return answer

    def close(self) -> None:
        """Close all streams."""
        for answer in self._answers:
            answer.close()
        for connection in self._connections:
            connection.close()


def next_event(answer: http.client.HTTPResponse) -> Json | None:
    """The next event of a stream; None at its end."""
    decoder = recordio.Decoder()
    while byte := answer.read(1):
        records = decoder.feed(byte)
        if records:
            event: Json = json.loads(records[0])
            return event
    return None


def odd_calls() -> list[tuple[str, str, int, str]]:
    """Name, raw request, status and body of each recorded call up to the first LAUNCH after."""
    text = (captures.DIRECTORY / "executor_ex-main.txt").read_text("latin-1").replace("<CRLF>", "")
    blocks = re.split(r"^=== +[\d.]+ ", text, flags=re.MULTILINE)
    sent = {b[5:].split("\n")[0]: b.split("\n", 1)[1] for b in blocks if b.startswith("SEND ")}
    calls = []
    for block in blocks:
        title = re.match(r"ANSWER (.*) \(after", block)
        if title and title[1] in sent and "m-" not in title[1] and "before" not in title[1]:
            lines = block.split("\n")
            body = block.partition("\n\n")[2].removesuffix("\n")
            calls.append((title[1], sent[title[1]], int(lines[1].split(" ")[1]), body))
    return calls


def start_silent(mesos: EmbeddedMesos, scheduler: Scheduler, *tasks: str) -> tuple[Json, Impostor]:
    """An executor that runs but never subscribes, so that the test can."""
    offer = scheduler.offer()
    info = executor_info("ex-main", "silent")
    scheduler.accept(offer, *(custom_task(name, offer, info) for name in tasks))
    agent = mesos.agents[f"agent{int(offer['hostname'].split('.')[-1]) - 10}"]
    return offer, Impostor(agent, scheduler)


def resend(raw: str, agent: str, framework_id: str) -> tuple[int, str]:
    """A recorded request, with the ids of now."""
    head, _, body = raw.partition("\n\n")
    first, *lines = head.split("\n")
    method, path, _ = first.split(" ")
    body = body.removesuffix("\n").replace(RECORDED_FRAMEWORK, framework_id)
    connection = http.client.HTTPConnection(agent, timeout=60)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "Content-Length":
            value = str(len(body.encode("latin-1")))
        if name != "Host":
            connection.putheader(name, value)
    connection.endheaders(body.encode("latin-1"))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_odd_calls_are_answered_as_recorded(start: Start) -> None:
    """33 refused or odd calls: status and text are those of Mesos."""
    calls = odd_calls()
    assert len(calls) > 30
    mesos = start(executor_registration_timeout=30)
    with Scheduler(mesos.master) as scheduler:
        _, impostor = start_silent(mesos, scheduler, "m-1")
        wait_for_executor(mesos)
        stream = impostor.subscribe()
        wrong = []
        for name, raw, status, body in calls:
            ours = resend(raw, impostor.agent, scheduler.framework_id)
            expected = (status, body.replace(RECORDED_FRAMEWORK, scheduler.framework_id))
            if ours != expected:
                wrong.append((name, ours, expected))
        impostor.close()
        stream.close()
        assert wrong == []


def wait_for_executor(mesos: EmbeddedMesos) -> None:
    """Until the agent has heard of the launch."""
    while not get_json(mesos.agents["agent1"], "/state")["frameworks"]:
        pass


def test_events_come_in_the_recorded_order(start: Start) -> None:
    """SUBSCRIBED, LAUNCH; ACKNOWLEDGED for an update; a second SUBSCRIBE ends the first stream."""
    mesos = start(executor_registration_timeout=30)
    with Scheduler(mesos.master) as scheduler:
        _, impostor = start_silent(mesos, scheduler, "m-1", "m-2")
        wait_for_executor(mesos)
        assert resend_update(impostor, "m-1", "AAAAAAAAQACAAAAAAAAAAQ==") == 403
        first = impostor.subscribe()
        subscribed = next_event(first)
        assert subscribed is not None
        recorded = json.loads(first_recorded_event())
        found = captures.differences(recorded, subscribed)
        # The recorded executor had more of everything than the one of this test.
        assert [one for one in found if ".executor_info." not in one] == []
        launched = [next_event(first), next_event(first)]
        names = [one["launch"]["task"]["task_id"]["value"] for one in launched if one]
        assert names == ["m-1", "m-2"]
        uuid = "AAAAAAAAQACAAAAAAAAAAQ=="
        assert resend_update(impostor, "m-1", uuid) == 202
        acknowledged = {"task_id": {"value": "m-1"}, "uuid": uuid}
        assert next_event(first) == {"type": "ACKNOWLEDGED", "acknowledged": acknowledged}
        second = impostor.subscribe()
        assert next_event(first) is None
        assert (next_event(second) or {})["type"] == "SUBSCRIBED"
        assert resend_update(impostor, "m-1", uuid) == 202, "a duplicate"
        assert (next_event(second) or {})["type"] == "ACKNOWLEDGED"
        update_count = sum(one["type"] == "UPDATE" for one in scheduler.events)
        assert update_count == 1, "the scheduler gets it once"
        impostor.close()


def first_recorded_event() -> str:
    text = (captures.DIRECTORY / "executor_ex-main.txt").read_text("latin-1")
    found = re.search(r"^(\{\"type\":\"SUBSCRIBED\".*)<CRLF>$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def resend_update(impostor: Impostor, task_id: str, uuid: str) -> int:
    status = {
        "task_id": {"value": task_id},
        "state": "TASK_RUNNING",
        "uuid": uuid,
        "source": "SOURCE_EXECUTOR",
    }
    call = {**impostor.ids, "type": "UPDATE", "update": {"status": status}}
    raw = (
        "POST /api/v1/executor HTTP/1.1\nContent-Type: application/json\n"
        f"Content-Length: 0\n\n{json.dumps(call)}"
    )
    return resend(raw, impostor.agent, "")[0]


@pytest.mark.parametrize("call", ["KILL", "MESSAGE", "SHUTDOWN"])
def test_the_scheduler_reaches_the_executor(start: Start, call: str) -> None:
    """KILL, MESSAGE and SHUTDOWN arrive as the recorded events."""
    mesos = start(executor_registration_timeout=30)
    with Scheduler(mesos.master) as scheduler:
        offer, impostor = start_silent(mesos, scheduler, "m-2")
        wait_for_executor(mesos)
        stream = impostor.subscribe()
        assert [(next_event(stream) or {})["type"] for _ in range(2)] == ["SUBSCRIBED", "LAUNCH"]
        where = {"agent_id": offer["agent_id"], "executor_id": {"value": "ex-main"}}
        policy = {"grace_period": {"nanoseconds": 1500000000}}
        if call == "KILL":
            scheduler.call(call, task_id={"value": "m-2"}, kill_policy=policy)
            kill = {"task_id": {"value": "m-2"}, "kill_policy": policy}
            expected: Json = {"type": "KILL", "kill": kill}
        elif call == "MESSAGE":
            scheduler.call(call, **where, data="dG8gdGhlIGV4ZWN1dG9yIAD/")
            expected = {"type": "MESSAGE", "message": {"data": "dG8gdGhlIGV4ZWN1dG9yIAD/"}}
        else:
            scheduler.call(call, **where)
            expected = {"type": "SHUTDOWN"}
        assert next_event(stream) == expected
        impostor.close()
