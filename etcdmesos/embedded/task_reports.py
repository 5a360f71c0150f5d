"""What an agent makes of its executors' status updates, and what it says in their place.

Decides whether an update is known, complete, a duplicate, or late; sending and
retrying is the UpdateForwarder's.
"""

from __future__ import annotations

import time
from typing import Any

from etcdmesos.embedded import statuses
from etcdmesos.embedded.agent_context import AgentContext
from etcdmesos.embedded.executors import Executor
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]


class TaskReports:
    """The updates of all tasks of one agent."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context

    def update(self, executor: Executor, given: Json) -> None:
        """An UPDATE of an executor; ACKNOWLEDGED follows when it is stored."""
        context = self._context
        named_agent = given.get("agent_id", {}).get("value", context.agent_id)
        if named_agent != context.agent_id:
            return
        task_id = given["task_id"]["value"]
        status = {**given, "agent_id": {"value": context.agent_id}}
        status.setdefault("timestamp", time.time())
        seen = executor.seen.setdefault(task_id, [])
        task = executor.launched.get(task_id)
        if status["uuid"] in seen:
            self._acknowledge(executor, task_id, status["uuid"])
            return
        if task is None or task.terminal:
            # Mesos forwards it, but does not own it: no container_status, no ACKNOWLEDGED.
            context.updates.add(executor.framework_id, status)
            return
        seen.append(status["uuid"])
        status["container_status"] = executor.container_status(
            context.settings.host, given.get("container_status")
        )
        task.state = status["state"]
        task.record({**status, "timestamp": given.get("timestamp", 0.0)})
        context.updates.add(executor.framework_id, status)
        context.save(executor)
        self._acknowledge(executor, task_id, status["uuid"])

    def _acknowledge(self, executor: Executor, task_id: str, uuid: str) -> None:
        if executor.sink is not None:
            body = {"task_id": {"value": task_id}, "uuid": uuid}
            executor.sink.put({"type": "ACKNOWLEDGED", "acknowledged": body})

    def killed_before_delivery(self, executor: Executor, task_id: str) -> None:
        """KILL came before the executor was there."""
        info = executor.queued.pop(task_id)
        self._say(
            executor,
            Task.from_info(info, executor.framework_id, executor.role),
            "TASK_KILLED",
            "Killed before delivery to the executor",
            "REASON_TASK_KILLED_DURING_LAUNCH",
        )

    def refuse(self, executor: Executor, task_id: str) -> None:
        """A task for an executor that is on its way out."""
        state = statuses.legible("TASK_DROPPED", partition_aware=_partition_aware(executor))
        status = statuses.agent_status(
            task_id,
            state,
            "Executor terminating",
            "REASON_EXECUTOR_TERMINATED",
            self._context.agent_id,
            executor.executor_id,
            time.time(),
        )
        self._context.updates.add(executor.framework_id, status)

    def ended(self, executor: Executor) -> None:
        """The executor ended: say so of each of its tasks that is not over."""
        ending = executor.ending
        state = statuses.legible(ending.state, partition_aware=_partition_aware(executor))
        for task in list(executor.launched.values()):
            if not task.terminal:
                self._say(executor, task, state, ending.message, ending.reason)
        for info in list(executor.queued.values()):
            task = Task.from_info(info, executor.framework_id, executor.role)
            self._say(executor, task, state, ending.message, ending.reason)
        executor.queued.clear()

    def _say(self, executor: Executor, task: Task, state: str, message: str, reason: str) -> None:
        status = statuses.agent_status(
            task.task_id,
            state,
            message,
            reason,
            self._context.agent_id,
            executor.executor_id,
            time.time(),
        )
        task.state = state
        task.record(status)
        executor.launched[task.task_id] = task
        self._context.updates.add(executor.framework_id, status)


def _partition_aware(executor: Executor) -> bool:
    return {"type": "PARTITION_AWARE"} in executor.framework_info.get("capabilities", [])
