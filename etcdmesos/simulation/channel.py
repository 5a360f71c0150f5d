"""A TCP connection that stands: between agent and master, scheduler and master, executor and agent.

What is sent arrives in order or not at all.  A cut way holds it back until it heals, as TCP does by
sending again; the end of a process is told to the other side as soon as the way is open; the loss
of power is only told once the host is back.  Nothing here knows what is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.network import Message, Network

__all__ = ["Channel", "Channels", "End"]

GIVEN_UP_AFTER = 924.0
"""Seconds until Linux gives up sending again (tcp_retries2 = 15)."""


class Channels:
    """All connections that stand, so that those held up go on when a way heals."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._held_up: dict[int, End] = {}
        network.on_change.append(self._go_on)

    def open(self, client: str, server: str) -> Channel:
        """A connection between two parties; whether it can come about is the caller's to see."""
        return Channel(self, client, server)

    def hold_up(self, end: End) -> None:
        """Remember an end with something to deliver that can't be."""
        self._held_up[id(end)] = end

    def _go_on(self) -> None:
        held_up, self._held_up = self._held_up, {}
        for end in held_up.values():
            end.pump()


class End:
    """One end of a connection: `send` from here, `on_end` when the other end is gone."""

    __slots__ = (
        "_channels", "_clock", "_held_since", "_last", "_network", "_queue", "_timer", "closed",
        "on_end", "other", "party",
    )  # fmt: skip

    other: End

    def __init__(self, channels: Channels, party: str) -> None:
        self.party = party
        self.closed = False
        self.on_end: Callable[[], None] | None = None
        self._channels = channels
        self._network, self._clock = channels.network, channels.network.clock
        # What is on its way to this end.
        self._queue: deque[tuple[float, Callable[..., object], Any]] = deque()
        self._last = 0.0
        self._timer: Timer | None = None
        self._held_since: float | None = None

    def send(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have `function(*arguments)` called at the other end, after all that was sent before."""
        if self.closed:
            return
        network = self._network
        extra = 0.0
        if network.fate is not None and self.party != self.other.party:
            fate = network.fate(Message.PEER, self.party, self.other.party)
            if fate is None:
                self.reset()
                return
            extra = fate
        self._queue_there(extra, function, arguments)

    def _queue_there(self, extra: float, function: Callable[..., object], arguments: Any) -> None:
        there = self.other
        delay = self._network.latency(self.party, there.party) + extra
        due = self._clock.now + delay
        if due < there._last:
            due = there._last
        there._last = due
        there._queue.append((due, function, arguments))
        if there._timer is None or not there._timer.pending:
            there._timer = self._clock.call_at(due, there.pump)

    def pump(self) -> None:
        """Deliver what is due here."""
        queue, now = self._queue, self._clock.now
        while queue:
            due, function, arguments = queue[0]
            if due > now:
                if self._timer is None or not self._timer.pending:
                    self._timer = self._clock.call_at(due, self.pump)
                return
            if not self._network.is_open(self.other.party, self.party):
                if self._held_since is None:
                    self._held_since = now
                self._channels.hold_up(self)
                return
            self._held_since = None
            queue.popleft()
            if not self.closed:
                function(*arguments)
        self._held_since = None

    @property
    def given_up(self) -> bool:
        """Whether what was sent from here has been waiting so long that TCP gives up."""
        since = self.other._held_since
        return since is not None and self._clock.now - since > GIVEN_UP_AFTER

    def close(self) -> None:
        """This end's process closes it, or has ended."""
        if self.closed:
            return
        self.closed = True
        self._queue.clear()
        if not self._network.is_open(self.party, self.party):
            # Without power, what had not left is lost, too.
            self.other._queue.clear()
        self._queue_there(0.0, self.other._ended, ())

    def _ended(self) -> None:
        if not self.closed:
            self.closed = True
            self._queue.clear()
            if self.on_end is not None:
                self.on_end()

    def reset(self) -> None:
        """The connection breaks: both ends learn of it, what is on its way is lost."""
        for end in (self, self.other):
            end._queue.clear()
            self._clock.call_after(0.0, end._ended)


class Channel:
    """The two ends."""

    __slots__ = ("client", "server")

    def __init__(self, channels: Channels, client: str, server: str) -> None:
        self.client = End(channels, client)
        self.server = End(channels, server)
        self.client.other, self.server.other = self.server, self.client
