"""How executors come to life on an agent and how they end, and what is said of their tasks then.

Follows Apache Mesos' agent as recorded (EXECUTOR.md of the captures): states, reasons, order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.simulation.mesos.containers import (
    AgentTask,
    Container,
    Ending,
    Executor,
    ExecutorFactory,
    Phase,
    ended_state,
)
from etcdmesos.simulation.mesos.options import FrameworkInfo
from etcdmesos.simulation.mesos.records import TERMINAL
from etcdmesos.simulation.mesos.words import of_agent

if TYPE_CHECKING:
    from etcdmesos.simulation.mesos.agent import Agent

__all__ = ["Lifecycle"]

_NEVER_STARTED = -1
_EXIT_1 = 1 << 8
_REAPED_AFTER = 0.05
"""Seconds until an agent notices that a container has ended."""


class Lifecycle:
    """All executors of one life of an agent."""

    def __init__(self, agent: Agent, factory: ExecutorFactory) -> None:
        self._agent = agent
        self._disk = agent.disk
        self._factory = factory

    # Beginning

    def run_task(self, framework_id: str, info: FrameworkInfo, task: Task) -> None:
        """A task from the master: to its executor, which is started if there is none."""
        executor = self._disk.executors.get((framework_id, task.executor_id))
        if executor is None or not executor.alive:
            executor = self._create(framework_id, info, task)
            executor.queued[task.id] = task
            self._agent.after(
                self._agent.random.uniform(*self._agent.options.fetch_seconds),
                self._launch,
                executor,
            )
        elif executor.phase is Phase.TERMINATING:
            ending = Ending(state=TaskState.DROPPED, message="Executor terminating")
            self._say(executor, task, ending)
        else:
            executor.queued[task.id] = task
            self.deliver(executor)

    def _create(self, framework_id: str, info: FrameworkInfo, task: Task) -> Executor:
        disk = self._disk
        disk.containers += 1
        container_id = f"container-{disk.host.name}-{disk.containers}"
        sandbox = (
            f"/var/lib/mesos/slaves/{disk.agent_id}/frameworks/{framework_id}"
            f"/executors/{task.executor_id}/runs/{container_id}"
        )
        executor = Executor(framework_id, info, task, container_id, sandbox)
        disk.executors[framework_id, task.executor_id] = executor
        return executor

    def _launch(self, executor: Executor) -> None:
        if executor.phase is not Phase.FETCHING:
            if executor.alive:
                self.exited(executor, _NEVER_STARTED)
            return
        if self._disk.launches_to_fail:
            self._disk.launches_to_fail -= 1
            text = f"Failed to fetch all URIs for container '{executor.container_id}'"
            executor.ending = Ending(
                reason="REASON_CONTAINER_LAUNCH_FAILED",
                message=f"Failed to launch container: {text}: exited with status 1",
            )
            self.exited(executor, _EXIT_1)
            return
        executor.phase = Phase.REGISTERING
        executor.process = self._factory(self._container(executor))
        timeout = self._agent.options.registration_timeout
        self._agent.after(timeout, self._registration_timed_out, executor)

    def _container(self, executor: Executor) -> Container:
        disk, options = self._disk, self._agent.options
        return Container(
            id=executor.container_id,
            channels=self._agent.channels,
            host=disk.host,
            framework_id=executor.framework_id,
            executor_id=executor.executor_id,
            agent_id=disk.agent_id,
            sandbox=executor.sandbox,
            environment=executor.first.environment,
            grace_seconds=executor.first.grace_seconds or options.shutdown_grace,
            recovery_timeout=options.recovery_timeout,
            backoff_max=options.reregistration_timeout,
            ended=lambda status: disk.process_ended(executor, status),
        )

    def _registration_timed_out(self, executor: Executor) -> None:
        if executor.phase is Phase.REGISTERING and not self._agent.recovering:
            seconds = f"{self._agent.options.registration_timeout:g}secs"
            executor.ending = Ending(
                reason="REASON_EXECUTOR_REGISTRATION_TIMEOUT",
                message=f"Executor did not register within {seconds}",
            )
            self.destroy(executor)

    def deliver(self, executor: Executor) -> None:
        """Give the queued tasks to an executor that listens."""
        stream, sink = executor.stream, executor.sink
        if executor.phase is not Phase.RUNNING or stream is None or sink is None:
            return
        queued, executor.queued = executor.queued, {}
        for task in queued.values():
            executor.launched[task.id] = AgentTask(task)
            stream.send(sink.launched, task)

    # Recovering

    def recover(self) -> bool:
        """Take up what the disk knows; whether there are executors to wait for."""
        waiting = False
        for executor in list(self._disk.executors.values()):
            if not executor.alive:
                continue
            if executor.process is not None and executor.process.running:
                waiting = True
            else:
                # The container ended unseen, or never began.  No FAILURE comes then.
                self._end(executor)
        return waiting

    def give_up_returning(self, executor: Executor) -> None:
        """It did not subscribe again after the daemon's restart."""
        seconds = f"{self._agent.options.reregistration_timeout:g}secs"
        executor.ending = Ending(
            state=TaskState.GONE,
            reason="REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
            message=f"Executor did not reregister within {seconds}",
        )
        self.destroy(executor)

    # Ending

    def kill_task(self, framework_id: str, task_id: str) -> None:
        """KILL: to the executor, or at once if it never heard of the task.  Nothing enforces it."""
        for executor in list(self._disk.executors.values()):
            if executor.framework_id != framework_id or not executor.alive:
                continue
            if task_id in executor.queued:
                task = executor.queued.pop(task_id)
                ending = Ending(
                    state=TaskState.KILLED,
                    reason="REASON_TASK_KILLED_DURING_LAUNCH",
                    message="Killed before delivery to the executor",
                )
                self._say(executor, task, ending)
                if not executor.has_tasks:
                    self._end_unused(executor)
            elif task_id in executor.launched and executor.stream and executor.sink:
                executor.stream.send(executor.sink.kill_asked, task_id)

    def _end_unused(self, executor: Executor) -> None:
        if executor.phase is Phase.REGISTERING:
            self.destroy(executor)
        elif executor.phase is Phase.FETCHING:
            executor.phase = Phase.TERMINATING

    def shut_down(self, executor: Executor) -> None:
        """SHUTDOWN; after the grace period the whole container is killed."""
        if executor.phase in (Phase.TERMINATING, Phase.TERMINATED):
            return
        executor.phase = Phase.TERMINATING
        if executor.stream is not None and executor.sink is not None:
            executor.stream.send(executor.sink.shutdown_asked)
        grace = executor.first.grace_seconds or self._agent.options.shutdown_grace
        self._agent.after(grace, self._grace_over, executor)

    def _grace_over(self, executor: Executor) -> None:
        if executor.phase is Phase.TERMINATING:
            self.destroy(executor)

    def destroy(self, executor: Executor) -> None:
        """SIGKILL of everything in the container."""
        if not executor.alive:
            return
        executor.phase = Phase.TERMINATING
        if executor.process is not None:
            executor.process.kill()

    def process_ended(self, executor: Executor, wait_status: int) -> None:
        """The container is empty; the daemon notices soon."""
        self._agent.after(_REAPED_AFTER, self.exited, executor, wait_status)

    def exited(self, executor: Executor, wait_status: int) -> None:
        """The daemon knows that the executor has ended: tell the master, then of its tasks."""
        if not executor.alive:
            return
        key = (executor.framework_id, executor.executor_id)
        self._agent.tell_master("exited", *key, wait_status)
        self._end(executor)

    def _end(self, executor: Executor) -> None:
        executor.phase = Phase.TERMINATED
        if executor.stream is not None:
            executor.stream.close()
        executor.stream = executor.sink = None
        if not executor.silent:
            for task in list(executor.launched.values()):
                if not ended_state(task):
                    self._say(executor, task.task, executor.ending)
            queued, executor.queued = executor.queued, {}
            for unseen in queued.values():
                self._say(executor, unseen, executor.ending)
        self.settle(executor)

    def _say(self, executor: Executor, task: Task, ending: Ending) -> None:
        agent = self._agent
        self._disk.updates_made += 1
        status = of_agent(
            task.id,
            ending.state,
            ending.message,
            ending.reason,
            agent_id=self._disk.agent_id,
            executor_id=executor.executor_id,
            uuid=f"{agent.name}-{self._disk.updates_made}",
        )
        launched = executor.launched.setdefault(task.id, AgentTask(task))
        launched.state = ending.state
        agent.updates.add(executor.framework_id, status)

    def acknowledged(self, framework_id: str, status: TaskStatus) -> None:
        """The scheduler's acknowledgement of an update."""
        if status.state not in TERMINAL:
            return
        for executor in list(self._disk.executors.values()):
            if executor.framework_id == framework_id and status.task_id in executor.launched:
                del executor.launched[status.task_id]
                self.settle(executor)

    def settle(self, executor: Executor) -> None:
        """Forget an executor that is over and owes no update; its sandbox stays."""
        key = (executor.framework_id, executor.executor_id)
        if executor.alive or (executor.launched and not executor.silent):
            return
        if self._disk.executors.get(key) is executor:
            del self._disk.executors[key]
            self._disk.ended.append(executor)
