"""etcd's answers to clients: what each call asks of raft, and what it refuses before asking.

A member answers nobody until it has published itself through raft; whoever asked before then is
answered when it has, if he still waits.  Changes of the member list are in `reconfiguration`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from etcdmesos.etcd.member_health import Alarm, MemberHealth
from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.etcd import refusals
from etcdmesos.simulation.etcd.data_directory import Snapshot
from etcdmesos.simulation.etcd.log import Entry, Kind
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.etcd.reconfiguration import Reconfiguration
from etcdmesos.simulation.etcd.state import CORRUPT, NOSPACE
from etcdmesos.simulation.network import Exchange, Listener, address_of

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.process import EtcdProcess

__all__ = ["REQUEST_SECONDS", "Request", "Server"]

REQUEST_SECONDS = 7.0
"""etcd's own time-out of a request: 5 s and two election time-outs."""
_SNAPSHOT_BYTES_PER_SECOND = 200e6


class Request(NamedTuple):
    """What a client sends: the name of a call and its arguments."""

    call: str
    arguments: tuple[Any, ...] = ()


class _Blocked(NamedTuple):
    """A proposal that waits for a leader."""

    kind: Kind
    data: Any
    request: int
    deadline: float


class _PeerPort:
    """Peers are linked without messages of their own here (`links`), so nobody calls this."""

    def receive(self, request: Any, exchange: Exchange) -> None:
        """Say nothing."""


class Server:
    """One process's client port."""

    def __init__(self, process: EtcdProcess) -> None:
        self._process = process
        self._reconfiguration = Reconfiguration(process, self)
        self._open: dict[Exchange, None] = {}
        self._early: list[tuple[Request, Exchange]] = []
        self._blocked: list[_Blocked] = []
        self._waiters: dict[int, Callable[[Any], None]] = {}
        self._reads: dict[int, Callable[[Any], None]] = {}
        self._behind: list[tuple[int, Callable[[Any], None]]] = []
        self._leader = 0
        self._peer_port = _PeerPort()
        self._calls: dict[str, Callable[..., None]] = {
            "status": self._status,
            "put": self._put,
            "get": self._get,
            "progress": self._progress,
            "list_members": self._list_members,
            "add_member": self._reconfiguration.add,
            "promote": self._reconfiguration.promote,
            "remove_member": self._reconfiguration.remove,
            "snapshot": self._snapshot,
            "move_leader": self._move_leader,
            "alarms": self._alarms,
            "disarm": self._disarm,
        }

    def at(self, url: str) -> Listener:
        """What listens at one of the process's URLs."""
        return self if url == self._process.options.client_url else self._peer_port

    # Requests come and go

    def receive(self, request: Request, exchange: Exchange) -> None:
        """A client's request has arrived at the socket."""
        self._open[exchange] = None
        self._process.do(self._take, (request, exchange))

    def _take(self, request: Request, exchange: Exchange) -> None:
        # A client that hung up while the process was paused may be served nevertheless.
        if not exchange.open and self._process.random.random() < 0.5:
            self._open.pop(exchange, None)
        elif not self._process.ready:
            self._early.append((request, exchange))
        else:
            self._begin(request, exchange)

    def serve(self) -> None:
        """Answer those that have waited for this member to be ready."""
        early, self._early = self._early, []
        for request, exchange in early:
            if exchange.open:
                self._begin(request, exchange)

    def _begin(self, request: Request, exchange: Exchange) -> None:
        state = self._process.raft.state
        if self._process.member_id in state.learners and not self._for_learners(request):
            self.answer(exchange, refusals.NOT_FOR_LEARNERS)
            return
        if exchange.deadline - self._process.clock.now > REQUEST_SECONDS:
            self._process.after(REQUEST_SECONDS, self.answer, exchange, refusals.TIMED_OUT)
        self._calls[request.call](exchange, *request.arguments)

    def _for_learners(self, request: Request) -> bool:
        if request.call == "snapshot":
            return self._process.world.version_of(self._process).learner_gives_snapshots
        return request.call == "status" or (request.call == "get" and request.arguments[1])

    def answer(self, exchange: Exchange, answer: Any) -> None:
        """Answer a client, once."""
        if exchange in self._open:
            del self._open[exchange]
            exchange.reply(answer)

    def close(self) -> None:
        """The process is gone: its connections are cut."""
        network, options = self._process.world.network, self._process.options
        for url in (options.peer_url, options.client_url):
            network.unlisten(*address_of(url), self.at(url))
        for exchange in self._open:
            exchange.reset()
        self._open.clear()

    # Proposals and reads

    def propose(self, kind: Kind, data: Any, *, request: int, deadline: float) -> None:
        """Propose now, or once there is a leader, if that is before the deadline."""
        if not self._process.raft.propose(kind, data, request):
            self._blocked.append(_Blocked(kind, data, request, deadline))

    def propose_for(
        self,
        exchange: Exchange,
        kind: Kind,
        data: Any,
        then: Callable[[Any], Any] = lambda result: result,
    ) -> None:
        """Propose, and answer with what `then` makes of the result once it is applied here."""
        deadline = min(exchange.deadline, self._process.clock.now + REQUEST_SECONDS)
        self.propose_and(
            kind, data, lambda result: self.answer(exchange, then(result)), deadline=deadline
        )

    def propose_and(
        self,
        kind: Kind,
        data: Any,
        then: Callable[[Any], None],
        *,
        deadline: float | None = None,
    ) -> None:
        """Propose, and call `then(result)` once it is applied here."""
        request = self._process.world.next_request()
        self._waiters[request] = then
        if deadline is None:
            deadline = self._process.clock.now + REQUEST_SECONDS
        self.propose(kind, data, request=request, deadline=deadline)

    def promote_for_peer(self, one: int, then: Callable[[Any], None]) -> None:
        """A promotion that a follower forwards to this leader."""
        self._reconfiguration.promote_for_peer(one, then)

    def applied(self, entry: Entry, result: Any) -> None:
        """An entry was applied: answer whoever waits for it."""
        if entry.request:
            waiter = self._waiters.pop(entry.request, None)
            if waiter is not None:
                waiter(result)
        if self._behind:
            applied = self._process.raft.state.applied
            behind, self._behind = self._behind, []
            for index, then in behind:
                if index <= applied:
                    then(None)
                else:
                    self._behind.append((index, then))

    def read(self, exchange: Exchange, then: Callable[[], Any]) -> None:
        """Answer with `then()` once this member has applied all that was committed by now."""
        request = self._process.world.next_request()

        def ready(refusal: Any) -> None:
            self.answer(exchange, refusal if refusal is not None else then())

        self._reads[request] = ready
        self._process.raft.read_index(request, self._read_index)

    def _read_index(self, request: int, index: int) -> None:
        then = self._reads.pop(request, None)
        if then is None:
            return
        if index <= self._process.raft.state.applied:
            then(None)
        else:
            self._behind.append((index, then))

    def leader_changed(self) -> None:
        """Raft may know another leader."""
        leader = self._process.raft.leader
        if leader == self._leader:
            return
        self._leader = leader
        if leader:
            # Later, not from inside raft's own change of state.
            self._process.after(0.0, self._with_new_leader)

    def _with_new_leader(self) -> None:
        reads, self._reads = self._reads, {}
        for then in reads.values():
            then(refusals.LEADER_CHANGED)
        blocked, self._blocked = self._blocked, []
        for one in blocked:
            if one.deadline > self._process.clock.now:
                self.propose(one.kind, one.data, request=one.request, deadline=one.deadline)

    # Calls

    def _status(self, exchange: Exchange) -> None:
        process, raft = self._process, self._process.raft
        state = raft.state
        alarms = sorted(Alarm(hexadecimal(member), kind) for member, kind in state.alarms)
        health = MemberHealth(
            cluster_id=hexadecimal(process.cluster_id),
            member_id=hexadecimal(process.member_id),
            version=process.world.version_of(process).text,
            leader=hexadecimal(raft.leader) if raft.leader else "",
            term=state.applied_term,
            commit_index=raft.commit,
            applied_index=state.applied,
            revision=state.revision,
            db_size=state.db_size,
            db_size_in_use=state.db_size,
            learner=process.member_id in state.learners,
            alarms=tuple(alarms),
            errors=() if raft.leader else ("etcdserver: no leader",),
        )
        self.answer(exchange, health)

    def _put(self, exchange: Exchange, key: str, size: int) -> None:
        state = self._process.raft.state
        if state.db_size + size > self._process.options.quota_bytes:
            alarm = ("activate", self._process.member_id, NOSPACE)
            self.propose_for(exchange, Kind.ALARM, alarm, lambda _: refusals.NO_SPACE)
        else:
            self.propose_for(exchange, Kind.PUT, (key, size))

    def _get(self, exchange: Exchange, key: str, serializable: bool) -> None:
        if serializable:
            self.answer(exchange, self._revision_of(key))
        else:
            self.read(exchange, lambda: self._revision_of(key))

    def _revision_of(self, key: str) -> Any:
        state = self._process.raft.state
        return refusals.CORRUPT if state.has_alarm(CORRUPT) else state.keys.get(key, 0)

    def _progress(self, exchange: Exchange) -> None:
        self.propose_for(exchange, Kind.REVOKE, None)

    def _list_members(self, exchange: Exchange, linearizable: bool) -> None:
        process = self._process

        def listed() -> Any:
            return process.cluster_id, process.raft.state.list()

        if linearizable and process.world.version_of(process).lists_members_linearizably:
            self.read(exchange, listed)
        else:
            self.answer(exchange, listed())

    def _snapshot(self, exchange: Exchange) -> None:
        process, state = self._process, self._process.raft.state
        snapshot = Snapshot(state.copy(), process.member_id, process.cluster_id)
        seconds = state.db_size / _SNAPSHOT_BYTES_PER_SECOND
        process.after(seconds, self.answer, exchange, snapshot)

    def _move_leader(self, exchange: Exchange, to: int) -> None:
        process, raft = self._process, self._process.raft
        if raft.leadership is None:
            self.answer(exchange, refusals.NOT_LEADER)
        elif to not in raft.state.voters:
            self.answer(exchange, refusals.BAD_TRANSFEREE)
        elif to == process.member_id:
            self.answer(exchange, None)
        else:
            raft.leadership.hand_over(to)
            self._wait_for_leader(exchange, to, process.clock.now + REQUEST_SECONDS)

    def _wait_for_leader(self, exchange: Exchange, to: int, until: float) -> Timer | None:
        process = self._process
        if process.raft.leader == to:
            self.answer(exchange, None)
            return None
        if process.clock.now >= until:
            self.answer(exchange, refusals.TIMED_OUT_IN_TRANSFER)
            return None
        interval = process.options.timing.heartbeat
        return process.after(interval, self._wait_for_leader, exchange, to, until)

    def _alarms(self, exchange: Exchange) -> None:
        self.propose_for(exchange, Kind.ALARM, ("list", 0, ""))

    def _disarm(self, exchange: Exchange, member: int, alarm: str) -> None:
        self.propose_for(exchange, Kind.ALARM, ("deactivate", member, alarm))

    def raise_alarm(self, alarm: str) -> None:
        """Propose an alarm of this member, as its own checks would."""
        data = ("activate", self._process.member_id, alarm)
        deadline = self._process.clock.now + REQUEST_SECONDS
        self.propose(Kind.ALARM, data, request=0, deadline=deadline)
