"""Tasks after their launch: updates, acknowledgements, kills, messages, reconciliation."""

from __future__ import annotations

import time
from typing import Any

from etcdmesos.embedded import calls, statuses
from etcdmesos.embedded.cluster import AgentRecord, Framework
from etcdmesos.embedded.master_context import MasterContext
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]


class TaskCalls:
    """What a master does with tasks that were launched."""

    def __init__(self, context: MasterContext) -> None:
        self._context = context

    def status_update(self, agent: AgentRecord, body: Json) -> None:
        """An update from an agent, on its way to the scheduler."""
        framework = self._context.cluster.frameworks.get(body["framework_id"])
        if framework is None:
            return
        status: Json = body["status"]
        task = agent.tasks.get((framework.framework_id, status["task_id"]["value"]))
        if task is not None:
            self._take(task, status, body.get("latest_state"))
        if framework.active:
            self._context.tell(framework, status)

    def _take(self, task: Task, status: Json, latest: str | None) -> None:
        was_terminal = task.terminal
        task.update_state = status["state"]
        task.update_uuid = status["uuid"]
        if was_terminal:
            return
        self._context.set_state(task, status)
        if latest is not None:
            # What the scheduler has to acknowledge comes later; resources are freed now.
            task.state = latest
        if task.terminal:
            self._context.desk.soon()

    def acknowledge(self, framework: Framework, body: Json) -> None:
        """The scheduler took an update: the agent may send the next."""
        agent = self._context.cluster.agents.get(calls.identifier(body["agent_id"]))
        if agent is None or not agent.connected:
            return
        task_id = calls.identifier(body["task_id"])
        key = (framework.framework_id, task_id)
        task = agent.tasks.get(key)
        newest = task is not None and task.update_uuid == body["uuid"]
        if task is not None and newest and statuses.terminal(task.update_state or ""):
            framework.complete(agent.tasks.pop(key))
        agent.link.to_agent(
            "StatusUpdateAcknowledgement",
            {"framework_id": framework.framework_id, "task_id": task_id, "uuid": body["uuid"]},
        )

    def kill(self, framework: Framework, body: Json) -> None:
        """KILL; for a task that is not known the answer of a reconciliation."""
        task_id = calls.identifier(body["task_id"])
        found = self._context.cluster.find_task(framework.framework_id, task_id)
        if found is None:
            self._reconcile_one(framework, task_id, calls.identifier(body.get("agent_id")))
            return
        agent, _ = found
        named = calls.identifier(body.get("agent_id"))
        if named and named != agent.agent_id:
            return
        if not agent.connected:
            agent.kill_when_back.add((framework.framework_id, task_id))
            return
        letter = {"framework_id": framework.framework_id, "task_id": task_id}
        if "kill_policy" in body:
            letter["kill_policy"] = body["kill_policy"]
        agent.link.to_agent("KillTask", letter)

    def shutdown(self, framework: Framework, body: Json) -> None:
        """SHUTDOWN of an executor."""
        agent = self._context.cluster.agents.get(calls.identifier(body["agent_id"]))
        if agent is not None:
            letter = {
                "framework_id": framework.framework_id,
                "executor_id": calls.identifier(body["executor_id"]),
            }
            agent.link.to_agent("ShutdownExecutor", letter)

    def message(self, framework: Framework, body: Json) -> None:
        """MESSAGE to an executor; may be lost, as with Mesos."""
        agent = self._context.cluster.agents.get(calls.identifier(body["agent_id"]))
        if agent is not None:
            letter = {
                "framework_id": framework.framework_id,
                "executor_id": calls.identifier(body["executor_id"]),
                "data": body["data"],
            }
            agent.link.to_agent("FrameworkToExecutor", letter)

    def executor_message(self, agent: AgentRecord, body: Json) -> None:
        """MESSAGE from an executor."""
        framework = self._context.cluster.frameworks.get(body["framework_id"])
        if framework is not None:
            message = {
                "agent_id": {"value": agent.agent_id},
                "executor_id": {"value": body["executor_id"]},
                "data": body["data"],
            }
            framework.send({"type": "MESSAGE", "message": message})

    def executor_exited(self, agent: AgentRecord, body: Json) -> None:
        """An executor's process ended."""
        framework_id, executor_id = body["framework_id"], body["executor_id"]
        known = agent.executors.pop((framework_id, executor_id), None)
        self._context.desk.soon()
        framework = self._context.cluster.frameworks.get(framework_id)
        if known is None or framework is None:
            return
        failure = {
            "agent_id": {"value": agent.agent_id},
            "executor_id": {"value": executor_id},
            "status": body["status"],
        }
        framework.send({"type": "FAILURE", "failure": failure})

    def reconcile(self, framework: Framework, body: Json) -> None:
        """RECONCILE: of the tasks named, or of all tasks when none is named."""
        named = body.get("tasks", [])
        for one in named:
            task_id = calls.identifier(one["task_id"])
            self._reconcile_one(framework, task_id, calls.identifier(one.get("agent_id")))
        if not named:
            for agent, task in list(self._context.cluster.tasks_of(framework.framework_id)):
                self._tell_latest(framework, agent, task)

    def _reconcile_one(self, framework: Framework, task_id: str, agent_id: str) -> None:
        cluster = self._context.cluster
        found = cluster.find_task(framework.framework_id, task_id)
        if found is not None:
            self._tell_latest(framework, *found)
            return
        unknown = ("TASK_UNKNOWN", "Task is unknown")
        if agent_id in cluster.agents:
            self._tell(framework, task_id, agent_id, "TASK_GONE", "Task is unknown to the agent")
        elif agent_id in cluster.recovered or (not agent_id and cluster.recovered):
            return  # the agent may still come back and know the task
        elif agent_id in cluster.unreachable:
            since = {"nanoseconds": int(cluster.unreachable[agent_id].since * 1e9)}
            text = "Task is unreachable"
            self._tell(
                framework, task_id, agent_id, "TASK_UNREACHABLE", text, unreachable_time=since
            )
        else:
            self._tell(framework, task_id, agent_id, *unknown)

    def _tell_latest(self, framework: Framework, agent: AgentRecord, task: Task) -> None:
        more = task.latest_container_status()
        healthy = task.statuses[-1].get("healthy") if task.statuses else None
        state = task.update_state or task.state
        self._tell(
            framework,
            task.task_id,
            agent.agent_id,
            state,
            "Latest task state",
            container_status=more,
            healthy=healthy,
        )

    def _tell(
        self,
        framework: Framework,
        task_id: str,
        agent_id: str,
        state: str,
        text: str,
        **more: Any,
    ) -> None:
        state = self._context.legible(framework, state)
        status = statuses.reconciled(task_id, state, text, time.time(), agent_id or None, **more)
        self._context.tell(framework, status)
