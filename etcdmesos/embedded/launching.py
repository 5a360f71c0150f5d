"""ACCEPT: from offers and operations to tasks on an agent, or to the statuses that refuse them."""

from __future__ import annotations

import time
from typing import Any

from etcdmesos.embedded import calls, statuses, validation
from etcdmesos.embedded.cluster import AgentRecord, Framework, Offer
from etcdmesos.embedded.master_context import MasterContext
from etcdmesos.embedded.resources import Resources, total
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]


class Launching:
    """ACCEPT and DECLINE of one master."""

    def __init__(self, context: MasterContext) -> None:
        self._context = context

    def accept(self, framework: Framework, accept: Json) -> None:
        """Spend offers on tasks; what is left is free again, behind a filter."""
        offer_ids = [calls.identifier(one) for one in accept.get("offer_ids", [])]
        filters: Json = accept.get("filters") or {}
        mine = self._context.cluster.offers_of(framework_id=framework.framework_id)
        agents = {offer.offer_id: offer.agent_id for offer in mine}
        error = validation.offers_error(offer_ids, agents)
        offers = [o for o in mine if o.offer_id in offer_ids]
        tasks = _tasks(accept)
        if error is not None or not offers:
            text = error or "No offers specified"
            self._drop(framework, tasks, f"Task launched with invalid offers: {text}")
            for offer in offers:
                self._context.desk.take_back(offer, rescind=False)
            return
        left = total(offer.resources for offer in offers)
        role = offers[0].role
        agent = self._context.cluster.agents[offers[0].agent_id]
        for offer in offers:
            self._context.desk.take_back(offer, rescind=False)
        for task in tasks:
            left = self._launch(framework, agent, task, left, role)
        for task in _grouped_tasks(accept):
            text = "The embedded Mesos does not launch task groups"
            self._refuse(framework, task, "TASK_ERROR", text, "REASON_TASK_GROUP_INVALID")
        self._leave(framework, offers, left, filters)

    def _leave(
        self, framework: Framework, offers: list[Offer], left: Resources, filters: Json
    ) -> None:
        # What is left of several offers of one agent is one amount; one filter is enough.
        self._context.desk.refuse(framework, offers[0], left, filters)

    def decline(self, framework: Framework, decline: Json) -> None:
        """Offers are not wanted; unknown ones are no error."""
        filters: Json = decline.get("filters") or {}
        for one in decline.get("offer_ids", []):
            offer = self._context.cluster.offers.get(calls.identifier(one))
            if offer is not None and offer.framework_id == framework.framework_id:
                self._context.desk.refuse(framework, offer, offer.resources, filters)

    def _drop(self, framework: Framework, tasks: list[Json], message: str) -> None:
        state = self._context.legible(framework, "TASK_DROPPED")
        for task in tasks:
            self._refuse(framework, task, state, message, "REASON_INVALID_OFFERS")

    def _refuse(
        self, framework: Framework, task: Json, state: str, message: str, reason: str
    ) -> None:
        status = statuses.status(
            task["task_id"]["value"],
            state,
            message=message,
            reason=reason,
            agent_id=task["agent_id"]["value"],
            timestamp=time.time(),
        )
        self._context.tell(framework, status)

    def _launch(
        self, framework: Framework, agent: AgentRecord, given: Json, left: Resources, role: str
    ) -> Resources:
        task = validation.normalized_task(given, framework.framework_id, role)
        executor_id = calls.identifier(task.get("executor", {}).get("executor_id"))
        existing = agent.executors.get((framework.framework_id, executor_id))
        known = [one.task_id for _, one in self._context.cluster.tasks_of(framework.framework_id)]
        error = validation.task_error(
            task,
            framework_id=framework.framework_id,
            agent_id=agent.agent_id,
            known_task_ids=known,
            existing_executor=existing[0] if existing else None,
            left=left,
            role=role,
        )
        if error is not None:
            self._refuse(framework, given, "TASK_ERROR", error, "REASON_TASK_INVALID")
            return left
        before = agent.used()
        self._enter(framework, agent, task, role)
        return left - (agent.used() - before)

    def _enter(self, framework: Framework, agent: AgentRecord, info: Json, role: str) -> None:
        task = Task.from_info(info, framework.framework_id, role)
        agent.tasks[framework.framework_id, task.task_id] = task
        command = "executor" not in info
        if command:
            executor: Json = {
                "executor_id": {"value": task.task_id},
                "framework_id": {"value": framework.framework_id},
                "command": info["command"],
                "name": f"Command Executor (Task: {task.task_id}) (Command: sh -c '...')",
                "source": task.task_id,
            }
        else:
            executor = info["executor"]
            key = (framework.framework_id, executor["executor_id"]["value"])
            agent.executors.setdefault(key, (executor, role))
        self._context.announce({"type": "TASK_ADDED", "task_added": {"task": task.for_operator()}})
        body = {
            "framework_info": framework.info,
            "task": info,
            "executor": executor,
            "command": command,
            "role": role,
        }
        agent.link.to_agent("RunTask", body)


def _grouped_tasks(accept: Json) -> list[Json]:
    tasks: list[Json] = []
    for operation in accept.get("operations", []):
        if operation.get("type") == "LAUNCH_GROUP":
            tasks.extend(operation.get("launch_group", {}).get("task_group", {}).get("tasks", []))
    return tasks


def _tasks(accept: Json) -> list[Json]:
    tasks: list[Json] = []
    for operation in accept.get("operations", []):
        if operation.get("type") == "LAUNCH":
            tasks.extend(operation.get("launch", {}).get("task_infos", []))
    return tasks
