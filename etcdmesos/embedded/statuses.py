"""Task statuses: which states there are and how the master and the agents word theirs.

Pure; the texts are those of Apache Mesos, letter by letter.
"""

from __future__ import annotations

import base64
import uuid
from typing import Any

Json = dict[str, Any]

TERMINAL_STATES = frozenset(
    {
        "TASK_FINISHED",
        "TASK_FAILED",
        "TASK_KILLED",
        "TASK_ERROR",
        "TASK_LOST",
        "TASK_DROPPED",
        "TASK_GONE",
        "TASK_GONE_BY_OPERATOR",
    }
)

STATES = TERMINAL_STATES | {
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_UNREACHABLE",
    "TASK_UNKNOWN",
}


def terminal(state: str) -> bool:
    """Does a task in this state never run again?"""
    return state in TERMINAL_STATES


def new_uuid() -> str:
    """A fresh uuid as the JSON form of its 16 bytes."""
    return base64.b64encode(uuid.uuid4().bytes).decode()


def legible(state: str, *, partition_aware: bool) -> str:
    """The state as a framework without PARTITION_AWARE is told it."""
    finer = {"TASK_UNREACHABLE", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR"}
    if not partition_aware and state in finer | {"TASK_UNKNOWN"}:
        return "TASK_LOST"
    return state


def status(
    task_id: str,
    state: str,
    *,
    message: str | None = None,
    source: str = "SOURCE_MASTER",
    reason: str | None = None,
    agent_id: str | None = None,
    executor_id: str | None = None,
    timestamp: float | None = None,
    **more: Any,
) -> Json:
    """One TaskStatus; what is None is left out."""
    result: Json = {"task_id": {"value": task_id}, "state": state}
    if message is not None:
        result["message"] = message
    result["source"] = source
    if reason is not None:
        result["reason"] = reason
    if agent_id is not None:
        result["agent_id"] = {"value": agent_id}
    if executor_id is not None:
        result["executor_id"] = {"value": executor_id}
    if timestamp is not None:
        result["timestamp"] = timestamp
    result.update({name: value for name, value in more.items() if value is not None})
    return result


def reconciled(
    task_id: str,
    state: str,
    message: str,
    timestamp: float,
    agent_id: str | None = None,
    **more: Any,
) -> Json:
    """The master's answer to RECONCILE or to a call for a task it does not know."""
    return status(
        task_id,
        state,
        message=f"Reconciliation: {message}",
        reason="REASON_RECONCILIATION",
        agent_id=agent_id,
        timestamp=timestamp,
        **more,
    )


def agent_status(
    task_id: str,
    state: str,
    message: str,
    reason: str,
    agent_id: str,
    executor_id: str,
    timestamp: float,
) -> Json:
    """What an agent says of a task whose executor can't speak."""
    return status(
        task_id,
        state,
        message=message,
        source="SOURCE_AGENT",
        reason=reason,
        agent_id=agent_id,
        executor_id=executor_id,
        timestamp=timestamp,
        uuid=new_uuid(),
    )
