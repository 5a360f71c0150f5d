"""One attempt to subscribe at a Mesos master, and the calls made under that subscription.

Built on pymesos' driver: its calls, its dispatch of events, its thread that is woken by a pipe.
Overridden is what would hurt in production: no TEARDOWN but on a Teardown command, no reconnecting
by itself, a heartbeat deadline, no exception that ends the process, no call outside its
subscription.  No decision belongs here, and no queue: ordering calls is `mesos_scheduler`'s.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from etcdmesos.adapters.mesos_events import SubscriptionEvents
from etcdmesos.adapters.mesos_framework import FrameworkDescription, MasterDetector
from etcdmesos.adapters.mesos_http import (
    AnswerLost,
    Credentials,
    Exchange,
    MasterAddress,
    NotSent,
    Request,
)
from etcdmesos.adapters.mesos_stream import EventStream, Redirected, StreamEnded
from etcdmesos.adapters.pymesos_import import MesosSchedulerDriver
from etcdmesos.errors import BadUsage

logger = logging.getLogger(__name__)

_SCHEDULER_PATH = "/api/v1/scheduler"
_REDIRECTS_MAX = 3
_HEARTBEAT_SECONDS = 15.0
_ANSWER_BYTES_MAX = 64 * 1024
_EVENT_TYPES = frozenset(
    {
        "SUBSCRIBED",
        "OFFERS",
        "INVERSE_OFFERS",
        "RESCIND",
        "RESCIND_INVERSE_OFFER",
        "UPDATE",
        "UPDATE_OPERATION_STATUS",
        "MESSAGE",
        "FAILURE",
        "ERROR",
        "HEARTBEAT",
    }
)


@frozen(kw_only=True)
class Limits:
    """How long the adapter waits for a master, in seconds where not said otherwise."""

    subscribe_seconds: float = 10.0
    """From a Subscribe's turn to the SUBSCRIBED event, redirects included."""
    call_seconds: float = 10.0
    """For a call's turn to come, and again for its answer."""
    missed_heartbeats: float = 3.0
    """How many heartbeat intervals may pass without any event."""


def _as_it_is(value: Any) -> Any:
    return value


class Subscription(MesosSchedulerDriver):  # type: ignore[misc]
    """One SUBSCRIBE and, if the master takes it, the stream of events until it ends.

    Used once: `start`, then calls, then `stop`.  A call returns when the master took it; it raises
    NotSent (certainly not carried out) or AnswerLost (nobody can tell).  One call at a time.
    """

    def __init__(
        self,
        *,
        detector: MasterDetector,
        framework: FrameworkDescription,
        framework_id: str,
        credentials: Credentials | None,
        events: SubscriptionEvents,
        limits: Limits,
    ) -> None:
        # failover=True: pymesos tears the framework down at its end unless told so.
        super().__init__(
            events, {}, "", use_addict=False, implicit_acknowledgements=False, failover=True
        )
        # pymesos would copy each offer before looking at it, and raise on one that is no object.
        self._dict_cls = _as_it_is
        if framework_id:
            self.framework_id = framework_id
        self._master_detector = detector
        self._description = framework
        self._authorization = credentials.authorization() if credentials else None
        # pymesos' own encoding raises on a secret that is not ASCII, with the secret in the error.
        self._basic_credential = self._authorization
        self._events = events
        self._limits = limits
        self._stop_reason: str | None = None
        self._subscribed = False
        self._heartbeat_seconds = _HEARTBEAT_SECONDS
        self._address: MasterAddress | None = None
        self._exchange: Exchange | None = None
        self._wakeup_fds: tuple[int, int] | None = None
        self._call_reached_send = False
        self.leading: str | None = None
        """The master that led when this began, however it was redirected since."""

    # Its life

    def start(self) -> None:
        """Begin on a thread of its own.  Raises OSError or RuntimeError if there can be none."""
        with self._lock:
            self._wakeup_fds = os.pipe()
            self._started = self._stop_reason is None
        self._io_thread = threading.Thread(target=self._run, name="mesos-subscription", daemon=True)
        try:
            self._io_thread.start()
        except RuntimeError:
            self._close_wakeup()
            raise

    def stop(self, failover: bool = True, *, reason: str = "closed") -> None:
        """End the subscription and whatever call is under way; never the framework.

        `failover` is pymesos' and ignored: there is no way to a TEARDOWN from here.  Returns at
        once.
        """
        del failover
        with self._lock:
            self._stop_reason = self._stop_reason or reason
            self._started = self._subscribed = False
            exchange = self._exchange
        if exchange is not None:
            exchange.cut()
        self._notify()

    def join(self, seconds: float = 2.0) -> None:
        """Wait for the thread to end, at most `seconds`."""
        if self._io_thread is not None:
            self._io_thread.join(seconds)

    def _shutdown(self) -> None:
        """pymesos' place for the TEARDOWN: nothing."""

    def change_master(self, master: str) -> None:
        """Nothing: a redirect is followed by `_live`, and one Subscribe is one attempt."""

    # The thread

    def _run(self) -> None:
        reason = "an error in the adapter, which its log shows"
        try:
            reason = self._live()
        except Exception:
            logger.exception("the Mesos subscription ended in an error of its own")
        finally:
            with self._lock:
                self._started = self._subscribed = False
                self._stream_id = None
                self._close_wakeup()
            # The controller says it, too, and once: this comes with every attempt.
            logger.debug("Mesos subscription ended", extra={"reason": reason})
            self._events.ended(reason)

    def _close_wakeup(self) -> None:
        with self._lock:
            descriptors: tuple[int, ...] = self._wakeup_fds or ()
            self._wakeup_fds = None
        for descriptor in descriptors:
            os.close(descriptor)

    def _live(self) -> str:
        """Subscribe, read until it ends, and say why it ended."""
        deadline = time.monotonic() + self._limits.subscribe_seconds
        leading = self._master_detector.leading()
        if leading is None:
            return self._master_detector.why_none()
        self.leading = leading
        try:
            address = MasterAddress.parse(leading)
        except BadUsage as error:
            return str(error)
        for _ in range(1 + _REDIRECTS_MAX):
            try:
                self._read_from(address, deadline)
            except StreamEnded as ended:
                return self._stop_reason or str(ended)
            except Redirected as redirected:
                logger.info("redirected", extra={"master": str(redirected.address)})
                address = redirected.address
        return f"redirected more than {_REDIRECTS_MAX} times, last to {address}"

    def _read_from(self, address: MasterAddress, deadline: float) -> None:
        """Raises StreamEnded or Redirected, never returns."""
        with self._lock:
            if self._stop_reason is not None:
                raise StreamEnded(self._stop_reason)
            self._master, self._address = str(address), address
            assert self._wakeup_fds is not None
            wakeup = self._wakeup_fds[0]
        with contextlib.closing(EventStream(address, self)) as stream:
            poll = select.poll()
            poll.register(wakeup, select.POLLIN)
            poll.register(stream.fileno(), select.POLLIN | select.POLLOUT)
            while True:
                wait = max(0.0, deadline - time.monotonic())
                ready = dict(poll.poll(math.ceil(wait * 1000)))
                if wakeup in ready:
                    raise StreamEnded(self._stop_reason or "closed")
                if stream.fileno() not in ready:
                    raise self._too_late(stream)
                records = stream.records
                self._exchange_bytes(stream, ready[stream.fileno()])
                if not stream.want_write():
                    poll.modify(stream.fileno(), select.POLLIN)
                # Events count and not bytes, or a broken length could starve us for ever.
                if self._subscribed and stream.records > records:
                    deadline = time.monotonic() + self._silence_seconds

    @staticmethod
    def _exchange_bytes(stream: EventStream, ready: int) -> None:
        stream.finish_connecting()
        if ready & select.POLLOUT and stream.want_write():
            stream.write()
        if ready & ~select.POLLOUT:
            stream.read()

    @property
    def _silence_seconds(self) -> float:
        return self._heartbeat_seconds * self._limits.missed_heartbeats

    def _too_late(self, stream: EventStream) -> StreamEnded:
        if self._subscribed:
            return StreamEnded(f"no heartbeat from {self._address} for {self._silence_seconds:g} s")
        return StreamEnded(f"{stream.state()} within {self._limits.subscribe_seconds:g} s")

    # What pymesos' connection asks of its driver

    @property
    def framework(self) -> dict[str, Any]:
        """The FrameworkInfo as described; pymesos would add GPU_RESOURCES by itself."""
        return self._description.to_json(self.framework_id or "")

    def on_close(self) -> None:
        """Nothing: the end is told once, with its reason, by `_run`."""

    def process_event(self, event: object) -> None:
        """Hand on one event; whatever is wrong with it is logged and skipped."""
        kind = event.get("type") if isinstance(event, dict) else None
        if not (isinstance(event, dict) and isinstance(kind, str) and kind in _EVENT_TYPES):
            logger.warning(
                "skipped an event of a type not known here", extra={"type": str(kind)[:80]}
            )
            return
        if not self._subscribed and kind not in ("SUBSCRIBED", "ERROR", "HEARTBEAT"):
            logger.warning("skipped an event before SUBSCRIBED", extra={"type": kind})
            return
        try:
            if kind != "HEARTBEAT" and kind.lower() not in event:
                raise KeyError(kind.lower())
            super().process_event(event)
        except StreamEnded:
            raise
        except Exception as error:
            if kind == "SUBSCRIBED":
                raise StreamEnded(f"{self._address} sent a SUBSCRIBED without sense") from error
            logger.exception("skipped an event that could not be read", extra={"type": kind})

    def on_subscribed(self, info: Mapping[str, Any]) -> None:
        if self._subscribed:
            logger.warning("skipped a second SUBSCRIBED")
            return
        interval = info.get("heartbeat_interval_seconds")
        if isinstance(interval, int | float) and 0 < interval < math.inf:
            self._heartbeat_seconds = float(interval)
        with self._lock:
            self.framework_id = info["framework_id"]["value"]
            self._subscribed = self._stop_reason is None
        super().on_subscribed(info)

    def on_failure(self, failure: Mapping[str, Any]) -> None:
        # The wait status is optional in Mesos' protocol, and pymesos would lose the event.
        super().on_failure({"status": -1, **failure})

    def on_error(self, event: Mapping[str, Any]) -> None:
        message = str(event.get("message", ""))
        self.sched.error(self, message)
        raise StreamEnded(f"the master sent ERROR: {message}")

    # Calls

    def call(self, method: Callable[..., None], *arguments: object) -> None:
        """Make one of pymesos' calls.  Raises NotSent or AnswerLost.

        pymesos' calls return without a word when there is no subscription; that is NotSent here.
        """
        self._call_reached_send = False
        if not self._subscribed:
            raise NotSent("not subscribed")
        method(*arguments)
        if not self._call_reached_send:
            raise NotSent("not subscribed (any more)")

    def send_call(self, kind: str, body: Mapping[str, Any] | None = None) -> None:
        """Make a call that pymesos lacks or makes wrongly, such as SHUTDOWN."""
        message: dict[str, Any] = {"type": kind, "framework_id": {"value": self.framework_id}}
        if body is not None:
            message[kind.lower()] = body
        self._send(message)

    def _send(
        self,
        body: Mapping[str, Any],
        path: str = _SCHEDULER_PATH,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One call, one connection.  pymesos holds its lock meanwhile, which stalls the events."""
        self._call_reached_send = True
        with self._lock:
            if not self._subscribed or self._address is None:
                raise NotSent("not subscribed")
            exchange = self._exchange = Exchange(
                self._address,
                seconds=self._limits.call_seconds,
                body_bytes_max=_ANSWER_BYTES_MAX,
            )
            stream_id = self._stream_id or ""
        sent_headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Mesos-Stream-Id": stream_id,
            **(headers or {}),
        }
        if self._authorization is not None:
            sent_headers["Authorization"] = self._authorization
        request = Request(
            method=method, path=path, headers=sent_headers, body=json.dumps(body).encode()
        )
        try:
            answer = exchange.run(request)
        finally:
            with self._lock:
                self._exchange = None
        if 200 <= answer.status < 300:
            return {}
        reason = f"the master answered {answer.status}: {answer.text}"
        # 307: it does not lead; 503: it has not finished recovery.  Neither takes calls.
        if 300 <= answer.status < 500 or answer.status == 503:
            raise NotSent(reason)
        raise AnswerLost(reason)
