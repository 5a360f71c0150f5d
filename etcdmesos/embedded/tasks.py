"""A task as the master and the agent keep it, and how the APIs show it.

Data and pure conversions; who may change a task is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from etcdmesos.embedded import resources, statuses
from etcdmesos.embedded.resources import Resources

Json = dict[str, Any]


@dataclass
class Task:
    """One task; `executor_id` is None for a command task, as the master sees it."""

    framework_id: str
    task_id: str
    agent_id: str
    name: str
    executor_id: str | None
    resources: list[Json]
    role: str
    extra: Json = field(default_factory=dict)
    state: str = "TASK_STAGING"
    statuses: list[Json] = field(default_factory=list)
    update_state: str | None = None
    update_uuid: str | None = None

    @classmethod
    def from_info(cls, info: Json, framework_id: str, role: str) -> Task:
        """A task that was just launched."""
        executor = info.get("executor")
        shown = ("labels", "discovery", "kill_policy", "health_check", "max_completion_time")
        return cls(
            framework_id=framework_id,
            task_id=info["task_id"]["value"],
            agent_id=info["agent_id"]["value"],
            name=info.get("name", ""),
            executor_id=executor["executor_id"]["value"] if executor else None,
            resources=info.get("resources", []),
            role=role,
            extra={name: info[name] for name in shown if name in info},
        )

    @classmethod
    def from_json(cls, value: Json) -> Task:
        """The inverse of `to_json`."""
        return cls(**value)

    def to_json(self) -> Json:
        """For a checkpoint or a re-registration."""
        return {**vars(self), "statuses": list(self.statuses), "extra": dict(self.extra)}

    def amount(self) -> Resources:
        """What it takes while it is not terminal."""
        return resources.parse(self.resources)

    @property
    def terminal(self) -> bool:
        """Is it over?"""
        return statuses.terminal(self.state)

    def record(self, status: Json) -> None:
        """Keep a status; one that repeats the state replaces the one before."""
        kept = {name: value for name, value in status.items() if name != "data"}
        if self.statuses and self.statuses[-1]["state"] == kept["state"]:
            self.statuses.pop()
        self.statuses.append(kept)

    def latest_container_status(self) -> Json | None:
        """The container_status of the newest status that has one."""
        for status in reversed(self.statuses):
            if "container_status" in status:
                found: Json = status["container_status"]
                return found
        return None

    def for_state(self) -> Json:
        """As in /state and /tasks."""
        shown: Json = {
            "id": self.task_id,
            "name": self.name,
            "framework_id": self.framework_id,
            "executor_id": self.executor_id or "",
            "slave_id": self.agent_id,
            "state": self.state,
            "resources": resources.summary(self.amount()),
            "role": self.role,
            "statuses": [_status_for_state(status) for status in self.statuses],
        }
        if "labels" in self.extra:
            shown["labels"] = self.extra["labels"].get("labels", [])
        if "discovery" in self.extra:
            shown["discovery"] = self.extra["discovery"]
        return shown

    def for_operator(self) -> Json:
        """As in the v1 operator API."""
        shown: Json = {
            "name": self.name,
            "task_id": {"value": self.task_id},
            "framework_id": {"value": self.framework_id},
        }
        if self.executor_id is not None:
            shown["executor_id"] = {"value": self.executor_id}
        shown["agent_id"] = {"value": self.agent_id}
        shown["state"] = self.state
        shown["resources"] = self.resources
        if self.statuses:
            shown["statuses"] = self.statuses
        if self.update_state is not None:
            shown["status_update_state"] = self.update_state
            shown["status_update_uuid"] = self.update_uuid
        shown.update(self.extra)
        return shown


def _status_for_state(status: Json) -> Json:
    shown: Json = {"state": status["state"], "timestamp": status.get("timestamp", 0.0)}
    if "labels" in status:
        shown["labels"] = status["labels"].get("labels", [])
    if "container_status" in status:
        inside = dict(status["container_status"])
        inside.pop("executor_pid", None)
        shown["container_status"] = inside
    if "healthy" in status:
        shown["healthy"] = status["healthy"]
    return shown
