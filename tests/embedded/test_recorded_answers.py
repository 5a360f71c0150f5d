"""The embedded Mesos answers as the recorded one did: codes, texts, field names, event order."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from etcdmesos.embedded import EmbeddedMesos
from etcdmesos.mesos import recordio
from tests.embedded import captures
from tests.embedded.captures import Exchange
from tests.embedded.scheduler import (
    Scheduler,
    command_task,
    custom_task,
    executor_info,
    get_json,
    post_json,
    scalar,
)

Json = dict[str, Any]

# Answers in which nothing depends on the time, the ids or the hosts.
SAME_AT_THE_MASTER = [
    *sorted(
        path.stem
        for pattern in ("bad_*", "v1_bad_*", "v1_no_type", "v1_master_prefix", "teardown_http_*")
        for path in captures.DIRECTORY.glob(f"{pattern}.txt")
    ),
    "get_health",
    "get_maintenance",
    "get_master_api_v1_scheduler",
    "get_master_health",
    "get_master_redirect_state",
    "get_master_state_json",
    "get_operator_GET",
    "get_quota",
    "get_redirect_subpath",
    "get_scheduler_GET",
    "get_state_json",
    "get_tasks_json",
    "get_unknown_master_path",
    "get_unknown_path",
    "get_version",
    "get_weights",
    "v1_GET_HEALTH",
    "v1_GET_LOGGING_LEVEL",
    "v1_GET_MAINTENANCE_SCHEDULE",
    "v1_GET_MAINTENANCE_STATUS",
    "v1_GET_OPERATIONS",
    "v1_GET_QUOTA",
    "v1_GET_VERSION",
    "v1_GET_WEIGHTS",
]

SAME_AT_AN_AGENT = [
    "agent_executor_api_bad_json",
    "agent_executor_api_noname",
    "agent_get_executor_api_get",
    "agent_get_files_browse_missing",
    "agent_get_files_browse_noarg",
    "agent_get_health",
    "agent_get_root",
    "agent_get_state_json",
    "agent_get_unknown",
    "agent_get_version",
    "agent_v1_GET_HEALTH",
    "agent_v1_NOPE",
]

SUBSCRIPTIONS = [
    *sorted(path.stem for path in captures.DIRECTORY.glob("stream_sub_*.txt")),
    "stream_zero",
]


def ask(address: str, exchange: Exchange) -> tuple[int, dict[str, str], str]:
    """Send a recorded request as it was sent then."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.putrequest(exchange.method, exchange.path, skip_accept_encoding=True)
    for name, value in exchange.headers.items():
        if name not in ("host", "connection"):
            connection.putheader(name, value)
    connection.endheaders(exchange.body.encode("latin-1"))
    answer = connection.getresponse()
    heads = {name.lower(): value for name, value in answer.getheaders()}
    text = answer.read().decode("latin-1")
    connection.close()
    return answer.status, heads, text


@pytest.mark.parametrize("name", SAME_AT_THE_MASTER)
def test_the_master_answers_byte_for_byte(shared: EmbeddedMesos, name: str) -> None:
    """Status, body, Content-Type and Allow are those of the recording."""
    assert_same(shared.master, captures.read(name))


@pytest.mark.parametrize("name", SAME_AT_AN_AGENT)
def test_an_agent_answers_byte_for_byte(shared: EmbeddedMesos, name: str) -> None:
    """Status, body, Content-Type and Allow are those of the recording."""
    assert_same(shared.agents["agent1"], captures.read(name))


def assert_same(address: str, recorded: Exchange) -> None:
    status, heads, text = ask(address, recorded)
    assert (recorded.status, recorded.answer) == (status, text)
    for name in ("content-type", "allow", "content-length"):
        assert recorded.answer_headers.get(name) == heads.get(name), name


def test_redirect_names_the_leader(shared: EmbeddedMesos) -> None:
    """/redirect and /master/redirect are 307 with a Location without a scheme."""
    for name in ("get_redirect", "get_master_redirect"):
        recorded = captures.read(name)
        status, heads, text = ask(shared.master, recorded)
        assert (recorded.status, recorded.answer) == (status, text)
        assert heads["location"] == f"//{shared.master}"


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
def test_subscriptions_end_as_recorded(shared: EmbeddedMesos, name: str) -> None:
    """A bad FrameworkInfo is a 400, or a stream with one ERROR; an odd one is accepted."""
    recorded = captures.read(name)
    connection = http.client.HTTPConnection(shared.master, timeout=60)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connection.request("POST", "/api/v1/scheduler", recorded.body, headers)
    answer = connection.getresponse()
    assert answer.status == recorded.status
    if recorded.status != 200:
        text = answer.read().decode()
        connection.close()
        assert text
        assert text in (captures.DIRECTORY / f"{name}.txt").read_text()
        return
    assert "mesos-stream-id" in {head.lower() for head, _ in answer.getheaders()}
    for expected in captures.events(name)[:3]:
        length = b""
        while not length.endswith(b"\n"):
            length += answer.read(1)
        event = json.loads(answer.read(int(length)))
        assert event["type"] == expected["type"]
        assert captures.differences(expected, event) == []
        if event["type"] == "ERROR":
            assert event == expected
            assert answer.read() == b"", "the last chunk follows"
    answer.close()
    connection.close()


def normalized(status: Json) -> Json:
    """A status without what differs from run to run."""
    values: Json = dict(status)
    for name in ("agent_id", "timestamp", "uuid", "container_status"):
        if name in values:
            values[name] = captures.shape(values[name])
    values["message"] = values.get("message", "").split("c593d2b6")[0].split("d558b78c")[0]
    return values


def assert_like_recorded(recorded: Json, ours: Json, framework_id: str = "") -> None:
    expected, found = normalized(recorded), normalized(ours)
    master_id = framework_id.rpartition("-")[0]
    if master_id:
        found["message"] = found["message"].split(master_id)[0]
    assert found == expected


def test_refused_launches_read_as_recorded(shared: EmbeddedMesos) -> None:
    """TASK_ERROR and TASK_DROPPED with Mesos' words for each kind of bad ACCEPT."""
    recorded = captures.updates("life.console")
    nothing: Json = {"value": "no-agent"}
    with Scheduler(shared.master) as scheduler:

        def refused(task_id: str, offers: list[Json], **changes: Any) -> None:
            task = {**command_task(task_id, offers[0], "sleep 5"), **changes}
            task = {name: value for name, value in task.items() if value is not None}
            scheduler.accept(offers, task, refuse=0)
            ours = scheduler.update(task_id)
            assert_like_recorded(recorded[task_id][0], ours, scheduler.framework_id)

        offer = scheduler.offer()
        refused("a-badoffer", [{**offer, "id": {"value": "no-such-offer"}}])
        refused("a-wrongagent", [offer], agent_id=nothing)
        refused("a-nores", [scheduler.offer()], resources=[])
        refused("a-nocmd", [scheduler.offer()], command=None)
        refused("bad/id", [scheduler.offer()])
        twice = scheduler.offer()
        refused("a-dup", [twice, twice])
        big = [scalar("cpus", 99), scalar("mem", 32)]
        offer = scheduler.offer()
        scheduler.accept(offer, command_task("a-toobig", offer, "sleep 5", resources=big), refuse=0)
        message = scheduler.update("a-toobig")["message"]
        known = recorded["a-toobig"][0]["message"]
        assert message.split(" than ")[0] == known.split(" than ")[0]
        assert message.split("ports")[1].split(";")[0].count("allocated: *") == 1


def test_refused_executors_read_as_recorded(shared: EmbeddedMesos) -> None:
    """TASK_ERROR with Mesos' words for each kind of bad ExecutorInfo."""
    recorded = captures.updates("executor_console")
    with Scheduler(shared.master) as scheduler:

        def refused(kind: str, executor: Json, **changes: Any) -> None:
            offer = scheduler.offer()
            task = {**custom_task(f"v-{kind}", offer, executor), **changes}
            scheduler.accept(offer, task, refuse=0)
            ours = scheduler.update(f"v-{kind}")
            assert_like_recorded(recorded[f"v-{kind}"][0], ours, scheduler.framework_id)

        info = executor_info("ex-zork")
        command = {"value": "true"}
        negative = {"nanoseconds": -1}
        without = {name: value for name, value in info.items() if name != "command"}
        refused("command_and_executor", info, command=command)
        refused("executor_without_command", without)
        refused("bad_executor_id", {**info, "executor_id": {"value": "a/b"}})
        refused("shutdown_grace_negative", {**info, "shutdown_grace_period": negative})
        refused("kill_grace_negative", info, kill_policy={"grace_period": negative})
        refused("type_default_with_command", {**info, "type": "DEFAULT"})
        refused("wrong_framework_id", {**info, "framework_id": {"value": "nope"}})


@pytest.mark.parametrize("aware", [True, False])
def test_unknown_tasks_read_as_recorded(shared: EmbeddedMesos, aware: bool) -> None:
    """RECONCILE and KILL of tasks nobody knows, with and without PARTITION_AWARE."""
    recorded = captures.updates("life.console")
    prefix = "" if aware else "p"
    capabilities = [{"type": "MULTI_ROLE"}] + [{"type": "PARTITION_AWARE"}] * aware
    with Scheduler(shared.master, capabilities=capabilities) as scheduler:
        known = scheduler.offer()["agent_id"]
        for call, letter in (("RECONCILE", "u"), ("KILL", "k")):
            for agent, agent_id in (("noagent", None), ("goodagent", known)):
                name = f"{prefix}{letter}-{agent}"
                body: Json = {"task_id": {"value": name}}
                if agent_id is not None:
                    body["agent_id"] = agent_id
                scheduler.call(call, **({"tasks": [body]} if call == "RECONCILE" else body))
                assert_like_recorded(recorded[name][0], scheduler.update(name))


def test_a_command_task_lives_as_recorded(shared: EmbeddedMesos) -> None:
    """STARTING, RUNNING, FINISHED or FAILED or KILLED, with the recorded fields and words."""
    recorded = captures.updates("life.console")
    commands = {"t-ok": "echo hello", "t-fail": "exit 3", "t-kill": "sleep 1000"}
    with Scheduler(shared.master) as scheduler:
        offer = scheduler.offer()
        tasks = [command_task(name, offer, command) for name, command in commands.items()]
        scheduler.accept(offer, *tasks)
        scheduler.update("t-kill", "TASK_RUNNING")
        scheduler.call("RECONCILE", tasks=[{"task_id": {"value": "t-kill"}}])
        scheduler.wait(lambda one: "Latest task state" in json.dumps(one))
        scheduler.call("RECONCILE", tasks=[])
        scheduler.call("KILL", task_id={"value": "t-kill"})
        for name, state in (("t-ok", "FINISHED"), ("t-fail", "FAILED"), ("t-kill", "KILLED")):
            scheduler.update(name, f"TASK_{state}")
            ours = [
                one["update"]["status"]
                for one in scheduler.events
                if one["type"] == "UPDATE" and one["update"]["status"]["task_id"]["value"] == name
            ]
            assert [one["state"] for one in ours] == [one["state"] for one in recorded[name]]
            for expected, found in zip(recorded[name], ours, strict=True):
                assert_like_recorded(expected, found)


def test_the_readable_side_has_the_recorded_fields(shared: EmbeddedMesos) -> None:
    """/state, /tasks, /slaves and the operator API, at master and agent, while an executor runs."""
    with Scheduler(shared.master) as scheduler:
        offer = scheduler.offer()
        labels = {"labels": [{"key": "k", "value": "v"}]}
        info = executor_info("ex-fields", labels=labels)
        first = offer["resources"][0]["ranges"]["range"][0]["begin"]
        pair = {"range": [{"begin": first, "end": first + 1}]}
        ports = {"name": "ports", "type": "RANGES", "ranges": pair}
        more = [scalar("cpus", 0.2), scalar("mem", 64), ports]
        task = custom_task("m-3", offer, info, "TASK_STARTING", "TASK_RUNNING", resources=more)
        scheduler.accept(offer, task, refuse=0)
        scheduler.update("m-3", "TASK_RUNNING")
        scheduler.offer(offer["hostname"])
        agent = f"agent{int(offer['hostname'].split('.')[-1]) - 10}"
        compare_master(shared.master, scheduler.framework_id)
        compare_agent(shared.agents[agent])


def compare_master(master: str, framework_id: str) -> None:
    recorded = json.loads(captures.read("executor_master_state").answer)
    ours = get_json(master, "/master/state")
    mine = next(one for one in ours["frameworks"] if one["id"] == framework_id)
    theirs = recorded["frameworks"][0]
    del recorded["flags"], ours["flags"], recorded["frameworks"], ours["frameworks"]
    assert sorted(recorded) == sorted(ours)
    busy = [one for one in ours["slaves"] if "ports" in one["used_resources"]]
    assert captures.differences(recorded["slaves"], busy) == []
    for name in ("argv", "uris"):
        assert name in mine["executors"][0]["command"]
    del theirs["tasks"], mine["tasks"]
    assert captures.differences(theirs, mine) == []
    used = mine["used_resources"]
    assert (used["cpus"], used["mem"]) == (0.3, 96.0)
    for name, path in (("get_slaves", "/slaves"), ("get_tasks_running", "/tasks")):
        theirs = json.loads(captures.read(name).answer)
        found = captures.differences(theirs, get_json(master, path))
        assert [one for one in found if not one.endswith("resources.ports added")] == []
    for name in ("executor_master_v1_GET_EXECUTORS", "v1_GET_AGENTS", "v1_GET_MASTER"):
        theirs = captures.read(name)
        _, body = post_json(master, "/api/v1", json.loads(theirs.body))
        found = captures.differences(json.loads(theirs.answer), json.loads(body))
        assert [one for one in found if ".executor_info." not in one] == []


def compare_agent(agent: str) -> None:
    recorded = json.loads(captures.read("agent_get_state").answer)
    ours = get_json(agent, "/state")
    # Other tests' executors may not be gone yet; the one of this test is the last.
    ours["frameworks"] = ours["frameworks"][-1:]
    del recorded["flags"], ours["flags"]
    found = captures.differences(recorded, ours)
    # Which tasks and amounts there are differs, not which fields the agent and executors have.
    assert [one for one in found if ".tasks[]" not in one and ".ports" not in one] == []
    for name in ("agent_get_containers", "agent_get_statistics"):
        exchange = captures.read(name)
        theirs = json.loads(exchange.answer)
        assert captures.differences(theirs, get_json(agent, exchange.path)) == []
    for name in ("agent_v1_GET_AGENT", "agent_v1_GET_CONTAINERS"):
        exchange = captures.read(name)
        _, body = post_json(agent, "/api/v1", json.loads(exchange.body))
        assert captures.differences(json.loads(exchange.answer), json.loads(body)) == []


def test_the_operator_stream_tells_as_recorded(shared: EmbeddedMesos) -> None:
    """SUBSCRIBED with the state, HEARTBEAT, FRAMEWORK_ADDED, TASK_ADDED, TASK_UPDATED."""
    raw = (captures.DIRECTORY / "operator_subscribe.raw").read_text("latin-1")
    recorded: dict[str, Json] = {}
    for line in raw.split("\n"):
        if line.startswith('{"type"'):
            event = json.loads(line)
            recorded.setdefault(event["type"], event)
    connection = http.client.HTTPConnection(shared.master, timeout=60)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connection.request("POST", "/api/v1", '{"type": "SUBSCRIBE"}', headers)
    answer = connection.getresponse()
    decoder = recordio.Decoder()
    seen: dict[str, Json] = {}
    with Scheduler(shared.master) as scheduler:
        offer = scheduler.offer()
        scheduler.accept(offer, command_task("watched", offer, "true"))
        while "TASK_UPDATED" not in seen:
            for record in decoder.feed(answer.read1(65536)):
                event = json.loads(record)
                seen.setdefault(event["type"], event)
    answer.close()
    connection.close()
    kinds = ["SUBSCRIBED", "HEARTBEAT", "FRAMEWORK_ADDED", "TASK_ADDED", "TASK_UPDATED"]
    assert list(seen) == kinds
    for kind in kinds[2:]:
        found = captures.differences(recorded[kind], seen[kind])
        assert [one for one in found if ".capabilities" not in one] == [], kind
    assert sorted(seen["SUBSCRIBED"]["subscribed"]) == sorted(recorded["SUBSCRIBED"]["subscribed"])
