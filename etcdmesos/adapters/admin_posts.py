"""What the operator asks for by POST: who may, how, and which event it is.

What comes of it is for `etcdmesos.cluster.observe.operator`.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from etcdmesos.adapters.operator import ANSWER_SECONDS, Operator
from etcdmesos.cluster import report
from etcdmesos.cluster.events import (
    BackupAsked,
    ForgetAsked,
    OperatorAsked,
    ReseedAsked,
    RestoreAsked,
    UninstallAsked,
)
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.why import standing_by
from etcdmesos.errors import BadUsage, EtcdMesosError

log = logging.getLogger("etcdmesos.admin")

Snapshot = Callable[[], tuple[Model, float]]
"""The latest model and the present moment on the same clock."""

ASKED: Mapping[str, type[OperatorAsked]] = {
    "/backup": BackupAsked,
    "/reseed": ReseedAsked,
    "/restore": RestoreAsked,
    "/uninstall": UninstallAsked,
    "/forget": ForgetAsked,
}
"""What a POST to each path asks for; its body is a JSON object of the event's other fields."""

BODY_BYTES = 64 * 1024
"""At most that long is what comes with a POST."""


def posts(snapshot: Snapshot, operator: Operator, token: str) -> list[Route]:
    """The routes by which something is changed, and what answers to every other attempt.

    Their application handles Refused with `refusal`.  Without a `token` ("") nobody may.
    """

    def standing_by_or_nothing(_: Request) -> Response:
        _refuse_if_standing_by(snapshot)
        raise Refused(405, "nothing can be changed here", {"Allow": "GET, HEAD"})

    def asking_for(kind: type[OperatorAsked]) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            _refuse_if_standing_by(snapshot)
            _refuse_strangers(request, token)
            return await _answer(request, operator, kind)

        return asked

    rest = ["POST", "PUT", "PATCH", "DELETE"]
    return [
        *(Route(path, asking_for(kind), methods=["POST"]) for path, kind in ASKED.items()),
        Route("/{path:path}", standing_by_or_nothing, methods=rest),
    ]


async def _answer(request: Request, operator: Operator, kind: type[OperatorAsked]) -> Response:
    told = await _told(request)
    try:
        answer = await run_in_threadpool(operator.ask, kind, told)
    except BadUsage as error:
        raise Refused(400, str(error)) from None
    except TimeoutError:
        said = f"no answer within {ANSWER_SECONDS:g} s: look at /stats what came of it"
        raise Refused(504, said) from None
    log.warning(
        "asked by the operator",
        extra={
            "what": kind.__name__,
            "told": told,
            "by": request.client.host if request.client else "",
            "accepted": answer.accepted,
            "said": answer.text,
        },
    )
    return PlainTextResponse(answer.text + "\n", 202 if answer.accepted else 409)


class Refused(EtcdMesosError):
    """Nothing is changed: an HTTP status and one line for it."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


def refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return PlainTextResponse(f"{error}\n", status_code=error.status, headers=error.headers)


def _refuse_if_standing_by(snapshot: Snapshot) -> None:
    """By whom something could be changed, a standby tells at least."""
    model, _now = snapshot()
    if report.role(model) != "leader":
        raise Refused(409, standing_by(model))


def _refuse_strangers(request: Request, token: str) -> None:
    """Raises Refused unless the request shows the token."""
    if not token:
        how = "start the scheduler with -admin-token-file=FILE, and show the token that it holds"
        raise Refused(403, f"nothing can be changed over HTTP, as no token is set: {how}")
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    # In constant time, so that a token cannot be found out bit by bit.
    known = hmac.compare_digest(shown.strip().encode(), token.encode())
    if not (scheme.lower() == "bearer" and known):
        wrong = "the token is wrong" if shown else "a token is needed: Authorization: Bearer TOKEN"
        raise Refused(401, wrong, {"WWW-Authenticate": "Bearer"})


async def _told(request: Request) -> Mapping[str, Any]:
    """The JSON object in the body; none at all is an empty one.  Raises Refused."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES:
                raise Refused(413, f"the body is longer than {BODY_BYTES} bytes")
    except ClientDisconnect:
        raise Refused(400, "the body did not come") from None
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Refused(400, "the body must be a JSON object")
    return told
