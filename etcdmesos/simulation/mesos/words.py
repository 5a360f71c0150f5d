"""The statuses that masters and agents make themselves, in Mesos' own words.  Pure."""

from __future__ import annotations

from etcdmesos.mesos.statuses import TaskState, TaskStatus

__all__ = ["of_agent", "of_master", "reconciled"]

RECONCILIATION = "REASON_RECONCILIATION"


def of_master(
    task_id: str, state: TaskState, message: str, reason: str, agent_id: str = ""
) -> TaskStatus:
    """The master's own word; nothing is to be acknowledged."""
    return TaskStatus(
        task_id=task_id,
        state=state,
        agent_id=agent_id,
        source="SOURCE_MASTER",
        reason=reason,
        message=message,
    )


def reconciled(task_id: str, state: TaskState, text: str, agent_id: str) -> TaskStatus:
    """The answer to RECONCILE, or to a call about a task that is not known."""
    return of_master(task_id, state, f"Reconciliation: {text}", RECONCILIATION, agent_id)


def of_agent(
    task_id: str,
    state: TaskState,
    message: str,
    reason: str,
    *,
    agent_id: str,
    executor_id: str,
    uuid: str,
) -> TaskStatus:
    """What an agent says of a task whose executor can't speak."""
    return TaskStatus(
        task_id=task_id,
        state=state,
        agent_id=agent_id,
        executor_id=executor_id,
        source="SOURCE_AGENT",
        reason=reason,
        message=message,
        uuid=uuid,
    )
