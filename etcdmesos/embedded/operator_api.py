"""The operator API of the master: POST /api/v1, answers and the event stream of SUBSCRIBE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded import calls
from etcdmesos.embedded.calls import Refused
from etcdmesos.embedded.master_context import MasterContext
from etcdmesos.embedded.membership import agent_for_operator
from etcdmesos.embedded.server import EventStream, answer, only_post, to_json
from etcdmesos.embedded.subscriptions import Subscriptions, framework_for_operator
from etcdmesos.embedded.versions import VERSION_INFO

Json = dict[str, Any]


class OperatorApi:
    """The endpoint of one master."""

    def __init__(
        self,
        context: MasterContext,
        subscriptions: Subscriptions,
        flags: Callable[[], dict[str, str]],
        metrics: Callable[[], dict[str, float]],
    ) -> None:
        self._context = context
        self._subscriptions = subscriptions
        self._flags = flags
        self._metrics = metrics
        self._answers: dict[str, Callable[[], Json | None]] = {
            "GET_HEALTH": lambda: {"healthy": True},
            "GET_VERSION": lambda: {"version_info": VERSION_INFO},
            "GET_MASTER": self._master,
            "GET_FLAGS": lambda: {"flags": _pairs(self._flags())},
            "GET_METRICS": lambda: {"metrics": _pairs(self._metrics())},
            "GET_LOGGING_LEVEL": lambda: {"level": 0},
            "GET_STATE": self._state,
            "GET_TASKS": self._tasks,
            "GET_AGENTS": self._agents,
            "GET_FRAMEWORKS": self._frameworks,
            "GET_EXECUTORS": self._executors,
            "GET_OPERATIONS": dict,
            "GET_ROLES": self._roles,
            "GET_WEIGHTS": lambda: None,
            "GET_QUOTA": lambda: {"status": {}},
            "GET_MAINTENANCE_STATUS": lambda: {"status": {}},
            "GET_MAINTENANCE_SCHEDULE": lambda: {"schedule": {}},
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.method != "POST":
            return only_post(request)
        try:
            headers = request.headers
            calls.check_media_types(headers.get("content-type"), headers.get("accept"))
            return self._answer(calls.parse(await request.body()))
        except Refused as refusal:
            return answer(refusal.status, refusal.text)

    def _answer(self, call: Json) -> Response:
        kind = call.get("type")
        if kind == "SUBSCRIBE":
            return self._subscribe()
        if kind == "TEARDOWN":
            return self._teardown(call)
        if not isinstance(kind, str) or kind not in self._answers:
            text = "Failed to validate master::Call: Expecting 'type' to be present"
            raise Refused(400, text)
        body = self._answers[kind]()
        shown: Json = {"type": kind} if body is None else {"type": kind, kind.lower(): body}
        response = Response(to_json(shown))
        response.headers["content-type"] = "application/json"
        return response

    def _subscribe(self) -> Response:
        stream = EventStream({}, lambda: None)
        interval = self._context.settings.heartbeat_interval
        body = {"get_state": self._state(), "heartbeat_interval_seconds": interval}
        stream.put({"type": "SUBSCRIBED", "subscribed": body})
        self._context.observers.append(stream)
        self._beat(stream)
        return stream

    def _beat(self, stream: EventStream) -> None:
        if not stream.closed:
            stream.put({"type": "HEARTBEAT"})
            interval = self._context.settings.heartbeat_interval
            self._context.later(interval, lambda: self._beat(stream))

    def _teardown(self, call: Json) -> Response:
        if not calls.present(call, "teardown.framework_id"):
            text = "Failed to validate master::Call: Expecting 'teardown' to be present"
            raise Refused(400, text)
        framework_id = calls.identifier(call["teardown"]["framework_id"])
        framework = self._context.cluster.frameworks.get(framework_id)
        if framework is None:
            raise Refused(400, "No framework found with specified ID")
        self._subscriptions.remove(framework)
        return answer(200)

    def _master(self) -> Json:
        started = self._context.cluster.start_time
        info = self._context.master_info()
        return {"master_info": info, "start_time": started, "elected_time": started}

    def _state(self) -> Json:
        return {
            "get_tasks": self._tasks(),
            "get_executors": self._executors(),
            "get_frameworks": self._frameworks(),
            "get_agents": self._agents(),
        }

    def _tasks(self) -> Json:
        cluster = self._context.cluster
        every = [*cluster.frameworks.values(), *cluster.completed_frameworks.values()]
        living = [task for one in every for _, task in cluster.tasks_of(one.framework_id)]
        return {
            "tasks": [task.for_operator() for task in living],
            "unreachable_tasks": [
                task.for_operator() for one in every for task in one.unreachable.values()
            ],
            "completed_tasks": [task.for_operator() for one in every for task in one.completed],
        }

    def _agents(self) -> Json:
        cluster = self._context.cluster
        return {
            "agents": [agent_for_operator(one)["agent"] for one in cluster.agents.values()],
            "recovered_agents": [one.info for one in cluster.recovered.values()],
        }

    def _frameworks(self) -> Json:
        cluster = self._context.cluster
        completed = cluster.completed_frameworks.values()
        return {
            "frameworks": [
                {
                    **framework_for_operator(one),
                    "allocated_resources": [],
                    "offered_resources": [],
                    "offer_constraints": {},
                }
                for one in cluster.frameworks.values()
            ],
            "completed_frameworks": [
                {**framework_for_operator(one), "offer_constraints": {}} for one in completed
            ],
        }

    def _executors(self) -> Json:
        return {
            "executors": [
                {"executor_info": info, "agent_id": {"value": agent.agent_id}}
                for agent in self._context.cluster.agents.values()
                for info, _ in agent.executors.values()
            ]
        }

    def _roles(self) -> Json:
        frameworks = self._context.cluster.frameworks.values()
        roles = sorted({role for one in frameworks for role in one.roles})
        shown = [
            {
                "name": role,
                "weight": 1.0,
                "frameworks": [
                    {"value": one.framework_id} for one in frameworks if role in one.roles
                ],
            }
            for role in roles
        ]
        return {"roles": shown} if shown else {}


def _pairs(values: dict[str, Any]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]
