"""What a task's state proves."""

from __future__ import annotations

import pytest

from etcdmesos.mesos.statuses import ALIVE, DEAD, MAY_RUN, REFUSED, TaskState, TaskStatus


def test_every_state_is_of_exactly_one_kind() -> None:
    """Alive, perhaps alive, dead, or never accepted: no state is two of them or none."""
    kinds = (ALIVE, MAY_RUN, DEAD, REFUSED)
    assert all(sum(state in kind for kind in kinds) == 1 for state in TaskState)


@pytest.mark.parametrize("state", TaskState)
def test_what_a_state_proves(state: TaskState) -> None:
    """Dead and out of reach are never both true; an alive task is neither."""
    status = TaskStatus(task_id="t", state=state)
    assert (status.dead, status.out_of_reach) == (
        state in (*DEAD, *REFUSED),
        state in MAY_RUN,
    )


def test_unknown_is_not_dead() -> None:
    """A task that a master cannot vouch for may still run (design, promise 6)."""
    for state in (TaskState.UNKNOWN, TaskState.UNREACHABLE, TaskState.LOST):
        assert not TaskStatus(task_id="t", state=state).dead


def test_a_status_is_read() -> None:
    """All that later decisions read, and nothing more."""
    status = TaskStatus.from_json(
        {
            "task_id": {"value": "etcd-1-1"},
            "state": "TASK_RUNNING",
            "agent_id": {"value": "S0"},
            "executor_id": {"value": "etcd-1-1"},
            "source": "SOURCE_EXECUTOR",
            "uuid": "dXVpZA==",
            "data": "e30=",
            "timestamp": 1.5,
            "container_status": {},
        }
    )
    assert status == TaskStatus(
        task_id="etcd-1-1",
        state=TaskState.RUNNING,
        agent_id="S0",
        executor_id="etcd-1-1",
        source="SOURCE_EXECUTOR",
        uuid="dXVpZA==",
        data="e30=",
    )


def test_a_status_of_the_masters_own_words() -> None:
    """Reconciled answers may name nothing but task, state and reason."""
    status = TaskStatus.from_json(
        {"task_id": {"value": "t"}, "state": "TASK_UNKNOWN", "reason": "REASON_RECONCILIATION"}
    )
    assert (status.uuid, status.agent_id, status.reason) == ("", "", "REASON_RECONCILIATION")


@pytest.mark.parametrize(
    "data", [{}, {"task_id": {"value": "t"}}, {"task_id": {"value": "t"}, "state": "TASK_ODD"}]
)
def test_a_status_without_task_or_state_is_refused(data: dict[str, object]) -> None:
    """A state of a newer Mesos is an error to the caller, not a guess."""
    with pytest.raises((KeyError, ValueError)):
        TaskStatus.from_json(data)
