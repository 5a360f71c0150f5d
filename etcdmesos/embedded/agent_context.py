"""What the parts of one running agent share: settings, books, timers, the way to the master.

It dies with the agent process it stands for: `close` stops every timer and task.
No decisions here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etcdmesos.embedded import attributes, resources
from etcdmesos.embedded.agent_updates import UpdateForwarder
from etcdmesos.embedded.checkpoint import Checkpoint
from etcdmesos.embedded.command_executor import CommandExecutor
from etcdmesos.embedded.containers import Containers
from etcdmesos.embedded.executors import Executor
from etcdmesos.embedded.fetcher import Fetcher
from etcdmesos.embedded.link import Link
from etcdmesos.embedded.resources import Resources

Json = dict[str, Any]


@dataclass(frozen=True)
class AgentSettings:
    """One agent's options; times in seconds, defaults those of mesos-agent."""

    name: str
    host: str
    work_dir: Path
    total: Resources
    attributes: dict[str, str] = field(default_factory=dict)
    domain: Json | None = None
    port: int = 5051
    registration_timeout: float = 60.0
    reregistration_timeout: float = 2.0
    shutdown_grace_period: float = 5.0
    recovery_timeout: float = 900.0
    update_retry: float = 10.0
    update_retry_max: float = 600.0
    fetcher_timeout: float = 60.0
    registration_backoff: float = 0.5


class AgentContext:
    """The memory of one running agent; a restarted one starts with a new context."""

    def __init__(
        self,
        settings: AgentSettings,
        link: Link,
        containers: Containers,
        commands: dict[str, CommandExecutor],
    ) -> None:
        self.settings = settings
        self.port = settings.port
        self.link = link
        self.containers = containers
        self.commands = commands
        self.agent_id = ""
        self.registered = False
        self.recovering = False
        self.frameworks: dict[str, Json] = {}
        self.executors: dict[tuple[str, str], Executor] = {}
        self.completed: list[Executor] = []
        self.closing_frameworks: set[str] = set()
        self.running = asyncio.Event()
        self.running.set()
        self.checkpoint = Checkpoint(settings.work_dir / "meta")
        self.fetcher = Fetcher(settings.work_dir / "fetch", settings.fetcher_timeout)
        self.updates = UpdateForwarder(
            self.send, self.later, settings.update_retry, settings.update_retry_max
        )
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that ends with the agent."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back after a time; a frozen agent's timers fire when it thaws."""
        self.spawn(self._call_later(seconds, callback))

    async def _call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        await asyncio.sleep(seconds)
        await self.running.wait()
        callback()

    def send(self, kind: str, body: Json) -> None:
        """Tell the master; lost while the agent is not registered, as with Mesos."""
        if self.registered:
            self.link.to_master(kind, {**body, "agent_id": self.agent_id})

    def save(self, executor: Executor) -> None:
        """Write an executor to the checkpoint, with what is unacknowledged."""
        if not executor.checkpointed:
            return
        pending = [
            status
            for task_id in executor.launched
            for status in self.updates.pending(executor.framework_id, task_id)
        ]
        self.checkpoint.save_executor(*executor.key, {**executor.to_json(), "pending": pending})

    def agent_info(self) -> Json:
        """The AgentInfo of the APIs."""
        info: Json = {
            "hostname": self.settings.host,
            "port": self.port,
            "resources": resources.render(self.settings.total),
        }
        if self.settings.attributes:
            info["attributes"] = attributes.render(self.settings.attributes)
        if self.settings.domain:
            info["domain"] = self.settings.domain
        if self.agent_id:
            info["id"] = {"value": self.agent_id}
        return info

    async def close(self) -> None:
        """End all that runs for this agent; containers are not touched."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.fetcher.stop()
        for executor in self.executors.values():
            command = self.commands.get(executor.container_id)
            if command is not None:
                command.detach()
