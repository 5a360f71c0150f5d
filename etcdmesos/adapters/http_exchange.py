"""One HTTP request and its answer, streamed both ways, bounded in time.  Standard library only: the
executor carries it too.

What a status means is the caller's business.  No error in here names a URL, a header or a body:
they may hold what lets somebody in.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from attrs import field, frozen

from etcdmesos.errors import EtcdMesosError

BLOCK_BYTES = 256 * 1024
_LAST_WORD_SECONDS = 2.0
"""How long to wait for the answer of a server that cut us off while we were sending."""


class ExchangeFailed(EtcdMesosError):
    """There is no answer, or not all of it; whether the request was carried out is not known."""


@frozen(kw_only=True)
class Limits:
    """In seconds: how long nothing may move, and how long all may take."""

    idle: float
    total: float


@frozen(kw_only=True)
class Answer:
    """An answer whose body is read as it comes.  `status` is HTTP's."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    _response: http.client.HTTPResponse = field(alias="response", repr=False)
    _deadline: float = field(alias="deadline", repr=False)

    def blocks(self) -> Iterator[bytes]:
        """The body from beginning to end.  Raises ExchangeFailed unless all of it came."""
        with _failures():
            while block := self._response.read1(BLOCK_BYTES):
                _check(self._deadline)
                yield block
            if self._response.length:
                raise http.client.IncompleteRead(b"", self._response.length)

    def body(self, most: int) -> bytes:
        """The whole body.  Raises ExchangeFailed, also when it is longer than `most` bytes."""
        body = b""
        for block in self.blocks():
            body += block
            if len(body) > most:
                raise ExchangeFailed(f"the answer is longer than {most} bytes")
        return body


@contextlib.contextmanager
def exchange(
    method: str,
    url: str,
    *,
    limits: Limits,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterable[bytes] = b"",
    length: int | None = None,
) -> Iterator[Answer]:
    """Send a request; inside the `with` the answer can be read.

    A body that is not bytes must give `length` bytes altogether; what it raises goes through, and
    the server sees the connection cut.  Raises ExchangeFailed.
    """
    deadline = time.monotonic() + limits.total
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.netloc, min(limits.idle, limits.total))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with _failures():
            connection.connect()
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if isinstance(body, bytes):
                length = len(body)
            if length or method in ("PUT", "POST"):
                connection.putheader("Content-Length", str(length))
            connection.endheaders()
        _send(connection, (body,) if isinstance(body, bytes) else body, deadline)
        with _failures():
            response = connection.getresponse()
        _check(deadline)
        yield Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            response=response,
            deadline=deadline,
        )
    finally:
        connection.close()


def _connection(scheme: str, host: str, timeout: float) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, timeout=timeout, context=context)
    return http.client.HTTPConnection(host, timeout=timeout)


def _send(connection: http.client.HTTPConnection, blocks: Iterable[bytes], deadline: float) -> None:
    for block in blocks:
        _check(deadline)
        try:
            connection.send(block)
        except TimeoutError as error:
            raise ExchangeFailed("the server takes no more data") from error
        except OSError as error:
            if _has_answered(connection):
                return
            raise ExchangeFailed(f"the connection was cut: {_reason(error)}") from error


def _has_answered(connection: http.client.HTTPConnection) -> bool:
    """Whether the server, before it cut us off, may have said why: then its answer is worth more
    than the fact."""
    if connection.sock is None:
        return False
    connection.sock.settimeout(_LAST_WORD_SECONDS)
    try:
        return bool(connection.sock.recv(1, socket.MSG_PEEK))
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise ExchangeFailed("the server does not answer in time") from error
    except http.client.IncompleteRead as error:
        raise ExchangeFailed("the connection was cut within the answer") from error
    except http.client.HTTPException as error:
        raise ExchangeFailed(f"the answer is not HTTP: {type(error).__name__}") from error
    except OSError as error:
        raise ExchangeFailed(_reason(error)) from error


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise ExchangeFailed("it took too long altogether")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return type(error).__name__
