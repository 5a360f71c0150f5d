"""Members and their ids, and what is asked before a change of the member list is proposed.

Ids are worked out as etcd does it (server/etcdserver/api/membership): from peer URLs and token, and
for a member added later from peer URLs and the time, so that a new token means a new cluster id and
nobody gets an id twice.  What a *committed* change does to the list is in `state`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from etcdmesos.simulation.etcd import refusals
from etcdmesos.simulation.etcd.refusals import Refusal

__all__ = [
    "Member",
    "cluster_id",
    "hexadecimal",
    "initial_members",
    "may_add_voter",
    "may_promote",
    "may_remove_voter",
    "member_id",
    "quorum",
]

LEARNERS_MAX = 1
READY_PERCENT = 90
"""A learner may be promoted once it has this much of the leader's log."""
HEALTHY_SECONDS = 5.0
"""A peer counts as connected, for adds and removals, once it was so for this long."""


@frozen
class Member:
    """One entry of the list; one that was added has no name until it has started."""

    id: int
    peer_urls: tuple[str, ...]
    name: str = ""
    client_urls: tuple[str, ...] = ()
    learner: bool = False

    @property
    def started(self) -> bool:
        return self.name != ""

    def published(self, name: str, client_urls: tuple[str, ...]) -> Member:
        """This member, once it has told its name."""
        if (self.name, self.client_urls) == (name, client_urls):
            return self
        return evolve(self, name=name, client_urls=client_urls)


def member_id(peer_urls: Iterable[str], token: str, now: int | None = None) -> int:
    """The id of a member of the initial cluster (`token`) or of one added at `now`."""
    text = "".join(sorted(peer_urls)) + token + ("" if now is None else str(now))
    return _hash(text.encode())


def cluster_id(member_ids: Iterable[int]) -> int:
    """The id of a cluster that begins with these members."""
    return _hash(b"".join(one.to_bytes(8, "big") for one in sorted(member_ids)))


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data, usedforsecurity=False).digest()[:8], "big")


def initial_members(initial_cluster: str, token: str) -> dict[int, Member]:
    """The members that `--initial-cluster` names, by id in the order of ids, with their names."""
    urls: dict[str, list[str]] = {}
    for pair in initial_cluster.split(","):
        name, _, url = pair.partition("=")
        urls.setdefault(name, []).append(url)
    members = [
        Member(member_id(found, token), tuple(sorted(found)), name) for name, found in urls.items()
    ]
    return {member.id: member for member in sorted(members, key=lambda member: member.id)}


def hexadecimal(number: int) -> str:
    """An id as etcd prints it."""
    return f"{number:016x}"


def quorum(voters: int) -> int:
    """How many of `voters` are a majority."""
    return voters // 2 + 1


def may_add_voter(members: Iterable[Member]) -> bool:
    """Whether enough voters have started to add one more that has not."""
    voters = [member for member in members if not member.learner]
    started = sum(member.started for member in voters)
    return (started == 1 and len(voters) == 1) or started >= quorum(len(voters) + 1)


def may_remove_voter(members: Iterable[Member], removed: int) -> bool:
    """Whether those that remain and have started are a quorum of those that remain."""
    voters = [m for m in members if not m.learner and m.id != removed]
    return sum(member.started for member in voters) >= quorum(len(voters))


def may_promote(members: Iterable[Member]) -> bool:
    """Whether the started voters and the learner are a quorum of what the voters will be."""
    voters = [member for member in members if not member.learner]
    return sum(member.started for member in voters) + 1 >= quorum(len(voters) + 1)


def refusal_of_add(
    members: Sequence[Member], removed: Iterable[int], new: Member
) -> Refusal | None:
    """Why a committed add is void; None if it is not."""
    if new.id in removed:
        return refusals.MEMBER_NOT_FOUND
    if any(member.id == new.id for member in members):
        return refusals.MEMBER_EXISTS
    if any(url in member.peer_urls for member in members for url in new.peer_urls):
        return refusals.PEER_URL_EXISTS
    if new.learner and sum(member.learner for member in members) >= LEARNERS_MAX:
        return refusals.TOO_MANY_LEARNERS
    return None
