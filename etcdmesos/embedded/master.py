"""One leading master: its HTTP paths, the letters of its agents, its clock.

A Master object is one leadership; `kill` ends it, and the next one starts with the
registry only. The decisions are in the parts it puts together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded import resources, state_endpoint
from etcdmesos.embedded.cluster import AgentRecord, Cluster, Registry
from etcdmesos.embedded.link import Disturbances, Letter, Link
from etcdmesos.embedded.master_context import HOST, MasterContext, MasterSettings
from etcdmesos.embedded.membership import Membership
from etcdmesos.embedded.operator_api import OperatorApi
from etcdmesos.embedded.scheduler_api import SchedulerApi
from etcdmesos.embedded.server import Endpoints, Listener, answer, answer_json
from etcdmesos.embedded.subscriptions import Subscriptions
from etcdmesos.embedded.task_calls import TaskCalls
from etcdmesos.embedded.versions import VERSION, master_flags

Json = dict[str, Any]


class Master:
    """One leadership."""

    def __init__(
        self,
        settings: MasterSettings,
        disturbances: Disturbances,
        work_dir: str,
        registry: Registry,
    ) -> None:
        self.context = MasterContext(settings, Cluster(registry), disturbances)
        self._work_dir = work_dir
        self.subscriptions = Subscriptions(self.context)
        self.tasks = TaskCalls(self.context)
        self.membership = Membership(self.context, self.subscriptions)
        self._endpoints = Endpoints("/master")
        self.listener = Listener(HOST, settings.port, self._endpoints)
        self._dead = False
        self._install()

    def _install(self) -> None:
        context, endpoints = self.context, self._endpoints
        scheduler = SchedulerApi(context, self.subscriptions, self.tasks)
        operator = OperatorApi(context, self.subscriptions, self.flags, self.metrics)
        endpoints.add("/api/v1/scheduler", scheduler.handle)
        endpoints.add("/api/v1", operator.handle)
        # The executor API is the agent's; here that path falls to the operator API.
        endpoints.add("/api/v1/executor", operator.handle)
        cluster = context.cluster
        self._show("/state", lambda _query: state_endpoint.state(context, self.flags()))
        self._show("/state-summary", lambda _query: state_endpoint.summary(context))
        self._show("/slaves", lambda _query: state_endpoint.slaves(cluster))
        self._show("/frameworks", lambda _query: state_endpoint.frameworks(cluster))
        self._show("/tasks", lambda query: state_endpoint.tasks(cluster, query))
        self._show("/roles", lambda _query: {"roles": self._roles()})
        self._show("/flags", lambda _query: {"flags": self.flags()})
        self._show("/version", lambda _query: dict(sorted(VERSION.items())))
        self._show("/metrics/snapshot", lambda _query: self.metrics())
        self._show("/quota", lambda _query: {})
        self._show("/weights", lambda _query: [])
        self._show("/maintenance/status", lambda _query: {})
        self._show("/maintenance/schedule", lambda _query: {})
        endpoints.add("/health", self._health)
        endpoints.add("/redirect", self._redirect)
        endpoints.add("/teardown", self._teardown)

    def _show(self, path: str, value: Callable[[dict[str, str]], Any]) -> None:
        async def handler(request: Request) -> Response:
            return answer_json(request, value(dict(request.query_params)))

        self._endpoints.add(path, handler)

    async def start(self) -> None:
        """Listen and begin to offer and to ping."""
        await self.listener.open()
        self.context.port = self.listener.port
        settings = self.context.settings
        self.context.every(settings.allocation_interval, self.context.desk.allocate)
        self.context.every(settings.ping_timeout, self.membership.ping)
        if self.context.cluster.recovered:
            timeout = settings.reregister_timeout
            self.context.later(timeout, self.membership.give_up_recovered)

    async def kill(self) -> None:
        """All streams end at once, without a word; the links hear nothing more from it."""
        self._dead = True
        self.context.close()
        await self.listener.kill()

    def freeze(self) -> None:
        """SIGSTOP, as far as HTTP can tell."""
        self._endpoints.gate.clear()

    def thaw(self) -> None:
        """SIGCONT."""
        self._endpoints.gate.set()

    def receive(self, link: Link, letter: Letter) -> None:
        """A letter from an agent; lost if nobody leads yet after this one."""
        if self._dead:
            return
        if letter.kind == "RegisterSlave":
            self.membership.register(link, letter.body)
            return
        if letter.kind == "ReregisterSlave":
            self.membership.reregister(link, letter.body)
            return
        agent = self.membership.by_id(letter.body["agent_id"])
        if agent is not None:
            self._receive_from(agent, letter)

    def _receive_from(self, agent: AgentRecord, letter: Letter) -> None:
        if letter.kind == "StatusUpdate":
            self.tasks.status_update(agent, letter.body)
        elif letter.kind == "ExitedExecutor":
            self.tasks.executor_exited(agent, letter.body)
        elif letter.kind == "ExecutorToFramework":
            self.tasks.executor_message(agent, letter.body)
        elif letter.kind == "PongSlave":
            self.membership.pong(agent)

    def flags(self) -> dict[str, str]:
        """As if it had been started by hand."""
        settings = self.context.settings
        return master_flags(
            port=self.context.port,
            host=HOST,
            cluster=settings.cluster_name,
            work_dir=self._work_dir,
            allocation=settings.allocation_interval,
            ping=settings.ping_timeout,
            pings=settings.ping_timeouts_max,
        )

    def metrics(self) -> dict[str, float]:
        """The counts that can be known here."""
        cluster = self.context.cluster
        agents = list(cluster.agents.values())
        whole = resources.total(agent.total for agent in agents)
        used = resources.total(agent.used() for agent in agents)
        frameworks = list(cluster.frameworks.values())
        states = [task.state for agent in agents for task in agent.tasks.values()]
        values: dict[str, float] = {
            "master/elected": 1.0,
            "master/frameworks_active": sum(one.active for one in frameworks),
            "master/frameworks_connected": sum(one.connected for one in frameworks),
            "master/frameworks_disconnected": sum(not one.connected for one in frameworks),
            "master/frameworks_inactive": sum(not one.active for one in frameworks),
            "master/outstanding_offers": len(cluster.offers),
            "master/slaves_active": sum(one.connected for one in agents),
            "master/slaves_connected": sum(one.connected for one in agents),
            "master/slaves_disconnected": sum(not one.connected for one in agents),
            "master/slaves_inactive": sum(not one.connected for one in agents),
            "master/slaves_unreachable": len(cluster.unreachable),
            "master/tasks_running": states.count("TASK_RUNNING"),
            "master/tasks_staging": states.count("TASK_STAGING"),
            "master/tasks_starting": states.count("TASK_STARTING"),
            "master/tasks_killing": states.count("TASK_KILLING"),
        }
        for name in ("cpus", "mem", "disk", "gpus"):
            amount = whole.scalar(name)
            values[f"master/{name}_total"] = amount
            values[f"master/{name}_used"] = used.scalar(name)
            values[f"master/{name}_percent"] = used.scalar(name) / amount if amount else 0.0
        return {name: float(value) for name, value in sorted(values.items())}

    def _roles(self) -> list[Json]:
        cluster = self.context.cluster
        frameworks = list(cluster.frameworks.values())
        shown = []
        for role in sorted({role for one in frameworks for role in one.roles}):
            mine = [one.framework_id for one in frameworks if role in one.roles]
            amounts = [cluster.offers_of(framework_id=one) for one in mine]
            offered = resources.total(offer.resources for each in amounts for offer in each)
            used = resources.total(
                agent.used(one) for one in mine for agent in cluster.agents.values()
            )
            shown.append(
                {
                    "name": role,
                    "weight": 1.0,
                    "frameworks": mine,
                    "resources": resources.summary(used + offered),
                }
            )
        return shown

    async def _health(self, _request: Request) -> Response:
        return answer(200)

    async def _redirect(self, _request: Request) -> Response:
        return answer(307, "", {"location": f"//{HOST}:{self.context.port}"})

    async def _teardown(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if "frameworkId" not in form:
            return answer(400, "Missing 'frameworkId' query parameter in the request body")
        framework = self.context.cluster.frameworks.get(form["frameworkId"][0])
        if framework is None:
            return answer(400, "No framework found with specified ID")
        self.subscriptions.remove(framework)
        return answer(200)
