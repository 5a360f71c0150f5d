"""Tasks at the master: launched, updated, acknowledged, killed, reconciled, spoken to."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from etcdmesos.cluster.commands import (
    Acknowledge,
    Decline,
    Kill,
    Launch,
    Reconcile,
    SendMessage,
    Shutdown,
)
from etcdmesos.cluster.events import ExecutorLost, ExecutorSaid
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.mesos.allocation import DEFAULT_REFUSE_SECONDS, Allocation
from etcdmesos.simulation.mesos.amounts import NOTHING, Amount, amount_of
from etcdmesos.simulation.mesos.books import Books
from etcdmesos.simulation.mesos.records import (
    TERMINAL,
    AgentRecord,
    Framework,
    MasterTask,
    OfferRecord,
)
from etcdmesos.simulation.mesos.words import of_master, reconciled

__all__ = ["Tasks"]

INVALID_OFFERS = "REASON_INVALID_OFFERS"
INVALID_TASK = "REASON_TASK_INVALID"
UNAUTHORIZED = "REASON_TASK_UNAUTHORIZED"
USER = "root"


class Tasks:
    """What one master does with tasks."""

    def __init__(self, books: Books, allocation: Allocation, clock: Clock) -> None:
        self._books = books
        self._clock = clock
        self._allocation = allocation

    # Offers spent

    def launch(self, framework: Framework, call: Launch) -> None:
        """ACCEPT: spend offers on tasks; what is left is free again, behind a filter."""
        mine = {o.id: o for o in self._books.offers_of(framework_id=framework.id)}
        error = _offers_error(call.offer_ids, mine)
        offers = [mine[one] for one in dict.fromkeys(call.offer_ids) if one in mine]
        for offer in offers:
            self._allocation.take_back(offer, rescind=False)
        if error or not offers:
            text = f"Task launched with invalid offers: {error or 'No offers specified'}"
            for task in call.tasks:
                self._refuse(framework, task, TaskState.DROPPED, text, INVALID_OFFERS)
            return
        agent = self._books.agents[offers[0].agent_id]
        left = NOTHING
        for offer in offers:
            left += offer.amount
        for task in call.tasks:
            left = self._launch(framework, agent, task, left)
        self._allocation.refuse(framework, agent.id, left, DEFAULT_REFUSE_SECONDS)

    def _refuse(
        self, framework: Framework, task: Task, state: TaskState, message: str, reason: str
    ) -> None:
        self._books.tell(framework, of_master(task.id, state, message, reason, task.agent_id))

    def _launch(self, framework: Framework, agent: AgentRecord, task: Task, left: Amount) -> Amount:
        key = (framework.id, task.executor_id)
        entered = MasterTask(framework.id, task)
        wanted = entered.amount
        if key not in agent.executors:
            wanted += amount_of(task.executor_resources)
        error = self._task_error(framework, agent, task, entered.amount, wanted, left)
        if error:
            self._refuse(framework, task, TaskState.ERROR, error, INVALID_TASK)
            return left
        if self._books.registry.launches_to_refuse:
            self._books.registry.launches_to_refuse -= 1
            text = f"Not authorized to launch as user '{USER}'"
            self._refuse(framework, task, TaskState.ERROR, text, UNAUTHORIZED)
            return left
        agent.executors.setdefault(key, amount_of(task.executor_resources))
        agent.tasks[framework.id, task.id] = entered
        agent.used = None
        agent.link.send(agent.daemon.do, agent.daemon.run_task, framework.id, framework.info, task)
        return left - wanted

    def _task_error(
        self,
        framework: Framework,
        agent: AgentRecord,
        task: Task,
        own: Amount,
        wanted: Amount,
        left: Amount,
    ) -> str:
        if not task.id or "/" in task.id:
            return f"'{task.id}' contains invalid characters"
        if self._books.find_task(framework.id, task.id) is not None:
            return f"Task has duplicate ID: {task.id}"
        if task.agent_id != agent.id:
            return f"Task uses invalid agent {task.agent_id} while agent {agent.id} is expected"
        if own == NOTHING:
            return "Task uses no resources"
        if not left.contains(wanted):
            return "Total resources required by task and its executor is more than available"
        return ""

    def decline(self, framework: Framework, call: Decline) -> None:
        """Offers are not wanted; unknown ones are no error."""
        for offer_id in call.offer_ids:
            offer = self._books.offers.get(offer_id)
            if offer is not None and offer.framework_id == framework.id:
                self._allocation.take_back(offer, rescind=False)
                self._allocation.refuse(
                    framework, offer.agent_id, offer.amount, call.refuse_seconds
                )

    # Said by agents

    def status_update(
        self, agent: AgentRecord, framework_id: str, status: TaskStatus, latest: TaskState
    ) -> None:
        """An update on its way to the scheduler."""
        framework = self._books.frameworks.get(framework_id)
        if framework is None:
            return
        task = agent.tasks.get((framework_id, status.task_id))
        if task is not None:
            task.update_state, task.update_uuid = status.state, status.uuid
            task.healthy = status.healthy
            if not task.terminal:
                # What the scheduler has to acknowledge comes later; resources are freed now.
                task.state = latest
                if latest in TERMINAL:
                    agent.used = None
                    self._allocation.soon()
        self._books.tell(framework, status)

    def executor_said(
        self, agent: AgentRecord, framework_id: str, executor_id: str, data: bytes
    ) -> None:
        """A framework message from an executor."""
        framework = self._books.frameworks.get(framework_id)
        if framework is not None:
            said = ExecutorSaid(agent_id=agent.id, executor_id=executor_id, data=data)
            for seconds in self._arrivals():
                self._clock.call_after(seconds, framework.send, said)

    def _arrivals(self) -> Sequence[float]:
        """After how many more seconds a framework message arrives: Mesos promises nothing."""
        fate = self._books.registry.message_fate
        return (0.0,) if fate is None else fate()

    def executor_exited(
        self, agent: AgentRecord, framework_id: str, executor_id: str, wait_status: int
    ) -> None:
        """An executor's process ended."""
        known = agent.executors.pop((framework_id, executor_id), None)
        agent.used = None
        self._allocation.soon()
        framework = self._books.frameworks.get(framework_id)
        if known is not None and framework is not None:
            framework.send(
                ExecutorLost(agent_id=agent.id, executor_id=executor_id, wait_status=wait_status)
            )

    # Asked by schedulers

    def acknowledge(self, framework: Framework, call: Acknowledge) -> None:
        """The scheduler took an update: the agent may send the next."""
        status = call.status
        agent = self._books.agents.get(status.agent_id)
        if agent is None or not agent.connected:
            return
        key = (framework.id, status.task_id)
        task = agent.tasks.get(key)
        if task is not None and task.update_uuid == status.uuid and task.update_state in TERMINAL:
            del agent.tasks[key]
            agent.used = None
        agent.link.send(
            agent.daemon.do, agent.daemon.acknowledged, framework.id, status.task_id, status.uuid
        )

    def kill(self, framework: Framework, call: Kill) -> None:
        """KILL; for a task that is not known the answer of a reconciliation."""
        found = self._books.find_task(framework.id, call.task_id)
        if found is None:
            self._reconcile(framework, call.task_id, call.agent_id)
            return
        agent, _ = found
        if call.agent_id and call.agent_id != agent.id:
            return
        if agent.connected:
            agent.link.send(agent.daemon.do, agent.daemon.kill_task, framework.id, call.task_id)
        else:
            agent.kill_when_back.append((framework.id, call.task_id))

    def shutdown(self, framework: Framework, call: Shutdown) -> None:
        """SHUTDOWN of an executor; nothing is said when there is nobody to tell it."""
        agent = self._books.agents.get(call.agent_id)
        if agent is not None and agent.connected:
            agent.link.send(
                agent.daemon.do, agent.daemon.shut_executor_down, framework.id, call.executor_id
            )

    def message(self, framework: Framework, call: SendMessage) -> None:
        """MESSAGE to an executor; may be lost."""
        agent = self._books.agents.get(call.agent_id)
        if agent is not None and agent.connected:
            message = (agent.daemon.message, framework.id, call.executor_id, call.data)
            for seconds in self._arrivals():
                self._clock.call_after(seconds, agent.link.send, agent.daemon.do, *message)

    def reconcile(self, framework: Framework, call: Reconcile) -> None:
        """RECONCILE: of the tasks named, or of all tasks when none is named.

        All tasks are those that agents have: a master says nothing of the unreachable ones then.
        """
        for task_id, agent_id in call.tasks:
            self._reconcile(framework, task_id, agent_id)
        if not call.tasks:
            for agent, task in list(self._books.tasks_of(framework.id)):
                self._tell_latest(framework, agent, task)

    def _reconcile(self, framework: Framework, task_id: str, agent_id: str) -> None:
        books, registry = self._books, self._books.registry
        found = books.find_task(framework.id, task_id)
        if found is not None:
            self._tell_latest(framework, *found)
        elif agent_id in books.agents:
            text = "Task is unknown to the agent"
            books.tell(framework, reconciled(task_id, TaskState.GONE, text, agent_id))
        elif agent_id in books.recovered or (not agent_id and books.recovered):
            return  # the agent may still come back and know the task
        elif agent_id in registry.unreachable:
            text = "Task is unreachable"
            books.tell(framework, reconciled(task_id, TaskState.UNREACHABLE, text, agent_id))
        elif agent_id in registry.gone:
            text = "Task is gone by operator"
            books.tell(framework, reconciled(task_id, TaskState.GONE_BY_OPERATOR, text, agent_id))
        else:
            text = "Task is unknown"
            books.tell(framework, reconciled(task_id, TaskState.UNKNOWN, text, agent_id))

    def _tell_latest(self, framework: Framework, agent: AgentRecord, task: MasterTask) -> None:
        state = task.update_state or task.state
        status = reconciled(task.task.id, state, "Latest task state", agent.id)
        status = evolve(status, healthy=task.healthy)
        self._books.tell(framework, status)


def _offers_error(offer_ids: tuple[str, ...], mine: dict[str, OfferRecord]) -> str:
    """Why a list of offers can't be accepted, "" if it can."""
    agents: list[str] = []
    for number, offer_id in enumerate(offer_ids):
        if offer_id not in mine:
            return f"Offer {offer_id} is no longer valid"
        if offer_id in offer_ids[:number]:
            return f"Duplicate offer {offer_id} in offer list"
        agents.append(mine[offer_id].agent_id)
    if len(set(agents)) > 1:
        return "Aggregated offers must belong to one single agent"
    return ""
