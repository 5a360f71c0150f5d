"""Oracles on tasks, their updates, and offers."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.commands import Acknowledge, Kill, Launch, Shutdown
from etcdmesos.cluster.events import TaskUpdated
from etcdmesos.simulation.facts import Released, Settled, Stepped
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise


@oracle(Promise.STRAYS, Stepped)
def strays_are_ended(books: Books, fact: Stepped) -> Iterator[str]:
    """A task that lives and is not on record is asked to end, again and again, until it does."""
    model = fact.step.model
    if model.phase == "recovering" or not model.store.loaded:
        return
    told, settings = books.to(fact.process), books.settings
    now_asked = {x.task_id for x in fact.step.commands if isinstance(x, Kill)}
    patience = settings.grace + settings.kill_again + 1.0
    for task_id in sorted(told.alive):
        if model.record.owner(task_id) is not None or task_id in now_asked:
            continue
        asked = told.asked.get(task_id)
        if asked is None or fact.now - asked > patience:
            yield f"{task_id} lives, is not on record and is not asked to end"


@oracle(Promise.REPLACED, Released)
def members_are_spared(books: Books, fact: Released) -> Iterator[str]:
    """Once it has served, nobody asks for the end of a recorded member's task, unless the whole
    cluster is to end."""
    record = books.record_of(fact.process)
    if not isinstance(fact.command, Kill | Shutdown) or record is None or not record.served:
        return
    if record.uninstalling or record.restore is not None:
        return  # all it can be is one that was to be restored, which nobody was told of
    named = fact.command.task_id if isinstance(fact.command, Kill) else fact.command.executor_id
    if named in books.ended_by_force:
        return  # it did not confirm a hold
    for member in record.members:
        if any(named in (task.id, task.executor_id) for task in member.tasks):
            yield f"{named} is to end, and {member.name} is a member"


@oracle(Promise.REPLACED, Released)
def shutdowns_follow_a_kill(books: Books, fact: Released) -> Iterator[str]:
    """An executor is shut down only when a KILL of its task was not answered in time."""
    if not isinstance(fact.command, Shutdown):
        return
    if fact.command.executor_id in books.ended_by_force:
        return  # it did not confirm a hold
    told, settings = books.to(fact.process), books.settings
    # A member's executor has the id of its task.
    asked = told.asked_first.get(fact.command.executor_id)
    if asked is None:
        yield f"{fact.command.executor_id} is shut down, and was not asked to end before"
    elif told.now - asked < settings.grace + settings.kill_again - 0.001:
        yield f"{fact.command.executor_id} is shut down {told.now - asked:.1f} s after the KILL"


@oracle(Promise.STRAYS, Settled)
def no_stray_survives(_books: Books, fact: Settled) -> Iterator[str]:
    """At rest, every task that really runs is one of the record."""
    model = fact.model
    if model is None:
        return
    for task_id in sorted(fact.alive):
        if model.record.owner(task_id) is None:
            yield f"{task_id} still runs and is not on record"


@oracle(Promise.UPDATES, Stepped)
def acknowledges_what_it_took_in(_books: Books, fact: Stepped) -> Iterator[str]:
    """Every update is acknowledged once per delivery, in the step that takes it in."""
    event, step = fact.event, fact.step
    acknowledged = [x.status.uuid for x in step.commands if isinstance(x, Acknowledge)]
    if not isinstance(event, TaskUpdated):
        if acknowledged:
            yield "an update is acknowledged that did not come with this event"
        return
    status = event.status
    if acknowledged != ([status.uuid] if status.uuid else []):
        yield f"{status.state.value} of {status.task_id} is not acknowledged as it came"
    stray = step.model.record.owner(status.task_id) is None
    if stray and status.dead:
        return  # a stray is forgotten when it is dead
    if stray or status.task_id in fact.before.tasks:
        held = fact.before.tasks.get(status.task_id)
        if held is None or held.dead:
            return  # the first proof of death stands
    taken = step.model.tasks.get(status.task_id)
    if acknowledged and (taken is None or taken.state is not status.state):
        yield f"{status.state.value} of {status.task_id} is acknowledged and not taken in"


@oracle(Promise.UPDATES, Settled)
def updates_reach_their_agents(_books: Books, fact: Settled) -> Iterator[str]:
    """At rest, agents know what executors last said."""
    for executor in fact.unsaid:
        yield f"the last word of {executor} never reached its agent"


@oracle(Promise.OFFERS, Stepped)
def offers_stand_when_used(books: Books, fact: Stepped) -> Iterator[str]:
    """A launch uses offers that this subscription holds, each once."""
    offered = set(books.to(fact.process).offered)
    for command in fact.step.commands:
        if isinstance(command, Launch):
            for offer_id in command.offer_ids:
                if offer_id not in offered:
                    yield f"{offer_id} was rescinded, used, returned or is of an old subscription"
                offered.discard(offer_id)
