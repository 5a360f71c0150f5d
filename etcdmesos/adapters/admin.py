"""The admin HTTP interface: the model as JSON and as one line.  A GET changes nothing.

What the bodies hold is decided in `etcdmesos.cluster.report`; here are only paths and status codes.
What changes something is `admin_posts`'.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from etcdmesos.adapters.admin_posts import Refused, Snapshot, posts, refusal
from etcdmesos.adapters.dashboard import EVENTS_SHOWN, page
from etcdmesos.adapters.event_log import EventLog
from etcdmesos.adapters.metrics import Metrics
from etcdmesos.adapters.operator import Operator
from etcdmesos.backups.source import LATEST
from etcdmesos.cluster import report
from etcdmesos.cluster.backups.telling import listed
from etcdmesos.cluster.reseed.dry_run import dry_run
from etcdmesos.cluster.restore.dry_run import dry_run as restore_dry_run

ID_DIGITS = 19


def admin_app(
    snapshot: Snapshot, operator: Operator, token: str, events: EventLog, phases: Sequence[str]
) -> Starlette:
    """The ASGI application that serves what `snapshot` returns at each request.

    What is posted goes to `operator`, for those who show `token`; "" lets nobody post.  `phases`
    are all that the cluster may be in.
    """
    metrics = Metrics(snapshot, events, phases)

    def stats(_: Request) -> Response:
        return JSONResponse(report.stats(*snapshot()))

    def members(_: Request) -> Response:
        return JSONResponse(report.members(*snapshot()))

    def backups(_: Request) -> Response:
        model, _now = snapshot()
        return JSONResponse(listed(model))

    def healthz(_: Request) -> Response:
        well, line = report.health(*snapshot())
        return PlainTextResponse(line + "\n", status_code=200 if well else 500)

    def livez(_: Request) -> Response:
        return PlainTextResponse("the scheduler is alive\n")

    def happened(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) < ID_DIGITS):
            line = f"after={after[:40]!r}: must be the id of an event, a number of 0 or more\n"
            return PlainTextResponse(line, status_code=400)
        return JSONResponse([entry.to_json() for entry in events.after(int(after))])

    def scraped(request: Request) -> Response:
        body, content_type = metrics.page(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    def dashboard(_: Request) -> Response:
        entries = [entry.to_json() for entry in events.after(0)[-EVENTS_SHOWN:]]
        return HTMLResponse(page(report.stats(*snapshot()), entries))

    return Starlette(
        routes=[
            Route("/", dashboard),
            Route("/stats", stats),
            Route("/members", members),
            Route("/healthz", healthz),
            Route("/livez", livez),
            Route("/events", happened),
            Route("/metrics", scraped),
            Route("/backups", backups),
            *_dry_runs(snapshot),
            *posts(snapshot, operator, token),
        ],
        exception_handlers={Refused: refusal},
    )


def _dry_runs(snapshot: Snapshot) -> list[Route]:
    """What a POST would lead to, for those that are better thought over."""

    def reseed(request: Request) -> Response:
        return JSONResponse(dry_run(*snapshot(), request.query_params.get("member", "")))

    def restore(request: Request) -> Response:
        model, _now = snapshot()
        source = request.query_params.get("source", LATEST)
        return JSONResponse(restore_dry_run(model, source))

    return [Route("/reseed/dry-run", reseed), Route("/restore/dry-run", restore)]
