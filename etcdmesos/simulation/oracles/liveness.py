"""Oracles on liveness: nothing spins, and once faults stop all ends well or a wait is named.

What an end without health must look like is said here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import quorum
from etcdmesos.cluster.record import Member, Step
from etcdmesos.cluster.restore.telling import of_the_failure
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
    """Healthy, with N voters and nobody else on etcd's list; or lost, when all members ended; or
    what only people can give is waited for, and why() says so and names the lost."""
    if fact.model is None:
        yield "no scheduler runs"
    elif problem := unfinished(fact, fact.model):
        yield f"{problem}; why() says: {why(fact.model, fact.now)}"


def unfinished(fact: Settled, model: Model) -> str:
    """What is wrong with the end of a run, `model` being the controller's; "" when nothing is."""
    record = model.record
    if model.phase == "healthy":
        listed = (fact.voters, fact.listed)
        if None not in listed and listed != (record.target_size, record.target_size):
            return f"called healthy while etcd lists {fact.voters} voters, {fact.listed} members"
        return ""
    if model.phase == "restoring":
        return "still restoring"
    if model.phase == "lost" or of_the_failure(model):
        if problem := _to_be_restored(fact, model):
            return problem
        if not record.members:
            return ""  # one that was to begin from a backup, and says what was wrong with that
    # One that is being added has no task yet that could be lost.
    members = [m for m in record.members if m.step not in (Step.ADDING, Step.GONE)]
    lost = [m for m in members if not any(task.id in fact.alive for task in m.tasks)]
    if not lost:
        return f"still {model.phase} and no member is lost"
    if record.served and not fact.lost_majority:
        return f"still {model.phase}, and a majority of the {fact.voters} voters is left"
    if record.served and len(lost) < len(members) and not _waits_for_people(fact, model):
        return f"still {model.phase}, and a survivor's data could be a new cluster"
    if model.phase not in _waiting_phases(model, len(members) - len(lost)):
        return f"{model.phase} with {len(lost)} of {len(members)} members lost"
    sentence = why(model, fact.now)
    unnamed = [m.name for m in lost if not _named(model, m, sentence)]
    return f"why() does not say that {', '.join(unnamed)} is lost" if unnamed else ""


def _to_be_restored(fact: Settled, model: Model) -> str:
    """Why a cluster that is lost, or was to begin from a backup, may not be left as it is: somebody
    wants it restored, and it was not given up, or there is a backup that is whole."""
    given_up = bool(of_the_failure(model))
    if model.settings.restore.automatic and not given_up:
        return f"still {model.phase}, and it is to be restored unasked"
    if fact.restored_on_demand and fact.restorable:
        return f"still {model.phase}, and a backup is there that people would have restored"
    return ""


def _waits_for_people(fact: Settled, model: Model) -> bool:
    """Whether nobody gives the word that is waited for, or there is nothing to grow from."""
    if not fact.sound:
        return True
    return not fact.operator and "POST /reseed" in why(model, fact.now)


def _waiting_phases(model: Model, left: int) -> tuple[str, ...]:
    """The phases in which to wait with that many members left."""
    members = [m for m in model.record.members if m.step is not Step.ADDING]
    if model.record.served:
        if all(model.ended(m) for m in members):
            return ("lost",)
        # A change that was in flight when the quorum went stays in flight.
        return ("degraded", "reconfiguring")
    # A quorum of it may have served unseen, so it is not given up; and without one it never will.
    started = sum(m.step in (Step.JOINING, Step.VOTER) for m in members)
    needed = quorum(len(members))
    return ("bootstrapping",) if started >= needed > left else ()


def _named(model: Model, member: Member, sentence: str) -> bool:
    """Whether the sentence names the member, and, unless it lists where data lie, its state."""
    if member.name not in sentence:
        return False
    states = [model.tasks[task.id].state.value for task in member.tasks if task.id in model.tasks]
    return model.phase == "lost" or any(state in sentence for state in states)
