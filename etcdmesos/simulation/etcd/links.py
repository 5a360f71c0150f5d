"""Links between peers: who can talk to whom now, and since when etcd's transport knows it.

A link stands while both processes run unpaused, the network connects their hosts, they belong to
one cluster, neither has removed the other and at least one knows where to find the other (rafthttp:
each side dials the addresses it knows, and both talk over what was dialled).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import define

from etcdmesos.simulation.etcd.members import HEALTHY_SECONDS, Member

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.process import EtcdProcess

__all__ = ["Link", "Links", "reachable"]

_SILENCE = 5.0
"""Seconds of silence after which rafthttp gives a connection up (ConnReadTimeout)."""
_NOTICED = (0.001, 0.03)
"""Seconds until it notices that the other process has died, between these."""


@define(eq=False)
class Link:
    """A connection to a peer."""

    process: EtcdProcess
    epoch: int


class Links:
    """One process's links and address book."""

    def __init__(self, process: EtcdProcess) -> None:
        self._process = process
        self._links: dict[int, Link] = {}
        self._active_since: dict[int, float] = {}
        self.addresses: dict[int, tuple[str, ...]] = {}
        """Peer URLs of every other member it has heard of."""

    def link(self, one: int) -> Link | None:
        """The link to a peer, while it stands."""
        return self._links.get(one)

    def learn(self, members: Iterable[Member]) -> None:
        """Take addresses from a member list."""
        process = self._process
        for member in members:
            if member.id != process.member_id:
                self.addresses[member.id] = member.peer_urls
        for one in process.removed_peers():
            self.addresses.pop(one, None)
        process.world.relink()

    def knows(self, other: EtcdProcess) -> bool:
        """Whether it can dial the other."""
        return other.options.peer_url in self.addresses.get(other.member_id, ())

    def update(self, reachable: dict[int, EtcdProcess], next_epoch: int) -> None:
        """Make and drop links to match; the network's part of `EtcdWorld.relink`."""
        now = self._process.clock.now
        for one in tuple(self._links):
            if reachable.get(one) is not self._links[one].process:
                self._drop(one)
        for one, process in reachable.items():
            if one not in self._links:
                self._links[one] = Link(process, next_epoch)
                self._active_since.setdefault(one, now)

    def _drop(self, one: int) -> None:
        process = self._process
        other = self._links.pop(one).process
        hosts = process.host.name, other.host.name
        if not other.running and process.world.network.connected(*hosts):
            # The kernel of the dead process's host tells at once, and rafthttp takes it in a little
            # later: until then the dead one still counts (seen on 3.4.23 and 3.5.30).
            seconds = process.random.uniform(*_NOTICED)
        else:
            seconds = _SILENCE
        process.clock.call_after(seconds, self._give_up, one)

    def _give_up(self, one: int) -> None:
        if one not in self._links:
            self._active_since.pop(one, None)

    def active(self, one: int) -> bool:
        """Whether the transport still takes the peer for connected."""
        return one in self._active_since

    def connected_voters(self, voters: Sequence[int]) -> int:
        """How many voters, itself included, have been connected for long enough to count."""
        since = self._process.clock.now - HEALTHY_SECONDS
        own = self._process.member_id
        return sum(one == own or self._active_since.get(one, since) < since for one in voters)

    def longest_connected(self, candidates: Iterable[int]) -> int:
        """Of the candidates linked now, the one connected for longest; 0 if none is."""
        linked = [one for one in candidates if one in self._links]
        return min(linked, key=lambda one: (self._active_since[one], one), default=0)


def reachable(a: EtcdProcess, b: EtcdProcess) -> bool:
    """Whether a connection between two running processes of one cluster can stand."""
    return (
        not a.paused
        and not b.paused
        and a.world.network.connected(a.host.name, b.host.name)
        and (a.links.knows(b) or b.links.knows(a))
    )
