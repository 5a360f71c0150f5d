"""The network between named parties: cuts, slow links, lost and late messages, calls.

A party is a host or a service.  What is sent arrives after a drawn latency, unless the way is cut
when it is sent or when it would arrive.  Nothing here knows what is said, and nothing is retried.

Calls behave like TCP: a refused connection, a connection that never comes about, and a connection
that breaks or stays silent after the request has left are different outcomes, because a caller
learns different things from them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from random import Random
from typing import Any, Protocol
from urllib.parse import urlsplit

from attrs import define, field

from etcdmesos.simulation.clock import Clock, Timer
from etcdmesos.simulation.errors import ImpossibleWorld

__all__ = ["CallFailure", "Exchange", "Fate", "Listener", "Message", "Network", "address_of"]

LATENCY = (0.0002, 0.001)
"""Seconds one way within a data centre: between these, drawn evenly."""


class CallFailure(enum.Enum):
    """How a call ended without an answer."""

    REFUSED = "connection refused"
    """The host is there and nobody listens: the request never left."""
    NO_CONNECTION = "no connection"
    """No connection came about in time: the request never left."""
    BROKEN = "the connection was cut before the answer was complete"
    """The process at the other end died, having done what was asked or not."""
    NO_ANSWER = "no answer"
    """Sent, and nothing came back in time: done, not done, or to be done later."""


class Message(enum.Enum):
    """What kind of thing is on its way; for the fault layer to choose by."""

    PEER = "peer"
    REQUEST = "request"
    REPLY = "reply"


Fate = Callable[[Message, str, str], float | None]
"""Decides over one message from source to target: None loses it, a number delays it by seconds."""


class Listener(Protocol):
    """A process that takes calls at an address."""

    def receive(self, request: Any, exchange: Exchange) -> None:
        """Take a request; answer through `exchange.reply`, now, later or never."""
        ...


@define(eq=False)
class Exchange:
    """One call, from its sending until its outcome; told exactly once."""

    network: Network = field(repr=False)
    source: str
    target: str
    timeout: float
    deadline: float
    _done: Callable[[Any], None] | None = field(repr=False)
    _timer: Timer | None = field(default=None, repr=False)
    _silence: CallFailure = CallFailure.NO_CONNECTION

    @property
    def open(self) -> bool:
        """Whether the caller still waits."""
        return self._done is not None

    def reply(self, answer: Any) -> None:
        """Send the answer back; it may be lost on the way."""
        network = self.network
        network.deliver(self.target, self.source, self._end, answer, message=Message.REPLY)

    def reset(self) -> None:
        """The process at the other end is gone; a connection that still stands tells the caller."""
        self.reply(CallFailure.BROKEN)

    def _end(self, outcome: Any) -> None:
        if self._done is None:
            return
        done, self._done = self._done, None
        if self._timer is not None:
            self._timer.cancel()
        done(outcome)

    def _time_out(self) -> None:
        self._end(self._silence)


class Network:
    """All parties and the ways between them."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self.clock = clock
        self.random = random
        self.fate: Fate | None = None
        self.late_probability = 0.0
        """How often a message lost to a cut is kept by TCP and arrives after all when it heals."""
        self.late_within = 15.0
        """Seconds after which TCP gives a message up."""
        self.on_change: list[Callable[[], None]] = []
        """Called after every change of the ways, in order."""
        self._down: dict[str, bool] = {}
        self._cut: dict[tuple[str, str], bool] = {}
        self._slow: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], list[tuple[float, Callable[..., object], Any]]] = {}
        self._listeners: dict[tuple[str, int], Listener] = {}

    # Parties

    def add_party(self, name: str) -> None:
        """A new party, connected to all.  Raises ImpossibleWorld if the name is taken."""
        if name in self._down:
            raise ImpossibleWorld(f"two parties called {name!r}")
        self._down[name] = False

    @property
    def parties(self) -> tuple[str, ...]:
        """All names, in the order in which they were added."""
        return tuple(self._down)

    def set_down(self, party: str, down: bool) -> None:
        """A party without power sends and receives nothing, not even a refusal."""
        if self._down[party] != down:
            self._down[party] = down
            self._changed()

    # Ways

    def cut(self, source: str, target: str, *, one_way: bool = False) -> None:
        """Let nothing through from source to target, nor back unless `one_way`."""
        self._set_cuts(
            [(source, target)] if one_way else [(source, target), (target, source)], True
        )

    def heal(self, source: str, target: str, *, one_way: bool = False) -> None:
        """Undo `cut`."""
        ways = [(source, target)] if one_way else [(source, target), (target, source)]
        self._set_cuts(ways, False)

    def isolate(self, party: str) -> None:
        """Cut a party off from every other."""
        others = [other for other in self._down if other != party]
        self._set_cuts([way for o in others for way in ((party, o), (o, party))], True)

    def partition(self, *groups: tuple[str, ...]) -> None:
        """Cut every way between two of the groups; ways within a group stay as they are."""
        ways = [
            way
            for number, group in enumerate(groups)
            for other in groups[number + 1 :]
            for a in group
            for b in other
            for way in ((a, b), (b, a))
        ]
        self._set_cuts(ways, True)

    def heal_all(self) -> None:
        """Undo every cut and every slowness; parties that are down stay down."""
        self._slow.clear()
        self._set_cuts(list(self._cut), False)

    def slow(self, a: str, b: str, seconds: float) -> None:
        """Add this much latency both ways; 0 takes it away."""
        self._slow[a, b] = self._slow[b, a] = seconds

    def is_open(self, source: str, target: str) -> bool:
        """Whether something sent now from source to target is on its way."""
        if self._down[source] or self._down[target]:
            return False
        return source == target or (source, target) not in self._cut

    def connected(self, a: str, b: str) -> bool:
        """Whether a TCP connection can live between the two: it needs both ways.

        With one way cut, acknowledgements stop, and soon after them the other way too.
        """
        return self.is_open(a, b) and self.is_open(b, a)

    def latency(self, source: str, target: str) -> float:
        """Seconds that a message takes, drawn anew each time."""
        least, most = LATENCY
        drawn = least + (most - least) * self.random.random()
        return drawn + self._slow.get((source, target), 0.0) if self._slow else drawn

    # Messages

    def deliver(
        self,
        source: str,
        target: str,
        function: Callable[..., object],
        *arguments: Any,
        message: Message = Message.PEER,
    ) -> None:
        """Call `function(*arguments)` at the target after the latency, unless it gets lost."""
        clock = self.clock
        arrival = clock.now + self.latency(source, target)
        if self.fate is not None:
            extra = self.fate(message, source, target)
            if extra is None:
                return
            arrival += extra
        if self.is_open(source, target):
            clock.call_at(arrival, self._arrive, source, target, function, arguments)
        else:
            self._lose(source, target, function, arguments)

    def _arrive(
        self, source: str, target: str, function: Callable[..., object], arguments: Any
    ) -> None:
        # `is_open`, written out: this is the busiest line of the simulation.
        down = self._down
        if (source, target) in self._cut or down[source] or down[target]:
            self._lose(source, target, function, arguments)
        else:
            function(*arguments)

    def _lose(
        self, source: str, target: str, function: Callable[..., object], arguments: Any
    ) -> None:
        if not self.late_probability or self._down[source] or self._down[target]:
            return
        if self.random.random() < self.late_probability:
            expires = self.clock.now + self.late_within
            self._held.setdefault((source, target), []).append((expires, function, arguments))

    # Calls

    def listen(self, party: str, port: int, listener: Listener) -> bool:
        """Take calls at an address; False when somebody else does."""
        if (party, port) in self._listeners:
            return False
        self._listeners[party, port] = listener
        return True

    def unlisten(self, party: str, port: int, listener: Listener) -> None:
        """Take no more calls; without effect if another one listens there."""
        if self._listeners.get((party, port)) is listener:
            del self._listeners[party, port]

    def listener(self, party: str, port: int) -> Listener | None:
        """Who takes calls at an address."""
        return self._listeners.get((party, port))

    def call(
        self,
        source: str,
        address: tuple[str, int],
        request: Any,
        timeout: float,
        done: Callable[[Any], None],
    ) -> Exchange:
        """Send `request` to whoever listens at `address`; `done(answer or CallFailure)` once."""
        party, port = address
        deadline = self.clock.now + timeout
        exchange = Exchange(self, source, party, timeout, deadline, done)
        exchange._timer = self.clock.call_at(deadline, exchange._time_out)
        if party in self._down and self.connected(source, party):
            # The connection comes about, so from now on silence means less.
            exchange._silence = CallFailure.NO_ANSWER
            self.deliver(
                source, party, self._receive, request, exchange, port, message=Message.REQUEST
            )
        return exchange

    def _receive(self, request: Any, exchange: Exchange, port: int) -> None:
        listener = self._listeners.get((exchange.target, port))
        if listener is None:
            exchange.reply(CallFailure.REFUSED)
        else:
            listener.receive(request, exchange)

    # Inside

    def _set_cuts(self, ways: list[tuple[str, str]], cut: bool) -> None:
        for way in ways:
            if not cut:
                self._cut.pop(way, None)
            elif way[0] != way[1]:
                self._cut[way] = True
        if not cut:
            for way in ways:
                self._let_through(way)
        self._changed()

    def _let_through(self, way: tuple[str, str]) -> None:
        for expires, function, arguments in self._held.pop(way, ()):
            if expires >= self.clock.now:
                delay = self.latency(*way)
                self.clock.call_after(delay, self._arrive, *way, function, arguments)

    def _changed(self) -> None:
        for function in self.on_change:
            function()


_addresses: dict[str, tuple[str, int]] = {}


def address_of(url: str) -> tuple[str, int]:
    """Host and port of `http://host:port`.  Raises ValueError for anything else."""
    found = _addresses.get(url)
    if found is None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.port:
            raise ValueError(f"not a URL with host and port: {url!r}")
        found = _addresses[url] = (parts.hostname, parts.port)
    return found
