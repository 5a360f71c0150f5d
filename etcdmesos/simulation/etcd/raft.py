"""Raft as one member runs it: terms, votes, the log, and what is committed and applied.

Terms, votes, appends and their answers are messages with latencies, and every promise is durable
before it is made (etcd-io/raft's rules, read in its source: CheckQuorum with leases, pre-vote,
election restriction, commit by counting only entries of the own term).  Heartbeats are not: while
the link to a leader stands, a follower is *fed* and nothing happens; when a link, a role or a list
changes, `review` looks again at who is fed and who has a quorum, and starts or stops the clocks
that heartbeats would have driven.  An idle healthy cluster therefore costs nothing.

What only a leader does is in `leadership`; the process around (disk, links, clients) is not known
here beyond `Surroundings`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.etcd.data_directory import HardState
from etcdmesos.simulation.etcd.leadership import Leadership
from etcdmesos.simulation.etcd.log import Entry, Kind, RaftLog
from etcdmesos.simulation.etcd.members import quorum
from etcdmesos.simulation.etcd.state import State
from etcdmesos.simulation.etcd.surroundings import Role, Surroundings, Timing

__all__ = ["Raft"]


class Raft:
    """One member's consensus, while its process runs."""

    def __init__(
        self,
        own_id: int,
        around: Surroundings,
        log: RaftLog,
        state: State,
        hard_state: HardState,
        timing: Timing,
        *,
        pre_vote: bool,
    ) -> None:
        self.id = own_id
        self.around = around
        self.log = log
        self.state = state
        self.timing = timing
        self.pre_vote = pre_vote
        self.term = hard_state.term
        self.vote = hard_state.vote
        self.commit = hard_state.commit
        self.role = Role.FOLLOWER
        self.leader = 0
        """The leader this member knows; 0: none.  Stale until its own clock runs out, and on a
        learner, which never campaigns, for ever (seen on 3.4.23 and 3.5.30)."""
        self.leadership: Leadership | None = None
        self.election_timer: Timer | None = None
        self._votes: dict[int, bool] = {}
        self._unfed_since: float | None = None
        self._first_wait: float | None = None

    @property
    def hard_state(self) -> HardState:
        """What the next write makes durable."""
        return HardState(self.term, self.vote, self.commit)

    # Clocks

    def start(self, wait: float | None) -> None:
        """Begin; the first election time-out lasts `wait` seconds, drawn if None."""
        self._first_wait = wait

    def review(self) -> None:
        """Start and stop the clocks as links and roles are now.  Changes neither role nor log."""
        if self.leadership is not None:
            self.leadership.review()
        elif self._fed():
            self._unfed_since = None
            self._stop_clock()
        else:
            if self._unfed_since is None:
                self._unfed_since = self.around.clock.now
            if self.election_timer is None:
                self._start_clock()

    def stop_clocks(self) -> None:
        """The process is paused: no tick comes."""
        self._stop_clock()
        if self.leadership is not None:
            self.leadership.stop_clock()

    def _fed(self) -> bool:
        if self.role is not Role.FOLLOWER or not self.leader:
            return False
        leader = self.around.peer(self.leader)
        return (
            leader is not None
            and leader.role is Role.LEADER
            and leader.term == self.term
            and not leader.around.silent
        )

    def _start_clock(self) -> None:
        if self.id not in self.state.voters:
            return  # A learner, and who is not on the list, never campaigns.
        around, timing = self.around, self.timing
        if self._first_wait is not None:
            wait, self._first_wait = self._first_wait, None
        else:
            # The last heartbeat was up to one interval ago.
            wait = timing.election * (1 + around.random.random())
            wait -= timing.heartbeat * around.random.random()
        self.election_timer = around.after(wait, self._election_time_out)

    def _stop_clock(self) -> None:
        if self.election_timer is not None:
            self.election_timer.cancel()
            self.election_timer = None

    def _restart_clock(self) -> None:
        self._stop_clock()
        self._start_clock()

    def _election_time_out(self) -> None:
        self.election_timer = None
        self.campaign()
        self.review()

    # Elections

    def campaign(self, *, transfer: bool = False) -> None:
        """Try to become leader; `transfer`: because the old leader asked for it."""
        if self.role is Role.LEADER or self.id not in self.state.voters:
            return
        if self.pre_vote and not transfer:
            self._become_pre_candidate()
        else:
            self._become_candidate(transfer=transfer)

    def _become_pre_candidate(self) -> None:
        self.role = Role.PRE_CANDIDATE
        self.leader = 0
        self._votes = {self.id: True}
        self._restart_clock()
        self.around.changed()
        if quorum(len(self.state.voters)) == 1:
            self._become_candidate(transfer=False)
        else:
            self._ask_for_votes(self.term + 1, pre=True, transfer=False)

    def _become_candidate(self, *, transfer: bool) -> None:
        self.role = Role.CANDIDATE
        self.leader = 0
        self.term += 1
        self.vote = self.id
        self._votes = {}
        self._restart_clock()
        self.around.changed()
        term = self.term

        def vote_is_durable() -> None:
            if self.role is Role.CANDIDATE and self.term == term:
                self._votes[self.id] = True
                self._ask_for_votes(term, pre=False, transfer=transfer)
                self._count_votes()

        self.around.save(vote_is_durable)

    def _ask_for_votes(self, term: int, *, pre: bool, transfer: bool) -> None:
        log = self.log
        for voter in self.state.voters:
            if voter != self.id:
                self.around.send(
                    voter, Raft.on_vote_request, term, log.last_index, log.last_term, pre, transfer
                )

    def on_vote_request(
        self, sender: int, term: int, last_index: int, last_term: int, pre: bool, transfer: bool
    ) -> None:
        """Grant, refuse or ignore a (pre-)vote."""
        if term < self.term:
            if pre:
                self.around.send(sender, Raft.on_vote_reply, self.term, False, pre)
            return
        if term > self.term:
            if not transfer and self._in_lease():
                return
            if not pre:
                self.become_follower(term, 0)
        may = (
            self.vote == sender
            or (self.vote == 0 and self.leader == 0)
            or (pre and term > self.term)
        )
        up_to_date = (last_term, last_index) >= (self.log.last_term, self.log.last_index)
        if not (may and up_to_date):
            self.around.send(sender, Raft.on_vote_reply, self.term, False, pre)
        elif pre:
            # The term of the vote to come; a refusal carries the voter's own.
            self.around.send(sender, Raft.on_vote_reply, term, True, pre)
        else:
            self._grant(sender)

    def _grant(self, candidate: int) -> None:
        self.vote = candidate
        term = self.term
        if self.election_timer is not None:
            self._restart_clock()

        def vote_is_durable() -> None:
            if self.term == term:
                self.around.send(candidate, Raft.on_vote_reply, term, True, False)

        self.around.save(vote_is_durable)

    def _in_lease(self) -> bool:
        """Whether a leader was heard of within an election time-out (CheckQuorum's lease)."""
        if self.role is Role.LEADER:
            return True
        if not self.leader:
            return False
        since = self._unfed_since
        return since is None or self.around.clock.now - since < self.timing.election

    def on_vote_reply(self, sender: int, term: int, granted: bool, pre: bool) -> None:
        """Count a (pre-)vote."""
        future = pre and granted and term == self.term + 1
        if term > self.term and not future:
            self.become_follower(term, 0)
            return
        wanted = Role.PRE_CANDIDATE if pre else Role.CANDIDATE
        if self.role is wanted and (future or term == self.term):
            self._votes.setdefault(sender, granted)
            self._count_votes()

    def _count_votes(self) -> None:
        voters = self.state.voters
        needed = quorum(len(voters))
        granted = sum(self._votes.get(voter, False) for voter in voters)
        refused = sum(not self._votes.get(voter, True) for voter in voters)
        if granted >= needed:
            if self.role is Role.PRE_CANDIDATE:
                self._become_candidate(transfer=False)
            else:
                self._become_leader()
        elif refused >= needed:
            self.become_follower(self.term, 0)

    def _become_leader(self) -> None:
        self.role = Role.LEADER
        self.leader = self.id
        self._stop_clock()
        self._unfed_since = None
        self.leadership = Leadership(self)
        self.around.elected()
        self.leadership.append(Kind.NOOP, None, 0)
        self.around.changed()

    def become_follower(self, term: int, leader: int) -> None:
        """Follow `leader` (0: nobody yet) in `term`."""
        if term > self.term:
            self.term = term
            self.vote = 0
        if self.leadership is not None:
            self.leadership.end()
            self.leadership = None
        self.role = Role.FOLLOWER
        self.leader = leader
        self._stop_clock()
        self.around.changed()

    # The log, as a follower

    def on_append(
        self,
        sender: int,
        term: int,
        previous: int,
        previous_term: int,
        entries: list[Entry],
        commit: int,
    ) -> None:
        """Take a leader's entries."""
        if not self._follow(sender, term):
            return
        log = self.log
        if previous < self.commit and log.term_at(previous) is None:
            self._acknowledge(sender, self.commit)
        elif log.term_at(previous) != previous_term:
            hint = min(previous - 1, log.last_index)
            self.around.send(sender, Raft.on_append_reply, self.term, False, hint)
        else:
            log.accept(previous, entries, self.commit)
            last = previous + len(entries)
            self.advance(min(commit, last))
            self._acknowledge(sender, last)

    def on_snapshot(self, sender: int, term: int, index: int, index_term: int, base: State) -> None:
        """Take a leader's snapshot in place of entries it no longer has."""
        if not self._follow(sender, term):
            return
        if index > self.commit:
            self.log.install(index, index_term, base)
            self.commit = index
            self.state = base.copy()
            self.around.list_changed()
        self._acknowledge(sender, self.commit)

    def on_commit(self, sender: int, term: int, commit: int) -> None:
        """Learn how far the log is committed (a heartbeat's other content)."""
        if self._follow(sender, term):
            self.advance(commit)

    def _follow(self, leader: int, term: int) -> bool:
        """Follow the sender of an append; False if its term is past."""
        if term < self.term:
            # CheckQuorum: a deposed leader must hear of it, or it would block us for ever.
            self.around.send(leader, Raft.on_append_reply, self.term, False, 0)
            return False
        if term > self.term or self.role is not Role.FOLLOWER or self.leader != leader:
            self.become_follower(term, leader)
        return True

    def _acknowledge(self, leader: int, index: int) -> None:
        term = self.term

        def entries_are_durable() -> None:
            if self.term == term:
                self.around.send(leader, Raft.on_append_reply, term, True, index)

        self.around.save(entries_are_durable)

    def advance(self, commit: int) -> None:
        """Commit and apply up to `commit`."""
        if commit <= self.commit:
            return
        if commit > self.log.last_index:
            self.around.panic(
                f"tocommit({commit}) is out of range [lastIndex({self.log.last_index})]. "
                "Was the raft log corrupted, truncated, or lost?"
            )
            return
        self.commit = commit
        state, log = self.state, self.log
        while state.applied < self.commit and self.state is state:
            index = state.applied + 1
            entry = log.entry(index)
            result = state.apply(index, entry)
            self.around.applied(index, entry, result)

    # Addressed to a leader

    def on_append_reply(self, sender: int, term: int, accepted: bool, index: int) -> None:
        """A follower has, or has not, what an append brought."""
        if term > self.term:
            self.become_follower(term, 0)
        elif self.leadership is not None and term == self.term:
            self.leadership.on_append_reply(sender, accepted, index)

    def on_time_out_now(self, _sender: int, term: int) -> None:
        """The leader hands over: campaign at once."""
        if term == self.term:
            self.campaign(transfer=True)

    def propose(self, kind: Kind, data: Any, request: int) -> bool:
        """Propose here or at the leader; False when no leader is known."""
        if self.leadership is not None:
            self.leadership.propose(kind, data, request)
            return True
        if self.leader:
            self.around.send(self.leader, Raft.on_proposal, kind, data, request)
            return True
        return False

    def on_proposal(self, _sender: int, kind: Kind, data: Any, request: int) -> None:
        """A proposal forwarded by a follower; dropped when there is nobody to forward it to."""
        self.propose(kind, data, request)

    def read_index(self, request: int, then: Callable[[int, int], None]) -> None:
        """Have `then(request, index)` called with an index that makes a read linearizable."""
        if self.leadership is not None:
            self.leadership.read_index(lambda index: then(request, index))
        elif self.leader:
            self.around.send(self.leader, Raft.on_read_index, request, then)

    def on_read_index(self, sender: int, request: int, then: Callable[[int, int], None]) -> None:
        """A follower asks for a read index."""

        def answer(index: int) -> None:
            self.around.send(sender, Raft.on_read_reply, request, index, then)

        if self.leadership is not None:
            self.leadership.read_index(answer)

    def on_read_reply(
        self, _sender: int, request: int, index: int, then: Callable[[int, int], None]
    ) -> None:
        """The leader's answer to `read_index`."""
        then(request, index)
