"""The agent's executor API: SUBSCRIBE, UPDATE and MESSAGE, and what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from etcdmesos.mesos.statuses import TaskStatus
from etcdmesos.simulation.channel import End
from etcdmesos.simulation.mesos.containers import Container, Executor, Phase, Sink, ended_state
from etcdmesos.simulation.mesos.master import Refusal
from etcdmesos.simulation.network import Exchange

if TYPE_CHECKING:
    from etcdmesos.simulation.mesos.agent import Agent

__all__ = ["ExecutorCalls", "MessageCall", "SubscribeCall", "UpdateCall"]


@frozen
class SubscribeCall:
    """SUBSCRIBE, with the updates that were not acknowledged."""

    container: Container
    updates: tuple[TaskStatus, ...]
    stream: End
    sink: Sink


@frozen
class UpdateCall:
    """UPDATE."""

    container: Container
    status: TaskStatus


@frozen
class MessageCall:
    """MESSAGE."""

    container: Container
    data: bytes


class ExecutorCalls:
    """Answers the executors of one life of an agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def answer(self, request: Any, exchange: Exchange) -> None:
        """Take a call."""
        executor = self._executor(request.container)
        if executor is None:
            exchange.reply(Refusal(400, "Executor cannot be found"))
        elif isinstance(request, SubscribeCall):
            exchange.reply(None)
            self._subscribe(executor, request)
        elif self._agent.recovering:
            exchange.reply(Refusal(503, "Agent has not finished recovery"))
        elif executor.stream is None:
            exchange.reply(Refusal(403, "Executor is not subscribed"))
        else:
            exchange.reply(None)
            if isinstance(request, UpdateCall):
                self._update(executor, request.status)
            else:
                key = (executor.framework_id, executor.executor_id)
                self._agent.tell_master("said", *key, request.data)

    def _executor(self, container: Container) -> Executor | None:
        key = (container.framework_id, container.executor_id)
        executor = self._agent.disk.executors.get(key)
        if executor is None or not executor.alive or executor.container_id != container.id:
            return None
        return executor

    def _subscribe(self, executor: Executor, call: SubscribeCall) -> None:
        if executor.stream is not None:
            executor.stream.close()
        stream = executor.stream = call.stream
        executor.sink = call.sink
        stream.on_end = lambda: self._agent.do(self._ended, executor, stream)
        stream.send(call.sink.subscribed)
        if executor.phase is Phase.TERMINATING:
            stream.send(call.sink.shutdown_asked)
            return
        executor.phase = Phase.RUNNING
        for status in call.updates:
            self._update(executor, status)
        if stream.closed:
            # It hung up, or died, while its call was on the way.
            self._ended(executor, stream)
        elif not self._agent.recovering:
            self._agent.lifecycle.deliver(executor)

    def _ended(self, executor: Executor, stream: End) -> None:
        if executor.stream is stream:
            executor.stream = executor.sink = None

    def _update(self, executor: Executor, status: TaskStatus) -> None:
        task = executor.launched.get(status.task_id)
        if status.uuid in executor.seen:
            self._acknowledge(executor, status)
        elif task is None or ended_state(task):
            # Mesos forwards it, but does not own it: no ACKNOWLEDGED.
            self._agent.updates.add(executor.framework_id, status)
        else:
            executor.seen[status.uuid] = None
            task.state, task.healthy = status.state, status.healthy
            self._agent.updates.add(executor.framework_id, status)
            self._acknowledge(executor, status)

    def _acknowledge(self, executor: Executor, status: TaskStatus) -> None:
        if executor.stream is not None and executor.sink is not None:
            executor.stream.send(executor.sink.acknowledged, status.task_id, status.uuid)
