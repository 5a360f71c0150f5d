"""The executor API of an agent: POST /api/v1/executor, JSON over RecordIO.

Checks calls in the order and with the words of Mesos, then hands them to the
agent's parts. No task or process is touched here.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded import calls
from etcdmesos.embedded.agent_context import AgentContext
from etcdmesos.embedded.calls import Refused
from etcdmesos.embedded.executor_lifecycle import ExecutorLifecycle
from etcdmesos.embedded.executors import Executor
from etcdmesos.embedded.server import EventStream, answer, only_post
from etcdmesos.embedded.task_reports import TaskReports

Json = dict[str, Any]

_TYPES = ("SUBSCRIBE", "UPDATE", "MESSAGE", "HEARTBEAT")
_STATUS_FIELDS = ("update.status", "update.status.task_id", "update.status.state")
RECOVERING = "Agent has not finished recovery"


def validate(call: Json) -> None:
    """Refuse what Mesos refuses before it looks for the executor."""
    calls.require(call, "executor_id", "framework_id", *_STATUS_FIELDS, "message.data")
    if call.get("type") not in _TYPES:
        raise _invalid("Expecting 'type' to be present")
    kind = call["type"].lower()
    if kind != "heartbeat" and not isinstance(call.get(kind), dict):
        raise _invalid(f"Expecting '{kind}' to be present")
    if kind == "update":
        _validate_update(call)


def _validate_update(call: Json) -> None:
    status: Json = call["update"]["status"]
    executor_id = calls.identifier(call["executor_id"])
    framework_id = calls.identifier(call["framework_id"])
    if "uuid" not in status:
        raise _invalid("Expecting 'uuid' to be present")
    if not calls.valid_uuid(status["uuid"]):
        raise _invalid("Not a valid UUID")
    named = calls.identifier(status.get("executor_id")) or executor_id
    if named != executor_id:
        text = f"ExecutorID in Call: {executor_id} does not match ExecutorID in TaskStatus: {named}"
        raise _invalid(text)
    who = f"from executor {executor_id} of framework {framework_id}"
    if status.get("source") != "SOURCE_EXECUTOR":
        text = f"Received Call {who} with invalid source, expecting 'SOURCE_EXECUTOR'"
        raise _invalid(text)
    if status["state"] == "TASK_STAGING":
        raise _invalid(f"Received TASK_STAGING {who} which is not allowed")


def _invalid(text: str) -> Refused:
    return Refused(400, f"Failed to validate Executor::Call: {text}")


class ExecutorApi:
    """The endpoint of one agent."""

    def __init__(
        self, context: AgentContext, lifecycle: ExecutorLifecycle, reports: TaskReports
    ) -> None:
        self._context = context
        self._lifecycle = lifecycle
        self._reports = reports

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.method != "POST":
            return only_post(request)
        try:
            headers = request.headers
            calls.check_media_types(headers.get("content-type"), headers.get("accept"))
            call = calls.parse(await request.body())
            validate(call)
            return self._take(call)
        except Refused as refusal:
            return answer(refusal.status, refusal.text)

    def _take(self, call: Json) -> Response:
        context = self._context
        if context.recovering and call["type"] != "SUBSCRIBE":
            raise Refused(503, RECOVERING)
        framework_id = calls.identifier(call["framework_id"])
        if framework_id not in context.frameworks:
            raise Refused(400, "Framework cannot be found")
        key = (framework_id, calls.identifier(call["executor_id"]))
        executor = context.executors.get(key)
        if executor is None or executor.phase == "terminated":
            raise Refused(400, "Executor cannot be found")
        if call["type"] == "SUBSCRIBE":
            return self._subscribe(executor, call["subscribe"])
        if executor.sink is None:
            raise Refused(403, "Executor is not subscribed")
        if call["type"] == "UPDATE":
            self._reports.update(executor, call["update"]["status"])
        elif call["type"] == "MESSAGE":
            body = {
                "framework_id": executor.framework_id,
                "executor_id": executor.executor_id,
                "data": call["message"]["data"],
            }
            context.send("ExecutorToFramework", body)
        return answer(202)

    def _subscribe(self, executor: Executor, subscribe: Json) -> Response:
        stream = EventStream({}, lambda: self._disconnected(executor, stream))
        if executor.phase == "terminating":
            stream.put({"type": "SHUTDOWN"})
            executor.sink = stream
            return stream
        if executor.sink is not None:
            executor.sink.finish()
        executor.sink = stream
        executor.phase = "running"
        subscribed = {
            "executor_info": executor.info,
            "framework_info": executor.framework_info,
            "agent_info": self._context.agent_info(),
            "container_id": {"value": executor.container_id},
        }
        stream.put({"type": "SUBSCRIBED", "subscribed": subscribed})
        for update in subscribe.get("unacknowledged_updates", []):
            status = update.get("status")
            if isinstance(status, dict) and "uuid" in status:
                self._reports.update(executor, status)
        if not self._context.recovering:
            self._lifecycle.deliver(executor)
        return stream

    def _disconnected(self, executor: Executor, stream: EventStream) -> None:
        # The executor may come back; only the end of its process ends it.
        if executor.sink is stream:
            executor.sink = None
