"""Quorum arithmetic (Raft, section 5; etcd's own `quorum` package counts alike).  Pure."""

from __future__ import annotations


def quorum(voters: int) -> int:
    """How many of `voters` (0 or more) make a majority; of none, one: no set of nobody decides."""
    return voters // 2 + 1


def has_quorum(present: int, voters: int) -> bool:
    """Whether `present` of `voters` are a majority."""
    return present >= quorum(voters)


def tolerated(voters: int) -> int:
    """How many of `voters` may fail at once without losing the quorum."""
    return max(0, voters - quorum(voters))
