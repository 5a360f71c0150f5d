"""Whether a second cluster could serve: which voters decide, and how many are out of the way.

Sets of members' names, and arithmetic; nothing of time, tasks or orders.  A member that somebody
else added goes by "member <etcd's id>".
"""

from __future__ import annotations

from collections.abc import Iterable

from etcdmesos.cluster.health import voters
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Change, Kind, Record

Configuration = frozenset[str]
"""The names of the voters of one configuration of raft."""


def configurations(record: Record) -> tuple[Configuration, ...]:
    """Every configuration that may be in force, each once: the recorded one, before and after the
    change in flight.

    Learners do not count.  What somebody else changed after the list was last read is not known.
    """
    recorded = frozenset(member.name for member in voters(record))
    foreign = frozenset(_stranger(member_id) for member_id in record.foreign_voters)
    return tuple(sorted(set(_around(recorded | foreign, record.change)), key=sorted))


def _stranger(member_id: str) -> str:
    return f"member {member_id}"


def _around(voting: Configuration, change: Change | None) -> Iterable[Configuration]:
    """`voting` before and after `change`, whichever of the two it is."""
    if change is None or change.kind is Kind.ADD:
        return (voting,)
    subject = {change.member or _stranger(change.id)}
    if change.kind is Kind.PROMOTE:
        return (voting - subject, voting | subject)
    return (voting, voting - subject)


def proven(possible: Iterable[Configuration], dead: frozenset[str], held: frozenset[str]) -> bool:
    """Whether no second cluster can serve: in every configuration the voters that are neither
    known dead nor confirmed held are fewer than a quorum."""
    return all(not has_quorum(len(one - dead - held), len(one)) for one in possible)


def doubtful(
    possible: Iterable[Configuration], dead: frozenset[str], held: frozenset[str]
) -> tuple[str, ...]:
    """The voters that are neither known dead nor confirmed held, sorted."""
    return tuple(sorted(frozenset().union(*possible) - dead - held))
