"""Passes the snapshot of a backup on to the executor that restores it.

    http://HOST:PORT/restore/<key>

The key is drawn at random, told in a framework message alone, and void after its time or when
another one is given out: a snapshot holds everything that is in etcd.  The bytes are read from
where they lie while they are fetched; nothing of them is kept here.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from attrs import frozen
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from etcdmesos.errors import EtcdMesosError

log = logging.getLogger(__name__)

KEY_BYTES = 32

Reading = Callable[[], AbstractContextManager[Iterator[bytes]]]
"""Opens a snapshot to be read once, from its first byte to its last.  Raises EtcdMesosError."""


@frozen(kw_only=True)
class _Loan:
    key: str
    until: float
    read: Reading


class Relay:
    """One loan at a time.  May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loan: _Loan | None = None

    @property
    def route(self) -> Route:
        return Route("/restore/{key}", self._answer, methods=["GET"])

    def lend(self, read: Reading, *, seconds: float) -> str:
        """The path at which it can be fetched for so many seconds; earlier ones are void."""
        key = secrets.token_urlsafe(KEY_BYTES)
        loan = _Loan(key=key, until=time.monotonic() + seconds, read=read)
        with self._lock:
            self._loan = loan
        return f"/restore/{key}"

    async def _answer(self, request: Request) -> Response:
        with self._lock:
            loan = self._loan
        shown = str(request.path_params["key"]).encode()
        known = loan is not None and hmac.compare_digest(shown, loan.key.encode())
        if loan is None or not known or time.monotonic() > loan.until:
            return PlainTextResponse("no such backup is lent\n", status_code=404)
        reading = contextlib.ExitStack()
        try:
            # Before the answer begins, so that a target that refuses can be told of.
            blocks = await run_in_threadpool(_open, reading, loan)
        except EtcdMesosError as error:
            return PlainTextResponse(f"{error}\n", status_code=502)
        return _Relayed(reading, blocks)


class _Relayed(StreamingResponse):
    """What is being read, as it comes; the reading ends with the answer, also when whoever fetches
    goes away."""

    def __init__(self, reading: contextlib.ExitStack, blocks: Iterator[bytes]) -> None:
        self._reading = reading
        # Without a length: an answer that ends early is no error of this server's.
        headers = {"Cache-Control": "no-store"}
        super().__init__(_told(blocks), headers=headers, media_type="application/octet-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reading.close()


def _open(reading: contextlib.ExitStack, loan: _Loan) -> Iterator[bytes]:
    """The blocks, once the first of them is there."""
    blocks = reading.enter_context(loan.read())
    try:
        first = next(blocks, b"")
    except BaseException:
        reading.close()
        raise
    return _from(first, blocks)


def _from(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _told(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Ends early when the source breaks off: whoever fetches has the size and the hash."""
    try:
        yield from blocks
    except EtcdMesosError as error:
        log.warning("a backup broke off while it was fetched", extra={"reason": str(error)})
