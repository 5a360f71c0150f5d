"""What a raft member does and knows only while it leads: replication, commit, leases, hand-over.

It is made when a member is elected and thrown away when it steps down, so nothing of an old term
can leak into a new one.  One append is under way to each peer at a time, with as many entries as
there are; whatever is lost is lost with a link, and sent again when that is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define

from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.etcd.log import CONFIGURATION_KINDS, Entry, Kind
from etcdmesos.simulation.etcd.members import quorum

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.raft import Raft

__all__ = ["Leadership"]

_ENTRIES_MAX = 1000
"""In one append."""
_SNAPSHOT_SECONDS = (0.001, 0.03)
"""From finding that a peer needs a snapshot until it is made, between these."""


@define(eq=False)
class Progress:
    """How far one peer is."""

    next: int
    match: int = 0
    epoch: int = 0
    """The link epoch in which an append was last sent."""
    under_way: bool = False
    """That append is not answered yet."""
    told: int = 0
    """The commit index last sent in this epoch."""


class Leadership:
    """One member's time as leader of one term."""

    def __init__(self, raft: Raft) -> None:
        self._raft = raft
        self._around = raft.around
        self._ended = False
        self._durable = 0
        """What is on the leader's own disk: only that counts towards its commits."""
        self._no_change_before = raft.log.last_index
        """Changes of the list wait until this index is applied."""
        self._quorum_timer: Timer | None = None
        self._hand_over_to = 0
        self._hand_over_timer: Timer | None = None
        self._reads: list[Callable[[int], None]] = []
        self._first_index = raft.log.last_index + 1
        self.progress: dict[int, Progress] = {}
        self.configuration_applied()

    # Proposals

    def propose(self, kind: Kind, data: Any, request: int) -> None:
        """Append to the log, or drop: during a hand-over everything is dropped, and a second change
        of the list becomes an empty entry that answers nobody."""
        if self._hand_over_to:
            return
        if kind in CONFIGURATION_KINDS:
            if self._no_change_before > self._raft.state.applied:
                kind, data, request = Kind.NOOP, None, 0
            else:
                self._no_change_before = self._raft.log.last_index + 1
        self.append(kind, data, request)

    def append(self, kind: Kind, data: Any, request: int) -> None:
        """Append one entry, and replicate it."""
        raft = self._raft
        index = raft.log.append(Entry(raft.term, kind, data, request))

        def entry_is_durable() -> None:
            if not self._ended and index > self._durable:
                self._durable = index
                self._commit()

        # A leader writes to its disk while its followers write to theirs.
        for peer, progress in self.progress.items():
            if not progress.under_way:
                self._send(peer, progress)
        self._around.save(entry_is_durable)

    # Replication

    def _send(self, peer: int, progress: Progress) -> None:
        raft, log = self._raft, self._raft.log
        epoch = self._around.link_epoch(peer)
        if not epoch:
            return
        progress.epoch, progress.under_way, progress.told = epoch, True, 0
        previous = progress.next - 1
        previous_term = log.term_at(previous)
        if previous_term is None:
            seconds = self._around.random.uniform(*_SNAPSHOT_SECONDS)
            self._around.after(seconds, self._send_snapshot, peer, progress, epoch)
            return
        entries = log.after(previous, _ENTRIES_MAX)
        self._around.send(
            peer, type(raft).on_append, raft.term, previous, previous_term, entries, raft.commit
        )

    def _send_snapshot(self, peer: int, progress: Progress, epoch: int) -> None:
        """Send all that is applied by now, which may be more than what is in raft's own snapshot:
        even the peer's own publication, which it will then never see applied."""
        raft, state = self._raft, self._raft.state
        if not self._ended and progress.epoch == epoch and self.progress.get(peer) is progress:
            arguments = raft.term, state.applied, state.applied_term, state.copy()
            self._around.send(peer, type(raft).on_snapshot, *arguments)

    def on_append_reply(self, sender: int, accepted: bool, index: int) -> None:
        """A follower has everything up to `index`, or nothing that fits after it."""
        progress = self.progress.get(sender)
        if progress is None:
            return
        progress.under_way = False
        if accepted:
            progress.next = max(progress.next, index + 1)
            if index > progress.match:
                progress.match = index
                self._commit()
                # What was committed may have been this leader's end, or the follower's removal.
                if self._ended or sender not in self.progress:
                    return
                self._hand_over(sender)
            self._tell_commit(sender, progress)
        elif index < progress.match:
            # It has lost what it once acknowledged: as in etcd, the next heartbeat ends it.
            progress.told = 0
            self._tell_commit(sender, progress)
            return
        else:
            progress.next = max(progress.match + 1, min(index + 1, progress.next - 1))
        if progress.next <= self._raft.log.last_index:
            self._send(sender, progress)

    def _tell_commit(self, peer: int, progress: Progress) -> None:
        """Send what heartbeats would carry, if the peer has not been sent it."""
        raft = self._raft
        commit = min(progress.match, raft.commit)
        if commit > progress.told:
            progress.told = commit
            self._around.send(peer, type(raft).on_commit, raft.term, commit)

    # Commit

    def _commit(self) -> None:
        """Commit what a quorum of the configuration in force has made durable."""
        raft, progress = self._raft, self.progress
        voters = raft.state.voters
        if not voters:
            return
        have = [self._durable if one == raft.id else progress[one].match for one in voters]
        have.sort(reverse=True)
        index = have[quorum(len(voters)) - 1]
        # Only entries of the own term are committed by counting (raft's figure 8).
        if index <= raft.commit or index < self._first_index:
            return
        raft.advance(index)
        if self._ended:
            return
        for peer, its in progress.items():
            self._tell_commit(peer, its)
        self._answer_reads()

    def configuration_applied(self) -> None:
        """Replicate to who is on the list, and to nobody else."""
        raft = self._raft
        listed = (*raft.state.voters, *raft.state.learners)
        for one in tuple(self.progress):
            if one not in listed:
                del self.progress[one]
        for one in listed:
            if one != raft.id and one not in self.progress:
                self.progress[one] = Progress(next=raft.log.last_index + 1)
        if raft.leadership is self:
            self._around.after(0.0, self._commit_if_leading)

    def _commit_if_leading(self) -> None:
        """A smaller quorum may have what the larger one lacked."""
        if not self._ended:
            self._commit()

    # Reads

    def read_index(self, then: Callable[[int], None]) -> None:
        """Answer once a quorum confirms that this is still the leader, with its commit index."""
        self._reads.append(then)
        self._answer_reads()

    def _answer_reads(self) -> None:
        """Begin the round of heartbeats, once this term has committed something."""
        raft = self._raft
        if not self._reads or raft.commit < self._first_index:
            return
        reads, self._reads = self._reads, []
        index = raft.commit
        if raft.state.voters == (raft.id,):
            self._confirm(reads, index)
            return
        delay = 2 * self._around.random.uniform(0.0002, 0.001)
        self._around.after(delay, self._confirm, reads, index)

    def _confirm(self, reads: list[Callable[[int], None]], index: int) -> None:
        """The heartbeats' answers are in.  Who is still in this term has elected nobody newer."""
        raft = self._raft
        confirmed = 0
        for voter in raft.state.voters:
            peer = raft if voter == raft.id else self._around.peer(voter)
            confirmed += peer is not None and peer.term == raft.term
        if self._ended or confirmed < quorum(len(raft.state.voters)):
            return
        for then in reads:
            then(index)

    # Clocks

    def review(self) -> None:
        """Speak to peers that stand linked and don't follow; watch the quorum (CheckQuorum)."""
        raft, around = self._raft, self._around
        for one, progress in self.progress.items():
            epoch = around.link_epoch(one)
            if not epoch:
                continue
            peer = around.peer(one)
            follows = peer is not None and peer.leader == raft.id and peer.term == raft.term
            if epoch != progress.epoch or not (follows or progress.under_way):
                self._send(one, progress)
        if self._has_quorum():
            self.stop_clock()
        elif self._quorum_timer is None:
            # It looks once per election time-out whether a quorum was heard of since it last did.
            wait = raft.timing.election * (1 + around.random.random())
            self._quorum_timer = around.after(wait, self._check_quorum)

    def stop_clock(self) -> None:
        """No need to look, or no tick comes."""
        if self._quorum_timer is not None:
            self._quorum_timer.cancel()
            self._quorum_timer = None

    def _has_quorum(self) -> bool:
        raft = self._raft
        heard = 0
        for one in raft.state.voters:
            peer = raft if one == raft.id else self._around.peer(one)
            heard += peer is raft or (peer is not None and not peer.around.silent)
        return heard >= quorum(len(raft.state.voters))

    def _check_quorum(self) -> None:
        self._quorum_timer = None
        if not self._has_quorum():
            self._raft.become_follower(self._raft.term, 0)

    # Hand-over

    def hand_over(self, to: int) -> None:
        """Transfer leadership to a voter: bring it up to date, then have it campaign at once."""
        self._hand_over_to = to
        self._hand_over_timer = self._around.after(
            self._raft.timing.election, self._give_hand_over_up
        )
        self._hand_over(to)

    def _hand_over(self, peer: int) -> None:
        progress = self.progress.get(peer)
        if peer != self._hand_over_to or progress is None:
            return
        if progress.match == self._raft.log.last_index:
            self._around.send(peer, type(self._raft).on_time_out_now, self._raft.term)

    def _give_hand_over_up(self) -> None:
        self._hand_over_to = 0

    def end(self) -> None:
        """Another term, or no quorum: whatever was under way will not end here."""
        self._ended = True
        self.stop_clock()
        if self._hand_over_timer is not None:
            self._hand_over_timer.cancel()
