"""One SUBSCRIBE of a scheduler and, if the master takes it, the stream until it ends.

Posts what the real adapter posts, and its end exactly once.
"""

from __future__ import annotations

from typing import Any

from etcdmesos.cluster.events import Disconnected, Event, FrameworkRefused, Subscribed
from etcdmesos.ports import Post
from etcdmesos.simulation.channel import Channel, Channels
from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.mesos.master import MASTER, Refusal, SubscribeCall
from etcdmesos.simulation.mesos.options import FrameworkInfo
from etcdmesos.simulation.network import CallFailure

__all__ = ["Subscription"]

SUBSCRIBE_SECONDS = 10.0
SILENCE_SECONDS = 45.0
"""Three heartbeats."""


class Subscription:
    """Used once: `start`, then `end`."""

    def __init__(
        self,
        channels: Channels,
        party: str,
        post: Post[Event],
        info: FrameworkInfo,
        framework_id: str,
    ) -> None:
        self.framework_id = framework_id
        self.stream_id = 0
        self.up = False
        self._channels = channels
        self._network = channels.network
        self._party = party
        self._post = post
        self._info = info
        self._channel: Channel | None = None
        self._heard = channels.network.clock.now
        self._deadline: Timer | None = None
        self._ended = self._established = self._refused = False

    def start(self) -> None:
        """Make the attempt."""
        if self._ended:
            return
        channel = self._channel = self._channels.open(self._party, MASTER[0])
        channel.client.on_end = lambda: self.end("the master closed the connection")
        request = SubscribeCall(
            self.framework_id, self._info, channel.server, self._head, self.take
        )
        self._deadline = self._network.clock.call_after(SUBSCRIBE_SECONDS, self._too_late)
        # The time-out is kept here: an answer is worth nothing without the events.
        self._network.call(self._party, MASTER, request, 2 * SUBSCRIBE_SECONDS, self._answered)

    def _answered(self, answer: Any) -> None:
        if isinstance(answer, Refusal):
            self.end(f"the master answered {answer.status}: {answer.text}")
        elif isinstance(answer, CallFailure) and not self.up:
            self.end(answer.value)

    def _too_late(self) -> None:
        self.end(f"no answer within {SUBSCRIBE_SECONDS:g} s")

    def _head(self, stream_id: int) -> None:
        self.stream_id = stream_id

    def take(self, event: Event | None) -> None:
        """An event of the stream; None is a heartbeat."""
        if self._ended:
            return
        self._heard = self._network.clock.now
        if isinstance(event, FrameworkRefused):
            self._refused = True
            self._post(event)
            self.end(f"the master sent ERROR: {event.message}")
        elif isinstance(event, Subscribed):
            self._begin(event)
        elif event is not None and self.up:
            self._post(event)

    def _begin(self, event: Subscribed) -> None:
        self.framework_id = event.framework_id
        self.up = self._established = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._network.clock.call_after(SILENCE_SECONDS, self._look)
        self._post(event)

    def _look(self) -> None:
        due = self._heard + SILENCE_SECONDS
        if self._ended:
            return
        if self._network.clock.now >= due:
            self.end(f"no heartbeat from the master for {SILENCE_SECONDS:g} s")
        else:
            self._deadline = self._network.clock.call_at(due, self._look)

    def end(self, reason: str) -> None:
        """It is over; told once, and nothing of it after that."""
        if self._ended:
            return
        self._ended = True
        self.up = False
        if self._deadline is not None:
            self._deadline.cancel()
        if self._channel is not None:
            self._channel.client.close()
        # An attempt that ended in FrameworkRefused has had its one event.
        if self._established or not self._refused:
            self._post(Disconnected(reason=reason))
