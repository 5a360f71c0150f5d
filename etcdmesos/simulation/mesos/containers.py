"""An executor on an agent: its container, its process, its tasks, as the agent's disk has them.

Values and small questions; what happens to them is decided in `agent`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

from attrs import define, field, frozen

from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.simulation.channel import Channels, End
from etcdmesos.simulation.hosts import Host
from etcdmesos.simulation.mesos.options import FrameworkInfo
from etcdmesos.simulation.mesos.records import TERMINAL

__all__ = [
    "AgentTask", "Container", "Ending", "Executor", "ExecutorFactory", "ExecutorProcess", "Phase",
    "Sink",
]  # fmt: skip


class Phase(enum.Enum):
    """Where an executor is in its life."""

    FETCHING = "fetching"
    REGISTERING = "registering"
    RUNNING = "running"
    TERMINATING = "terminating"
    TERMINATED = "terminated"


class ExecutorProcess(Protocol):
    """What runs in a container: the executor and all it started."""

    @property
    def running(self) -> bool: ...

    def kill(self) -> None:
        """SIGKILL of everything in the container; it tells `Container.ended`."""
        ...


class Sink(Protocol):
    """What an executor's end of its subscription does with the agent's events."""

    def subscribed(self) -> None: ...
    def launched(self, task: Task) -> None: ...
    def kill_asked(self, task_id: str) -> None: ...
    def shutdown_asked(self) -> None: ...
    def acknowledged(self, task_id: str, uuid: str) -> None: ...
    def message(self, data: bytes) -> None: ...


@frozen(kw_only=True, eq=False)
class Container:
    """What an executor's process is told and tells: its environment and its end."""

    id: str
    channels: Channels = field(repr=False)
    host: Host
    framework_id: str
    executor_id: str
    agent_id: str
    sandbox: str
    environment: tuple[tuple[str, str], ...]
    """What the scheduler set, and no more."""
    grace_seconds: float
    recovery_timeout: float
    backoff_max: float
    ended: Callable[[int], None] = field(repr=False)
    """Tell the wait status: `status << 8`, or the number of the signal."""


ExecutorFactory = Callable[[Container], ExecutorProcess]
"""Starts what runs in a container."""


@define(eq=False)
class AgentTask:
    """A task that the agent has handed over, or tried to."""

    task: Task
    state: TaskState = TaskState.STAGING
    healthy: bool | None = None
    """As its executor said last."""


@frozen(kw_only=True)
class Ending:
    """What is said of the tasks of an executor that ends."""

    state: TaskState = TaskState.FAILED
    reason: str = "REASON_EXECUTOR_TERMINATED"
    message: str = "Executor terminated"


@define(eq=False)
class Executor:
    """One executor, from its first task until every update of it is acknowledged."""

    framework_id: str
    info: FrameworkInfo
    first: Task
    """The task that brought it, and says what it takes."""
    container_id: str
    sandbox: str
    phase: Phase = Phase.FETCHING
    process: ExecutorProcess | None = None
    stream: End | None = None
    sink: Sink | None = None
    queued: dict[str, Task] = field(factory=dict)
    launched: dict[str, AgentTask] = field(factory=dict)
    seen: dict[str, None] = field(factory=dict)
    """The uuids of the updates taken."""
    ending: Ending = Ending()
    silent: bool = False
    """Its framework is gone: nobody is told anything of it."""

    @property
    def executor_id(self) -> str:
        return self.first.executor_id

    @property
    def alive(self) -> bool:
        return self.phase is not Phase.TERMINATED

    @property
    def has_tasks(self) -> bool:
        """Whether any task of it is not over."""
        return bool(self.queued) or not all(ended_state(t) for t in self.launched.values())


@define(eq=False)
class UpdateStream:
    """What a task's scheduler has not acknowledged yet, oldest first; one is on its way."""

    framework_id: str
    pending: list[TaskStatus] = field(factory=list)
    interval: float = 0.0
    attempt: int = 0

    @property
    def latest(self) -> TaskState:
        """The newest state, which the master needs before the scheduler has it."""
        return self.pending[-1].state


def ended_state(task: AgentTask) -> bool:
    """Whether the task is over."""
    return task.state in TERMINAL
