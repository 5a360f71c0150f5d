"""All that one leading master knows, and the questions its parts ask of it.  Sends nothing."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.events import TaskUpdated
from etcdmesos.mesos.statuses import TaskStatus
from etcdmesos.simulation.mesos.amounts import NOTHING, Amount
from etcdmesos.simulation.mesos.records import (
    AgentRecord,
    Framework,
    MasterTask,
    OfferRecord,
    Registry,
)

__all__ = ["Books"]


class Books:
    """One master's memory."""

    def __init__(self, registry: Registry) -> None:
        registry.masters += 1
        self.master_id = f"m{registry.masters}"
        self.registry = registry
        self.frameworks: dict[str, Framework] = {}
        self.removed: dict[str, Framework] = {}
        """Only this master remembers them: the registry knows no frameworks."""
        self.agents: dict[str, AgentRecord] = {}
        self.recovered: dict[str, str] = dict(registry.admitted)
        """Agents of the registry that have neither come back nor been given up."""
        self.offers: dict[str, OfferRecord] = {}
        self._numbers: dict[str, int] = {}

    def new_id(self, kind: str) -> str:
        """`m1-S0`, `m1-O7`, `m1-0000`: in Mesos' manner, unique for ever."""
        number = self._numbers.get(kind, 0)
        self._numbers[kind] = number + 1
        return f"{self.master_id}-{kind}{number}" if kind else f"{self.master_id}-{number:04d}"

    def used(self, agent: AgentRecord) -> Amount:
        """What tasks and executors take of an agent."""
        if agent.used is None:
            used = NOTHING
            for task in agent.tasks.values():
                if not task.terminal:
                    used += task.amount
            for amount in agent.executors.values():
                used += amount
            agent.used = used
        return agent.used

    def available(self, agent: AgentRecord) -> Amount:
        """What can be offered of an agent."""
        free = agent.total - self.used(agent)
        for offer in self.offers.values():
            if offer.agent_id == agent.id:
                free -= offer.amount
        return free

    def offers_of(self, *, framework_id: str = "", agent_id: str = "") -> list[OfferRecord]:
        """Outstanding offers, to a framework or of an agent."""
        return [
            offer
            for offer in self.offers.values()
            if framework_id in ("", offer.framework_id) and agent_id in ("", offer.agent_id)
        ]

    def tasks_of(self, framework_id: str) -> Iterator[tuple[AgentRecord, MasterTask]]:
        """The tasks of a framework on registered agents."""
        for agent in self.agents.values():
            for (owner, _), task in agent.tasks.items():
                if owner == framework_id:
                    yield agent, task

    def find_task(self, framework_id: str, task_id: str) -> tuple[AgentRecord, MasterTask] | None:
        """Where a task is."""
        for agent in self.agents.values():
            task = agent.tasks.get((framework_id, task_id))
            if task is not None:
                return agent, task
        return None

    def tell(self, framework: Framework, status: TaskStatus) -> None:
        """Send a status to a framework's scheduler."""
        framework.send(TaskUpdated(status=status))
