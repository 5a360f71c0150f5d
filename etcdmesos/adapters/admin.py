"""The admin HTTP interface: the model as JSON and as one line.  A GET changes nothing.

What the bodies hold is decided in `etcdmesos.cluster.report`; here are only paths and status codes.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from etcdmesos.adapters.dashboard import page
from etcdmesos.cluster import report
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.why import standing_by

Snapshot = Callable[[], tuple[Model, float]]
"""The latest model and the present moment on the same clock."""


def admin_app(snapshot: Snapshot) -> Starlette:
    """The ASGI application that serves what `snapshot` returns at each request."""

    def stats(_: Request) -> Response:
        return JSONResponse(report.stats(*snapshot()))

    def members(_: Request) -> Response:
        return JSONResponse(report.members(*snapshot()))

    def healthz(_: Request) -> Response:
        well, line = report.health(*snapshot())
        return PlainTextResponse(line + "\n", status_code=200 if well else 500)

    def livez(_: Request) -> Response:
        return PlainTextResponse("the scheduler is alive\n")

    def dashboard(_: Request) -> Response:
        return HTMLResponse(page(report.stats(*snapshot())))

    def change(_: Request) -> Response:
        """Nothing can be changed here; and by whom it could be, a standby tells at least."""
        model, _now = snapshot()
        if report.role(model) == "leader":
            return PlainTextResponse(
                "nothing can be changed here\n", status_code=405, headers={"Allow": "GET, HEAD"}
            )
        return PlainTextResponse(standing_by(model) + "\n", status_code=409)

    return Starlette(
        routes=[
            Route("/", dashboard),
            Route("/stats", stats),
            Route("/members", members),
            Route("/healthz", healthz),
            Route("/livez", livez),
            Route("/{path:path}", change, methods=["POST", "PUT", "PATCH", "DELETE"]),
        ]
    )
