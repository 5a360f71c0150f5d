"""One connection of a client, as long as it is of use: who sends or reads too slowly is cut.

Otherwise clients that do nothing could use up the descriptors of this process, which needs them to
keep a cluster alive.  What is answered is the application's business; this is uvicorn's protocol
with limits, and knows nothing of paths.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, ClassVar, cast

import h11
from attrs import frozen
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 256
"""At one port, at the same time.  Two ports of so many leave half of the 1024 descriptors that a
process has by default."""
SAID_SECONDS = 60.0
"""At most so often the log says that connections are refused."""


@frozen(kw_only=True)
class Patience:
    """In seconds."""

    request: float
    """In which a request has to come, from its first byte (or the connection) to its last."""
    stall: float
    """For how long a client may take nothing at all of what it is sent."""


class PatientConnection(H11Protocol):
    """Of HttpServer, which has one for each client.  All of it runs in the server's loop."""

    _said_at: ClassVar[float] = -SAID_SECONDS

    def __init__(self, patience: Patience, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._patience = patience
        self._request_due: asyncio.TimerHandle | None = None
        self._stall_check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # Whatever the system does not take at once counts as waiting for the client.
        transport.set_write_buffer_limits(high=0)
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._say_refused()
            transport.abort()
            return
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._request_due, self._stall_check):
            if timer is not None:
                timer.cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._check_after(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_check is not None:
            self._stall_check.cancel()

    def _await_request(self) -> None:
        if self._request_due is not None:
            self._request_due.cancel()
        self._request_due = self.loop.call_later(self._patience.request, self._cut_if_incomplete)

    def _cut_if_incomplete(self) -> None:
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.abort()

    def _check_after(self, waiting: int) -> None:
        self._stall_check = self.loop.call_later(
            self._patience.stall, self._cut_if_stalled, waiting
        )

    def _cut_if_stalled(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting >= before:
            self.transport.abort()
        else:
            self._check_after(waiting)

    def _say_refused(self) -> None:
        now = time.monotonic()
        if now - PatientConnection._said_at >= SAID_SECONDS:
            PatientConnection._said_at = now
            log.warning(
                "connections are refused, as too many are open",
                extra={"open": MOST_CONNECTIONS, "at": self.server, "last": self.client},
            )


def connections(patience: Patience) -> type[asyncio.Protocol]:
    """What uvicorn is to make for each client."""

    def make(**uvicorns: Any) -> PatientConnection:
        return PatientConnection(patience, **uvicorns)

    # uvicorn calls it, and asks for no more than that.
    return cast(type[asyncio.Protocol], make)
