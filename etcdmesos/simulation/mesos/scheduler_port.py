"""A scheduler's port to Mesos, with the manners of `adapters.mesos_scheduler` and `master_state`.

Commands are carried out one after the other, each under the subscription that was current when it
was submitted; one Subscribe is one attempt; nothing is retried.  Nothing is decided here.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from etcdmesos.cluster.commands import (
    Acknowledge,
    Command,
    Decline,
    Kill,
    Launch,
    ReadMasterState,
    Reconcile,
    Revive,
    SendMessage,
    Shutdown,
    Subscribe,
    Suppress,
    Teardown,
)
from etcdmesos.cluster.events import (
    CommandDone,
    CommandFailed,
    CommandUnknown,
    Event,
    MasterStateRead,
)
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.ports import Post
from etcdmesos.simulation.channel import Channels
from etcdmesos.simulation.mesos.master import MASTER, Call, ReadState, Refusal
from etcdmesos.simulation.mesos.options import FrameworkInfo
from etcdmesos.simulation.mesos.subscription import Subscription
from etcdmesos.simulation.network import CallFailure

__all__ = ["SchedulerPort"]

CALL_SECONDS = 10.0
STATE_SECONDS = 20.0


class SchedulerPort:
    """A CommandPort for one scheduler process on the party `party`."""

    carries_out: tuple[type, ...] = (
        Subscribe,
        ReadMasterState,
        Launch,
        Decline,
        Suppress,
        Revive,
        Acknowledge,
        Reconcile,
        Kill,
        Shutdown,
        SendMessage,
        Teardown,
    )

    def __init__(
        self, channels: Channels, party: str, post: Post[Event], info: FrameworkInfo
    ) -> None:
        self._channels = channels
        self._network = channels.network
        self._party = party
        self._post = post
        self._info = info
        self._subscription: Subscription | None = None
        self._jobs: deque[tuple[Command, Subscription | None, float]] = deque()
        self._under_way: tuple[Command, Subscription] | None = None
        self._closed = False

    def submit(self, command: Command, /) -> None:
        """Begin `command`."""
        if isinstance(command, ReadMasterState):
            self._read_state(command)
            return
        if isinstance(command, Subscribe):
            self._end("closed in favour of a new subscription")
            self._subscription = Subscription(
                self._channels, self._party, self._post, self._info, command.framework_id
            )
        self._jobs.append((command, self._subscription, self._network.clock.now))
        self._next()

    def close(self) -> None:
        """The process ends: its connections do."""
        self._closed = True
        self._jobs.clear()
        self._end("the Mesos adapter was closed")

    def _end(self, reason: str) -> None:
        subscription = self._subscription
        if subscription is None:
            return
        subscription.end(reason)
        if self._under_way is not None and self._under_way[1] is subscription:
            # The real adapter cuts the call's connection.
            command, _ = self._under_way
            self._under_way = None
            self._post(CommandUnknown(command=command, reason=reason))

    # Calls

    def _next(self) -> None:
        while self._jobs and self._under_way is None:
            command, subscription, submitted = self._jobs.popleft()
            if isinstance(command, Subscribe):
                assert subscription is not None
                subscription.start()
            else:
                self._carry_out(command, subscription, submitted)

    def _carry_out(
        self, command: Command, subscription: Subscription | None, submitted: float
    ) -> None:
        problem = self._problem(command, subscription, submitted)
        if problem or subscription is None:
            self._post(CommandFailed(command=command, reason=problem))
        elif isinstance(command, Acknowledge) and not command.status.uuid:
            # Without a uuid there is nothing to acknowledge: the master speaks for itself.
            self._post(CommandDone(command=command))
        elif not subscription.up:
            self._post(CommandFailed(command=command, reason="not subscribed"))
        else:
            under_way = self._under_way = (command, subscription)
            self._network.call(
                self._party,
                MASTER,
                Call(subscription.framework_id, subscription.stream_id, command),
                CALL_SECONDS,
                lambda answer: self._answered(under_way, answer),
            )

    def _problem(
        self, command: Command, subscription: Subscription | None, submitted: float
    ) -> str:
        if subscription is None:
            return "not subscribed"
        if self._network.clock.now - submitted > CALL_SECONDS:
            return f"waited {CALL_SECONDS:g} s behind other calls"
        if isinstance(command, Launch) and not command.tasks:
            return "there is no task to launch"
        return ""

    def _answered(self, under_way: tuple[Command, Subscription], answer: Any) -> None:
        if self._under_way is not under_way or self._closed:
            return
        self._under_way = None
        command = under_way[0]
        if answer is None:
            self._post(CommandDone(command=command))
        elif isinstance(answer, Refusal):
            reason = f"the master answered {answer.status}: {answer.text}"
            self._post(CommandFailed(command=command, reason=reason))
        elif answer in (CallFailure.REFUSED, CallFailure.NO_CONNECTION):
            self._post(CommandFailed(command=command, reason=answer.value))
        else:
            self._post(CommandUnknown(command=command, reason=answer.value))
        self._next()

    # The state

    def _read_state(self, command: ReadMasterState) -> None:
        request = ReadState(self._info.name)
        self._network.call(
            self._party,
            MASTER,
            request,
            STATE_SECONDS,
            lambda answer: self._state_read(command, answer),
        )

    def _state_read(self, command: ReadMasterState, answer: Any) -> None:
        if self._closed:
            return
        if isinstance(answer, MasterState):
            self._post(MasterStateRead(state=answer, subscription=command.subscription))
        else:
            reason = answer.text if isinstance(answer, Refusal) else answer.value
            self._post(CommandFailed(command=command, reason=reason))
