"""An executor's port to its agent, as `adapters.mesos_executor` is in reality.

Subscribe and SendUpdate with the real adapter's outcomes and time-outs; nothing is resent or
subscribed again unasked.
"""

from __future__ import annotations

import base64
from collections import deque
from typing import Any

from etcdmesos.executor.commands import SendMessage, SendUpdate, Subscribe
from etcdmesos.executor.events import (
    Disconnected,
    KillAsked,
    MessageReceived,
    ShutdownAsked,
    Subscribed,
    TaskLaunched,
    UpdateAcknowledged,
)
from etcdmesos.executor.model import Update
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.ports import Post
from etcdmesos.simulation.channel import Channel
from etcdmesos.simulation.mesos.agent import AGENT_PORT
from etcdmesos.simulation.mesos.containers import Container
from etcdmesos.simulation.mesos.executor_calls import MessageCall, SubscribeCall, UpdateCall
from etcdmesos.simulation.mesos.master import Refusal
from etcdmesos.simulation.network import CallFailure
from etcdmesos.step import Command, CommandDone, CommandFailed, CommandUnknown, Event

__all__ = ["ExecutorPort"]

WITHIN = 10.0


class ExecutorPort:
    """A CommandPort for one executor."""

    carries_out: tuple[type, ...] = (Subscribe, SendUpdate, SendMessage)

    def __init__(self, container: Container, post: Post[Event]) -> None:
        self._network = container.channels.network
        self._container = container
        self._post = post
        self._subscription: _Subscription | None = None
        self._jobs: deque[SendUpdate] = deque()
        self._busy = False
        self._closed = False

    def submit(self, command: Command, /) -> None:
        """Begin `command`."""
        if isinstance(command, Subscribe):
            if self._subscription is not None:
                self._subscription.end("closed")
            self._subscription = _Subscription(self._container, self._post)
            updates = tuple(map(self._status, command.updates))
            self._subscription.start(updates)
        elif isinstance(command, SendUpdate):
            self._jobs.append(command)
            self._next()
        elif isinstance(command, SendMessage):
            self._message(command)

    def _message(self, command: SendMessage) -> None:
        if self._subscription is None or not self._subscription.up:
            self._post(CommandFailed(command=command, reason="not subscribed"))
            return

        def sent(answer: Any) -> None:
            if self._closed:
                return
            if answer is None:
                self._post(CommandDone(command=command))
            else:
                self._post(CommandUnknown(command=command, reason="no word of it"))

        self._call(MessageCall(self._container, command.data), sent)

    def send_message(self, data: bytes) -> None:
        """MESSAGE to the scheduler, as the real API has it; lost if that is how things are."""
        self._call(MessageCall(self._container, data), lambda _: None)

    def close(self) -> None:
        """The process ends."""
        self._closed = True
        self._jobs.clear()
        if self._subscription is not None:
            self._subscription.end("closed")

    def _call(self, request: Any, done: Any) -> None:
        host = self._container.host.name
        self._network.call(host, (host, AGENT_PORT), request, WITHIN, done)

    def _next(self) -> None:
        while self._jobs and not self._busy:
            command = self._jobs.popleft()
            if self._subscription is None or not self._subscription.up:
                self._post(CommandFailed(command=command, reason="not subscribed"))
                continue
            self._busy = True
            call = UpdateCall(self._container, self._status(command.update))
            self._call(call, lambda answer, command=command: self._sent(command, answer))

    def _sent(self, command: SendUpdate, answer: Any) -> None:
        if self._closed:
            return
        self._busy = False
        if answer is None:
            self._post(CommandDone(command=command))
        elif isinstance(answer, Refusal):
            reason = f"the agent answered {answer.status}: {answer.text}"
            self._post(CommandFailed(command=command, reason=reason))
        elif answer in (CallFailure.REFUSED, CallFailure.NO_CONNECTION):
            self._post(CommandFailed(command=command, reason=answer.value))
        else:
            self._post(CommandUnknown(command=command, reason=answer.value))
        self._next()

    def _status(self, update: Update) -> TaskStatus:
        return TaskStatus(
            task_id=update.task_id,
            state=TaskState(update.state),
            agent_id=self._container.agent_id,
            executor_id=self._container.executor_id,
            source="SOURCE_EXECUTOR",
            reason=update.reason,
            message=update.message,
            uuid=update.uuid,
            healthy=update.healthy,
            data=base64.b64encode(update.data.encode()).decode("ascii"),
        )


class _Subscription:
    """One SUBSCRIBE and, if the agent takes it, the stream of events until it ends."""

    def __init__(self, container: Container, post: Post[Event]) -> None:
        channels, host = container.channels, container.host.name
        self._container = container
        self._network = channels.network
        self._channel: Channel = channels.open(host, host)
        self._channel.client.on_end = lambda: self.end("the agent closed the connection")
        self._post = post
        self._ended = False
        self.up = False

    def start(self, updates: tuple[TaskStatus, ...]) -> None:
        host = self._container.host.name
        call = SubscribeCall(self._container, updates, self._channel.server, self)
        self._network.call(host, (host, AGENT_PORT), call, WITHIN, self._answered)

    def _answered(self, answer: Any) -> None:
        if isinstance(answer, Refusal):
            self.end(f"the agent answered {answer.status}: {answer.text}")
        elif isinstance(answer, CallFailure):
            self.end(answer.value)

    def end(self, reason: str) -> None:
        """It is over; said once."""
        if self._ended:
            return
        self._ended = True
        self.up = False
        self._channel.client.close()
        self._post(Disconnected(reason=reason))

    # Events

    def subscribed(self) -> None:
        """SUBSCRIBED."""
        self.up = True
        self._post(Subscribed())

    def launched(self, task: Task) -> None:
        """LAUNCH."""
        self._post(TaskLaunched(task_id=task.id, data=task.data, task_info=task.id))

    def kill_asked(self, task_id: str) -> None:
        """KILL; schedulers of this project send no kill policy of their own."""
        self._post(KillAsked(task_id=task_id, grace_seconds=None))

    def shutdown_asked(self) -> None:
        """SHUTDOWN."""
        self._post(ShutdownAsked(by="the agent says so"))

    def acknowledged(self, task_id: str, uuid: str) -> None:
        """ACKNOWLEDGED."""
        self._post(UpdateAcknowledged(task_id=task_id, uuid=uuid))

    def message(self, data: bytes) -> None:
        """MESSAGE."""
        self._post(MessageReceived(data=data))
