"""What is read of the master's `/state`."""

from __future__ import annotations

from typing import Any

import pytest

from etcdmesos.mesos.master_state import MasterState
from etcdmesos.mesos.statuses import TaskState


def task(task_id: str, state: str = "TASK_RUNNING", **changes: Any) -> dict[str, Any]:
    return {"id": task_id, "slave_id": "S0", "executor_id": task_id, "state": state, **changes}


def framework(name: str = "etcd-c", **changes: Any) -> dict[str, Any]:
    return {"id": f"id of {name}", "name": name, "active": True, "connected": True, **changes}


def test_agents() -> None:
    """Registered, outstanding and unreachable agents are told apart; inactive ones are not
    registered."""
    state = MasterState.from_json(
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
    state = MasterState.from_json(
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
    state = MasterState.from_json({"slaves": [], "frameworks": [ours]}, "etcd-c")
    assert [(t.id, t.state) for t in state.frameworks[0].completed] == [("t-3", TaskState.FINISHED)]
    assert [(t.id, t.state) for t in state.frameworks[0].tasks] == [
        ("t-1", TaskState.RUNNING),
        ("t-2", TaskState.UNREACHABLE),
    ]


def test_the_first_label_of_a_key_counts() -> None:
    """Labels may repeat; one without a value is empty."""
    labels = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}, {"key": "b"}]
    ours = framework(tasks=[task("t-1", labels=labels)])
    state = MasterState.from_json({"slaves": [], "frameworks": [ours]}, "etcd-c")
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
        MasterState.from_json(data, "etcd-c")
