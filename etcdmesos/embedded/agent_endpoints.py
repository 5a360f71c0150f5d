"""What an agent shows: /state, /containers, /monitor/statistics, /flags and the operator API."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded import attributes, calls, process_tree, resources
from etcdmesos.embedded.agent_context import AgentContext
from etcdmesos.embedded.calls import Refused
from etcdmesos.embedded.executors import Executor
from etcdmesos.embedded.files_endpoint import Files, FilesError
from etcdmesos.embedded.membership import CAPABILITIES
from etcdmesos.embedded.server import Endpoints, answer, answer_json, only_post
from etcdmesos.embedded.versions import VERSION, VERSION_INFO, agent_flags

Json = dict[str, Any]


class AgentEndpoints:
    """The readable side of one agent."""

    def __init__(self, context: AgentContext, master: str) -> None:
        self._context = context
        self._master = master
        self._start_time = time.time()
        self._started = time.monotonic()
        self._files = Files(self._all_executors)

    def install(self, endpoints: Endpoints) -> None:
        """Serve the endpoints."""
        endpoints.add("/health", self._health)
        endpoints.add("/version", self._version)
        endpoints.add("/flags", self._flags)
        endpoints.add("/state", self._state)
        endpoints.add("/containers", self._containers)
        endpoints.add("/monitor/statistics", self._statistics)
        endpoints.add("/metrics/snapshot", self._metrics)
        endpoints.add("/api/v1", self._operator)
        self._files.install(endpoints)

    def _all_executors(self) -> list[Executor]:
        return [*self._context.completed, *self._context.executors.values()]

    async def _health(self, _request: Request) -> Response:
        return answer(200)

    async def _version(self, request: Request) -> Response:
        return answer_json(request, dict(sorted(VERSION.items())))

    async def _flags(self, request: Request) -> Response:
        return answer_json(request, {"flags": self.flags()})

    def flags(self) -> dict[str, str]:
        """As if it had been started by hand."""
        settings = self._context.settings
        shown = resources.summary(settings.total)
        order = ("ports", "cpus", "mem", "disk")
        amounts = [f"{name}:{_plain(shown[name])}" for name in order if shown.get(name)]
        return agent_flags(
            port=self._context.port,
            host=settings.host,
            master=self._master,
            work_dir=str(settings.work_dir),
            resources=";".join(amounts),
            attributes=";".join(f"{k}:{v}" for k, v in settings.attributes.items()),
            domain=json.dumps(settings.domain) if settings.domain else "",
            durations={
                "executor_registration_timeout": settings.registration_timeout,
                "executor_reregistration_timeout": settings.reregistration_timeout,
                "executor_shutdown_grace_period": settings.shutdown_grace_period,
                "recovery_timeout": settings.recovery_timeout,
                "fetcher_stall_timeout": settings.fetcher_timeout,
            },
        )

    async def _state(self, request: Request) -> Response:
        return answer_json(request, self.state())

    def state(self) -> Json:
        """The agent's /state."""
        context = self._context
        settings = context.settings
        living = [one for one in context.executors.values() if one.phase != "terminated"]
        used = resources.total(executor.amount() for executor in living)
        whole = resources.summary(settings.total)
        return {
            **VERSION,
            "start_time": self._start_time,
            "id": context.agent_id,
            "pid": f"slave(1)@{settings.host}:{context.port}",
            "hostname": settings.host,
            "capabilities": CAPABILITIES,
            "resources": whole,
            "reserved_resources": {},
            "unreserved_resources": whole,
            "reserved_resources_full": {},
            "unreserved_resources_full": resources.render(settings.total, role="*"),
            "reserved_resources_allocated": {},
            "unreserved_resources_allocated": resources.summary(used),
            "resource_providers": [],
            "attributes": attributes.short(attributes.render(settings.attributes)),
            **({"domain": settings.domain} if settings.domain else {}),
            "master_hostname": "localhost",
            "flags": self.flags(),
            "frameworks": [self._framework(info) for info in context.frameworks.values()],
            "completed_frameworks": self._completed_frameworks(),
        }

    def _framework(self, info: Json) -> Json:
        framework_id = info["id"]["value"]
        mine = [e for e in self._context.executors.values() if e.framework_id == framework_id]
        done = [e for e in self._context.completed if e.framework_id == framework_id]
        return _framework_for_state(info, mine, done)

    def _completed_frameworks(self) -> list[Json]:
        living = self._context.frameworks
        infos = {
            executor.framework_id: executor.framework_info
            for executor in self._context.completed
            if executor.framework_id not in living
        }
        return [self._framework(info) for info in infos.values()]

    async def _containers(self, request: Request) -> Response:
        return answer_json(request, [self._container(one) for one in self._running()])

    async def _statistics(self, request: Request) -> Response:
        shown = [self._container(one) for one in self._running()]
        for one in shown:
            del one["container_id"], one["status"]
        return answer_json(request, shown)

    def _running(self) -> list[Executor]:
        return [one for one in self._context.executors.values() if one.container is not None]

    def _container(self, executor: Executor) -> Json:
        return {
            "container_id": executor.container_id,
            "executor_id": executor.executor_id,
            "executor_name": executor.info.get("name", ""),
            "framework_id": executor.framework_id,
            "source": executor.info.get("source", ""),
            "statistics": statistics(executor),
            "status": {
                "container_id": {"value": executor.container_id},
                "executor_pid": executor.pid,
            },
        }

    def metrics(self) -> dict[str, float]:
        """The counts that can be known here."""
        context = self._context
        running = sum(
            task.state == "TASK_RUNNING"
            for executor in context.executors.values()
            for task in executor.launched.values()
        )
        return {
            "slave/executors_running": float(len(self._running())),
            "slave/frameworks_active": float(len(context.frameworks)),
            "slave/registered": float(context.registered),
            "slave/tasks_running": float(running),
            "slave/uptime_secs": time.monotonic() - self._started,
        }

    async def _metrics(self, request: Request) -> Response:
        return answer_json(request, self.metrics())

    async def _operator(self, request: Request) -> Response:
        if request.method != "POST":
            return only_post(request)
        try:
            headers = request.headers
            calls.check_media_types(headers.get("content-type"), headers.get("accept"))
            call = calls.parse(await request.body())
            kind = str(call.get("type"))
            body = self._operator_body(kind, call)
        except Refused as refusal:
            return answer(refusal.status, refusal.text)
        except FilesError as error:
            return answer(error.status, error.text)
        return answer_json(request, {"type": kind, kind.lower(): body})

    def _operator_body(self, kind: str, call: Json) -> Json:
        context = self._context
        if kind == "LIST_FILES":
            return self._files.operator_list(call)
        if kind == "READ_FILE":
            return self._files.operator_read(call)
        if kind == "GET_HEALTH":
            return {"healthy": True}
        if kind == "GET_VERSION":
            return {"version_info": VERSION_INFO}
        if kind == "GET_AGENT":
            return {"agent_info": context.agent_info()}
        if kind == "GET_FLAGS":
            pairs = self.flags().items()
            return {"flags": [{"name": name, "value": value} for name, value in pairs]}
        if kind == "GET_METRICS":
            pairs2 = self.metrics().items()
            return {"metrics": [{"name": name, "value": value} for name, value in pairs2]}
        if kind == "GET_TASKS":
            return self._tasks()
        if kind == "GET_EXECUTORS":
            return self._executors()
        if kind == "GET_FRAMEWORKS":
            return self._frameworks()
        if kind == "GET_CONTAINERS":
            return {"containers": [self._operator_container(one) for one in self._running()]}
        if kind == "GET_STATE":
            return {
                "get_tasks": self._tasks(),
                "get_executors": self._executors(),
                "get_frameworks": self._frameworks(),
            }
        text = "Failed to validate agent::Call: Expecting 'type' to be present"
        raise Refused(400, text)

    def _operator_container(self, executor: Executor) -> Json:
        shown = self._container(executor)
        return {
            "framework_id": {"value": executor.framework_id},
            "executor_id": {"value": executor.executor_id},
            "executor_name": shown["executor_name"],
            "container_id": {"value": executor.container_id},
            "container_status": shown["status"],
            "resource_statistics": shown["statistics"],
        }

    def _tasks(self) -> Json:
        executors = self._context.executors.values()
        launched = [t for e in executors for t in e.launched.values()]
        done = [t for e in self._all_executors() for t in e.completed]
        return {
            "pending_tasks": [],
            "queued_tasks": [task for e in executors for task in e.queued.values()],
            "launched_tasks": [t.for_operator() for t in launched if not t.terminal],
            "terminated_tasks": [t.for_operator() for t in launched if t.terminal],
            "completed_tasks": [t.for_operator() for t in done],
        }

    def _executors(self) -> Json:
        return {
            "executors": [{"executor_info": one.info} for one in self._context.executors.values()],
            "completed_executors": [{"executor_info": one.info} for one in self._context.completed],
        }

    def _frameworks(self) -> Json:
        infos = self._context.frameworks.values()
        return {
            "frameworks": [{"framework_info": info} for info in infos],
            "completed_frameworks": [],
        }


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else resources.number(value)


def _framework_for_state(info: Json, executors: list[Executor], done: list[Executor]) -> Json:
    shown: Json = {
        "id": info["id"]["value"],
        "name": info["name"],
        "user": info.get("user", ""),
        "failover_timeout": float(info.get("failover_timeout", 0.0)),
        "checkpoint": bool(info.get("checkpoint", False)),
        "hostname": info.get("hostname", ""),
    }
    if "roles" in info:
        shown["roles"] = info["roles"]
    else:
        shown["role"] = info.get("role", "*")
    shown["executors"] = [one.for_state() for one in executors]
    shown["completed_executors"] = [one.for_state() for one in done]
    return shown


def statistics(executor: Executor) -> Json:
    """Usage of a container, summed over its processes."""
    amount = executor.amount()
    ticks = os.sysconf("SC_CLK_TCK")
    user, system, memory = 0, 0, 0
    found = process_tree.members({executor.pid}) if executor.pid is not None else set()
    for pid in found:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        user += int(fields[11])
        system += int(fields[12])
        memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    limit = int(amount.scalar("mem") * 2**20)
    return {
        "cpus_soft_limit": amount.scalar("cpus"),
        "cpus_system_time_secs": system / ticks,
        "cpus_user_time_secs": user / ticks,
        "mem_limit_bytes": limit,
        "mem_rss_bytes": memory,
        "mem_soft_limit_bytes": limit,
        "timestamp": time.time(),
    }
