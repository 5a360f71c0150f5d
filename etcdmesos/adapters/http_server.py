"""Hosts an ASGI application on a thread of its own.

It takes the port before it returns from `start()`, so that a wrong address is the caller's error
and not a line in a log.  It knows nothing of what the application says: routes belong elsewhere.
How long a client may take is `http_connection`'s.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from etcdmesos.adapters.http_connection import Patience, connections
from etcdmesos.errors import BadUsage

log = logging.getLogger(__name__)

_GRACE_SECONDS = 1.0
"""For answers under way at `close()`; what goes on longer (a stream of events) is cut."""
_CANCEL_SECONDS = 2
"""After this an application that ignores the cut is cancelled."""
_CLOSE_SECONDS = 3.0
ANSWERS = Patience(request=10.0, stall=10.0)
"""Where answers are short, and people or their tools ask."""


class HttpServer:
    """Serves `app` on host:port over HTTP/1.1; port 0 takes a free one.

    Logs no requests, names no server software, and leaves the process' signals alone.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, *, patience: Patience = ANSWERS) -> None:
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        self._ready = threading.Event()
        self._server = _Server(
            uvicorn.Config(
                app,
                http=connections(patience),
                loop="asyncio",
                ws="none",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_CANCEL_SECONDS,
            ),
            self._ready,
        )
        self._thread = threading.Thread(target=self._serve, name=f"http-{host}:{port}", daemon=True)

    @property
    def port(self) -> int:
        """The port listened on; before `start()` the one asked for."""
        return self._port

    def start(self) -> None:
        """Return once requests are answered.

        Raises BadUsage if the address can't be had, RuntimeError if the application fails to start.
        """
        self._socket = _listen(self._host, self._port)
        self._port = self._socket.getsockname()[1]
        self._thread.start()
        self._ready.wait()
        if not self._server.started:
            self._socket.close()
            raise RuntimeError("the HTTP application did not start")

    def close(self) -> None:
        """Stop listening, let short answers end, cut the rest.  Returns within 3 s."""
        if self._socket is None:
            return
        self._server.should_exit = True
        self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            log.error("an HTTP handler does not end", extra={"port": self._port})
        self._socket.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=None if self._socket is None else [self._socket])
        except SystemExit:
            # uvicorn's word for an application that does not start; it has logged why.
            pass
        except Exception:
            log.exception("the HTTP server ended in an error", extra={"port": self._port})
        finally:
            self._ready.set()


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and cuts long answers when it stops."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._stop_accepting()
        # To the application a cut looks like a client that went away, and it ends quietly;
        # uvicorn's own way is to cancel it, with a traceback for each.
        cut = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._cut)
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()

    async def _stop_accepting(self) -> None:
        # asyncio makes a protocol of an accepted connection a turn of the loop later, and fails if
        # its server was closed in between: that client would wait for an answer for ever.
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listening in server.sockets:
                loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)  # its transport is made
        await asyncio.sleep(0)  # and is told to its protocol

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            transport = connection.transport
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise BadUsage(f"not a port: {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=256)
    except (socket.gaierror, UnicodeError) as error:
        raise BadUsage(f"cannot listen on {host!r}: the host name is not known") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "is in use: stop what listens there, or choose another"
            raise BadUsage(f"port {port} on {host} {reason}") from error
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise BadUsage(f"cannot listen on port {port} of {host}: {reason}") from error
