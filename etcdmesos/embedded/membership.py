"""Agents come and go: register, lose the connection, stop answering pings, come back."""

from __future__ import annotations

import time
from typing import Any

from etcdmesos.embedded import resources, statuses
from etcdmesos.embedded.cluster import AgentRecord, Departed, Framework
from etcdmesos.embedded.link import Link
from etcdmesos.embedded.master_context import MasterContext
from etcdmesos.embedded.subscriptions import Subscriptions
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]


class Membership:
    """The agents of one master."""

    def __init__(self, context: MasterContext, subscriptions: Subscriptions) -> None:
        self._context = context
        self._subscriptions = subscriptions

    def register(self, link: Link, body: Json) -> None:
        """A new agent."""
        cluster = self._context.cluster
        for agent in cluster.agents.values():
            if agent.link is link:
                # It asked again before our answer reached it.
                link.to_agent("SlaveRegistered", {"agent_id": agent.agent_id})
                return
        agent_id = cluster.new_agent_id()
        info = {**body["agent_info"], "id": {"value": agent_id}}
        agent = self._enter(link, agent_id, info, body["pid"])
        link.to_agent("SlaveRegistered", {"agent_id": agent_id})
        self._context.announce({"type": "AGENT_ADDED", "agent_added": agent_for_operator(agent)})
        self._context.desk.soon()

    def _enter(self, link: Link, agent_id: str, info: Json, pid: str) -> AgentRecord:
        total = resources.parse(info["resources"])
        agent = AgentRecord(agent_id, info, pid, link, total, time.time())
        self._context.cluster.agents[agent_id] = agent
        return agent

    def reregister(self, link: Link, body: Json) -> None:
        """An agent that was known before: to this master or to the one before it."""
        cluster = self._context.cluster
        agent_id = body["agent_info"]["id"]["value"]
        known = cluster.agents.get(agent_id)
        was_unreachable = cluster.unreachable.pop(agent_id, None) is not None
        cluster.recovered.pop(agent_id, None)
        if known is None:
            agent = self._enter(link, agent_id, body["agent_info"], body["pid"])
        else:
            agent = known
            agent.info, agent.pid, agent.link = body["agent_info"], body["pid"], link
        agent.connected = True
        agent.unanswered_pings = 0
        agent.reregistered_time = time.time()
        self._recover_frameworks(link, body["frameworks"])
        self._take_tasks(agent, body, was_unreachable)
        link.to_agent("SlaveRegistered", {"agent_id": agent_id})
        for framework_id, task_id in agent.kill_when_back:
            link.to_agent("KillTask", {"framework_id": framework_id, "task_id": task_id})
        agent.kill_when_back.clear()
        if known is None:
            event = agent_for_operator(agent)
            self._context.announce({"type": "AGENT_ADDED", "agent_added": event})
        self._context.desk.soon()

    def _recover_frameworks(self, link: Link, infos: list[Json]) -> None:
        cluster = self._context.cluster
        for info in infos:
            framework_id = info["id"]["value"]
            if framework_id in cluster.completed_frameworks:
                link.to_agent("ShutdownFramework", {"framework_id": framework_id})
                continue
            if framework_id in cluster.frameworks:
                continue
            framework = Framework(framework_id, info, time.time(), recovered=True)
            cluster.frameworks[framework_id] = framework
            self._subscriptions.expect_back(framework)

    def _take_tasks(self, agent: AgentRecord, body: Json, was_unreachable: bool) -> None:
        cluster = self._context.cluster
        reported = {(one["framework_id"], one["task_id"]): one for one in body["tasks"]}
        agent.executors = {
            (one["framework_id"], one["info"]["executor_id"]["value"]): (one["info"], one["role"])
            for one in body["executors"]
        }
        for key, value in reported.items():
            framework = cluster.frameworks.get(key[0])
            if framework is None:
                continue
            task = framework.unreachable.pop(key[1], None) or agent.tasks.get(key)
            if task is None:
                task = Task.from_json(value)
            agent.tasks[key] = task
            if was_unreachable:
                self._tell_returned(framework, agent, task, value["state"])
            elif not task.terminal:
                task.state = value["state"]
        for key in set(agent.tasks) - set(reported):
            self._lost_by_agent(agent, key)
        self._forget_unreachable(agent.agent_id)

    def _forget_unreachable(self, agent_id: str) -> None:
        """An agent that is back has no unreachable tasks: nothing is told of those it lost."""
        for framework in self._context.cluster.frameworks.values():
            for task_id, task in list(framework.unreachable.items()):
                if task.agent_id == agent_id:
                    del framework.unreachable[task_id]

    def _lost_by_agent(self, agent: AgentRecord, key: tuple[str, str]) -> None:
        """A task the master knows and the agent never got, or forgot."""
        task = agent.tasks.pop(key)
        framework = self._context.cluster.frameworks.get(key[0])
        if framework is None or task.terminal:
            return
        status = statuses.status(
            task.task_id,
            self._context.legible(framework, "TASK_GONE"),
            message="Task is unknown to the agent",
            reason="REASON_RECONCILIATION",
            agent_id=agent.agent_id,
            timestamp=time.time(),
        )
        self._context.set_state(task, status)
        framework.complete(task)
        self._context.tell(framework, status)

    def _tell_returned(
        self, framework: Framework, agent: AgentRecord, task: Task, state: str
    ) -> None:
        status = statuses.status(
            task.task_id,
            state,
            message="Unreachable agent re-reregistered",
            reason="REASON_AGENT_REREGISTERED",
            agent_id=agent.agent_id,
        )
        self._context.set_state(task, status)
        self._context.tell(framework, status)

    def broken(self, link: Link) -> None:
        """The socket to an agent broke: its offers are void at once, the pings decide the rest."""
        for agent in self._context.cluster.agents.values():
            if agent.link is link and agent.connected:
                agent.connected = False
                self._rescind(agent)
                self._lose_unchecked(agent)

    def _rescind(self, agent: AgentRecord) -> None:
        for offer in self._context.cluster.offers_of(agent_id=agent.agent_id):
            self._context.desk.take_back(offer, rescind=True)

    def _lose_unchecked(self, agent: AgentRecord) -> None:
        """Frameworks without checkpoint lose what ran there when the agent process is gone."""
        for key, task in list(agent.tasks.items()):
            framework = self._context.cluster.frameworks.get(key[0])
            if framework is None or framework.info.get("checkpoint"):
                continue
            del agent.tasks[key]
            if task.terminal:
                continue
            status = statuses.status(
                task.task_id,
                "TASK_LOST",
                message=f"Agent {agent.hostname} disconnected",
                reason="REASON_AGENT_DISCONNECTED",
                agent_id=agent.agent_id,
                executor_id=task.executor_id,
                timestamp=time.time(),
            )
            self._context.set_state(task, status)
            framework.complete(task)
            self._context.tell(framework, status)
        for key in list(agent.executors):
            framework = self._context.cluster.frameworks.get(key[0])
            if framework is not None and not framework.info.get("checkpoint"):
                del agent.executors[key]

    def ping(self) -> None:
        """One round of pings; an agent that misses too many is unreachable."""
        for agent in list(self._context.cluster.agents.values()):
            if agent.unanswered_pings >= self._context.settings.ping_timeouts_max:
                self._unreachable(agent)
                continue
            agent.unanswered_pings += 1
            agent.link.to_agent("PingSlave")

    def pong(self, agent: AgentRecord) -> None:
        """It lives."""
        agent.unanswered_pings = 0

    def _unreachable(self, agent: AgentRecord) -> None:
        cluster = self._context.cluster
        now = time.time()
        self._rescind(agent)
        del cluster.agents[agent.agent_id]
        gone = Departed(agent.agent_id, agent.info, agent.pid, now)
        cluster.unreachable[agent.agent_id] = gone
        for key, task in agent.tasks.items():
            framework = cluster.frameworks.get(key[0])
            if framework is not None:
                self._tell_unreachable(framework, agent, task, now)
        self._fail(agent)
        self._context.desk.soon()

    def _tell_unreachable(
        self, framework: Framework, agent: AgentRecord, task: Task, now: float
    ) -> None:
        if task.terminal:
            framework.complete(task)
            return
        status = statuses.status(
            task.task_id,
            self._context.legible(framework, "TASK_UNREACHABLE"),
            message="health check timed out",
            reason="REASON_AGENT_REMOVED",
            agent_id=agent.agent_id,
            unreachable_time={"nanoseconds": int(now * 1e9)},
        )
        self._context.set_state(task, status)
        framework.unreachable[task.task_id] = task
        self._context.tell(framework, status)

    def _fail(self, agent: AgentRecord) -> None:
        """Every framework hears of an agent that is gone."""
        failure = {"agent_id": {"value": agent.agent_id}}
        for framework in self._context.cluster.frameworks.values():
            framework.send({"type": "FAILURE", "failure": failure})
        body = {"agent_id": {"value": agent.agent_id}}
        self._context.announce({"type": "AGENT_REMOVED", "agent_removed": body})

    def give_up_recovered(self) -> None:
        """Agents of the registry that did not come back to a new master are unreachable."""
        cluster = self._context.cluster
        now = time.time()
        for agent_id, departed in list(cluster.recovered.items()):
            del cluster.recovered[agent_id]
            cluster.unreachable[agent_id] = Departed(agent_id, departed.info, departed.pid, now)

    def by_id(self, agent_id: str) -> AgentRecord | None:
        """A registered agent."""
        return self._context.cluster.agents.get(agent_id)


_CAPABILITIES = (
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "RESOURCE_PROVIDER",
    "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK",
    "AGENT_DRAINING",
    "TASK_RESOURCE_LIMITS",
)
CAPABILITIES = list(_CAPABILITIES)


def agent_for_operator(agent: AgentRecord) -> Json:
    """As in the v1 operator API."""
    return {
        "agent": {
            "agent_info": {**agent.info, "checkpoint": True},
            "active": agent.connected,
            "deactivated": False,
            "version": "1.12.0",
            "pid": agent.pid,
            "registered_time": {"nanoseconds": int(agent.registered_time * 1e9)},
            "total_resources": resources.render(agent.total, role="*"),
            "capabilities": [{"type": name} for name in _CAPABILITIES],
        }
    }
