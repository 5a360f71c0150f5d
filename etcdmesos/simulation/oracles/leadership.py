"""Oracles on several schedulers of one name: one acts, and what the others may still do."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.commands import (
    DeleteRecord,
    Kill,
    Launch,
    SendMessage,
    Shutdown,
    Subscribe,
    Teardown,
)
from etcdmesos.cluster.record import Step
from etcdmesos.simulation.facts import Obeyed, Released, Settled, Stepped
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.oracles.told import RECONFIGURES
from etcdmesos.simulation.promises import Promise

ACTS = (Subscribe, Launch, Kill, Shutdown, SendMessage, Teardown, DeleteRecord, *RECONFIGURES)
"""What only the one that leads may ask for."""


@oracle(Promise.LINKS, Stepped)
def only_the_leader_acts(books: Books, fact: Stepped) -> Iterator[str]:
    """Who was not told that it leads, or that nobody can tell, asks for nothing and writes
    nothing."""
    step = fact.step
    if books.to(fact.process).leads:
        return
    for command in step.commands:
        if isinstance(command, ACTS):
            yield f"{type(command).__name__} of a scheduler that was not told that it leads"
    if step.save is not None:
        yield "a scheduler that was not told that it leads writes the record"


@oracle(Promise.FAILED_OVER, Stepped)
def the_failed_over_stay_away(books: Books, fact: Stepped) -> Iterator[str]:
    """Who was thrown off the master for another scheduler does not throw that one off."""
    subscribes = any(isinstance(command, Subscribe) for command in fact.step.commands)
    if subscribes and books.to(fact.process).failed_over:
        yield "it subscribes again, and the master has said that another one has"


@oracle(Promise.FENCED, Released)
def changes_follow_a_write(books: Books, fact: Released) -> Iterator[str]:
    """Between two changes of etcd's list its own record was written: so one that was deposed can
    be late with one at most."""
    if isinstance(fact.command, RECONFIGURES) and books.to(fact.process).asked_since_write:
        yield f"{type(fact.command).__name__}, and the record was not written since the last one"


@oracle(Promise.FENCED, Obeyed)
def the_deposed_are_not_obeyed(books: Books, fact: Obeyed) -> Iterator[str]:
    """What the master carries out is as the durable record has it, whoever asked for it."""
    record, command = books.durable, fact.command
    if record is None or fact.framework_id != record.framework_id:
        return
    if isinstance(command, Launch):
        for task in command.tasks:
            if record.owner(task.id) is None:
                yield f"{task.id} is launched and not on the durable record"
    elif isinstance(command, Kill | Shutdown) and not record.uninstalling:
        named = command.task_id if isinstance(command, Kill) else command.executor_id
        if named in books.ended_by_force:
            return
        for member in record.members:
            ids = {i for task in member.tasks for i in (task.id, task.executor_id)}
            if named in ids and member.step is not Step.REMOVING:
                yield f"{named} is to end, and {member.name} is {member.step.value} on record"


@oracle(Promise.LIVENESS, Settled)
def one_leads(_books: Books, fact: Settled) -> Iterator[str]:
    """At rest, exactly one scheduler takes itself for the one that may act."""
    if fact.leaders != 1:
        yield f"{fact.leaders} schedulers take themselves for the one that may act"
