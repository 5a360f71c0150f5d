"""A master's process: takes calls and agents' messages, and hands them to its parts.

One object is one life of a leading master; the next one knows only the registry.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from attrs import frozen

from etcdmesos.cluster import commands
from etcdmesos.cluster.events import Event
from etcdmesos.mesos.master_state import ListedFramework, ListedTask, MasterState
from etcdmesos.mesos.statuses import TaskStatus
from etcdmesos.simulation.channel import End
from etcdmesos.simulation.mesos.allocation import Allocation
from etcdmesos.simulation.mesos.books import Books
from etcdmesos.simulation.mesos.daemon import Daemon
from etcdmesos.simulation.mesos.frameworks import Frameworks
from etcdmesos.simulation.mesos.membership import Membership
from etcdmesos.simulation.mesos.options import FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.records import AgentRecord, Framework, MasterTask, Registry
from etcdmesos.simulation.mesos.tasks import Tasks
from etcdmesos.simulation.network import Exchange, Network

__all__ = ["MASTER", "Call", "Master", "ReadState", "Refusal", "SubscribeCall"]

MASTER = ("master", 5050)


@frozen
class SubscribeCall:
    """SUBSCRIBE: the head of the answer and then events go down `stream`."""

    framework_id: str
    info: FrameworkInfo
    stream: End
    head: Callable[[int], None]
    """Takes the Mesos-Stream-Id."""
    take: Callable[[Event | None], None]


@frozen
class Call:
    """Any other scheduler call."""

    framework_id: str
    stream_id: int
    command: commands.Command


@frozen
class ReadState:
    """GET /state; the frameworks of this name."""

    framework_name: str


@frozen
class Refusal:
    """An HTTP status and a line."""

    status: int
    text: str


class Master(Daemon):
    """One life of the leading master."""

    def __init__(
        self,
        network: Network,
        random: Random,
        options: MesosOptions,
        registry: Registry,
        on_call: Callable[[Call], None],
    ) -> None:
        """`on_call` is told of every call that is carried out."""
        super().__init__(network.clock)
        self.network = network
        self.books = Books(registry)
        self.allocation = Allocation(self, self.books, random, options)
        self.frameworks = Frameworks(self, self.books, self.allocation, options)
        self.membership = Membership(self, self.books, self.allocation, self.frameworks, options)
        self.tasks = Tasks(self.books, self.allocation, network.clock)
        self.recovering = False
        self._options = options
        self._on_call = on_call
        self._ends: list[End] = []
        self._calls: dict[type, Callable[[Framework, Any], None]] = {
            commands.Launch: self.tasks.launch,
            commands.Decline: self.tasks.decline,
            commands.Suppress: self._suppress,
            commands.Revive: self._revive,
            commands.Acknowledge: self.tasks.acknowledge,
            commands.Reconcile: self.tasks.reconcile,
            commands.Kill: self.tasks.kill,
            commands.Shutdown: self.tasks.shutdown,
            commands.SendMessage: self.tasks.message,
            commands.Teardown: self._tear_down,
        }

    # Life

    def start(self, *, recovery: float) -> None:
        """Listen; schedulers are refused for `recovery` seconds."""
        self.network.listen(*MASTER, self)
        if self.books.recovered:
            self.recovering = recovery > 0
            self.after(recovery, self._recovered)
            self.after(self._options.reregister_timeout, self.membership.give_up_recovered)
        self.allocation.start()

    def _recovered(self) -> None:
        self.recovering = False

    def kill(self) -> None:
        """SIGKILL: every connection ends."""
        if not self.running:
            return
        self.end()
        self.network.unlisten(*MASTER, self)
        for end in self._ends:
            end.close()

    def take(self, end: End) -> None:
        """A connection was accepted; it ends with this process."""
        self._ends = [one for one in self._ends if not one.closed]
        self._ends.append(end)

    # Schedulers

    def receive(self, request: Any, exchange: Exchange) -> None:
        """A call over HTTP."""
        self.do(self._answer, request, exchange)

    def _answer(self, request: Any, exchange: Exchange) -> None:
        if isinstance(request, ReadState):
            exchange.reply(self.state(request.framework_name))
        elif self.recovering:
            exchange.reply(Refusal(503, "Master has not finished recovery"))
        elif isinstance(request, SubscribeCall):
            self.take(request.stream)
            exchange.reply(None)
            self.frameworks.subscribe(
                request.framework_id, request.info, request.stream, request.head, request.take
            )
        else:
            refusal = self._refused(request)
            exchange.reply(refusal)
            if refusal is None:
                self._carry_out(request)

    def _refused(self, call: Call) -> Refusal | None:
        framework = self.books.frameworks.get(call.framework_id)
        if framework is None:
            return Refusal(400, "Framework cannot be found")
        if not framework.connected:
            return Refusal(403, "Framework is not subscribed")
        if framework.stream_id != call.stream_id:
            return Refusal(
                400,
                f"The stream ID '{call.stream_id}' included in this request didn't match the "
                f"stream ID currently associated with framework ID {call.framework_id}",
            )
        return None

    def _carry_out(self, call: Call) -> None:
        self._on_call(call)
        self._calls[type(call.command)](self.books.frameworks[call.framework_id], call.command)

    def _suppress(self, framework: Framework, _call: commands.Suppress) -> None:
        framework.suppressed = True

    def _revive(self, framework: Framework, _call: commands.Revive) -> None:
        framework.suppressed = False
        framework.refusals.clear()
        self.allocation.soon()

    def _tear_down(self, framework: Framework, _call: commands.Teardown) -> None:
        self.frameworks.remove(framework)

    # Agents

    def from_agent(
        self, agent_id: str, link: End, handle: Callable[..., None], *arguments: Any
    ) -> None:
        """A message of a registered agent; of any other it is ignored."""
        agent = self.books.agents.get(agent_id)
        if agent is not None and agent.link is link:
            handle(agent, *arguments)

    def status_update(
        self, agent: AgentRecord, framework_id: str, status: TaskStatus, latest: Any
    ) -> None:
        """An update from an agent."""
        self.tasks.status_update(agent, framework_id, status, latest)

    # The state

    def state(self, framework_name: str) -> MasterState:
        """`/state`, as far as decisions read it; one that still recovers shows nothing at all."""
        books = self.books
        if self.recovering:
            return MasterState(
                registered_agents=frozenset(),
                outstanding_agents=0,
                unreachable_agents=0,
                frameworks=(),
            )
        return MasterState(
            registered_agents=frozenset(a.id for a in books.agents.values() if a.connected),
            outstanding_agents=len(books.recovered),
            unreachable_agents=len(books.registry.unreachable),
            frameworks=tuple(
                self._listed(framework)
                for framework in books.frameworks.values()
                if framework.info.name == framework_name
            ),
        )

    def _listed(self, framework: Framework) -> ListedFramework:
        known = [task for _, task in self.books.tasks_of(framework.id)]
        return ListedFramework(
            id=framework.id,
            name=framework.info.name,
            active=framework.connected,
            connected=framework.connected,
            tasks=tuple(_listed_task(task) for task in (*known, *framework.unreachable.values())),
        )


def _listed_task(task: MasterTask) -> ListedTask:
    return ListedTask(
        id=task.task.id,
        agent_id=task.task.agent_id,
        executor_id=task.task.executor_id,
        state=task.state,
        labels=dict(reversed(task.task.labels)),
    )
