"""Watches etcd's own member lists: each change as it is carried out, and how they stand at rest.

What etcd has applied is the truth here, not what anybody was told of it.  Nothing is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from etcdmesos.cluster.quorum import quorum
from etcdmesos.cluster.record import Record
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.etcd import EtcdProcess
from etcdmesos.simulation.etcd.log import CONFIGURATION_KINDS, Entry
from etcdmesos.simulation.etcd.members import READY_PERCENT, Member, hexadecimal

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["MemberWatch"]


@define
class _Cluster:
    """One etcd cluster's list, as of the newest entry that any member has applied."""

    index: int
    members: dict[int, Member]


class MemberWatch:
    """The member lists of all clusters in one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clusters: dict[int, _Cluster] = {}
        self._caught_up: set[int] = set()

    def applied(self, process: EtcdProcess, index: int, entry: Entry) -> None:
        """A member has applied an entry."""
        state = process.raft.state
        if process.member_id in state.learners:
            self._follow(process, index)
        known = self._clusters.get(process.cluster_id)
        if known is None:
            # What a cluster begins with is no change.
            self._clusters[process.cluster_id] = _Cluster(index, dict(state.members))
        elif entry.kind in CONFIGURATION_KINDS and index > known.index:
            before = known.members
            known.index, known.members = index, dict(state.members)
            self._changed(entry, before, known.members)

    def _follow(self, process: EtcdProcess, index: int) -> None:
        """A learner has applied an entry: is that enough of the leader's log?"""
        one = process.member_id
        if one in self._caught_up:
            return
        leaders = [
            p.raft.log.last_index
            for p in self._world.etcd.processes
            if p.serving_peers
            and p.cluster_id == process.cluster_id
            and p.raft.leadership is not None
        ]
        if leaders and index * 100 >= READY_PERCENT * max(leaders):
            self._caught_up.add(one)
            self._world.see(f.LearnerCaughtUp(member=hexadecimal(one)))

    def _changed(self, entry: Entry, before: dict[int, Member], after: dict[int, Member]) -> None:
        kind = entry.kind.name.lower()
        one = entry.data.id if kind == "add" else entry.data
        member = after.get(one) or before.get(one)
        if member is None or before.get(one) == after.get(one):
            return  # void: it was carried out before, or cannot be
        by_hand = self._world.operator.changed
        url = member.peer_urls[0]
        own = [m for m in after.values() if not by_hand.intersection(m.peer_urls)]
        self._world.say("etcd's list", f"{kind} {hexadecimal(one)} at {url}: {len(after)} listed")
        self._world.see(
            f.MembersChanged(
                kind=kind,
                member=hexadecimal(one),
                learner=member.learner,
                by_hand=url in by_hand or hexadecimal(one) in by_hand,
                listed=len(own),
            )
        )

    # At rest

    def listed(self, record: Record | None) -> tuple[Member, ...]:
        """The members of the recorded cluster, as etcd has them; empty when it is not known."""
        if record is None or not record.cluster_id:
            return ()
        cluster = self._clusters.get(int(record.cluster_id, 16))
        return tuple(cluster.members.values()) if cluster is not None else ()

    def lost_majority(self, record: Record | None, alive: set[str]) -> bool:
        """Whether no quorum can come together, `alive` being the tasks that really run.

        Each member goes by the list that it has applied itself: one that was killed before it
        learned that a change is committed still needs those of the list before.
        """
        if record is None:
            return False
        left = {m.peer_url for m in record.members if any(task.id in alive for task in m.tasks)}
        lists = [tuple(p.raft.state.members.values()) for p in self._living(record)]
        lists = [self.listed(record), *lists]
        known = [voters for one in lists if (voters := [m for m in one if not m.learner])]
        if not known:
            return len(left) < quorum(len(record.members))
        newest, *own = known
        return _lacks_quorum(newest, left) or (
            bool(own) and all(_lacks_quorum(voters, left) for voters in own)
        )

    def _living(self, record: Record) -> list[EtcdProcess]:
        return [
            p for p in self._world.etcd.processes if hexadecimal(p.cluster_id) == record.cluster_id
        ]


def _lacks_quorum(voters: list[Member], left: set[str]) -> bool:
    return sum(voter.peer_urls[0] in left for voter in voters) < quorum(len(voters))
