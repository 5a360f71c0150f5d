"""Agents come and go at the master: register, lose the connection, miss pings, come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from etcdmesos.cluster.events import AgentLost
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.mesos.tasks import Task
from etcdmesos.simulation.channel import End
from etcdmesos.simulation.mesos.allocation import Allocation
from etcdmesos.simulation.mesos.amounts import amount_of, total_of
from etcdmesos.simulation.mesos.books import Books
from etcdmesos.simulation.mesos.daemon import Daemon
from etcdmesos.simulation.mesos.frameworks import Frameworks
from etcdmesos.simulation.mesos.options import AgentSpec, FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.records import AgentRecord, Framework, Key, MasterTask
from etcdmesos.simulation.mesos.words import RECONCILIATION, of_master

if TYPE_CHECKING:
    from etcdmesos.simulation.mesos.agent import Agent

__all__ = ["Membership", "Registration", "ReportedTask"]


@frozen(kw_only=True)
class ReportedTask:
    """A task in an agent's registration."""

    framework_id: str
    task: Task
    state: TaskState
    healthy: bool | None = None


@frozen(kw_only=True)
class Registration:
    """What an agent says of itself when it registers, for the first time or again."""

    agent_id: str
    """"" for the first time."""
    host: str
    spec: AgentSpec
    tasks: tuple[ReportedTask, ...] = ()
    executors: tuple[tuple[Key, Task], ...] = ()
    """Of those that live: whose they are, and a task that says what they take."""
    frameworks: tuple[tuple[str, FrameworkInfo], ...] = ()


class Membership:
    """The agents of one master."""

    def __init__(
        self,
        daemon: Daemon,
        books: Books,
        allocation: Allocation,
        frameworks: Frameworks,
        options: MesosOptions,
    ) -> None:
        self._daemon = daemon
        self._books = books
        self._allocation = allocation
        self._frameworks = frameworks
        self._options = options

    # Registering

    def register(self, link: End, daemon: Agent, said: Registration) -> None:
        """An agent registers; the answer goes over `link`."""
        registry = self._books.registry
        if said.agent_id in registry.gone:
            link.send(daemon.do, daemon.told_to_shut_down)
            return
        link.on_end = lambda: self._daemon.do(self._broken, link)
        if said.agent_id:
            self._register_again(link, daemon, said)
        else:
            self._register_new(link, daemon, said)
        self._allocation.soon()
        if link.closed:
            # It hung up while its message was on the way.
            self._broken(link)

    def _register_new(self, link: End, daemon: Agent, said: Registration) -> None:
        for agent in self._books.agents.values():
            if agent.daemon is daemon:
                # It asked again before our answer reached it.
                if agent.link is not link:
                    agent.link.close()
                    # What was sent to it over the old one is lost, launches too.
                    self._take_tasks(agent, said, was_unreachable=False)
                agent.link, agent.connected = link, True
                agent.unanswered_pings = 0
                link.send(daemon.do, daemon.registered, agent.id)
                return
        agent_id = self._books.new_id("S")
        self._books.registry.admitted[agent_id] = said.host
        self._enter(agent_id, link, daemon, said)
        link.send(daemon.do, daemon.registered, agent_id)

    def _enter(self, agent_id: str, link: End, daemon: Agent, said: Registration) -> AgentRecord:
        total = total_of(said.spec)
        agent = AgentRecord(agent_id, said.host, said.spec, total, link, daemon)
        self._books.agents[agent_id] = agent
        self._daemon.after(self._options.ping_timeout, self._ping, agent)
        return agent

    def _register_again(self, link: End, daemon: Agent, said: Registration) -> None:
        books, agent_id = self._books, said.agent_id
        was_unreachable = books.registry.unreachable.pop(agent_id, None) is not None
        books.recovered.pop(agent_id, None)
        books.registry.admitted[agent_id] = said.host
        agent = books.agents.get(agent_id)
        if agent is None:
            agent = self._enter(agent_id, link, daemon, said)
        elif agent.link is not link:
            agent.link.close()
        agent.link, agent.daemon = link, daemon
        agent.connected = True
        agent.unanswered_pings = 0
        self._recover_frameworks(agent, said)
        self._take_tasks(agent, said, was_unreachable)
        link.send(daemon.do, daemon.registered, agent_id)
        for framework_id, task_id in agent.kill_when_back:
            link.send(daemon.do, daemon.kill_task, framework_id, task_id)
        agent.kill_when_back.clear()

    def _recover_frameworks(self, agent: AgentRecord, said: Registration) -> None:
        books = self._books
        for framework_id, info in said.frameworks:
            if framework_id in books.removed:
                agent.link.send(agent.daemon.do, agent.daemon.shut_framework_down, framework_id)
            elif framework_id not in books.frameworks:
                framework = books.frameworks[framework_id] = Framework(framework_id, info)
                self._frameworks.expect_back(framework)

    def _take_tasks(self, agent: AgentRecord, said: Registration, was_unreachable: bool) -> None:
        books = self._books
        agent.used = None
        agent.executors = {key: amount_of(task.executor_resources) for key, task in said.executors}
        reported: dict[Key, bool] = {}
        for one in said.tasks:
            key = (one.framework_id, one.task.id)
            reported[key] = True
            framework = books.frameworks.get(one.framework_id)
            if framework is None:
                continue
            known = framework.unreachable.pop(one.task.id, None) or agent.tasks.get(key)
            task = known or MasterTask(one.framework_id, one.task)
            agent.tasks[key] = task
            task.healthy = one.healthy
            if was_unreachable:
                task.state = one.state
                self._tell_returned(framework, agent, task)
            elif not task.terminal:
                task.state = one.state
        if was_unreachable:
            self._forget_unreachable(agent.id)
        for key in [key for key in agent.tasks if key not in reported]:
            self._lost_by_agent(agent, key)

    def _forget_unreachable(self, agent_id: str) -> None:
        """All tasks of the agent are accounted for now: those that it named, and no others."""
        for framework in self._books.frameworks.values():
            for task_id, task in list(framework.unreachable.items()):
                if task.task.agent_id == agent_id:
                    del framework.unreachable[task_id]

    def _tell_returned(self, framework: Framework, agent: AgentRecord, task: MasterTask) -> None:
        text, reason = "Unreachable agent re-reregistered", "REASON_AGENT_REREGISTERED"
        status = of_master(task.task.id, task.state, text, reason, agent.id)
        status = evolve(status, healthy=task.healthy)
        self._books.tell(framework, status)

    def _lost_by_agent(self, agent: AgentRecord, key: Key) -> None:
        """A task the master knows and the agent never got, or forgot."""
        task = agent.tasks.pop(key)
        framework = self._books.frameworks.get(key[0])
        if framework is None or task.terminal:
            return
        text = "Task is unknown to the agent"
        status = of_master(key[1], TaskState.GONE, text, RECONCILIATION, agent.id)
        self._books.tell(framework, status)

    # Leaving

    def _broken(self, link: End) -> None:
        """The connection to an agent broke: its offers are void; the pings decide the rest."""
        for agent in self._books.agents.values():
            if agent.link is link and agent.connected:
                agent.connected = False
                self._rescind(agent)

    def _rescind(self, agent: AgentRecord) -> None:
        for offer in self._books.offers_of(agent_id=agent.id):
            self._allocation.take_back(offer, rescind=True)

    def _ping(self, agent: AgentRecord) -> None:
        if self._books.agents.get(agent.id) is not agent:
            return
        if agent.unanswered_pings >= self._options.ping_timeouts_max:
            self._unreachable(agent)
            return
        agent.unanswered_pings += 1
        agent.link.send(agent.daemon.do, agent.daemon.pinged, agent.connected)
        self._daemon.after(self._options.ping_timeout, self._ping, agent)

    def pong(self, agent: AgentRecord) -> None:
        """It lives."""
        agent.unanswered_pings = 0

    def _unreachable(self, agent: AgentRecord) -> None:
        self._books.registry.unreachable[agent.id] = agent.host
        text = "health check timed out"
        self._remove(agent, TaskState.UNREACHABLE, text, "REASON_AGENT_REMOVED")

    def unregister(self, agent: AgentRecord) -> None:
        """The agent says good-bye (SIGUSR1)."""
        text = f"Agent {agent.host} removed: the agent unregistered"
        self._remove(agent, TaskState.LOST, text, "REASON_AGENT_REMOVED")

    def mark_gone(self, agent_id: str) -> None:
        """MARK_AGENT_GONE: the operator's word that the agent never comes back."""
        registry = self._books.registry
        host = registry.admitted.pop(agent_id, "") or registry.unreachable.pop(agent_id, "")
        registry.gone[agent_id] = host
        self._books.recovered.pop(agent_id, None)
        text, reason = "Agent has been marked gone", "REASON_AGENT_REMOVED_BY_OPERATOR"
        agent = self._books.agents.get(agent_id)
        if agent is not None:
            agent.link.send(agent.daemon.do, agent.daemon.told_to_shut_down)
            self._remove(agent, TaskState.GONE_BY_OPERATOR, text, reason)
            return
        for framework in self._books.frameworks.values():
            for task_id, task in list(framework.unreachable.items()):
                if task.task.agent_id == agent_id:
                    del framework.unreachable[task_id]
                    state = TaskState.GONE_BY_OPERATOR
                    status = of_master(task_id, state, text, reason, agent_id)
                    self._books.tell(framework, status)

    def _remove(self, agent: AgentRecord, state: TaskState, text: str, reason: str) -> None:
        books = self._books
        self._rescind(agent)
        del books.agents[agent.id]
        books.registry.admitted.pop(agent.id, None)
        for (framework_id, task_id), task in agent.tasks.items():
            framework = books.frameworks.get(framework_id)
            if framework is None or task.terminal:
                continue
            task.state = state
            if state is TaskState.UNREACHABLE:
                framework.unreachable[task_id] = task
            books.tell(framework, of_master(task_id, state, text, reason, agent.id))
        for framework in books.frameworks.values():
            framework.send(AgentLost(agent_id=agent.id))
        self._allocation.soon()

    def give_up_recovered(self) -> None:
        """Agents of the registry that did not come back to a new master are unreachable."""
        registry = self._books.registry
        for agent_id, host in self._books.recovered.items():
            registry.admitted.pop(agent_id, None)
            registry.unreachable[agent_id] = host
        self._books.recovered.clear()
