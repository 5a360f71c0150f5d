"""What tests/embedded/tiny_executor.py is on real agents: an executor that does what tasks say.

A task's data is JSON, {"steps": [...]}: task states, "message:TEXT", "exit:N", "signal:N".
TINY_MODE `silent` never subscribes, `stubborn` ignores KILL and SHUTDOWN, `once` does not subscribe
again.  Framework messages are sent back.
"""

from __future__ import annotations

import json

from etcdmesos.executor.commands import SendUpdate, Subscribe
from etcdmesos.executor.events import (
    Disconnected,
    KillAsked,
    MessageReceived,
    ShutdownAsked,
    TaskLaunched,
    UpdateAcknowledged,
)
from etcdmesos.executor.model import Update
from etcdmesos.simulation.mesos.containers import Container
from etcdmesos.simulation.mesos.executor_port import ExecutorPort
from etcdmesos.step import CommandFailed, CommandUnknown, Event

AGAIN = 0.05


class ScriptedExecutor:
    """An `ExecutorProcess`; the class is the factory."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.running = True
        self._clock = container.channels.network.clock
        self._mode = dict(container.environment).get("TINY_MODE", "")
        self._port = ExecutorPort(container, self._take)
        self._unacknowledged: dict[str, Update] = {}
        self._made = 0
        self._leave: int | None = None
        container.host.processes.append(self)
        if self._mode != "silent":
            self._subscribe()

    def kill(self) -> None:
        self._end(9)

    def _end(self, wait_status: int) -> None:
        if self.running:
            self.running = False
            self.container.host.processes.remove(self)
            self._port.close()
            self.container.ended(wait_status)

    def _subscribe(self) -> None:
        if self.running:
            updates = tuple(self._unacknowledged.values())
            self._port.submit(Subscribe(tasks=(), updates=updates))

    def _take(self, event: Event) -> None:
        if not self.running:
            return
        match event:
            case Disconnected() if self._mode != "once":
                self._clock.call_after(AGAIN, self._subscribe)
            case TaskLaunched(task_id=task_id, data=data):
                self._run(task_id, json.loads(data or b"{}").get("steps", []))
            case UpdateAcknowledged(uuid=uuid):
                self._unacknowledged.pop(uuid, None)
                self._leave_if_said()
            case KillAsked(task_id=task_id) if self._mode != "stubborn":
                self._update(task_id, "TASK_KILLED")
            case ShutdownAsked() if self._mode != "stubborn":
                self._end(0)
            case MessageReceived(data=data):
                self._port.send_message(data)
            case (
                CommandFailed(command=SendUpdate() as command)
                | CommandUnknown(command=SendUpdate() as command)
            ):
                self._clock.call_after(AGAIN, self._port.submit, command)

    def _run(self, task_id: str, steps: list[str]) -> None:
        for step in steps:
            name, _, rest = step.partition(":")
            if name.startswith("TASK_"):
                self._update(task_id, name)
            elif name == "message":
                self._port.send_message(rest.encode())
            elif name in ("exit", "signal"):
                self._leave = int(rest) << 8 if name == "exit" else int(rest)
        self._leave_if_said()

    def _leave_if_said(self) -> None:
        if self._leave is not None and not self._unacknowledged:
            self._end(self._leave)

    def _update(self, task_id: str, state: str) -> None:
        self._made += 1
        uuid = f"{self.container.id}-{self._made}"
        update = Update(task_id=task_id, uuid=uuid, state=state, message="")
        self._unacknowledged[uuid] = update
        self._port.submit(SendUpdate(update=update))
