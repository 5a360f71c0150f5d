"""The ZooKeeper servers, taken for one: connections, sessions, and what is asked over them.

Requests of a session are carried out in order, and none of an old connection after a new one was
made; a write whose connection breaks was carried out or not.  A session that is not heard of for
its time-out expires, and its ephemeral znodes with it; while there are no servers, none does.
Faults set `fate` and `stall` and call what is named after them; everything else is its own.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from attrs import define, field, frozen

from etcdmesos.simulation.channel import End
from etcdmesos.simulation.network import CallFailure, Exchange, Network
from etcdmesos.simulation.zookeeper.requests import (
    Children,
    Refusal,
    Request,
    SetData,
    Transaction,
)
from etcdmesos.simulation.zookeeper.tree import Tree, parent_of

__all__ = ["ADDRESS", "EXPIRED", "Connect", "ZooKeeper"]

ADDRESS = ("zookeeper", 2181)
EXPIRED = "the session has expired"
"""The answer to a Connect."""
SECONDS = (0.001, 0.004)
"""How long a write takes to be durable on a quorum of the servers, between these."""


@frozen
class Connect:
    """A client wants to go on with its session, or, with 0, to begin one."""

    session: int
    client: int
    """A number for whoever it is."""
    timeout: float
    end: End
    """The server's end of the connection."""
    changed: Callable[[], None]
    """Called at the client when the children it asked for have changed."""


@define(eq=False)
class _Session:
    number: int
    client: int
    timeout: float
    connection: End
    changed: Callable[[], None]
    heard: float
    busy_until: float = 0.0


@define(eq=False)
class ZooKeeper:
    """All servers."""

    network: Network
    random: Random
    on_written: Callable[[int, str, bytes | None], None]
    """Told of every durable write of a client: its number, the path, what it holds now."""
    fate: Callable[[], tuple[bool, bool]] | None = None
    """Drawn for each write: (carried out, answered); the connection breaks unless both."""
    stall: float = 0.0
    """Every request takes this much longer."""
    available: bool = True
    tree: Tree = field(factory=Tree)
    _sessions: dict[int, _Session] = field(factory=dict)
    _begun: int = 0
    _watched: dict[str, dict[int, None]] = field(factory=dict)
    """By path, the sessions that are to be told when its children change."""

    def __attrs_post_init__(self) -> None:
        party, port = ADDRESS
        self.network.add_party(party)
        self.network.listen(party, port, self)

    # Faults

    def go_away(self) -> None:
        """No server answers."""
        self.available = False
        for session in self._sessions.values():
            session.connection.close()

    def come_back(self) -> None:
        """They answer again; every session has its time-out to be heard of."""
        self.available = True
        for session in self._sessions.values():
            session.heard = self.network.clock.now

    def expire_sessions_of(self, client: int) -> None:
        """End them now: the servers' clocks run faster than the client's."""
        for session in tuple(self._sessions.values()):
            if session.client == client:
                self._expire(session)

    # Connections

    def receive(self, request: Connect, exchange: Exchange) -> None:
        """A connection was made."""
        if not self.available:
            exchange.reply(CallFailure.REFUSED)
            return
        session = self._sessions.get(request.session)
        if request.session and session is None:
            exchange.reply(EXPIRED)
            return
        now = self.network.clock.now
        if session is None:
            self._begun += 1
            session = _Session(
                self._begun, request.client, request.timeout, request.end, request.changed, now
            )
            self._sessions[session.number] = session
            self.network.clock.call_after(request.timeout, self._look_after, session)
        elif session.connection is not request.end:
            session.connection.close()
        session.connection, session.changed, session.heard = request.end, request.changed, now
        exchange.reply(session.number)

    def ask(self, number: int, end: End, request: Request, done: Callable[[Any], None]) -> None:
        """A request has arrived over a connection; `done` is called at its other end."""
        session = self._session_at(number, end)
        if session is None:
            return
        now = self.network.clock.now
        session.heard = now
        seconds = self.stall
        if isinstance(request, Transaction):
            least, most = SECONDS
            seconds += least + (most - least) * self.random.random()
        session.busy_until = max(session.busy_until, now + seconds)
        self.network.clock.call_at(session.busy_until, self._carry_out, number, end, request, done)

    def end_session(self, number: int, end: End) -> None:
        """The client gives it up."""
        session = self._session_at(number, end)
        if session is not None:
            self._expire(session)

    def _session_at(self, number: int, end: End) -> _Session | None:
        """The session, if this is its connection and there are servers."""
        session = self._sessions.get(number)
        here = session is not None and session.connection is end and not end.closed
        return session if here and self.available else None

    def _look_after(self, session: _Session) -> None:
        """Let a session expire when it was not heard of for its time-out."""
        if session.number not in self._sessions:
            return
        clock = self.network.clock
        due = session.heard + session.timeout
        if due > clock.now or not self.available:
            clock.call_at(max(due, clock.now + session.timeout / 2), self._look_after, session)
        # One without ephemeral znodes may as well stay: nobody can tell.
        elif self.tree.owned_by(session.number):
            self._expire(session)
        else:
            clock.call_after(session.timeout, self._look_after, session)

    def _expire(self, session: _Session) -> None:
        del self._sessions[session.number]
        session.connection.close()
        for path in self.tree.owned_by(session.number):
            self.tree.remove(path)
            self._tell(parent_of(path))

    # Requests

    def _carry_out(
        self, number: int, end: End, request: Request, done: Callable[[Any], None]
    ) -> None:
        session = self._session_at(number, end)
        if session is None:
            return
        carried_out = answered = True
        if isinstance(request, Transaction) and self.fate is not None:
            carried_out, answered = self.fate()
        answer = self._answer(session, request) if carried_out else None
        if carried_out and answered:
            end.send(done, answer)
        else:
            end.close()

    def _answer(self, session: _Session, request: Request) -> Any:
        try:
            answer = self.tree.answer(request, session.number)
        except Refusal as refusal:
            return refusal
        if isinstance(request, Children):
            self._watched.setdefault(request.path, {})[session.number] = None
        elif isinstance(request, Transaction):
            for write, result in zip(request.writes, answer, strict=True):
                path = result if isinstance(result, str) else write.path
                znode = self.tree.znodes.get(path)
                if not isinstance(write, SetData):
                    self._tell(parent_of(path))
                self.on_written(session.client, path, None if znode is None else znode.data)
        return answer

    def _tell(self, path: str) -> None:
        """The children of a znode have changed: everybody who wanted to know is told, once."""
        for number in self._watched.pop(path, ()):
            session = self._sessions.get(number)
            if session is not None:
                session.connection.send(session.changed)
