"""Does the term of raft flap?  Elections that nobody's start or end explains.  Pure."""

from __future__ import annotations

from typing import Self

from attrs import evolve, frozen

RISES = 3
WINDOW = 900.0
"""Seconds.  etcd's own alert (etcdHighNumberOfLeaderChanges) is on 4 in 15 minutes."""


@frozen(kw_only=True)
class Terms:
    """The highest term seen, and when it rose lately."""

    highest: int = 0
    rises: tuple[float, ...] = ()
    """One moment for each term, the last RISES + 1."""

    def seeing(self, term: int, now: float) -> Self:
        """With `term` seen at `now`."""
        if term <= self.highest:
            return self
        # What it was before the first reading, nobody saw.
        by = min(term - self.highest, RISES + 1) if self.highest else 0
        return evolve(self, highest=term, rises=(*self.rises, *[now] * by)[-RISES - 1 :])

    def explained(self) -> Self:
        """With the elections so far explained by a member that started or ended."""
        return evolve(self, rises=())

    def flapping(self, now: float) -> bool:
        """Whether the term rose by more than RISES within the last WINDOW."""
        return len(self.rises) > RISES and now - self.rises[0] <= WINDOW
