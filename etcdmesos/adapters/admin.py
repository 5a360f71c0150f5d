"""The admin HTTP interface: the model as JSON and as one line.  A GET changes nothing.

What the bodies hold is decided in `etcdmesos.cluster.report`; here are only paths and status codes.
What changes something is `admin_posts`'.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from etcdmesos.adapters.admin_posts import Refused, Snapshot, posts, refusal
from etcdmesos.adapters.dashboard import page
from etcdmesos.adapters.operator import Operator
from etcdmesos.cluster import report


def admin_app(snapshot: Snapshot, operator: Operator, token: str) -> Starlette:
    """The ASGI application that serves what `snapshot` returns at each request.

    What is posted goes to `operator`, for those who show `token`; "" lets nobody post.
    """

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

    return Starlette(
        routes=[
            Route("/", dashboard),
            Route("/stats", stats),
            Route("/members", members),
            Route("/healthz", healthz),
            Route("/livez", livez),
            *posts(snapshot, operator, token),
        ],
        exception_handlers={Refused: refusal},
    )
