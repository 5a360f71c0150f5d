"""etcd's replicated state machine: keys, alarms and the member list, changed by committed entries.

Every member applies the same entries to its own `State`, in order, and must come to the same state.
Nothing here knows of time, chance, the network or the disk.
"""

from __future__ import annotations

from typing import Any

from etcdmesos.simulation.etcd import refusals
from etcdmesos.simulation.etcd.log import Entry, Kind
from etcdmesos.simulation.etcd.members import Member, refusal_of_add
from etcdmesos.simulation.etcd.refusals import Refusal

__all__ = ["CORRUPT", "NOSPACE", "State"]

NOSPACE = "NOSPACE"
CORRUPT = "CORRUPT"

_EMPTY_BYTES = 20480
"""A new database's size, seen on 3.4.23 and 3.5.30."""
_KEY_BYTES = 100


class State:
    """What one member has applied."""

    __slots__ = (
        "alarms",
        "applied",
        "applied_term",
        "db_size",
        "keys",
        "kv_index",
        "learners",
        "members",
        "removed",
        "revision",
        "voters",
    )

    def __init__(self) -> None:
        self.applied = 0
        self.applied_term = 0
        self.kv_index = 0
        """The backend's consistent index: entries up to here don't change keys again."""
        self.revision = 1
        self.keys: dict[str, int] = {}
        self.db_size = _EMPTY_BYTES
        self.alarms: dict[tuple[int, str], None] = {}
        self.members: dict[int, Member] = {}
        self.removed: dict[int, None] = {}
        self.voters: tuple[int, ...] = ()
        self.learners: tuple[int, ...] = ()

    def copy(self) -> State:
        """An independent copy."""
        copy = State.__new__(State)
        for name in State.__slots__:
            value = getattr(self, name)
            setattr(copy, name, value.copy() if isinstance(value, dict) else value)
        return copy

    def list(self) -> tuple[Member, ...]:
        """The members in the order of ids."""
        return tuple(self.members[one] for one in sorted(self.members))

    def has_alarm(self, alarm: str) -> bool:
        """Whether any member has raised it."""
        return any(raised == alarm for _, raised in self.alarms)

    def apply(self, index: int, entry: Entry) -> Any:
        """Carry out the entry at `index`; what whoever proposed it is told."""
        assert index == self.applied + 1, "entries are applied in order"
        self.applied = index
        self.applied_term = entry.term
        kind = entry.kind
        if kind is Kind.PUT:
            return self._put(index, *entry.data)
        if kind is Kind.NOOP:
            return None
        if kind is Kind.REVOKE:
            return refusals.CORRUPT if self.has_alarm(CORRUPT) else refusals.LEASE_NOT_FOUND
        if kind is Kind.ALARM:
            return self._alarm(*entry.data)
        if kind is Kind.PUBLISH:
            return self._publish(*entry.data)
        result = self._change_members(kind, entry.data)
        self._count()
        return result

    def set_members(self, members: dict[int, Member]) -> None:
        """Begin with this list, as a bootstrap or a restore does."""
        self.members = dict(members)
        self._count()

    def put_ahead(self, index: int, key: str, size: int) -> None:
        """What the backend holds of an entry that raft has not (yet) applied."""
        self._put(index, key, size)

    def _put(self, index: int, key: str, size: int) -> int | Refusal:
        if index <= self.kv_index:
            return self.keys.get(key, self.revision)
        self.kv_index = index
        if self.alarms:
            if self.has_alarm(CORRUPT):
                return refusals.CORRUPT
            if self.has_alarm(NOSPACE):
                return refusals.NO_SPACE
        self.revision += 1
        self.keys[key] = self.revision
        self.db_size += _KEY_BYTES + size
        return self.revision

    def _alarm(self, action: str, member: int, alarm: str) -> tuple[tuple[int, str], ...]:
        """Activate, deactivate or only list; the alarms that were concerned."""
        if action == "activate":
            self.alarms[member, alarm] = None
        elif action == "deactivate":
            found = tuple(
                one for one in self.alarms if member in (0, one[0]) and alarm in ("", one[1])
            )
            for one in found:
                del self.alarms[one]
            return found
        return tuple(self.alarms)

    def _publish(self, member: int, name: str, client_urls: tuple[str, ...]) -> None:
        # A removed member may have proposed it while it was still on the list.
        if member in self.members:
            self.members[member] = self.members[member].published(name, client_urls)

    def _change_members(self, kind: Kind, data: Any) -> tuple[Member, ...] | Refusal:
        if kind is Kind.ADD:
            refusal = refusal_of_add(tuple(self.members.values()), self.removed, data)
            if refusal is not None:
                return refusal
            self.members[data.id] = data
            return self.list()
        member = self.members.get(data)
        if member is None:
            return refusals.MEMBER_NOT_FOUND
        if kind is Kind.REMOVE:
            del self.members[data]
            self.removed[data] = None
        elif not member.learner:
            return refusals.NOT_A_LEARNER
        else:
            self.members[data] = Member(
                member.id, member.peer_urls, member.name, member.client_urls, learner=False
            )
        return self.list()

    def _count(self) -> None:
        ids = sorted(self.members)
        self.voters = tuple(one for one in ids if not self.members[one].learner)
        self.learners = tuple(one for one in ids if self.members[one].learner)
