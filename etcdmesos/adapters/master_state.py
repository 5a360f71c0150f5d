"""Reads a Mesos master's `/state` over plain HTTP: the port for ReadMasterState.

Nothing here changes anything at the master, so every failure is a CommandFailed.  What the state
means is `etcdmesos.mesos.master_state`'s.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping

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
)
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.cluster.commands import Command, ReadMasterState
from etcdmesos.cluster.events import CommandFailed, Event, MasterStateRead
from etcdmesos.errors import BadUsage, EtcdMesosError
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.ports import Post

logger = logging.getLogger(__name__)

_PATHS = ("/state", "/master/state", "/state.json")
"""In this order: masters before 1.8 have the last one, and proxies may pass on only the second."""
_REDIRECTS_MAX = 3
_CLOSE_SECONDS = 2.0


class _Unreadable(EtcdMesosError):
    """There is no state to be had; the text says why."""


@frozen(kw_only=True)
class StateLimits:
    """`seconds` for one reading, waiting for its turn apart; `body_bytes` of the answer."""

    seconds: float = 20.0
    body_bytes: int = 64 * 1024 * 1024


class MasterStateReader:
    """A CommandPort for ReadMasterState alone.

    Ends in MasterStateRead or CommandFailed within twice `limits.seconds` of being submitted
    (resolving the master's name comes on top).  Follows at most 3 redirects to the leading master.
    """

    carries_out: tuple[type, ...] = (ReadMasterState,)

    def __init__(
        self,
        *,
        detector: MasterDetector,
        framework_name: str,
        post: Post[Event],
        credentials: Credentials | None = None,
        limits: StateLimits | None = None,
    ) -> None:
        """`framework_name`: the frameworks of this name are what the state is read for."""
        self._detector = detector
        self._framework_name = framework_name
        self._post = post
        self._limits = limits or StateLimits()
        self._headers: Mapping[str, str] = {"Accept": "application/json"}
        if credentials is not None:
            self._headers = {**self._headers, "Authorization": credentials.authorization()}
        self._lock = threading.Lock()
        self._exchange: Exchange | None = None
        self._worker = OrderedWorker("mesos-state")

    def submit(self, command: Command) -> None:
        """Begin to read.  Returns at once and does not raise."""
        assert isinstance(command, ReadMasterState)
        submitted = time.monotonic()
        try:
            self._worker.do(lambda: self._carry_out(command, submitted))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the Mesos adapter is closed"))

    def close(self) -> None:
        """Give up what is under way.  Takes 2 s at the very most."""
        self._worker.close()
        with self._lock:
            if self._exchange is not None:
                self._exchange.cut()
        self._worker.join(_CLOSE_SECONDS)

    def _carry_out(self, command: ReadMasterState, submitted: float) -> None:
        try:
            if time.monotonic() - submitted > self._limits.seconds:
                raise _Unreadable(f"waited {self._limits.seconds:g} s behind other readings")
            state = self._parse(self._read())
        except (_Unreadable, NotSent, AnswerLost, BadUsage) as error:
            self._post(CommandFailed(command=command, reason=str(error)))
        except Exception as error:
            logger.exception("reading the master's state failed in an error of the adapter's own")
            reason = f"error in the adapter: {type(error).__name__}"
            self._post(CommandFailed(command=command, reason=reason))
        else:
            self._post(MasterStateRead(state=state, subscription=command.subscription))

    def _read(self) -> bytes:
        """The body of the leading master's state."""
        deadline = time.monotonic() + self._limits.seconds
        leading = self._detector.leading()
        if leading is None:
            raise _Unreadable(self._detector.why_none())
        address, paths, redirects = MasterAddress.parse(leading), list(_PATHS), 0
        while True:
            answer = self._get(address, paths[0], deadline)
            if answer.status == 404 and len(paths) > 1:
                paths.pop(0)
            elif answer.status == 307 and redirects < _REDIRECTS_MAX:
                redirects += 1
                address = MasterAddress.of_redirect(answer.location)
            elif answer.status == 307:
                raise _Unreadable(f"redirected more than {_REDIRECTS_MAX} times, last by {address}")
            elif answer.status != 200:
                raise _Unreadable(f"{address} answered {answer.status}: {answer.text}")
            elif not answer.complete:
                raise _Unreadable(f"the state of {address} {self._why_incomplete(answer)}")
            else:
                return answer.body

    def _get(self, address: MasterAddress, path: str, deadline: float) -> Answer:
        exchange = Exchange(
            address,
            seconds=max(0.0, deadline - time.monotonic()),
            body_bytes_max=self._limits.body_bytes,
        )
        with self._lock:
            if self._worker.closed:
                raise _Unreadable("the Mesos adapter was closed")
            self._exchange = exchange
        try:
            return exchange.run(Request(method="GET", path=path, headers=self._headers))
        finally:
            with self._lock:
                self._exchange = None

    def _why_incomplete(self, answer: Answer) -> str:
        if len(answer.body) > self._limits.body_bytes:
            return f"is larger than {self._limits.body_bytes} bytes"
        return f"ended or stalled after {len(answer.body)} bytes"

    def _parse(self, body: bytes) -> MasterState:
        try:
            return MasterState.from_json(json.loads(body), self._framework_name)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise _Unreadable(f"the master's state makes no sense: {error!r:.200}") from error
