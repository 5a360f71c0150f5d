"""Task statuses: what Mesos or an executor last said of a task, and what that proves.

The sorting of states follows the comments in Mesos' mesos.proto (TaskState).
"""

from __future__ import annotations

import enum

from attrs import field, frozen

from etcdmesos.mesos.resources import Json


class TaskState(enum.Enum):
    """TaskState of the v1 API."""

    STAGING = "TASK_STAGING"
    STARTING = "TASK_STARTING"
    RUNNING = "TASK_RUNNING"
    KILLING = "TASK_KILLING"
    FINISHED = "TASK_FINISHED"
    FAILED = "TASK_FAILED"
    KILLED = "TASK_KILLED"
    ERROR = "TASK_ERROR"
    LOST = "TASK_LOST"
    DROPPED = "TASK_DROPPED"
    UNREACHABLE = "TASK_UNREACHABLE"
    GONE = "TASK_GONE"
    GONE_BY_OPERATOR = "TASK_GONE_BY_OPERATOR"
    UNKNOWN = "TASK_UNKNOWN"


ALIVE = (TaskState.STAGING, TaskState.STARTING, TaskState.RUNNING, TaskState.KILLING)
"""An executor or its agent vouches for the task."""

MAY_RUN = (TaskState.UNREACHABLE, TaskState.LOST, TaskState.UNKNOWN)
"""Nobody vouches for the task and nobody has seen it end: it may still be running."""

DEAD = (
    TaskState.FINISHED,
    TaskState.FAILED,
    TaskState.KILLED,
    TaskState.GONE,
    TaskState.GONE_BY_OPERATOR,
)
"""Seen to have ended (GONE_BY_OPERATOR: on the operator's word)."""

REFUSED = (TaskState.ERROR, TaskState.DROPPED)
"""The master's answer to *one ACCEPT*, not to the task: dead only because no id is accepted
twice."""


@frozen(kw_only=True)
class TaskStatus:
    """One status update.  `uuid` is "" when nothing is to be acknowledged (the master's own
    words)."""

    task_id: str
    state: TaskState
    agent_id: str = ""
    executor_id: str = ""
    source: str = ""
    reason: str = ""
    message: str = ""
    uuid: str = ""
    healthy: bool | None = None
    """What its executor says of it; None when it says nothing."""
    data: str = ""
    """What the executor attached, base64 as sent."""
    dead: bool = field(init=False, eq=False, repr=False)
    """True when this status proves that the task does not run and never will."""

    @dead.default
    def _proves_the_end(self) -> bool:
        return self.state in DEAD or self.state in REFUSED

    @classmethod
    def from_json(cls, data: Json) -> TaskStatus:
        """From the v1 API's TaskStatus.  Raises KeyError or ValueError on anything else."""
        return cls(
            task_id=data["task_id"]["value"],
            state=TaskState(data["state"]),
            agent_id=data.get("agent_id", {}).get("value", ""),
            executor_id=data.get("executor_id", {}).get("value", ""),
            source=data.get("source", ""),
            reason=data.get("reason", ""),
            message=data.get("message", ""),
            uuid=data.get("uuid", ""),
            healthy=data.get("healthy"),
            data=data.get("data", ""),
        )

    @property
    def out_of_reach(self) -> bool:
        """True when nobody vouches for the task any more, though it may still be running."""
        return self.state in MAY_RUN

    @property
    def summary(self) -> str:
        """For people: which task, its state, and why."""
        return f"{self.task_id} {self.state.value}: {self.message or self.reason or 'no reason'}"
