"""Oracles on what must be in hand before anything is changed: the record, the master, accounts."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.commands import Kill, Launch, SendMessage, Shutdown, Subscribe
from etcdmesos.cluster.events import TaskUpdated
from etcdmesos.cluster.launch import initial_cluster
from etcdmesos.cluster.record import Step
from etcdmesos.member_spec import MemberSpec
from etcdmesos.simulation.facts import EtcdStarted, OrderHeard, Released, Stepped, Stored
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.oracles.told import RECONFIGURES
from etcdmesos.simulation.promises import Promise

CHANGES = (Launch, Kill, Shutdown, SendMessage, *RECONFIGURES)
"""Commands that change something of the cluster."""


@oracle(Promise.INTENT, Released)
def launches_are_on_record(books: Books, fact: Released) -> Iterator[str]:
    """A launched task is on the durable record, as it is, and was never launched before."""
    if not isinstance(fact.command, Launch):
        return
    record = books.record_of(fact.process)
    for task in fact.command.tasks:
        if task.id in books.launched:
            yield f"{task.id} is launched a second time"
        member = record.owner(task.id) if record is not None else None
        if record is None or member is None:
            yield f"{task.id} is launched and not on the durable record"
            return
        spec = MemberSpec.from_json(task.data)
        if (spec.epoch, spec.name) != (record.epoch, member.name):
            yield f"{task.id} is launched with another epoch or name than recorded"
        if spec.initial_cluster != initial_cluster(record.members):
            yield f"{task.id} is launched with another idea of the cluster than recorded"
        if task.agent_id != member.agent_id:
            yield f"{task.id} is launched on another agent than recorded"


@oracle(Promise.INTENT, Released)
def kills_are_on_record(books: Books, fact: Released) -> Iterator[str]:
    """A member's task is killed only once the durable record says that it is being removed, or that
    the whole cluster is."""
    command, record = fact.command, books.record_of(fact.process)
    if not isinstance(command, Kill | Shutdown) or record is None or record.uninstalling:
        return
    for member in record.members:
        for task in member.tasks:
            named = task.id if isinstance(command, Kill) else task.executor_id
            asked = command.task_id if isinstance(command, Kill) else command.executor_id
            if asked in books.ended_by_force:
                continue
            if asked == named and member.step is not Step.REMOVING:
                yield f"{asked} is killed, while {member.name} is {member.step.value} on record"


@oracle(Promise.INTENT, Stored)
def epochs_have_one_holder(books: Books, fact: Stored) -> Iterator[str]:
    """Every scheduler process writes under an epoch of its own, higher than all before."""
    record, before = fact.record, books.durable
    writer = books.writer_of_epoch.get(record.epoch, fact.process)
    if writer != fact.process:
        yield f"scheduler processes {writer} and {fact.process} share the epoch {record.epoch}"
    if before is not None and record.epoch < before.epoch:
        yield f"the epoch went back from {before.epoch} to {record.epoch}"


@oracle(Promise.INTENT, Released)
def subscribes_after_takeover(books: Books, fact: Released) -> Iterator[str]:
    """SUBSCRIBE goes out only when this process' epoch was once durable."""
    taken_over = fact.process in books.writer_of_epoch.values()
    if isinstance(fact.command, Subscribe) and not taken_over:
        yield "it subscribes before a record with its own epoch is durable"


@oracle(Promise.INTENT, EtcdStarted)
def executors_obey_the_highest_epoch(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """No executor starts a member launched by an older epoch than the highest it has seen; but what
    waits for a backup starts by an order, see `the_deposed_order_nothing`."""
    by_order = fact.generation in books.restores.attempts or fact.executor in books.started
    if not by_order and fact.epoch < fact.epoch_seen:
        yield f"{fact.executor} obeys epoch {fact.epoch} and has seen {fact.epoch_seen}"


@oracle(Promise.INTENT, OrderHeard)
def the_deposed_order_nothing(_books: Books, fact: OrderHeard) -> Iterator[str]:
    """No executor obeys an order of an older epoch than the highest it has seen."""
    if fact.recorded and fact.epoch < fact.epoch_seen:
        yield f"{fact.executor} obeys an order of epoch {fact.epoch}, has seen {fact.epoch_seen}"


@oracle(Promise.LINKS, Stepped)
def nothing_changes_without_links(books: Books, fact: Stepped) -> Iterator[str]:
    """A change is decided only with the record loaded, a subscription and all accounted for."""
    changes = [x for x in fact.step.commands if isinstance(x, CHANGES)]
    if not changes:
        return
    model, told = fact.step.model, books.to(fact.process)
    kind = type(changes[0]).__name__
    if not model.store.loaded:
        yield f"{kind} without the record"
    if not told.subscribed:
        yield f"{kind} without the Mesos master"
    if told.state is None:
        yield f"{kind} before the master's state was read"
    launched = {t.id for x in changes if isinstance(x, Launch) for t in x.tasks}
    recorded = {task.id for member in model.record.members for task in member.tasks}
    missing = recorded - told.heard - told.dead - told.launched - launched
    if missing:
        yield f"{kind} before anything was heard of {', '.join(sorted(missing))}"


@oracle(Promise.LINKS, Stepped)
def only_the_proven_dead_are_dead(books: Books, fact: Stepped) -> Iterator[str]:
    """A task counts as dead only when somebody said that it ended, and a cluster as lost only when
    each of its members does."""
    model, event = fact.step.model, fact.event
    dead = books.to(fact.process).dead
    if isinstance(event, TaskUpdated):
        task_id = event.status.task_id
        if model.known_dead(task_id) and task_id not in dead:
            yield f"{task_id} counts as dead, and was said to be {event.status.state.value}"
    for task in (task for member in model.record.members for task in member.tasks):
        if fact.step.save is not None and task.ended and task.id not in dead:
            yield f"{task.id} is recorded as {task.ended}, and nobody has said so"
    if model.phase != "lost" or fact.before.phase == "lost":
        return
    for member in model.record.members:
        alive = [task.id for task in member.tasks if task.id not in dead]
        if alive and member.step is not Step.GONE:
            yield f"{member.name} counts as lost, and nobody has said that {alive[0]} ended"
