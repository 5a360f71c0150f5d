"""Changes of the member list: what is checked before one is proposed, and by whom.

A leader's checks are made on the member that was asked, with its own view of who is connected; a
promotion is checked by the leader, to whom it is forwarded.  What a *committed* change does is in
`state`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etcdmesos.simulation.etcd import refusals
from etcdmesos.simulation.etcd.log import Kind
from etcdmesos.simulation.etcd.members import (
    READY_PERCENT,
    Member,
    may_add_voter,
    may_promote,
    may_remove_voter,
    member_id,
    quorum,
)
from etcdmesos.simulation.etcd.refusals import Refusal
from etcdmesos.simulation.network import Exchange

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.process import EtcdProcess
    from etcdmesos.simulation.etcd.server import Server

__all__ = ["Reconfiguration"]

_FORWARD_AGAIN = 0.1
_FINAL = (refusals.LEARNER_NOT_READY, refusals.MEMBER_NOT_FOUND, refusals.NOT_A_LEARNER)
"""With these a forwarded promotion is over; after anything else it is tried again."""


class Reconfiguration:
    """One process's calls that change the member list."""

    def __init__(self, process: EtcdProcess, server: Server) -> None:
        self._process = process
        self._server = server

    # Add

    def add(self, exchange: Exchange, peer_urls: tuple[str, ...], learner: bool) -> None:
        """Answer with the new member."""
        # The real id hangs on the wall clock's second; here every second is one of its own.
        now = self._process.world.next_request()
        new = Member(member_id(peer_urls, "", now), tuple(sorted(peer_urls)), learner=learner)
        refusal = self._refusal_of_add(new)
        if refusal is not None:
            self._server.answer(exchange, refusal)
            return
        self._server.propose_for(
            exchange, Kind.ADD, new, lambda result: result if _refused(result) else new
        )

    def _refusal_of_add(self, new: Member) -> Refusal | None:
        process = self._process
        state = process.raft.state
        if not process.options.strict_reconfiguration:
            return None
        if not new.learner and not may_add_voter(state.members.values()):
            return refusals.NOT_ENOUGH_STARTED
        voters = state.voters
        connected = process.links.connected_voters(voters)
        if process.world.version_of(process).adds_with_a_quorum:
            # The new one counts as unavailable; a cluster of one may always grow.
            enough = len(voters) == 1 or connected >= quorum(len(voters) + 1)
        else:
            enough = connected == len(voters)
        return None if enough else refusals.UNHEALTHY

    # Remove

    def remove(self, exchange: Exchange, one: int) -> None:
        """Answer once it is off the list."""
        refusal = self._refusal_of_remove(one)
        if refusal is not None:
            self._server.answer(exchange, refusal)
            return
        self._server.propose_for(
            exchange, Kind.REMOVE, one, lambda result: result if _refused(result) else None
        )

    def _refusal_of_remove(self, one: int) -> Refusal | None:
        process = self._process
        state = process.raft.state
        member = state.members.get(one)
        if not process.options.strict_reconfiguration or (member is not None and member.learner):
            return None
        if not may_remove_voter(state.members.values(), one):
            return refusals.NOT_ENOUGH_STARTED
        if one != process.member_id and not process.links.active(one):
            return None  # Who is down is no part of the active quorum.
        voters = len(state.voters)
        active = process.links.connected_voters(state.voters)
        return refusals.UNHEALTHY if active - 1 < quorum(voters - 1) else None

    # Promote

    def promote(self, exchange: Exchange, one: int) -> None:
        """Answer once the learner votes."""
        if not exchange.open:
            return
        process = self._process
        if process.raft.leadership is not None:
            self._promote_here(one, lambda answer: self._server.answer(exchange, answer))
            return
        link = process.links.link(process.raft.leader)
        if link is None:
            process.after(_FORWARD_AGAIN, self.promote, exchange, one)
            return
        leader = link.process
        process.world.network.deliver(
            process.host.name,
            leader.host.name,
            leader.do,
            leader.server.promote_for_peer,
            (one, lambda answer: self._answered(exchange, one, leader, answer)),
        )

    def promote_for_peer(self, one: int, then: Callable[[Any], None]) -> None:
        """A promotion that a follower forwards."""
        if self._process.raft.leadership is None:
            then(refusals.NOT_LEADER)
        else:
            self._promote_here(one, then)

    def _promote_here(self, one: int, then: Callable[[Any], None]) -> None:
        refusal = self._refusal_of_promotion(one)
        if refusal is not None:
            then(refusal)
            return
        self._server.propose_and(
            Kind.PROMOTE, one, lambda result: then(result if _refused(result) else None)
        )

    def _refusal_of_promotion(self, one: int) -> Refusal | None:
        process = self._process
        raft, leadership = process.raft, process.raft.leadership
        assert leadership is not None, "the leader checks"
        progress = leadership.progress.get(one)
        if progress is None and one != process.member_id:
            return refusals.MEMBER_NOT_FOUND
        if progress is not None and progress.match * 100 < READY_PERCENT * raft.log.last_index:
            return refusals.LEARNER_NOT_READY
        if not process.options.strict_reconfiguration or may_promote(raft.state.members.values()):
            return None
        return refusals.NOT_ENOUGH_STARTED

    def _answered(self, exchange: Exchange, one: int, leader: EtcdProcess, answer: Any) -> None:
        """The leader has an answer; it still has to come back."""
        final = answer is None or answer in _FINAL
        process = self._process

        def arrived() -> None:
            if final:
                self._server.answer(exchange, answer)
            else:
                process.after(_FORWARD_AGAIN, self.promote, exchange, one)

        process.world.network.deliver(leader.host.name, process.host.name, process.do, arrived, ())


def _refused(result: Any) -> bool:
    return isinstance(result, Refusal)
