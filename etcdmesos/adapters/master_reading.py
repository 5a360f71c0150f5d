"""Reads something of the leading Mesos master over plain HTTP, while it arrives.

Follows redirects to the leading master, and knows that masters of different age have things at
different paths.  What a body means is the reading's; nothing here changes anything at the master.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from attrs import frozen

from etcdmesos.adapters.mesos_framework import MasterDetector
from etcdmesos.adapters.mesos_http import (
    Answer,
    AnswerLost,
    Credentials,
    Exchange,
    MasterAddress,
    NotSent,
    Request,
    Sink,
)
from etcdmesos.errors import BadUsage, EtcdMesosError

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

STATE_PATHS = ("/state", "/master/state", "/state.json")
"""In this order: masters before 1.8 have the last one, and proxies may pass on only the second."""
_REDIRECTS_MAX = 3


class Unreadable(EtcdMesosError):
    """Nothing could be read; the text says why."""


class NotThere(Unreadable):
    """The master has none of the paths: it is an older one, or no master."""


class Reading(Protocol[T_co]):
    """Makes sense of a body that comes in pieces."""

    def feed(self, data: bytes, /) -> None:
        """Take in the next bytes.  Raises KeyError, TypeError, ValueError or RecursionError, as
        `result` does, when they make no sense."""
        ...

    def result(self) -> T_co:
        """What was read."""
        ...


@frozen(kw_only=True)
class StateLimits:
    """`seconds` for one reading; `body_bytes` of the answer, of which no more than a piece is
    held."""

    seconds: float = 20.0
    body_bytes: int = 1024 * 1024 * 1024


class MasterReader:
    """Reads, one thing at a time; `close` from another thread ends what is under way."""

    def __init__(
        self,
        detector: MasterDetector,
        *,
        credentials: Credentials | None = None,
        limits: StateLimits | None = None,
    ) -> None:
        self._detector = detector
        self._limits = limits or StateLimits()
        self._headers: Mapping[str, str] = {"Accept": "application/json"}
        if credentials is not None:
            self._headers = {**self._headers, "Authorization": credentials.authorization()}
        self._lock = threading.Lock()
        self._closed = False
        self._exchange: Exchange | None = None

    def read(self, paths: Sequence[str], reading: Reading[T]) -> T:
        """What the leading master has at the first of `paths` that it knows.

        Takes `limits.seconds` at most (resolving the master's name comes on top).  Raises
        Unreadable, as NotThere when it knows none of them.
        """
        try:
            self._feed(paths, reading.feed)
            return reading.result()
        except (NotSent, AnswerLost, BadUsage) as error:
            raise Unreadable(str(error)) from error
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise Unreadable(f"the master's state makes no sense: {error!r:.200}") from error

    def close(self) -> None:
        """Give up what is under way, and what may come.  Does not block."""
        with self._lock:
            self._closed = True
            if self._exchange is not None:
                self._exchange.cut()

    def _feed(self, given: Sequence[str], sink: Sink) -> None:
        deadline = time.monotonic() + self._limits.seconds
        leading = self._detector.leading()
        if leading is None:
            raise Unreadable(self._detector.why_none())
        address, paths, redirects = MasterAddress.parse(leading), list(given), 0
        while True:
            answer = self._get(address, paths[0], deadline, sink)
            if answer.status == 404 and len(paths) > 1:
                paths.pop(0)
            elif answer.status == 404:
                raise NotThere(f"{address} answered 404: {answer.text}")
            elif answer.status == 307 and redirects < _REDIRECTS_MAX:
                redirects += 1
                address = MasterAddress.of_redirect(answer.location)
            elif answer.status == 307:
                raise Unreadable(f"redirected more than {_REDIRECTS_MAX} times, last by {address}")
            elif answer.status != 200:
                raise Unreadable(f"{address} answered {answer.status}: {answer.text}")
            elif not answer.complete:
                raise Unreadable(f"the state of {address} {self._why_incomplete(answer)}")
            else:
                return

    def _get(self, address: MasterAddress, path: str, deadline: float, sink: Sink) -> Answer:
        exchange = Exchange(
            address,
            seconds=max(0.0, deadline - time.monotonic()),
            body_bytes_max=self._limits.body_bytes,
        )
        with self._lock:
            if self._closed:
                raise Unreadable("the Mesos adapter was closed")
            self._exchange = exchange
        try:
            return exchange.run(Request(method="GET", path=path, headers=self._headers), sink)
        finally:
            with self._lock:
                self._exchange = None

    def _why_incomplete(self, answer: Answer) -> str:
        if answer.received > self._limits.body_bytes:
            return f"is larger than {self._limits.body_bytes} bytes"
        return f"ended or stalled after {answer.received} bytes"
