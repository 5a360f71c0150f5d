"""The scheduler API of the master: POST /api/v1/scheduler, JSON over RecordIO.

Checks calls in the order and with the words of Mesos, then hands them on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded import calls
from etcdmesos.embedded.calls import Refused
from etcdmesos.embedded.cluster import Framework
from etcdmesos.embedded.launching import Launching
from etcdmesos.embedded.master_context import MasterContext
from etcdmesos.embedded.server import answer, only_post
from etcdmesos.embedded.subscriptions import Subscriptions
from etcdmesos.embedded.task_calls import TaskCalls

Json = dict[str, Any]
Take = Callable[[Framework, Json], None]

RECOVERING = "Master has not finished recovery"

# Each call and the body it must have; None where it may have none.
_BODIES: dict[str, str | None] = {
    "SUBSCRIBE": "subscribe",
    "TEARDOWN": None,
    "ACCEPT": "accept",
    "DECLINE": "decline",
    "ACCEPT_INVERSE_OFFERS": "accept_inverse_offers",
    "DECLINE_INVERSE_OFFERS": "decline_inverse_offers",
    "REVIVE": None,
    "SUPPRESS": None,
    "KILL": "kill",
    "SHUTDOWN": "shutdown",
    "ACKNOWLEDGE": "acknowledge",
    "ACKNOWLEDGE_OPERATION_STATUS": "acknowledge_operation_status",
    "RECONCILE": "reconcile",
    "RECONCILE_OPERATIONS": "reconcile_operations",
    "MESSAGE": "message",
    "REQUEST": "request",
    "UPDATE_FRAMEWORK": "update_framework",
}

_REQUIRED = (
    "subscribe.framework_info",
    "subscribe.framework_info.user",
    "subscribe.framework_info.name",
    "kill.task_id",
    "shutdown.executor_id",
    "shutdown.agent_id",
    "acknowledge.agent_id",
    "acknowledge.task_id",
    "acknowledge.uuid",
    "message.agent_id",
    "message.executor_id",
    "message.data",
)


def validate(call: Json) -> None:
    """Refuse what Mesos refuses before it looks for the framework."""
    calls.require(call, *_REQUIRED)
    kind = call.get("type")
    if kind not in _BODIES:
        raise _invalid("Expecting 'type' to be present")
    if kind == "SUBSCRIBE":
        _validate_subscribe(call)
        return
    if not calls.present(call, "framework_id"):
        raise _invalid("Expecting 'framework_id' to be present")
    body = _BODIES[kind]
    if body is not None and not isinstance(call.get(body), dict):
        raise _invalid(f"Expecting '{body}' to be present")
    if kind == "ACKNOWLEDGE" and not calls.valid_uuid(call["acknowledge"]["uuid"]):
        raise _invalid("Not a valid UUID")


def _validate_subscribe(call: Json) -> None:
    if not isinstance(call.get("subscribe"), dict):
        raise _invalid("Expecting 'subscribe' to be present")
    named = calls.identifier(call["subscribe"]["framework_info"].get("id"))
    if named != calls.identifier(call.get("framework_id")):
        raise _invalid("'framework_id' differs from 'subscribe.framework_info.id'")


def _invalid(text: str) -> Refused:
    return Refused(400, f"Failed to validate scheduler::Call: {text}")


class SchedulerApi:
    """The endpoint of one master."""

    def __init__(self, context: MasterContext, subscriptions: Subscriptions, tasks: TaskCalls):
        self._context = context
        self._subscriptions = subscriptions
        launching = Launching(context)
        desk = context.desk
        self._take: dict[str, Take] = {
            "TEARDOWN": lambda framework, _body: subscriptions.remove(framework),
            "ACCEPT": launching.accept,
            "DECLINE": launching.decline,
            "REVIVE": lambda framework, body: desk.revive(framework, body.get("roles", [])),
            "SUPPRESS": lambda framework, body: desk.suppress(framework, body.get("roles", [])),
            "KILL": tasks.kill,
            "SHUTDOWN": tasks.shutdown,
            "ACKNOWLEDGE": tasks.acknowledge,
            "RECONCILE": tasks.reconcile,
            "MESSAGE": tasks.message,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if self._context.recovering:
            return answer(503, RECOVERING)
        if request.method != "POST":
            return only_post(request)
        headers = request.headers
        try:
            content_type, accept = headers.get("content-type"), headers.get("accept")
            calls.check_media_types(content_type, accept)
            call = calls.parse(await request.body())
            validate(call)
            return self._answer(call, headers.get("mesos-stream-id"))
        except Refused as refusal:
            return answer(refusal.status, refusal.text)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # The JSON has a shape the protobuf has not; Mesos would not have parsed it.
            reason = f"Failed to convert JSON into Call protobuf: {error}"
            return answer(400, reason)

    def _answer(self, call: Json, stream_id: str | None) -> Response:
        if call["type"] == "SUBSCRIBE":
            if stream_id is not None:
                text = "Subscribe calls should not include the 'Mesos-Stream-Id' header"
                raise Refused(400, text)
            return self._subscriptions.subscribe(call)
        framework = self._framework(call, stream_id)
        take = self._take.get(call["type"])
        if take is not None:
            take(framework, call.get(call["type"].lower()) or {})
        return answer(202)

    def _framework(self, call: Json, stream_id: str | None) -> Framework:
        framework_id = calls.identifier(call["framework_id"])
        framework = self._context.cluster.frameworks.get(framework_id)
        if framework is None:
            raise Refused(400, "Framework cannot be found")
        if not framework.connected:
            raise Refused(403, "Framework is not subscribed")
        if stream_id is None:
            text = "All non-subscribe calls should include the 'Mesos-Stream-Id' header"
            raise Refused(400, text)
        if stream_id != framework.stream_id:
            text = (
                f"The stream ID '{stream_id}' included in this request didn't match the stream "
                f"ID currently associated with framework ID {framework_id}"
            )
            raise Refused(400, text)
        return framework
