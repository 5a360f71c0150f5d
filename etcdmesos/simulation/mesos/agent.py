"""An agent's daemon: registers, answers pings, passes calls on, recovers what its disk knows.

One object is one life of the daemon.  `AgentDisk` is what outlives it; what becomes of executors is
in `lifecycle`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from attrs import define, field

from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.simulation.channel import Channel, Channels, End
from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.hosts import Host
from etcdmesos.simulation.mesos.containers import (
    Ending,
    Executor,
    ExecutorFactory,
    Phase,
    UpdateStream,
)
from etcdmesos.simulation.mesos.daemon import Daemon
from etcdmesos.simulation.mesos.executor_calls import ExecutorCalls
from etcdmesos.simulation.mesos.lifecycle import Lifecycle
from etcdmesos.simulation.mesos.master import MASTER, Master
from etcdmesos.simulation.mesos.membership import Registration, ReportedTask
from etcdmesos.simulation.mesos.options import AgentSpec, FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.records import Key
from etcdmesos.simulation.mesos.updates import Updates
from etcdmesos.simulation.network import Exchange

__all__ = ["AGENT_PORT", "Agent", "AgentDisk"]

AGENT_PORT = 5051


@define(eq=False)
class AgentDisk:
    """What an agent's daemon writes down, and where its executors left their data."""

    host: Host
    spec: AgentSpec
    agent_id: str = ""
    executors: dict[Key, Executor] = field(factory=dict)
    streams: dict[Key, UpdateStream] = field(factory=dict)
    ended: list[Executor] = field(factory=list)
    """Whose sandboxes were not collected yet."""
    containers: int = 0
    updates_made: int = 0
    launches_to_fail: int = 0
    """How many of the next containers will not start."""
    daemon: Agent | None = None
    """The life that runs, if any."""

    def process_ended(self, executor: Executor, wait_status: int) -> None:
        """A container is empty; a daemon that runs is told, a later one looks for itself."""
        if self.daemon is not None:
            self.daemon.do(self.daemon.lifecycle.process_ended, executor, wait_status)


class Agent(Daemon):
    """One life of one agent daemon."""

    def __init__(
        self,
        channels: Channels,
        disk: AgentDisk,
        random: Random,
        options: MesosOptions,
        factory: ExecutorFactory,
    ) -> None:
        super().__init__(channels.network.clock)
        self.channels = channels
        self.network = channels.network
        self.disk = disk
        self.options = options
        self.random = random
        self.recovering = False
        self.registered_with: Master | None = None
        self.updates = Updates(self, self._send_update, disk.streams, options)
        self.lifecycle = Lifecycle(self, factory)
        self._calls = ExecutorCalls(self)
        self._link: Channel | None = None
        self._asked: Master | None = None
        self._next_attempt: Timer | None = None
        self._attempts = 0
        self._last_ping = 0.0
        self._ping_watch: Timer | None = None
        self._sweep: list[Executor] = []

    @property
    def name(self) -> str:
        return self.disk.host.name

    # Its life

    def start(self, delay: float = 0.0) -> None:
        """Begin; register after `delay` at the earliest."""
        self.disk.host.processes.append(self)
        self.disk.daemon = self
        self.after(self.options.boot_seconds, self._begin, delay)

    def _begin(self, delay: float) -> None:
        self.network.listen(self.name, AGENT_PORT, self)
        if self.disk.executors:
            self.recovering = True
            waiting = self.lifecycle.recover()
            wait = self.options.reregistration_timeout if waiting else 0.0
            self.after(wait, self._recovered, delay)
        else:
            self.register(delay)

    def _recovered(self, delay: float) -> None:
        self.recovering = False
        for executor in self.disk.executors.values():
            if executor.phase is Phase.REGISTERING:
                self._sweep.append(executor)
            elif executor.phase is Phase.RUNNING:
                self.lifecycle.deliver(executor)
        self.register(delay)

    def kill(self) -> None:
        """SIGKILL of the daemon: connections end, containers live on."""
        if not self.running:
            return
        self.end()
        self.disk.host.processes.remove(self)
        self.disk.daemon = None
        self.network.unlisten(self.name, AGENT_PORT, self)
        if self._link is not None:
            self._link.client.close()
        for executor in self.disk.executors.values():
            if executor.stream is not None:
                executor.stream.close()
            executor.stream = executor.sink = None
            executor.ending = Ending()
            if executor.phase in (Phase.RUNNING, Phase.TERMINATING):
                # That it was to end is forgotten; what its process does is another matter.
                executor.phase = Phase.REGISTERING

    def told_to_shut_down(self) -> None:
        """The master will never take this agent back: end all executors, and the daemon."""
        self.disk.agent_id = ""
        for executor in list(self.disk.executors.values()):
            executor.silent = True
            self.lifecycle.destroy(executor)
        self.disk.streams.clear()
        self.kill()

    # The master

    def register(self, delay: float = 0.0) -> None:
        """(Re-)register until the master answers; the first attempt comes after `delay`."""
        if self._next_attempt is None and not self.recovering:
            self._attempts = 0
            backoff = self.options.registration_backoff * self.random.random()
            self._next_attempt = self.after(delay + backoff, self._register)

    def hold_off(self, delay: float) -> None:
        """Find out about the new master later than others."""
        if self.registered_with is None and self._next_attempt is not None:
            self._next_attempt.cancel()
            self._next_attempt = None
            self.register(delay)

    def _register(self) -> None:
        network = self.network
        master = network.listener(*MASTER)
        if isinstance(master, Master) and network.connected(self.name, MASTER[0]):
            if self._link is not None:
                self._link.client.close()
            self._asked = master
            link = self._link = self.channels.open(self.name, MASTER[0])
            link.client.on_end = lambda: self.do(self._lost, link)
            link.client.send(master.do, self._ask, master, link.server, self._registration())
        most = self.options.registration_backoff_max
        pause = min(most, self.options.registration_backoff * 2.0**self._attempts)
        self._attempts += 1
        self._next_attempt = self.after(pause, self._register)

    def _ask(self, master: Master, link: End, said: Registration) -> None:
        master.take(link)
        master.membership.register(link, self, said)

    def _registration(self) -> Registration:
        executors = self.disk.executors
        return Registration(
            agent_id=self.disk.agent_id,
            host=self.name,
            spec=self.disk.spec,
            tasks=tuple(
                ReportedTask(
                    framework_id=key[0], task=task.task, state=task.state, healthy=task.healthy
                )
                for key, executor in executors.items()
                if not executor.silent
                for task in executor.launched.values()
            )
            + tuple(
                ReportedTask(framework_id=key[0], task=task, state=TaskState.STAGING)
                for key, executor in executors.items()
                if not executor.silent
                for task in executor.queued.values()
            ),
            executors=tuple(
                (key, executor.first) for key, executor in executors.items() if executor.alive
            ),
            frameworks=tuple({k[0]: (k[0], e.info) for k, e in executors.items()}.values()),
        )

    def registered(self, agent_id: str) -> None:
        """The master's answer."""
        self.disk.agent_id = agent_id
        if self._next_attempt is not None:
            self._next_attempt.cancel()
            self._next_attempt = None
        if self.registered_with is None:
            self.registered_with = self._asked
            self._last_ping = self.clock.now
            if self._ping_watch is not None:
                self._ping_watch.cancel()
            self._ping_watch = self.after(self._patience, self._watch_pings)
            self.updates.resume()
            self._sweep_now()

    def _sweep_now(self) -> None:
        """End the executors that did not come back; after the registration, as Mesos does."""
        sweep, self._sweep = self._sweep, []
        for executor in sweep:
            if executor.phase is Phase.REGISTERING:
                self.lifecycle.give_up_returning(executor)

    @property
    def _patience(self) -> float:
        return self.options.ping_timeout * self.options.ping_timeouts_max

    def _watch_pings(self) -> None:
        if self.registered_with is None:
            return
        due = self._last_ping + self._patience
        if self.clock.now < due:
            self._ping_watch = self.after(due - self.clock.now, self._watch_pings)
        else:
            self._disconnect()

    def _lost(self, link: Channel) -> None:
        if self._link is link and self.registered_with is not None:
            self._disconnect()

    def _disconnect(self) -> None:
        """There is no master: what is to be said waits, and registering begins."""
        if self._link is not None:
            self._link.client.close()
            self._link = None
        self.registered_with = None
        self.updates.paused = True
        self.register()

    def pinged(self, connected: bool) -> None:
        """The master asks whether we live, and says whether it counts us as connected."""
        self._last_ping = self.clock.now
        self.tell_master("pong")
        if not connected and self.registered_with is not None:
            self._disconnect()

    def tell_master(self, what: str, *arguments: Any) -> None:
        """Send a message to the master; without one it is lost."""
        master, link = self.registered_with, self._link
        if master is None or link is None:
            return
        handlers: dict[str, Any] = {
            "pong": master.membership.pong,
            "update": master.status_update,
            "said": master.tasks.executor_said,
            "exited": master.tasks.executor_exited,
            "unregister": master.membership.unregister,
        }
        handle = handlers[what]
        agent_id = self.disk.agent_id
        link.client.send(master.do, master.from_agent, agent_id, link.server, handle, *arguments)

    def _send_update(self, framework_id: str, status: TaskStatus, latest: TaskState) -> None:
        self.tell_master("update", framework_id, status, latest)

    def unregister(self) -> None:
        """SIGUSR1: good-bye to the master; all executors end, and the daemon."""
        self.tell_master("unregister")
        link, self._link = self._link, None
        self.told_to_shut_down()
        if link is not None:
            link.client.close()

    # What the master sends

    def run_task(self, framework_id: str, info: FrameworkInfo, task: Task) -> None:
        """RunTask."""
        self.lifecycle.run_task(framework_id, info, task)

    def kill_task(self, framework_id: str, task_id: str) -> None:
        """KillTask."""
        self.lifecycle.kill_task(framework_id, task_id)

    def shut_executor_down(self, framework_id: str, executor_id: str) -> None:
        """ShutdownExecutor."""
        executor = self.disk.executors.get((framework_id, executor_id))
        if executor is not None:
            self.lifecycle.shut_down(executor)

    def shut_framework_down(self, framework_id: str) -> None:
        """ShutdownFramework: its executors end, nobody is told of its tasks."""
        self.updates.drop_framework(framework_id)
        for key, executor in list(self.disk.executors.items()):
            if key[0] == framework_id:
                executor.silent = True
                if executor.alive:
                    self.lifecycle.shut_down(executor)
                else:
                    self.lifecycle.settle(executor)

    def message(self, framework_id: str, executor_id: str, data: bytes) -> None:
        """FrameworkToExecutor."""
        executor = self.disk.executors.get((framework_id, executor_id))
        if executor is not None and executor.sink is not None and executor.stream is not None:
            executor.stream.send(executor.sink.message, data)

    def acknowledged(self, framework_id: str, task_id: str, uuid: str) -> None:
        """StatusUpdateAcknowledgement."""
        status = self.updates.acknowledge(framework_id, task_id, uuid)
        if status is not None:
            self.lifecycle.acknowledged(framework_id, status)

    # What executors call

    def receive(self, request: Any, exchange: Exchange) -> None:
        """An executor's call over HTTP."""
        self.do(self._calls.answer, request, exchange)
