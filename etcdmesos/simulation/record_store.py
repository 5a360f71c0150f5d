"""A simulated record store: one record, compare-and-set on its version, sessions of writers.

It behaves as ZooKeeper does towards one znode: a write whose answer is lost was carried out or not;
requests of a session are carried out in order, and none of an old connection after a new one was
made.  The record is kept as the bytes that are really stored.  Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from attrs import define, field, frozen

from etcdmesos.cluster.record import Record, decode, encode
from etcdmesos.errors import RecordUnreadable, SaveConflict, SaveUnknown, StoreError
from etcdmesos.errors import StoreUnavailable as Unavailable
from etcdmesos.simulation.network import CallFailure, Exchange, Network

__all__ = ["RecordService", "RecordSession"]

PARTY = "store"
PORT = 2181
SAVE_SECONDS = (0.001, 0.004)
"""How long the store takes to make a write durable, between these."""
TIMEOUT = 6.0
"""Seconds after which a session gives a request up."""


@frozen
class _Request:
    """A read (`data` is None) or a write over `version`."""

    session: int
    connection: int
    data: bytes | None = None
    version: int = 0


@frozen
class _Stored:
    """The answer to a read."""

    data: bytes | None
    version: int


@define(eq=False)
class RecordService:
    """The store's side.  Faults set `available` and `fate`; everything else is its own."""

    network: Network
    random: Random
    on_stored: Callable[[int, Record], None]
    """Told of every durable write with the session's number."""
    available: bool = True
    fate: Callable[[], tuple[bool, bool]] | None = None
    """Drawn for each write: (carried out, answered)."""
    data: bytes | None = None
    version: int = 0
    stall: float = 0.0
    """Every request takes this much longer."""
    _connections: dict[int, int] = field(factory=dict)
    _sessions: int = 0

    def __attrs_post_init__(self) -> None:
        self.network.add_party(PARTY)
        self.network.listen(PARTY, PORT, self)

    def session(self, party: str, number: int) -> RecordSession:
        """A new writer's session."""
        return RecordSession(self, party, number)

    def receive(self, request: _Request, exchange: Exchange) -> None:
        """A request has arrived."""
        if not self.available:
            exchange.reply(CallFailure.REFUSED)
            return
        newest = self._connections.get(request.session, 0)
        if request.connection < newest:
            return  # the session has moved to a newer connection
        self._connections[request.session] = request.connection
        least, most = SAVE_SECONDS
        seconds = least + (most - least) * self.random.random() + self.stall
        self.network.clock.call_after(seconds, self._carry_out, request, exchange)

    def _carry_out(self, request: _Request, exchange: Exchange) -> None:
        if request.connection < self._connections[request.session]:
            return
        if request.data is None:
            exchange.reply(_Stored(self.data, self.version))
            return
        carried_out, answered = self.fate() if self.fate is not None else (True, True)
        if request.version != self.version:
            exchange.reply(SaveConflict("another version is stored"))
            return
        if carried_out:
            self.data, self.version = request.data, self.version + 1
            self.on_stored(request.session, decode(self.data))
        if answered and carried_out:
            exchange.reply(self.version)
        elif answered:
            exchange.reply(CallFailure.REFUSED)


@define(eq=False)
class RecordSession:
    """A scheduler's side: a Store (`core_host.Store`) that remembers the version last seen."""

    _service: RecordService
    _party: str
    _number: int
    _version: int | None = None
    _connection: int = 0
    _given_up: bool = False

    def load(self, done: Callable[[Record | StoreError | None], None]) -> None:
        """Read, over a new connection: what was asked over older ones is not carried out later."""
        self._connection += 1

        def read(answer: Any) -> None:
            if isinstance(answer, CallFailure):
                self._answer(done, Unavailable(f"the record store: {answer.value}"))
                return
            self._version = answer.version
            self._answer(done, _decoded(answer.data))

        self._ask(_Request(self._number, self._connection), read)

    def save(self, record: Record, done: Callable[[StoreError | None], None]) -> None:
        """Write over the version last seen."""
        if self._version is None:
            done(Unavailable("nothing was read yet"))
            return

        def written(answer: Any) -> None:
            self._answer(done, self._outcome(answer))

        request = _Request(self._number, self._connection, encode(record), self._version)
        self._ask(request, written)

    def close(self) -> None:
        """Give the session up."""
        self._given_up = True

    def abandon(self) -> None:
        """The process is gone; what it asked may still be carried out."""
        self._given_up = True

    def _ask(self, request: _Request, done: Callable[[Any], None]) -> None:
        self._service.network.call(self._party, (PARTY, PORT), request, TIMEOUT, done)

    def _answer(self, done: Callable[[Any], None], answer: Any) -> None:
        if not self._given_up:
            done(answer)

    def _outcome(self, answer: Any) -> StoreError | None:
        if isinstance(answer, int):
            self._version = answer
            return None
        if isinstance(answer, SaveConflict):
            return answer
        if answer in (CallFailure.REFUSED, CallFailure.NO_CONNECTION):
            return Unavailable(f"the record store: {answer.value}")
        return SaveUnknown(f"the record store: {answer.value}")


def _decoded(data: bytes | None) -> Record | RecordUnreadable | None:
    if data is None:
        return None
    try:
        return decode(data)
    except RecordUnreadable as error:
        return error
