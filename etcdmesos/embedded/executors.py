"""An executor as its agent keeps it: what it is, its tasks, and the pure parts around it.

Data, the environment its process gets, and its JSON forms. Starting and ending it
is in executor_lifecycle.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from etcdmesos.embedded import resources
from etcdmesos.embedded.containers import Container
from etcdmesos.embedded.resources import Resources
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]
Phase = Literal["registering", "running", "terminating", "terminated"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class EventSink(Protocol):
    """Where events for an executor go."""

    def put(self, event: Json) -> None:
        """Send one event."""

    def finish(self) -> None:
        """Send no more."""


@dataclass
class Ending:
    """What is said of the tasks of an executor when it ends now."""

    state: str = "TASK_FAILED"
    reason: str = "REASON_EXECUTOR_TERMINATED"
    message: str = "Executor terminated"


@dataclass
class Executor:
    """One run of one executor."""

    framework_info: Json
    info: Json
    command: bool
    container_id: str
    directory: Path
    role: str
    phase: Phase = "registering"
    queued: dict[str, Json] = field(default_factory=dict)
    launched: dict[str, Task] = field(default_factory=dict)
    completed: list[Task] = field(default_factory=list)
    seen: dict[str, list[str]] = field(default_factory=dict)
    container: Container | None = None
    sink: EventSink | None = None
    ending: Ending = field(default_factory=Ending)
    silent: bool = False

    @property
    def framework_id(self) -> str:
        """Whose it is."""
        return str(self.framework_info["id"]["value"])

    @property
    def executor_id(self) -> str:
        """Its id; that of the task for a command task."""
        return str(self.info["executor_id"]["value"])

    @property
    def key(self) -> tuple[str, str]:
        """Framework id and executor id."""
        return self.framework_id, self.executor_id

    @property
    def checkpointed(self) -> bool:
        """Does it live on when the agent dies?"""
        return bool(self.framework_info.get("checkpoint"))

    @property
    def pid(self) -> int | None:
        """The first process of its container."""
        return self.container.pid if self.container else None

    def grace_seconds(self, default: float) -> float:
        """How long it may take to obey SHUTDOWN."""
        period = self.info.get("shutdown_grace_period")
        return int(period["nanoseconds"]) / 1e9 if period else default

    def idle(self) -> bool:
        """Is there no task left that is not over?"""
        return not self.queued and all(task.terminal for task in self.launched.values())

    def amount(self) -> Resources:
        """Its own resources and those of its tasks that are not over."""
        own = resources.parse(self.info.get("resources", []))
        launched = [task.amount() for task in self.launched.values() if not task.terminal]
        queued = [resources.parse(task.get("resources", [])) for task in self.queued.values()]
        return resources.total([own, *launched, *queued])

    def container_status(self, ip: str, given: Json | None) -> Json:
        """What the agent adds to a status; network_infos of the executor are kept."""
        addresses: list[Json] = [{"ip_addresses": [{"ip_address": ip}]}]
        networks = (given or {}).get("network_infos") or addresses
        filled = []
        for network in networks:
            pairs = [{"protocol": "IPv4", **one} for one in network.get("ip_addresses", [])]
            filled.append({**network, "ip_addresses": pairs})
        status: Json = {"container_id": {"value": self.container_id}, "network_infos": filled}
        if self.pid is not None:
            status["executor_pid"] = self.pid
        return status

    def to_json(self) -> Json:
        """For the checkpoint."""
        return {
            "framework_info": self.framework_info,
            "info": self.info,
            "command": self.command,
            "container_id": self.container_id,
            "directory": str(self.directory),
            "role": self.role,
            "queued": self.queued,
            "launched": [task.to_json() for task in self.launched.values()],
            "seen": self.seen,
        }

    @classmethod
    def from_json(cls, value: Json) -> Executor:
        """From the checkpoint."""
        launched = [Task.from_json(task) for task in value["launched"]]
        return cls(
            framework_info=value["framework_info"],
            info=value["info"],
            command=value["command"],
            container_id=value["container_id"],
            directory=Path(value["directory"]),
            role=value["role"],
            queued=value["queued"],
            launched={task.task_id: task for task in launched},
            seen=value["seen"],
        )

    def for_state(self) -> Json:
        """As in the agent's /state."""
        shown: Json = {
            "id": self.executor_id,
            "name": self.info.get("name", ""),
            "source": self.info.get("source", ""),
            "container": self.container_id,
            "directory": str(self.directory),
            "resources": resources.summary(self.amount()),
            "role": self.role,
        }
        if "labels" in self.info:
            shown["labels"] = self.info["labels"].get("labels", [])
        if "type" in self.info:
            shown["type"] = self.info["type"]
        shown["tasks"] = [task.for_state() for task in self.launched.values()]
        shown["queued_tasks"] = [self._queued_for_state(task) for task in self.queued.values()]
        shown["completed_tasks"] = [task.for_state() for task in self.completed]
        return shown

    def _queued_for_state(self, task: Json) -> Json:
        amount = resources.parse(task.get("resources", []))
        return {
            "id": task["task_id"]["value"],
            "name": task.get("name", ""),
            "framework_id": self.framework_id,
            "executor_id": self.executor_id,
            "slave_id": task["agent_id"]["value"],
            "resources": resources.summary(amount),
            "role": self.role,
        }


def environment(executor: Executor, settings: Json) -> dict[str, str]:
    """All that an executor's process finds in its environment; nothing of ours leaks in."""
    directory = str(executor.directory)
    variables = {
        "LIBPROCESS_IP": settings["ip"],
        "LIBPROCESS_PORT": "0",
        "MESOS_AGENT_ENDPOINT": f"{settings['ip']}:{settings['port']}",
        "MESOS_CHECKPOINT": "1" if executor.checkpointed else "0",
        "MESOS_DIRECTORY": directory,
        "MESOS_EXECUTOR_ID": executor.executor_id,
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": duration(
            executor.grace_seconds(settings["shutdown_grace_seconds"])
        ),
        "MESOS_FRAMEWORK_ID": executor.framework_id,
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_SANDBOX": directory,
        "MESOS_SLAVE_ID": settings["agent_id"],
        "MESOS_SLAVE_PID": f"slave(1)@{settings['ip']}:{settings['port']}",
        "PATH": DEFAULT_PATH,
        "PWD": directory,
    }
    if executor.checkpointed:
        variables["MESOS_RECOVERY_TIMEOUT"] = duration(settings["recovery_seconds"])
        variables["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = duration(settings["reregistration_seconds"])
    command = executor.info.get("command", {})
    for variable in command.get("environment", {}).get("variables", []):
        variables[variable["name"]] = str(variable.get("value", ""))
    return variables


def duration(seconds: float) -> str:
    """As Mesos prints a Duration: `4secs`, `15mins`, `1.5secs`."""
    for size, unit in ((604800, "weeks"), (86400, "days"), (3600, "hrs"), (60, "mins")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    if 0 < seconds < 1:
        return f"{resources.number(seconds * 1000)}ms"
    return f"{resources.number(seconds)}secs"
