"""The raft log: entries behind a snapshot.  Used in memory and, as made durable, on disk.

The same class serves both, because what is on disk is an older state of what is in memory.  Nothing
here knows what an entry does.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple

from etcdmesos.simulation.errors import ImpossibleWorld

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.state import State

__all__ = ["Entry", "Kind", "RaftLog"]


class Kind(enum.IntEnum):
    """What an entry does once it is committed."""

    NOOP = 0
    """What every leader commits first."""
    PUT = 1
    REVOKE = 2
    """Revocation of a lease that never existed: changes nothing."""
    ALARM = 3
    PUBLISH = 4
    """A member's name and client URLs."""
    ADD = 5
    PROMOTE = 6
    REMOVE = 7


CONFIGURATION_KINDS = (Kind.ADD, Kind.PROMOTE, Kind.REMOVE)


class Entry(NamedTuple):
    """One entry.  Its index is its place in the log."""

    term: int
    kind: Kind
    data: Any = None
    request: int = 0
    """Who waits for it, at the member that proposed it; 0: nobody."""


class RaftLog:
    """Entries after `base_index`; what came before is in `base`, the state machine at that index.

    `changed_from` is the lowest index whose entry changed since the last write to disk began.
    """

    __slots__ = ("base", "base_index", "base_term", "changed_from", "entries", "rebased")

    def __init__(self, base: State, base_index: int = 0, base_term: int = 0) -> None:
        self.base = base
        self.base_index = base_index
        self.base_term = base_term
        self.entries: list[Entry] = []
        self.changed_from: int | None = None
        self.rebased = False

    def copy(self) -> RaftLog:
        """An independent copy, with nothing to be written."""
        copy = RaftLog(self.base, self.base_index, self.base_term)
        copy.entries = self.entries.copy()
        return copy

    @property
    def last_index(self) -> int:
        return self.base_index + len(self.entries)

    @property
    def last_term(self) -> int:
        return self.entries[-1].term if self.entries else self.base_term

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; None if it is not here (yet, or any more)."""
        place = index - self.base_index - 1
        if place == -1:
            return self.base_term
        return self.entries[place].term if 0 <= place < len(self.entries) else None

    def entry(self, index: int) -> Entry:
        return self.entries[index - self.base_index - 1]

    def after(self, index: int, limit: int) -> list[Entry]:
        """At most `limit` entries after `index`."""
        place = index - self.base_index
        return self.entries[place : place + limit]

    def append(self, entry: Entry) -> int:
        """Add one at the end; its index."""
        self.entries.append(entry)
        index = self.base_index + len(self.entries)
        if self.changed_from is None or index < self.changed_from:
            self.changed_from = index
        return index

    def accept(self, previous: int, entries: list[Entry], commit: int) -> bool:
        """Take a leader's entries after `previous`, dropping what conflicts; whether any was new.

        Raises ImpossibleWorld if a committed entry conflicts: raft is broken.
        """
        place = previous - self.base_index
        own = self.entries
        for number, entry in enumerate(entries):
            here = place + number
            if here < 0:
                continue
            if here < len(own):
                if own[here].term == entry.term:
                    continue
                if self.base_index + here + 1 <= commit:
                    raise ImpossibleWorld(f"a committed entry conflicts at {previous + number + 1}")
                del own[here:]
            first = self.base_index + here + 1
            own.extend(entries[number:])
            if self.changed_from is None or first < self.changed_from:
                self.changed_from = first
            return True
        return False

    def drop_after(self, index: int) -> None:
        """Forget every entry after `index`."""
        del self.entries[max(0, index - self.base_index) :]

    def compact(self, index: int, base: State) -> None:
        """Forget the entries up to `index`; `base` is the state machine there."""
        term = self.term_at(index)
        assert term is not None, "an index that is in the log"
        del self.entries[: index - self.base_index]
        self.base, self.base_index, self.base_term = base, index, term
        self.rebased = True

    def install(self, index: int, term: int, base: State) -> None:
        """Replace everything by a leader's snapshot."""
        self.entries.clear()
        self.base, self.base_index, self.base_term = base, index, term
        self.rebased = True
