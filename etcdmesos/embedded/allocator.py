"""Who is offered what: pure. Dominant resource fairness over whole agents.

Each agent's free resources go to the framework and role with the smallest share that
wants them; shares are counted on as the plan grows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etcdmesos.embedded.resources import Resources

# Mesos' --min_allocatable_resources=cpus:0.01|mem:32
_MIN_CPUS = 0.01
_MIN_MEM = 32.0

Refuses = Callable[[str, str, str, Resources], bool]


@dataclass
class Demand:
    """One framework in one role that takes offers, and what it holds already."""

    framework_id: str
    role: str
    held: Resources

    def share(self, total: Resources) -> float:
        """The largest part it holds of any one resource."""
        parts = [
            amount / total.scalars[name]
            for name, amount in self.held.scalars.items()
            if total.scalars.get(name)
        ]
        return max(parts, default=0.0)


@dataclass(frozen=True)
class Grant:
    """Offer these resources of this agent to this framework in this role."""

    framework_id: str
    role: str
    agent_id: str
    resources: Resources


def allocatable(resources: Resources) -> bool:
    """Is it enough to be worth an offer?"""
    return resources.scalar("cpus") >= _MIN_CPUS or resources.scalar("mem") >= _MIN_MEM


def plan(
    agents: Sequence[tuple[str, Resources]],
    demands: Sequence[Demand],
    total: Resources,
    refuses: Refuses,
) -> list[Grant]:
    """The offers to make now; `refuses` tells whether a filter stands against one."""
    grants = []
    for agent_id, free in agents:
        if not allocatable(free):
            continue
        for demand in sorted(demands, key=lambda one: one.share(total)):
            if not refuses(demand.framework_id, demand.role, agent_id, free):
                grants.append(Grant(demand.framework_id, demand.role, agent_id, free))
                demand.held = demand.held + free
                break
    return grants
