"""The executor's port to its agent: carries out what is asked of it, posts what it hears.

Built on pymesos' executor driver: its requests, its dispatch of events.  Overridden is what would
hurt: it keeps no updates for the agent's return (the core does, and names them in Subscribe), it
kills its own process group when the agent goes or says SHUTDOWN (etcd is to be stopped in order),
any exception or refusal ends its thread and interrupts the main one, and it reconnects by itself.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import logging
import math
import os
import select
import threading
import time
from collections.abc import Mapping
from typing import Any

from etcdmesos.adapters.mesos_http import AnswerLost, Exchange, MasterAddress, NotSent, Request
from etcdmesos.adapters.mesos_stream import EventStream, Redirected, StreamEnded
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.adapters.pymesos_import import MesosExecutorDriver
from etcdmesos.errors import BadUsage
from etcdmesos.executor.commands import SendMessage, SendUpdate, Subscribe
from etcdmesos.executor.events import (
    Disconnected,
    KillAsked,
    MessageReceived,
    ShutdownAsked,
    Subscribed,
    TaskLaunched,
    UpdateAcknowledged,
)
from etcdmesos.executor.model import Update
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandDone, CommandFailed, CommandUnknown, Event

log = logging.getLogger(__name__)

SUBSCRIBE_WITHIN = 10.0
CALL_WITHIN = 10.0
CLOSE_WITHIN = 2.0
_PATH = "/api/v1/executor"
_ANSWER_BYTES_MAX = 64 * 1024


class AgentStream(EventStream):
    """An agent's event stream, which carries no stream id."""

    peer = "agent"
    fenced = False


class MesosExecutor:
    """A CommandPort for one executor.

    Subscribe ends within `SUBSCRIBE_WITHIN` seconds in Subscribed or Disconnected; an established
    subscription ends in exactly one Disconnected.  SendUpdate ends within `CALL_WITHIN` seconds of
    its turn in CommandDone (the agent took it), CommandFailed (not reached, refused) or
    CommandUnknown (the answer was lost); so does SendMessage, on a thread of its own.
    """

    carries_out: tuple[type, ...] = (Subscribe, SendUpdate, SendMessage)

    def __init__(self, post: Post[Event]) -> None:
        """Connects to nothing yet.  The agent is told by MESOS_* variables, as pymesos reads."""
        self._post = post
        self._stamps = Timestamps()
        self._subscription: AgentSubscription | None = None
        self._calls = OrderedWorker("agent-calls")
        self._messages = OrderedWorker("agent-messages")

    def submit(self, command: Command, /) -> None:
        """Begin `command`.  Returns at once."""
        match command:
            case Subscribe():
                self._subscribe(command)
            case SendUpdate():
                self._do(self._calls, command)
            case SendMessage():
                self._do(self._messages, command)
            case _:
                self._post(CommandFailed(command=command, reason="not for this port"))

    def close(self) -> None:
        """End the subscription and the threads."""
        self._calls.close()
        self._messages.close()
        if self._subscription is not None:
            self._subscription.stop()
            self._subscription.join(CLOSE_WITHIN)
        self._calls.join(CLOSE_WITHIN)
        self._messages.join(CLOSE_WITHIN)

    def _do(self, worker: OrderedWorker, command: SendUpdate | SendMessage) -> None:
        subscription = self._subscription
        try:
            worker.do(lambda: self._send(command, subscription))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the executor is closing"))

    def _subscribe(self, command: Subscribe) -> None:
        if self._subscription is not None:
            self._subscription.stop()
        try:
            self._subscription = AgentSubscription(command, self._post, self._stamps)
            self._subscription.start()
        except (OSError, RuntimeError, BadUsage) as error:
            self._post(Disconnected(reason=f"could not begin to subscribe: {error}"))

    def _send(
        self, command: SendUpdate | SendMessage, subscription: AgentSubscription | None
    ) -> None:
        try:
            if subscription is None:
                raise NotSent("not subscribed")
            if isinstance(command, SendMessage):
                subscription.sendFrameworkMessage(base64.b64encode(command.data).decode("ascii"))
            else:
                subscription.sendStatusUpdate(status_json(command.update, self._stamps))
        except NotSent as error:
            self._post(CommandFailed(command=command, reason=str(error)))
        except AnswerLost as error:
            self._post(CommandUnknown(command=command, reason=str(error)))
        except Exception as error:
            log.exception("a call failed in an error of the adapter's own")
            self._post(CommandUnknown(command=command, reason=f"error in the executor: {error!r}"))
        else:
            self._post(CommandDone(command=command))


class AgentSubscription(MesosExecutorDriver):  # type: ignore[misc]
    """One SUBSCRIBE and, if the agent takes it, the stream of events until it ends."""

    def __init__(self, command: Subscribe, post: Post[Event], stamps: Timestamps) -> None:
        """Raises BadUsage when MESOS_AGENT_ENDPOINT is no host:port."""
        super().__init__(None)
        self._address = MasterAddress.parse(os.environ["MESOS_AGENT_ENDPOINT"])
        self._master = str(self._address)
        self._post = post
        self._stamps = stamps
        # pymesos names these two in its SUBSCRIBE.
        self.tasks = dict(enumerate(json.loads(task) for task in command.tasks))
        self.updates = {u.uuid: {"status": status_json(u, stamps)} for u in command.updates}
        self._subscribed = False
        self._stopped = False
        self._exchange: Exchange | None = None
        self._wakeup_fds: tuple[int, int] | None = None

    def start(self) -> None:
        """Begin on a thread of its own.  Raises OSError or RuntimeError if there can be none."""
        self._wakeup_fds = os.pipe()
        self._started = True
        self._io_thread = threading.Thread(target=self._run, name="agent-events", daemon=True)
        self._io_thread.start()

    def stop(self) -> None:
        """End the subscription and whatever call is under way.  Returns at once."""
        with self._lock:
            self._stopped = True
            self._started = self._subscribed = False
            exchange = self._exchange
        if exchange is not None:
            exchange.cut()
        self._notify()

    def join(self, seconds: float = CLOSE_WITHIN) -> None:
        """Wait for the thread to end, at most `seconds`."""
        if self._io_thread is not None:
            self._io_thread.join(seconds)

    def change_master(self, master: str) -> None:
        """Nothing: an executor has one agent."""

    def on_close(self) -> None:
        """Nothing: the end is told once, with its reason, by `_run`."""

    # The thread

    def _run(self) -> None:
        reason = "an error in the adapter, which its log shows"
        try:
            self._read()
        except StreamEnded as ended:
            reason = str(ended)
        except Redirected as redirected:
            reason = f"the agent {redirected}"
        except Exception:
            log.exception("the subscription ended in an error of its own")
        finally:
            with self._lock:
                self._started = self._subscribed = False
                descriptors: tuple[int, ...] = self._wakeup_fds or ()
                self._wakeup_fds = None
            for descriptor in descriptors:
                os.close(descriptor)
            self._post(Disconnected(reason=reason))

    def _read(self) -> None:
        """Raises StreamEnded or Redirected, never returns."""
        assert self._wakeup_fds is not None
        deadline = time.monotonic() + SUBSCRIBE_WITHIN
        with contextlib.closing(AgentStream(self._address, self)) as stream:
            poll = select.poll()
            poll.register(self._wakeup_fds[0], select.POLLIN)
            poll.register(stream.fileno(), select.POLLIN | select.POLLOUT)
            while True:
                # Agents promise no heartbeat; they are on this host, and their end is seen.
                wait = None if self._subscribed else max(0.0, deadline - time.monotonic())
                ready = dict(poll.poll(None if wait is None else math.ceil(wait * 1000)))
                if self._stopped:
                    raise StreamEnded("closed")
                events = ready.get(stream.fileno(), 0)
                if not events:
                    raise StreamEnded(f"{stream.state()} within {SUBSCRIBE_WITHIN:g} s")
                stream.finish_connecting()
                if events & select.POLLOUT and stream.want_write():
                    stream.write()
                if not stream.want_write():
                    poll.modify(stream.fileno(), select.POLLIN)
                if events & ~select.POLLOUT:
                    stream.read()

    # Events

    def process_event(self, event: object) -> None:
        """Hand on one event; whatever is wrong with it is logged and skipped."""
        try:
            super().process_event(event)
        except StreamEnded:
            raise
        except Exception:
            kind = event.get("type") if isinstance(event, Mapping) else None
            log.exception("skipped an event that could not be read", extra={"type": str(kind)[:80]})

    def on_subscribed(self, info: Mapping[str, Any]) -> None:
        del info
        with self._lock:
            self._subscribed = not self._stopped
        self._post(Subscribed())

    def on_launch(self, event: Mapping[str, Any]) -> None:
        self._launched(event["task"])

    def on_launch_group(self, event: Mapping[str, Any]) -> None:
        for task in event["task_group"]["tasks"]:
            self._launched(task)

    def _launched(self, task: Mapping[str, Any]) -> None:
        data = str(task.get("data", ""))
        try:
            decoded = base64.b64decode(data, validate=True)
        except binascii.Error:
            decoded = data.encode()  # the core will say what is wrong with it
        self._post(
            TaskLaunched(task_id=task["task_id"]["value"], data=decoded, task_info=json.dumps(task))
        )

    def on_kill(self, event: Mapping[str, Any]) -> None:
        period = event.get("kill_policy", {}).get("grace_period")
        grace = None if period is None else float(period["nanoseconds"]) / 1e9
        self._post(KillAsked(task_id=event["task_id"]["value"], grace_seconds=grace))

    def on_acknowledged(self, event: Mapping[str, Any]) -> None:
        uuid = base64.b64decode(event["uuid"]).hex()
        self._stamps.forget(uuid)
        self._post(UpdateAcknowledged(task_id=event["task_id"]["value"], uuid=uuid))

    def on_message(self, event: Mapping[str, Any]) -> None:
        self._post(MessageReceived(data=base64.b64decode(event["data"])))

    def on_error(self, event: Mapping[str, Any]) -> None:
        raise StreamEnded(f"the agent sent ERROR: {event.get('message', '')}")

    def on_shutdown(self) -> None:
        self._post(ShutdownAsked(by="the agent says so"))

    # Calls

    def _send(
        self,
        body: Mapping[str, Any],
        path: str = _PATH,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One call, one connection.  Raises NotSent or AnswerLost."""
        with self._lock:
            if not self._subscribed:
                raise NotSent("not subscribed")
            exchange = self._exchange = Exchange(
                self._address, seconds=CALL_WITHIN, body_bytes_max=_ANSWER_BYTES_MAX
            )
        sent = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
        request = Request(method=method, path=path, headers=sent, body=json.dumps(body).encode())
        try:
            answer = exchange.run(request)
        finally:
            with self._lock:
                self._exchange = None
        if 200 <= answer.status < 300:
            return {}
        reason = f"the agent answered {answer.status}: {answer.text}"
        if 300 <= answer.status < 500 or answer.status == 503:
            raise NotSent(reason)
        raise AnswerLost(reason)


class Timestamps:
    """When each update was first put into words; one sent again says the same.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, float] = {}

    def of(self, uuid: str) -> float:
        """Seconds since the epoch."""
        with self._lock:
            return self._of.setdefault(uuid, time.time())

    def forget(self, uuid: str) -> None:
        """The update was acknowledged and is not sent again."""
        with self._lock:
            self._of.pop(uuid, None)


def status_json(update: Update, stamps: Timestamps) -> dict[str, Any]:
    """The v1 API's TaskStatus of an update."""
    status: dict[str, Any] = {
        "task_id": {"value": update.task_id},
        "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
        "state": update.state,
        "source": "SOURCE_EXECUTOR",
        "uuid": base64.b64encode(bytes.fromhex(update.uuid)).decode("ascii"),
        "timestamp": stamps.of(update.uuid),
    }
    if update.message:
        status["message"] = update.message
    if update.reason:
        status["reason"] = update.reason
    if update.healthy is not None:
        status["healthy"] = update.healthy
    if update.data:
        status["data"] = base64.b64encode(update.data.encode()).decode("ascii")
    return status
