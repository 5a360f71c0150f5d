"""How an executor comes to life on an agent and how it ends.

Effects on processes and events go through the context. What its updates mean is in
task_reports.py; HTTP is in executor_api.py.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from etcdmesos.embedded import statuses
from etcdmesos.embedded.agent_context import AgentContext
from etcdmesos.embedded.command_executor import CommandExecutor
from etcdmesos.embedded.executors import Ending, Executor, duration, environment
from etcdmesos.embedded.fetcher import FetchError
from etcdmesos.embedded.task_reports import TaskReports
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]

# Wait statuses of containers that never had a process of their own.
_NEVER_STARTED = -1
_EXIT_1 = 1 << 8


class ExecutorLifecycle:
    """All executors of one agent."""

    def __init__(self, context: AgentContext, reports: TaskReports) -> None:
        self._context = context
        self._reports = reports

    def run_task(self, body: Json) -> None:
        """A task from the master: to its executor, which is started if there is none."""
        framework_info: Json = body["framework_info"]
        framework_id = framework_info["id"]["value"]
        if framework_id in self._context.closing_frameworks:
            return
        self._context.frameworks[framework_id] = framework_info
        task: Json = body["task"]
        executor_id = body["executor"]["executor_id"]["value"]
        executor = self._context.executors.get((framework_id, executor_id))
        if executor is None or executor.phase == "terminated":
            executor = self._create(body)
            executor.queued[task["task_id"]["value"]] = task
            self._context.spawn(self._launch(executor))
        elif executor.phase == "terminating":
            self._reports.refuse(executor, task["task_id"]["value"])
        else:
            executor.queued[task["task_id"]["value"]] = task
            if executor.phase == "running":
                self.deliver(executor)
        self._context.save(executor)

    def _create(self, body: Json) -> Executor:
        context = self._context
        info: Json = body["executor"]
        framework_id = body["framework_info"]["id"]["value"]
        container_id = str(uuid.uuid4())
        runs = (
            context.settings.work_dir
            / f"slaves/{context.agent_id}/frameworks/{framework_id}"
            / f"executors/{info['executor_id']['value']}/runs"
        )
        executor = Executor(
            framework_info=body["framework_info"],
            info=info,
            command=body["command"],
            container_id=container_id,
            directory=runs / container_id,
            role=body["role"],
        )
        executor.directory.mkdir(parents=True)
        for name in ("stdout", "stderr"):
            (executor.directory / name).touch()
        latest = runs / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(container_id)
        context.executors[executor.key] = executor
        return executor

    async def _launch(self, executor: Executor) -> None:
        context = self._context
        uris = executor.info.get("command", {}).get("uris", [])
        if uris:
            try:
                await asyncio.wrap_future(context.fetcher.fetch(uris, executor.directory))
            except FetchError:
                if executor.phase != "terminated":
                    self._fetch_failed(executor)
                return
        await context.running.wait()
        if executor.phase in ("terminating", "terminated"):
            self.exited(executor, _NEVER_STARTED)
            return
        if not self._start(executor):
            return
        context.save(executor)
        if executor.command:
            self._begin_command(executor)
        else:
            timeout = context.settings.registration_timeout
            context.later(timeout, lambda: self._registration_timeout(executor))
        self.watch(executor)

    def _fetch_failed(self, executor: Executor) -> None:
        text = f"Failed to fetch all URIs for container '{executor.container_id}'"
        executor.ending = Ending(
            reason="REASON_CONTAINER_LAUNCH_FAILED",
            message=f"Failed to launch container: {text}: exited with status 1",
        )
        self.exited(executor, _EXIT_1)

    def _start(self, executor: Executor) -> bool:
        context = self._context
        settings = context.settings
        command = executor.info.get("command", {})
        value = str(command.get("value", ""))
        if command.get("shell", True):
            arguments = ["/bin/sh", "-c", value]
        else:
            given = [str(argument) for argument in command.get("arguments", [])]
            arguments = [value, *given[1:]] if given else [value]
        variables = environment(
            executor,
            {
                "ip": settings.host,
                "port": context.port,
                "agent_id": context.agent_id,
                "shutdown_grace_seconds": settings.shutdown_grace_period,
                "recovery_seconds": settings.recovery_timeout,
                "reregistration_seconds": settings.reregistration_timeout,
            },
        )
        try:
            executor.container = context.containers.start(
                executor.container_id, arguments, variables, executor.directory
            )
        except OSError as error:
            with open(executor.directory / "stderr", "a", encoding="utf-8") as log:
                log.write(f"Failed to execute command: {error.strerror}\n")
            self.exited(executor, _EXIT_1)
            return False
        return True

    def _begin_command(self, executor: Executor) -> None:
        task = next(iter(executor.queued.values()))
        assert executor.container is not None
        capabilities = executor.framework_info.get("capabilities", [])
        killing = {"type": "TASK_KILLING_STATE"} in capabilities
        command = CommandExecutor(self._context.containers, executor.container, task, killing)
        self._context.commands[executor.container_id] = command
        self.attach_command(executor, command)
        command.begin()

    def attach_command(self, executor: Executor, command: CommandExecutor) -> None:
        """The built-in executor is the stream and the process at once."""
        executor.sink = command
        executor.phase = "running"
        self.deliver(executor)
        command.attach(lambda status: self._reports.update(executor, status))

    def watch(self, executor: Executor) -> None:
        """Notice the end of the container."""
        command = self._context.commands.get(executor.container_id)
        if command is not None:
            self._context.spawn(self._watch(executor, command.ended))
        elif executor.container is not None:
            self._context.spawn(self._watch(executor, executor.container.exited))

    async def _watch(self, executor: Executor, ended: asyncio.Future[int]) -> None:
        status = await asyncio.shield(ended)
        await self._context.running.wait()
        self.exited(executor, status)

    def deliver(self, executor: Executor) -> None:
        """Give the queued tasks to an executor that listens."""
        for task_id, info in list(executor.queued.items()):
            del executor.queued[task_id]
            task = Task.from_info(info, executor.framework_id, executor.role)
            executor.launched[task_id] = task
            self._context.save(executor)
            if executor.sink is not None:
                executor.sink.put({"type": "LAUNCH", "launch": {"task": info}})

    def kill_task(self, body: Json) -> None:
        """KILL from the scheduler: to the executor, or at once if it never heard of the task."""
        framework_id, task_id = body["framework_id"], body["task_id"]
        for executor in list(self._context.executors.values()):
            if executor.framework_id != framework_id or executor.phase == "terminated":
                continue
            if task_id in executor.queued:
                self._kill_queued(executor, task_id)
            elif task_id in executor.launched and executor.sink is not None:
                kill: Json = {"task_id": {"value": task_id}}
                if body.get("kill_policy"):
                    kill["kill_policy"] = body["kill_policy"]
                executor.sink.put({"type": "KILL", "kill": kill})

    def _kill_queued(self, executor: Executor, task_id: str) -> None:
        self._reports.killed_before_delivery(executor, task_id)
        if executor.idle() and executor.phase == "registering":
            executor.phase = "terminating"
            self._context.spawn(self._destroy(executor))

    def shutdown(self, executor: Executor) -> None:
        """SHUTDOWN; after the grace period the whole container is killed."""
        if executor.phase in ("terminating", "terminated"):
            return
        executor.phase = "terminating"
        if executor.sink is not None:
            executor.sink.put({"type": "SHUTDOWN"})
        grace = executor.grace_seconds(self._context.settings.shutdown_grace_period)
        self._context.later(grace, lambda: self._grace_over(executor))

    def shutdown_executor(self, body: Json) -> None:
        """SHUTDOWN from the scheduler."""
        executor = self._context.executors.get((body["framework_id"], body["executor_id"]))
        if executor is not None:
            self.shutdown(executor)

    def shutdown_framework(self, body: Json) -> None:
        """The framework is gone: its executors end, nobody is told of its tasks."""
        framework_id = body["framework_id"]
        mine = [e for e in self._context.executors.values() if e.framework_id == framework_id]
        self._context.updates.drop_framework(framework_id)
        if not mine:
            return
        self._context.closing_frameworks.add(framework_id)
        for executor in mine:
            executor.silent = True
            if executor.phase == "terminated":
                self._retire(executor)
            else:
                self.shutdown(executor)

    def _grace_over(self, executor: Executor) -> None:
        if executor.phase == "terminating":
            self._context.spawn(self._destroy(executor))

    def _registration_timeout(self, executor: Executor) -> None:
        if executor.phase == "registering":
            seconds = duration(self._context.settings.registration_timeout)
            self.end(
                executor,
                Ending(
                    reason="REASON_EXECUTOR_REGISTRATION_TIMEOUT",
                    message=f"Executor did not register within {seconds}",
                ),
            )

    def end(self, executor: Executor, ending: Ending) -> None:
        """SIGKILL it and say this of its tasks."""
        executor.ending = ending
        executor.phase = "terminating"
        self._context.spawn(self._destroy(executor))

    async def _destroy(self, executor: Executor) -> None:
        if executor.container is None:
            if executor.phase != "terminated":
                self.exited(executor, _NEVER_STARTED)
            return
        await self._context.containers.destroy(executor.container)

    def message(self, body: Json) -> None:
        """MESSAGE from the scheduler."""
        executor = self._context.executors.get((body["framework_id"], body["executor_id"]))
        if executor is not None and executor.sink is not None:
            executor.sink.put({"type": "MESSAGE", "message": {"data": body["data"]}})

    def exited(self, executor: Executor, wait_status: int) -> None:
        """Its first process ended: tell the master, then what became of its tasks."""
        if executor.phase == "terminated":
            return
        executor.phase = "terminated"
        if executor.sink is not None:
            executor.sink.finish()
            executor.sink = None
        context = self._context
        context.containers.forget(executor.container_id)
        context.commands.pop(executor.container_id, None)
        if not executor.command:
            body = {
                "framework_id": executor.framework_id,
                "executor_id": executor.executor_id,
                "status": wait_status,
            }
            context.send("ExitedExecutor", body)
        if not executor.silent:
            self._reports.ended(executor)
        self.settle(executor)

    def settle(self, executor: Executor) -> None:
        """Move an executor that is over and owes no update to the completed ones."""
        if executor.phase != "terminated":
            self._context.save(executor)
        elif executor.silent or not executor.launched:
            self._retire(executor)
        else:
            self._context.save(executor)

    def _retire(self, executor: Executor) -> None:
        context = self._context
        if context.executors.get(executor.key) is not executor:
            return
        del context.executors[executor.key]
        executor.completed.extend(executor.launched.values())
        executor.launched.clear()
        context.completed.append(executor)
        context.checkpoint.remove_executor(*executor.key)
        framework_id = executor.framework_id
        if all(other.framework_id != framework_id for other in context.executors.values()):
            context.frameworks.pop(framework_id, None)
            context.closing_frameworks.discard(framework_id)

    def acknowledged(self, body: Json) -> None:
        """The scheduler's acknowledgement of an update."""
        framework_id, task_id = body["framework_id"], body["task_id"]
        status = self._context.updates.acknowledge(framework_id, task_id, body["uuid"])
        if status is None or not statuses.terminal(status["state"]):
            return
        for executor in list(self._context.executors.values()):
            task = executor.launched.get(task_id)
            if executor.framework_id == framework_id and task is not None:
                executor.completed.append(executor.launched.pop(task_id))
                self.settle(executor)
