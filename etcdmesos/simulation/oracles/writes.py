"""Oracles on data: what was acknowledged to a client is kept."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.simulation.facts import LeaderElected, Settled
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise

SHOWN = 3
"""How many lost keys a message names."""


@oracle(Promise.WRITES, LeaderElected)
def leaders_hold_every_write(books: Books, fact: LeaderElected) -> Iterator[str]:
    """A new leader's log holds every write that its cluster acknowledged."""
    lost = [k for k, token in books.acknowledged.items() if token == fact.token]
    lost = [k for k in lost if k not in fact.keys]
    if lost:
        yield f"the new leader of {fact.token} lacks {_named(lost)}"


@oracle(Promise.WRITES, Settled)
def acknowledged_writes_are_kept(books: Books, fact: Settled) -> Iterator[str]:
    """At rest, the serving cluster holds every acknowledged write, unless a majority is lost."""
    if fact.lost_majority or fact.keys is None:
        return  # whether one must serve is a question of liveness
    lost = [k for k in books.acknowledged if k not in fact.keys]
    if lost:
        yield f"acknowledged and lost: {_named(lost)}"


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(sorted(keys)[:SHOWN]) + more
