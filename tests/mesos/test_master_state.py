"""What is read of the master's `/state`."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from etcdmesos.mesos.master_state import (
    ListedTask,
    MasterState,
    StateReading,
    TasksReading,
)
from etcdmesos.mesos.statuses import TaskState


def read(state: Any, framework_name: str) -> MasterState:
    return read_body([json.dumps(state).encode()], framework_name)


def read_body(body: Iterable[bytes], framework_name: str) -> MasterState:
    reading = StateReading(framework_name)
    for data in body:
        reading.feed(data)
    return reading.result()


def read_tasks(body: bytes) -> Mapping[str, tuple[ListedTask, ...]]:
    reading = TasksReading()
    reading.feed(body)
    return reading.result()


def task(task_id: str, state: str = "TASK_RUNNING", **changes: Any) -> dict[str, Any]:
    return {"id": task_id, "slave_id": "S0", "executor_id": task_id, "state": state, **changes}


def framework(name: str = "etcd-c", **changes: Any) -> dict[str, Any]:
    return {"id": f"id of {name}", "name": name, "active": True, "connected": True, **changes}


def test_agents() -> None:
    """Registered, outstanding and unreachable agents are told apart; inactive ones are not
    registered."""
    state = read(
        {
            "slaves": [{"id": "S0"}, {"id": "S1", "active": False}, {"id": "S2", "active": True}],
            "recovered_slaves": [{"id": "S3"}, {"id": "S4"}],
            "unreachable_slaves": 3,
            "frameworks": [],
        },
        "etcd-c",
    )
    assert state.registered_agents == {"S0", "S2"}
    assert (state.outstanding_agents, state.unreachable_agents) == (2, 3)


def test_only_frameworks_of_the_name() -> None:
    """Others are of no interest, completed ones are over."""
    state = read(
        {
            "slaves": [],
            "frameworks": [framework(), framework("marathon")],
            "completed_frameworks": [framework()],
        },
        "etcd-c",
    )
    assert [f.id for f in state.frameworks] == ["id of etcd-c"]


def test_tasks_running_and_unreachable() -> None:
    """A framework's tasks are those not completed, unreachable ones among them."""
    ours = framework(
        tasks=[task("t-1")],
        unreachable_tasks=[task("t-2", "TASK_UNREACHABLE")],
        completed_tasks=[task("t-3", "TASK_FINISHED")],
    )
    state = read({"slaves": [], "frameworks": [ours]}, "etcd-c")
    assert [(t.id, t.state) for t in state.frameworks[0].completed] == [("t-3", TaskState.FINISHED)]
    assert [(t.id, t.state) for t in state.frameworks[0].tasks] == [
        ("t-1", TaskState.RUNNING),
        ("t-2", TaskState.UNREACHABLE),
    ]


def test_the_first_label_of_a_key_counts() -> None:
    """Labels may repeat; one without a value is empty."""
    labels = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}, {"key": "b"}]
    ours = framework(tasks=[task("t-1", labels=labels)])
    state = read({"slaves": [], "frameworks": [ours]}, "etcd-c")
    assert state.frameworks[0].tasks[0].labels == {"a": "1", "b": ""}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"slaves": []},
        {"frameworks": []},
        {"slaves": 5, "frameworks": []},
        {"slaves": [], "frameworks": [framework(tasks=[task("t", "TASK_ODD")])]},
        {"slaves": [], "frameworks": [framework(id=None) | {"tasks": [{}]}]},
        [],
    ],
)
def test_anything_else_is_an_error(data: Any) -> None:
    """A body that is no state is refused, never read as an empty one."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(data, "etcd-c")


def test_of_others_nothing_is_kept() -> None:
    """Of a state with many tasks of others, reading holds little more than one piece at a time."""
    others = [task(f"t-{n}", labels=[{"key": "k", "value": "v" * 200}]) for n in range(100)]
    theirs = json.dumps(framework("marathon", tasks=others)).encode()
    ours = json.dumps(framework(tasks=[task("etcd-1-1")], webui_url="http://h:1")).encode()

    def body() -> Iterator[bytes]:
        yield b'{"slaves":[],"frameworks":['
        for _ in range(100):
            yield theirs
            yield b","
        yield ours
        yield b"]}"

    tracemalloc.start()
    try:
        state = read_body(body(), "etcd-c")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [(f.webui_url, len(f.tasks)) for f in state.frameworks] == [("http://h:1", 1)]
    assert peak < 10 * len(theirs), f"{peak} bytes for a state of {100 * len(theirs)}"


def test_tasks_by_framework() -> None:
    """What /tasks lists, also where a master does not know the filter asked for."""
    tasks = [task("a", framework_id="F1"), task("b", framework_id="F2")]
    found = read_tasks(json.dumps({"tasks": tasks}).encode())
    assert {name: [t.id for t in each] for name, each in found.items()} == {
        "F1": ["a"],
        "F2": ["b"],
    }


@pytest.mark.parametrize("body", [b"{}", b'{"tasks":{}}', b'{"tasks":[7]}', b"[]", b"<html>", b""])
def test_what_is_no_list_of_tasks(body: bytes) -> None:
    """Never read as an empty one."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_tasks(body)
