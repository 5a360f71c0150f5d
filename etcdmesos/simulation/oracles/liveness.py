"""Oracles on liveness: nothing spins, and once faults stop it ends well or says what it waits for."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Step
from etcdmesos.cluster.why import why
from etcdmesos.simulation.facts import Settled, Stepped
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise


@oracle(Promise.LIVENESS, Stepped)
def it_does_not_spin(_books: Books, fact: Stepped) -> Iterator[str]:
    """A timer is asked for in the future, or it would fire at once, for ever."""
    wake_at = fact.step.wake_at
    if wake_at is not None and wake_at <= fact.now:
        yield f"it wants to be woken at {wake_at:.3f}, and it is {fact.now:.3f}"


@oracle(Promise.LIVENESS, Settled)
def it_ends_well(_books: Books, fact: Settled) -> Iterator[str]:
    """Healthy; or members of a cluster that has served are lost for good, and why() names them."""
    if fact.model is None:
        yield "no scheduler runs"
    elif fact.model.phase != "healthy" and (problem := unnamed_wait(fact.model, fact.now)):
        yield f"{problem}; why() says: {why(fact.model, fact.now)}"


def unnamed_wait(model: Model, now: float) -> str:
    """What is wrong with a cluster that is not healthy though faults have stopped; "" if it waits
    for what nobody but an operator (or a later version) can give, and says so."""
    record = model.record
    lost = [m for m in record.members if m.step is not Step.GONE and model.ended(m)]
    if not record.served or not lost:
        return f"still {model.phase} after faults have stopped"
    expected = "lost" if len(lost) == len(record.members) else "degraded"
    if model.phase != expected:
        return f"{model.phase} with {len(lost)} of {len(record.members)} members lost"
    sentence = why(model, now)
    unnamed = [m.name for m in lost if m.name not in sentence]
    return f"why() does not name {', '.join(unnamed)}" if unnamed else ""
