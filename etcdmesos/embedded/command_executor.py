"""The built-in executor of plain command tasks: runs the command, reports what becomes of it.

In Mesos it is a process of its own; here it lives in this one, but apart from the
agent: like the real one it goes on when the agent dies and comes back to it. It
speaks the calls and events of the executor API, only without HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from etcdmesos.embedded import process_tree, statuses
from etcdmesos.embedded.containers import Container, Containers

Json = dict[str, Any]
Update = Callable[[Json], None]

DEFAULT_KILL_GRACE_SECONDS = 3.0


def outcome(wait_status: int) -> str:
    """How Mesos words the end of a command."""
    if os.WIFSIGNALED(wait_status):
        name = signal.strsignal(os.WTERMSIG(wait_status))
        return f"Command terminated with signal {name}"
    return f"Command exited with status {os.WEXITSTATUS(wait_status)}"


class CommandExecutor:
    """One command task. An EventSink for its agent."""

    def __init__(self, containers: Containers, container: Container, task: Json, killing: bool):
        self.container = container
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._containers = containers
        self._task_id: str = task["task_id"]["value"]
        self._kill_policy: Json = task.get("kill_policy", {})
        self._says_killing = killing
        self._update: Update | None = None
        self._unacknowledged: list[Json] = []
        self._killed = False
        self._over = False
        self._tasks = [asyncio.create_task(self._watch())]

    def attach(self, update: Update) -> None:
        """Talk to this agent from now on; what the last one did not take is said again."""
        self._update = update
        for status in list(self._unacknowledged):
            update(status)

    def detach(self) -> None:
        """The agent is gone; remember what it should hear."""
        self._update = None

    def begin(self) -> None:
        """The command runs."""
        self._say("TASK_STARTING")
        self._say("TASK_RUNNING")

    def put(self, event: Json) -> None:
        """Take an event of the executor API."""
        if event["type"] == "KILL":
            self._kill(event["kill"].get("kill_policy") or self._kill_policy)
        elif event["type"] == "SHUTDOWN":
            self._kill(self._kill_policy)
        elif event["type"] == "ACKNOWLEDGED":
            uuid = event["acknowledged"]["uuid"]
            self._unacknowledged = [one for one in self._unacknowledged if one["uuid"] != uuid]
            if self._over and not self._unacknowledged and not self.ended.done():
                self.ended.set_result(0)

    def finish(self) -> None:
        """The agent speaks no more."""

    def close(self) -> None:
        """Everything stops: wait for nothing any more."""
        for task in self._tasks:
            task.cancel()

    def _kill(self, policy: Json) -> None:
        if self._killed or self._over:
            return
        self._killed = True
        if self._says_killing:
            self._say("TASK_KILLING")
        period = policy.get("grace_period")
        seconds = int(period["nanoseconds"]) / 1e9 if period else DEFAULT_KILL_GRACE_SECONDS
        self._tasks.append(asyncio.create_task(self._terminate(seconds)))

    async def _terminate(self, grace_seconds: float) -> None:
        found = await asyncio.to_thread(process_tree.members, {self.container.pid})
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        await asyncio.wait([self.container.exited], timeout=grace_seconds)
        await self._containers.destroy(self.container)

    async def _watch(self) -> None:
        wait_status = await asyncio.shield(self.container.exited)
        self._over = True
        if self._killed:
            state = "TASK_KILLED"
        else:
            state = "TASK_FINISHED" if wait_status == 0 else "TASK_FAILED"
        self._say(state, outcome(wait_status))

    def _say(self, state: str, message: str | None = None) -> None:
        status = statuses.status(
            self._task_id,
            state,
            message=message,
            source="SOURCE_EXECUTOR",
            executor_id=self._task_id,
            timestamp=time.time(),
            uuid=statuses.new_uuid(),
        )
        self._unacknowledged.append(status)
        if self._update is not None:
            self._update(status)
