"""HTTP listeners that can die like a process: uvicorn servers in one event loop.

What is here knows HTTP and nothing of Mesos: paths to handlers, one-shot answers,
event streams with one RecordIO record per chunk, and listeners that can be frozen
(SIGSTOP: connects, then answers nothing) or killed (connections end without the
last chunk, then refused).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.mesos import recordio

Json = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Response]]

PLAIN = "text/plain; charset=utf-8"


def to_json(value: Any) -> bytes:
    """Compact JSON; bytes that were no UTF-8 come out as they went in."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def answer(status: int, text: str = "", headers: dict[str, str] | None = None) -> Response:
    """A plain answer, worded as libprocess words it."""
    response = Response(text, status, headers)
    if text:
        response.headers["content-type"] = PLAIN
    return response


def answer_json(request: Request, value: Any) -> Response:
    """JSON, or with ?jsonp=name the call of that function."""
    padding = request.query_params.get("jsonp")
    body = to_json(value)
    if padding is not None:
        call = padding.encode() + b"(" + body + b");"
        return Response(call, media_type="text/javascript")
    response = Response(body)
    response.headers["content-type"] = "application/json"
    return response


def not_found() -> Response:
    """The 404 of libprocess."""
    return answer(404, "404 Not Found.")


def only_post(request: Request) -> Response:
    """The 405 of the API endpoints."""
    text = (
        f"405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{request.method}'."
    )
    return answer(405, text, {"allow": "POST"})


class EventStream(Response):
    """An answer without end: events put into it go out as RecordIO, one record per chunk."""

    def __init__(self, headers: dict[str, str], on_disconnect: Callable[[], None]) -> None:
        super().__init__(None, 200, headers)
        # A length would end the answer at once; without one it is chunked.
        del self.headers["content-length"]
        self.headers["content-type"] = "application/json"
        self.closed = False
        self._on_disconnect = on_disconnect
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._finished = False

    def put(self, event: Json) -> None:
        """Send one event; after the end it is dropped."""
        if not self.closed and not self._finished:
            self._waiting.append(recordio.encode(to_json(event)))
            self._wake.set()

    def finish(self) -> None:
        """End the stream properly, with the last chunk, after what was put before."""
        self._finished = True
        self._wake.set()

    async def __call__(self, _scope: Message, receive: Receive, send: Send) -> None:
        """Speak ASGI until finished or until the other side is gone."""
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        watcher = asyncio.create_task(self._watch(receive))
        try:
            while not self.closed:
                while self._waiting and not self.closed:
                    chunk = {"body": self._waiting.popleft(), "more_body": True}
                    await send({"type": "http.response.body", **chunk})
                if self._finished or self.closed:
                    break
                self._wake.clear()
                await self._wake.wait()
            if self._finished and not self.closed:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._finished = True
            watcher.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._finished:
            self.closed = True
            self._wake.set()
            self._on_disconnect()


class Endpoints:
    """The ASGI application of one daemon: exact paths, an optional prefix, and a gate."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.handlers: dict[str, Handler] = {}
        self.before: Callable[[str, Request], Response | None] = lambda _path, _request: None
        self.gate = asyncio.Event()
        self.gate.set()

    def add(self, path: str, handler: Handler) -> None:
        """Serve this path, with and without the prefix."""
        self.handlers[path] = handler

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; while the gate is shut nothing is answered."""
        if scope["type"] != "http":
            return
        await self.gate.wait()

        async def gated(message: Message) -> None:
            await self.gate.wait()
            await send(message)

        request = Request(scope, receive)
        path = scope["path"].removeprefix(self.prefix).rstrip("/") or "/"
        handler = self.handlers.get(path)
        early = self.before(path, request)
        if early is not None:
            response = early
        elif handler is None:
            response = not_found()
        else:
            response = await handler(request)
        await response(scope, receive, gated)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # The program that hosts the embedded Mesos owns the signals.
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; OSError names the address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


class Listener:
    """One address with one application; may be killed and opened again."""

    def __init__(self, host: str, port: int, application: Endpoints) -> None:
        self.host = host
        self.port = port
        self.application = application
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen; port 0 becomes the port the system chose."""
        listener = bind(self.host, self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self.application,
            http="h11",
            ws="none",
            lifespan="off",
            loop="none",
            access_log=False,
            server_header=False,
            log_config=None,
            log_level="critical",
            timeout_keep_alive=3600,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0)
        if self._serving.done():
            self._serving.result()

    @property
    def listening(self) -> bool:
        """Does it accept connections?"""
        return self._server is not None

    async def kill(self) -> None:
        """Die as by SIGKILL: every connection is cut, new ones are refused."""
        server, serving = self._server, self._serving
        if server is None or serving is None:
            return
        self._server = self._serving = None
        await _stop_accepting(server)
        for one in server.servers:
            one.close()
        _cut_connections(server)
        self.application.gate.set()
        server.force_exit = True
        server.should_exit = True
        await serving


async def _stop_accepting(server: uvicorn.Server) -> None:
    """Take no further connection from the sockets, and let those just taken become known.

    asyncio makes a protocol of an accepted connection a turn of the loop later, and fails if its
    server was closed in between: nobody then knows the connection, and its peer waits for ever.
    """
    loop = asyncio.get_running_loop()
    for one in server.servers:
        for listening in one.sockets:
            loop.remove_reader(listening.fileno())
    await asyncio.sleep(0)  # its transport is made
    await asyncio.sleep(0)  # and is told to its protocol


def _cut_connections(server: uvicorn.Server) -> None:
    for connection in list(server.server_state.connections):
        # uvicorn has no word for this; its protocols keep their transport here.
        connection.transport.abort()
