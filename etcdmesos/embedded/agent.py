"""One agent: registers with the master, takes its letters, recovers from its checkpoint.

An Agent object is one life of the agent process; `kill` ends it as SIGKILL does,
and a new object on the same work directory is the restarted one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded import resources
from etcdmesos.embedded.agent_context import AgentContext, AgentSettings
from etcdmesos.embedded.agent_endpoints import AgentEndpoints
from etcdmesos.embedded.command_executor import CommandExecutor
from etcdmesos.embedded.containers import Containers
from etcdmesos.embedded.executor_api import RECOVERING, ExecutorApi
from etcdmesos.embedded.executor_lifecycle import ExecutorLifecycle
from etcdmesos.embedded.executors import Ending, Executor, duration
from etcdmesos.embedded.link import Letter, Link
from etcdmesos.embedded.server import Endpoints, Listener, answer
from etcdmesos.embedded.task_reports import TaskReports

Json = dict[str, Any]

# How long executors that did not come back may outlive the recovery if there is no master.
_SWEEP_SECONDS = 1.0


class Agent:
    """One life of one agent daemon."""

    def __init__(
        self,
        settings: AgentSettings,
        link: Link,
        containers: Containers,
        commands: dict[str, CommandExecutor],
        master: str,
    ) -> None:
        self.context = AgentContext(settings, link, containers, commands)
        self.reports = TaskReports(self.context)
        self.lifecycle = ExecutorLifecycle(self.context, self.reports)
        self._api = ExecutorApi(self.context, self.lifecycle, self.reports)
        self._endpoints = Endpoints("/slave(1)")
        self.listener = Listener(settings.host, settings.port, self._endpoints)
        self._link = link
        self._inbox: list[Letter] = []
        self._sweep: list[Executor] = []
        self._registering: asyncio.Task[None] | None = None
        self._endpoints.add("/api/v1/executor", self._api.handle)
        AgentEndpoints(self.context, master).install(self._endpoints)
        self._endpoints.before = self._while_recovering
        self._handlers = {
            "SlaveRegistered": self._registered,
            "RunTask": self.lifecycle.run_task,
            "KillTask": self.lifecycle.kill_task,
            "ShutdownExecutor": self.lifecycle.shutdown_executor,
            "ShutdownFramework": self.lifecycle.shutdown_framework,
            "FrameworkToExecutor": self.lifecycle.message,
            "StatusUpdateAcknowledgement": self.lifecycle.acknowledged,
            "PingSlave": self._pinged,
        }

    async def start(self) -> None:
        """Listen, recover what a life before left on disk, then register."""
        self._recover()
        await self.listener.open()
        self.context.port = self.listener.port
        self._link.agent = self._receive
        if self.context.recovering:
            self.context.spawn(self._finish_recovery())
        else:
            self.register()

    async def kill(self) -> None:
        """SIGKILL of the daemon: streams end, connections are refused, containers live on."""
        self.context.registered = False
        self._link.agent = None
        await self.listener.kill()
        await self.context.close()

    def freeze(self) -> None:
        """SIGSTOP: nothing is answered, no timer acts."""
        self.context.running.clear()
        self._endpoints.gate.clear()

    def thaw(self, removed: bool) -> None:
        """SIGCONT; an agent that was removed meanwhile registers again."""
        self.context.running.set()
        self._endpoints.gate.set()
        if removed:
            self._inbox.clear()
            self.disconnected()
            self.register()
        waiting, self._inbox = self._inbox, []
        for letter in waiting:
            self._receive(letter)

    def _while_recovering(self, path: str, _request: Request) -> Response | None:
        if self.context.recovering and path not in ("/health", "/api/v1/executor"):
            return answer(503, RECOVERING)
        return None

    def _receive(self, letter: Letter) -> None:
        if not self.context.running.is_set():
            self._inbox.append(letter)
            return
        handler = self._handlers.get(letter.kind)
        if handler is not None:
            handler(letter.body)

    def _pinged(self, _body: Json) -> None:
        self._link.to_master("PongSlave", {"agent_id": self.context.agent_id})

    def disconnected(self) -> None:
        """The socket to the master broke."""
        self._stop_registering()
        self.context.registered = False
        self.context.updates.pause()

    def register(self, delay: float = 0.0) -> None:
        """(Re-)register, after `delay` seconds, until the master answers."""
        if not self.context.recovering:
            self._stop_registering()
            self._registering = self.context.spawn(self._register(delay))

    def _stop_registering(self) -> None:
        if self._registering is not None:
            self._registering.cancel()
            self._registering = None

    async def _register(self, delay: float) -> None:
        await asyncio.sleep(delay)
        while not self.context.registered:
            await self.context.running.wait()
            kind = "ReregisterSlave" if self.context.agent_id else "RegisterSlave"
            self._link.to_master(kind, self._registration())
            await asyncio.sleep(self.context.settings.registration_backoff)

    def _registration(self) -> Json:
        living = [one for one in self.context.executors.values() if one.phase != "terminated"]
        tasks = []
        for executor in self.context.executors.values():
            for task in executor.launched.values():
                tasks.append({**task.to_json(), "statuses": []})
                if executor.command:
                    tasks[-1]["executor_id"] = None
        return {
            "agent_info": self.context.agent_info(),
            "pid": f"slave(1)@{self.context.settings.host}:{self.context.port}",
            "tasks": tasks,
            "executors": [
                {"framework_id": one.framework_id, "info": one.info, "role": one.role}
                for one in living
                if not one.command
            ],
            "frameworks": list(self.context.frameworks.values()),
        }

    def _registered(self, body: Json) -> None:
        if not self.context.agent_id:
            self.context.agent_id = body["agent_id"]
            self.context.checkpoint.save_agent(self.context.agent_id)
        if not self.context.registered:
            self.context.registered = True
            self.context.updates.resume()
            self._sweep_now()

    def _recover(self) -> None:
        context = self.context
        agent_id = context.checkpoint.agent_id()
        if agent_id is None:
            return
        context.agent_id = agent_id
        for value in context.checkpoint.executors():
            executor = Executor.from_json(value)
            executor.container = context.containers.find(executor.container_id)
            context.executors[executor.key] = executor
            context.frameworks[executor.framework_id] = executor.framework_info
            for status in value["pending"]:
                context.updates.restore(executor.framework_id, [status])
        context.recovering = True

    async def _finish_recovery(self) -> None:
        context = self.context
        # Executors of frameworks without checkpoint are not known any more.
        await context.containers.destroy_under(context.settings.work_dir, self._container_ids())
        waiting = False
        for executor in list(context.executors.values()):
            command = context.commands.get(executor.container_id)
            if command is not None and not command.ended.done():
                self.lifecycle.attach_command(executor, command)
                self.lifecycle.watch(executor)
            elif executor.container is None or not executor.container.running:
                self.lifecycle.exited(executor, 0)
            else:
                waiting = True
                self.lifecycle.watch(executor)
        if waiting:
            await asyncio.sleep(context.settings.reregistration_timeout)
            await context.running.wait()
        context.recovering = False
        for executor in list(context.executors.values()):
            if executor.phase == "registering":
                self._sweep.append(executor)
            elif executor.phase == "running":
                self.lifecycle.deliver(executor)
        self.register()
        context.later(_SWEEP_SECONDS, self._sweep_now)

    def _container_ids(self) -> list[str]:
        return [executor.container_id for executor in self.context.executors.values()]

    def _sweep_now(self) -> None:
        """End the executors that did not come back; after the registration, as Mesos does."""
        sweep, self._sweep = self._sweep, []
        seconds = duration(self.context.settings.reregistration_timeout)
        for executor in sweep:
            if executor.phase == "registering":
                ending = Ending(
                    state="TASK_GONE",
                    reason="REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
                    message=f"Executor did not reregister within {seconds}",
                )
                self.lifecycle.end(executor, ending)

    def used(self) -> resources.Resources:
        """What runs on it takes."""
        living = [one for one in self.context.executors.values() if one.phase != "terminated"]
        return resources.total(one.amount() for one in living)
