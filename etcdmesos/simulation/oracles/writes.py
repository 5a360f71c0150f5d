"""Oracles on data: what was acknowledged to a client is kept, or was admitted to be missing."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.simulation.facts import LeaderElected, Settled, WriteAcknowledged
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise

SHOWN = 3
"""How many lost keys a message names."""


@oracle(Promise.WRITES, LeaderElected)
def leaders_hold_every_write(books: Books, fact: LeaderElected) -> Iterator[str]:
    """A new leader's log holds every write that its cluster acknowledged."""
    lost = [k for k, write in books.acknowledged.items() if write.token == fact.token]
    lost = [k for k in lost if k not in fact.keys]
    if lost:
        yield f"the new leader of {fact.token} lacks {_named(lost)}"


@oracle(Promise.WRITES, Settled)
def acknowledged_writes_are_kept(books: Books, fact: Settled) -> Iterator[str]:
    """At rest, the serving cluster holds every acknowledged write that no reseed and no restore has
    admitted to be missing, unless a majority is lost."""
    if fact.lost_majority or fact.keys is None:
        return  # whether one must serve is a question of liveness
    lost = [k for k, write in books.acknowledged.items() if _expected(books, write)]
    lost = [k for k in lost if k not in fact.keys]
    if lost:
        yield f"acknowledged and lost: {_named(lost)}"


@oracle(Promise.RESEED, Settled)
def losses_are_admitted(books: Books, fact: Settled) -> Iterator[str]:
    """After a reseed no acknowledged write is missing at or below the seed's commit index, nor at
    or below the revision that the record says writes may be missing above."""
    if fact.keys is None:
        return
    for generation, flip in books.flips.items():
        if books.restores.restored_since(flip.generation):
            continue  # what a backup does not hold is missing, whatever the seed had
        chosen = flip.seed.chosen
        for key, write in books.acknowledged.items():
            if key in fact.keys or books.generation_of_token.get(write.token) != generation:
                continue
            if chosen is not None and 0 < write.index <= chosen.commit_index:
                yield f"{key} is lost, at index {write.index}: the seed had {chosen.commit_index}"
            elif write.revision <= flip.told.revision:
                said = f"only those above {flip.told.revision} were said to be"
                yield f"{key} of revision {write.revision} is missing, and {said}"


@oracle(Promise.RESEED, WriteAcknowledged)
def revisions_never_go_back(books: Books, fact: WriteAcknowledged) -> Iterator[str]:
    """What a reseeded or restored cluster gives out is above every revision of the one before,
    where the tool that restores it can raise them."""
    restorer = books.settings.artifacts.restorer
    if restorer is None or not restorer.bumps:
        return
    ours = books.generation_of_token.get(fact.token, 0)
    if not any(generation <= ours for generation in books.restores.grown):
        return
    for key, write in books.acknowledged.items():
        earlier = books.generation_of_token.get(write.token, 0) < ours
        if earlier and write.revision >= fact.revision:
            said = f"{fact.key} has revision {fact.revision}"
            yield f"{said}, and {key} of the cluster before had {write.revision}"
            return


def _expected(books: Books, write: WriteAcknowledged) -> bool:
    """Whether the cluster in force has to hold the write, as far as reseeds go."""
    generation = books.generation_of_token.get(write.token, 0)
    durable = books.durable
    # One through a seed that was not announced yet, and failed, never was in the cluster.
    return durable is None or books.restores.holds(durable.generation, generation, write.revision)


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(sorted(keys)[:SHOWN]) + more
