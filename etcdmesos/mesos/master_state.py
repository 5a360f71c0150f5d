"""What a scheduler needs of the master's `/state`: its agents and the frameworks of one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from etcdmesos.mesos.resources import Json
from etcdmesos.mesos.statuses import TaskState


@frozen(kw_only=True)
class ListedTask:
    """A task that the master lists.  Labels are the task's own, first one of a key wins."""

    id: str
    agent_id: str
    executor_id: str
    state: TaskState
    labels: Mapping[str, str]


@frozen(kw_only=True)
class ListedFramework:
    """A framework that the master knows and has not completed."""

    id: str
    name: str
    active: bool
    connected: bool
    tasks: tuple[ListedTask, ...]
    """Not completed: staging to running, and unreachable ones."""
    completed: tuple[ListedTask, ...] = ()
    """Those that ended, as far as the master remembers."""


@frozen(kw_only=True)
class MasterState:
    """The part of `/state` that decisions read."""

    registered_agents: frozenset[str]
    outstanding_agents: int
    """Agents the master recovered from its registry that have neither come back nor been given
    up."""
    unreachable_agents: int
    frameworks: tuple[ListedFramework, ...]
    """Those of the name asked for, completed ones left out."""

    @classmethod
    def from_json(cls, data: Json, framework_name: str) -> MasterState:
        """From the body of `/state`.  Raises KeyError, TypeError or ValueError on anything else."""
        agents = data["slaves"]
        return cls(
            registered_agents=frozenset(a["id"] for a in agents if a.get("active", True)),
            outstanding_agents=len(data.get("recovered_slaves", [])),
            unreachable_agents=int(data.get("unreachable_slaves", 0)),
            frameworks=tuple(
                _framework(f) for f in data["frameworks"] if f.get("name") == framework_name
            ),
        )


def _framework(data: Mapping[str, Any]) -> ListedFramework:
    return ListedFramework(
        id=data["id"],
        name=data["name"],
        active=bool(data.get("active")),
        connected=bool(data.get("connected", data.get("active"))),
        tasks=_tasks([*data.get("tasks", []), *data.get("unreachable_tasks", [])]),
        completed=_tasks(data.get("completed_tasks", [])),
    )


def _tasks(listed: Sequence[Mapping[str, Any]]) -> tuple[ListedTask, ...]:
    return tuple(
        ListedTask(
            id=t["id"],
            agent_id=t.get("slave_id", ""),
            executor_id=t.get("executor_id", ""),
            state=TaskState(t["state"]),
            labels={
                label["key"]: label.get("value", "") for label in reversed(t.get("labels", []))
            },
        )
        for t in listed
    )
