"""The master's books: frameworks, agents, offers, tasks. Data with bookkeeping, no decisions.

What a master forgets when it fails over is exactly one Cluster, except the registry
(agents known to exist, reachable or not), which is handed on.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from etcdmesos.embedded import resources
from etcdmesos.embedded.link import Link
from etcdmesos.embedded.resources import Resources
from etcdmesos.embedded.server import EventStream
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]

COMPLETED_TASKS_MAX = 1000
COMPLETED_FRAMEWORKS_MAX = 50


@dataclass(frozen=True)
class Offer:
    """Resources of one agent, lent to one framework until it answers."""

    offer_id: str
    framework_id: str
    agent_id: str
    role: str
    resources: Resources


@dataclass(frozen=True)
class Filter:
    """A framework's refusal: nothing that is contained in this until then."""

    resources: Resources
    expires: float


@dataclass
class Framework:
    """One framework, connected or not."""

    framework_id: str
    info: Json
    registered_time: float
    stream: EventStream | None = None
    stream_id: str = ""
    active: bool = False
    recovered: bool = False
    reregistered_time: float | None = None
    unregistered_time: float = 0.0
    suppressed: set[str] = field(default_factory=set)
    filters: dict[tuple[str, str], list[Filter]] = field(default_factory=dict)
    completed: list[Task] = field(default_factory=list)
    unreachable: dict[str, Task] = field(default_factory=dict)
    failover: asyncio.TimerHandle | None = None
    heartbeat: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """Is there a stream?"""
        return self.stream is not None

    def capable(self, capability: str) -> bool:
        """Did it subscribe with this capability?"""
        return any(one.get("type") == capability for one in self.info.get("capabilities", []))

    @property
    def roles(self) -> list[str]:
        """Its roles, in either way of naming them."""
        if self.capable("MULTI_ROLE"):
            return list(self.info.get("roles", []))
        return [self.info.get("role", "*")]

    def send(self, event: Json) -> None:
        """To its stream; without one it is lost."""
        if self.stream is not None:
            self.stream.put(event)

    def complete(self, task: Task) -> None:
        """Remember a task that is over and acknowledged."""
        self.completed.append(task)
        del self.completed[:-COMPLETED_TASKS_MAX]


@dataclass
class AgentRecord:
    """One registered agent as the master sees it."""

    agent_id: str
    info: Json
    pid: str
    link: Link
    total: Resources
    registered_time: float
    reregistered_time: float | None = None
    connected: bool = True
    tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    executors: dict[tuple[str, str], tuple[Json, str]] = field(default_factory=dict)
    kill_when_back: set[tuple[str, str]] = field(default_factory=set)
    unanswered_pings: int = 0

    @property
    def hostname(self) -> str:
        """Its host name."""
        return str(self.info["hostname"])

    def used(self, framework_id: str | None = None) -> Resources:
        """What tasks and executors take, all or those of one framework."""
        mine = [
            task.amount()
            for (owner, _), task in self.tasks.items()
            if not task.terminal and framework_id in (None, owner)
        ]
        executors = [
            resources.parse(info.get("resources", []))
            for (owner, _), (info, _role) in self.executors.items()
            if framework_id in (None, owner)
        ]
        return resources.total([*mine, *executors])


@dataclass
class Departed:
    """An agent that is in the registry but not registered."""

    agent_id: str
    info: Json
    pid: str
    since: float


@dataclass(frozen=True)
class Registry:
    """What one leading master leaves to the next: agents by id, and no tasks."""

    admitted: dict[str, Departed] = field(default_factory=dict)
    unreachable: dict[str, Departed] = field(default_factory=dict)


class Cluster:
    """All that one leading master knows."""

    def __init__(self, registry: Registry) -> None:
        self.master_id = str(uuid.uuid4())
        self.start_time = time.time()
        self.frameworks: dict[str, Framework] = {}
        self.completed_frameworks: dict[str, Framework] = {}
        self.agents: dict[str, AgentRecord] = {}
        self.recovered = dict(registry.admitted)
        self.unreachable = dict(registry.unreachable)
        self.offers: dict[str, Offer] = {}
        self._framework_count = 0
        self._agent_count = 0
        self._offer_count = 0

    def new_framework_id(self) -> str:
        """`<master>-0000` and so on."""
        self._framework_count += 1
        return f"{self.master_id}-{self._framework_count - 1:04d}"

    def new_agent_id(self) -> str:
        """`<master>-S0` and so on."""
        self._agent_count += 1
        return f"{self.master_id}-S{self._agent_count - 1}"

    def new_offer_id(self) -> str:
        """`<master>-O0` and so on."""
        self._offer_count += 1
        return f"{self.master_id}-O{self._offer_count - 1}"

    def registry(self) -> Registry:
        """The agents the next master must expect back, and those given up already."""
        now = time.time()
        known = {
            agent.agent_id: Departed(agent.agent_id, agent.info, agent.pid, now)
            for agent in self.agents.values()
        }
        return Registry(admitted={**self.recovered, **known}, unreachable=self.unreachable)

    def offered(self, agent_id: str) -> Resources:
        """What is lent out of an agent."""
        return resources.total(o.resources for o in self.offers.values() if o.agent_id == agent_id)

    def available(self, agent: AgentRecord) -> Resources:
        """What can be offered of an agent."""
        return agent.total - agent.used() - self.offered(agent.agent_id)

    def offers_of(
        self, *, framework_id: str | None = None, agent_id: str | None = None
    ) -> list[Offer]:
        """Outstanding offers to a framework or of an agent."""
        return [
            offer
            for offer in self.offers.values()
            if framework_id in (None, offer.framework_id) and agent_id in (None, offer.agent_id)
        ]

    def tasks_of(self, framework_id: str) -> Iterator[tuple[AgentRecord, Task]]:
        """The tasks of a framework on registered agents."""
        for agent in self.agents.values():
            for (owner, _), task in agent.tasks.items():
                if owner == framework_id:
                    yield agent, task

    def find_task(self, framework_id: str, task_id: str) -> tuple[AgentRecord, Task] | None:
        """Where a task is."""
        for agent in self.agents.values():
            task = agent.tasks.get((framework_id, task_id))
            if task is not None:
                return agent, task
        return None

    def retire(self, framework: Framework) -> None:
        """Move a framework to the completed ones."""
        self.frameworks.pop(framework.framework_id, None)
        self.completed_frameworks[framework.framework_id] = framework
        while len(self.completed_frameworks) > COMPLETED_FRAMEWORKS_MAX:
            del self.completed_frameworks[next(iter(self.completed_frameworks))]
