"""What a master keeps in its books, and what of it outlives it (the registry).  No behaviour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import define, field

from etcdmesos.cluster.events import Event
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.mesos.tasks import Task
from etcdmesos.simulation.channel import End
from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.mesos.amounts import Amount, amount_of
from etcdmesos.simulation.mesos.options import AgentSpec, FrameworkInfo

if TYPE_CHECKING:
    from etcdmesos.simulation.mesos.agent import Agent

__all__ = ["TERMINAL", "AgentRecord", "Framework", "Key", "MasterTask", "OfferRecord", "Registry"]

TERMINAL = (
    TaskState.FINISHED,
    TaskState.FAILED,
    TaskState.KILLED,
    TaskState.ERROR,
    TaskState.LOST,
    TaskState.DROPPED,
    TaskState.GONE,
    TaskState.GONE_BY_OPERATOR,
)

Key = tuple[str, str]
"""Framework id, and the id of a task or an executor."""


@define(eq=False)
class MasterTask:
    """A task as the master knows it."""

    framework_id: str
    task: Task
    state: TaskState = TaskState.STAGING
    healthy: bool | None = None
    """As its executor said last."""
    update_state: TaskState | None = None
    """Of the newest update that the scheduler was sent."""
    update_uuid: str = ""
    amount: Amount = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.amount = amount_of(self.task.resources)

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL


@define(eq=False)
class OfferRecord:
    """An outstanding offer."""

    id: str
    framework_id: str
    agent_id: str
    amount: Amount


@define(eq=False)
class Framework:
    """A framework that the master knows and has not removed."""

    id: str
    info: FrameworkInfo
    stream: End | None = None
    """To its scheduler; without one the framework is disconnected."""
    stream_id: int = 0
    take: Callable[[Event | None], None] | None = None
    """What the scheduler's end does with an event; None is a heartbeat."""
    suppressed: bool = False
    refusals: dict[str, list[tuple[Amount, float]]] = field(factory=dict)
    """By agent: what is not wanted, and until when."""
    unreachable: dict[str, MasterTask] = field(factory=dict)
    failover: Timer | None = None

    @property
    def connected(self) -> bool:
        return self.stream is not None

    def send(self, event: Event | None) -> None:
        """To its scheduler; without a stream it is lost."""
        if self.stream is not None and self.take is not None:
            self.stream.send(self.take, event)


@define(eq=False)
class AgentRecord:
    """A registered agent as the master sees it."""

    id: str
    host: str
    spec: AgentSpec
    total: Amount
    link: End
    daemon: Agent
    """The life of the daemon that registered; reached over `link` only."""
    connected: bool = True
    tasks: dict[Key, MasterTask] = field(factory=dict)
    executors: dict[Key, Amount] = field(factory=dict)
    kill_when_back: list[Key] = field(factory=list)
    unanswered_pings: int = 0
    used: Amount | None = None
    """Worked out anew when None."""


@define(eq=False)
class Registry:
    """What masters write down for those after them."""

    admitted: dict[str, str] = field(factory=dict)
    """Agent id to host."""
    unreachable: dict[str, str] = field(factory=dict)
    gone: dict[str, str] = field(factory=dict)
    masters: int = 0
    launches_to_refuse: int = 0
    """How many of the next launches the access control lists forbid."""
    message_fate: Callable[[], Sequence[float]] | None = None
    """After how many more seconds a framework message arrives, each time that it does; None: once,
    at once."""
