"""One HTTP request to a Mesos master and its answer, within a deadline, and what became of it.

The one question that matters after a failure is whether the master may have acted: `NotSent` says
no, `AnswerLost` says nobody can tell.  No Mesos vocabulary, no threads and no retries belong here.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import h11
from attrs import field, frozen

from etcdmesos.errors import BadUsage, EtcdMesosError

DEFAULT_MASTER_PORT = 5050
READ_BYTES = 256 * 1024
"""How much is read from a socket at once: large events come in few pieces."""

_TEXT_LENGTH = 300
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_ADDRESS = re.compile(rf"({_LABEL}(?:\.{_LABEL})*)(?::([0-9]{{1,5}}))?")


Sink = Callable[[bytes], None]
"""Takes the pieces of a body."""


class NotSent(EtcdMesosError):
    """The request certainly did not reach the master."""


class AnswerLost(EtcdMesosError):
    """The request may have reached the master, and its answer is not known."""


@frozen
class MasterAddress:
    """Where a master listens: a host name or IPv4 address and a port (1-65535)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> MasterAddress:
        """From `host:port` or `host` (port 5050).  Raises BadUsage on anything else."""
        if text.startswith("https://"):
            raise BadUsage(f"the Mesos master {text!r}: https:// is not supported, give host:port")
        match = _ADDRESS.fullmatch(text)
        port = int(match[2] or DEFAULT_MASTER_PORT) if match else 0
        if match is None or not 1 <= port <= 65535:
            raise BadUsage(f"the Mesos master {text[:200]!r} is no host:port")
        return cls(match[1], port)

    @classmethod
    def of_redirect(cls, location: str) -> MasterAddress:
        """From the Location header of a master that does not lead.  Raises BadUsage."""
        try:
            parts = urlsplit(location)
        except ValueError as error:
            raise BadUsage(f"redirected to {location[:200]!r}") from error
        if parts.scheme not in ("", "http") or not parts.netloc:
            raise BadUsage(
                f"redirected to {location[:200]!r}, which is no http address of a master"
            )
        return cls.parse(parts.netloc)


@frozen(kw_only=True)
class Credentials:
    """What a framework proves itself with: HTTP Basic.  The secret shows in no repr."""

    principal: str = field()
    secret: str = field(repr=False)

    @principal.validator
    def _no_colon(self, _attribute: object, value: str) -> None:
        if not value or ":" in value:
            raise BadUsage(f"the principal {value!r} is empty or has a colon in it")

    def authorization(self) -> str:
        """The value of the Authorization header."""
        pair = f"{self.principal}:{self.secret}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


@frozen(kw_only=True)
class Request:
    """A request; the headers Host, Connection and Content-Length are added on sending."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""


@frozen(kw_only=True)
class Answer:
    """An answer whose status is known.  `complete` is False if its body was cut or too long."""

    status: int
    location: str
    body: bytes
    received: int
    """Bytes of the body, wherever they went."""
    complete: bool

    @property
    def text(self) -> str:
        return one_line(self.body)


class Exchange:
    """One request on a connection of its own.  `cut` ends it from another thread."""

    def __init__(self, address: MasterAddress, *, seconds: float, body_bytes_max: int) -> None:
        self._address = address
        self._seconds = seconds
        self._deadline = 0.0
        self._body_bytes_max = body_bytes_max
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def run(self, request: Request, sink: Sink | None = None) -> Answer:
        """Send and wait, at most the seconds given (resolving a host name comes on top).

        With a `sink` the body of a 200 goes there, and the answer's own is empty.  Raises NotSent,
        AnswerLost, and what the sink raises.
        """
        self._deadline = time.monotonic() + self._seconds
        with socket.socket() as connection:
            with self._lock:
                if self._is_cut:
                    raise NotSent("given up before it was sent")
                self._socket = connection
            try:
                return self._send_and_wait(connection, request, sink)
            finally:
                with self._lock:
                    self._socket = None

    def cut(self) -> None:
        """Give up: `run` ends soon, with whatever can be said by then.  Does not block."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _send_and_wait(
        self, connection: socket.socket, request: Request, sink: Sink | None
    ) -> Answer:
        try:
            connection.settimeout(self._remaining())
            connection.connect((self._address.host, self._address.port))
        except (OSError, UnicodeError) as error:
            reason = f"could not connect to {self._address}: {reason_of(error)}"
            raise NotSent(reason) from error
        http = h11.Connection(h11.CLIENT)
        partial = _PartialAnswer(sink)
        try:
            connection.settimeout(self._remaining())
            connection.sendall(_bytes_of(http, request, self._address))
            while not partial.ended and partial.received <= self._body_bytes_max:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    connection.settimeout(self._remaining())
                    http.receive_data(connection.recv(READ_BYTES))
                else:
                    partial.take(event)
        except (OSError, h11.RemoteProtocolError) as error:
            if partial.head is None:
                cause = "given up" if self._is_cut else reason_of(error)
                raise AnswerLost(f"no answer from {self._address}: {cause}") from error
        return partial.answer()

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"nothing within {self._seconds:g} s")
        return remaining


class _PartialAnswer:
    """What has come of an answer so far."""

    def __init__(self, sink: Sink | None) -> None:
        self.head: h11.Response | None = None
        self.received = 0
        self.ended = False
        self._sink = sink
        self._body = bytearray()

    def take(self, event: object) -> None:
        match event:
            case h11.Response():
                self.head = event
            case h11.Data():
                self.received += len(event.data)
                if self._sink is not None and self.head and self.head.status_code == 200:
                    self._sink(bytes(event.data))
                else:
                    self._body += event.data
            case h11.EndOfMessage():
                self.ended = True
            case h11.InformationalResponse():
                pass
            case _:
                raise ConnectionResetError("the connection was closed")

    def answer(self) -> Answer:
        assert self.head is not None
        locations = [value for name, value in self.head.headers if name == b"location"]
        return Answer(
            status=self.head.status_code,
            location=locations[0].decode("latin-1") if locations else "",
            body=bytes(self._body),
            received=self.received,
            complete=self.ended,
        )


def _bytes_of(http: h11.Connection, request: Request, address: MasterAddress) -> bytes:
    headers = {
        "Host": str(address),
        "Connection": "close",
        "Content-Length": str(len(request.body)),
        **request.headers,
    }
    sent = http.send(
        h11.Request(method=request.method, target=request.path, headers=list(headers.items()))
    )
    body = http.send(h11.Data(data=request.body))
    end = http.send(h11.EndOfMessage())
    return (sent or b"") + (body or b"") + (end or b"")


def reason_of(error: Exception) -> str:
    """An error of a socket or of the HTTP parser in a few words a person understands."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return str(error) if str(error) != "timed out" else "no answer in time"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def one_line(body: bytes) -> str:
    """The start of a body as one line of text, for a reason."""
    text = " ".join(body[: 4 * _TEXT_LENGTH].decode("utf-8", "replace").split())
    return text if len(text) <= _TEXT_LENGTH else text[:_TEXT_LENGTH] + "…"
