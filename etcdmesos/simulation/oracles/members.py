"""Oracles on members: their names, their data, their number, their places."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.commands import Launch
from etcdmesos.cluster.record import Record, Step
from etcdmesos.simulation.facts import EtcdStarted, Released, Stored
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise


@oracle(Promise.NAMES, Stored)
def names_are_used_once(books: Books, fact: Stored) -> Iterator[str]:
    """A member's name belongs to one generation for ever, and counters never go back."""
    record, before = fact.record, books.durable
    for member in record.members:
        known = books.generation_of.get(member.name, member.generation)
        if known != member.generation and not _reseeded(before, record, member.name):
            yield f"{member.name} of generation {known} is used again in {member.generation}"
    if before is not None and record.next_member < before.next_member:
        yield f"the next member's number went back from {before.next_member}"
    if before is not None and record.generation < before.generation:
        yield f"the generation went back from {before.generation}"


def _reseeded(before: Record | None, after: Record, name: str) -> bool:
    """Whether the write makes `name`, the seed on record, the new cluster's first member."""
    reseed = before.reseed if before is not None else None
    return reseed is not None and (name, after.generation) == (reseed.seed, reseed.generation)


@oracle(Promise.NAMES, Stored)
def the_removed_stay_out(books: Books, fact: Stored) -> Iterator[str]:
    """Who has left the record never comes back to it, and nobody else gets the name."""
    for member in fact.record.members:
        if member.name in books.left:
            yield f"{member.name} had left, and is a member again"


@oracle(Promise.NAMES, EtcdStarted)
def data_belongs_to_one_member(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """One data directory per member, one member per data directory, one token per generation."""
    directory = books.directory_of.get(fact.member, fact.directory)
    if directory != fact.directory:
        yield f"{fact.member} starts in {fact.directory}, but its data are in {directory}"
    member = books.member_of.get(fact.directory, fact.member)
    if member != fact.member:
        yield f"{fact.member} starts on the data of {member}"
    generation = books.generation_of_token.get(fact.token, fact.generation)
    if generation != fact.generation:
        yield f"generations {generation} and {fact.generation} share the token {fact.token}"


@oracle(Promise.NAMES, EtcdStarted)
def removed_members_stay_away(_books: Books, fact: EtcdStarted) -> Iterator[str]:
    """An etcd that said it was removed from its cluster is never started again."""
    if fact.removed:
        yield f"{fact.member} was removed from its cluster and is started again"


@oracle(Promise.ONE_CHANGE, Stored)
def one_change_at_a_time(books: Books, fact: Stored) -> Iterator[str]:
    """A change on record ends before another one begins."""
    before = books.durable.change if books.durable else None
    after = fact.record.change
    if before is not None and after is not None and before.member != after.member:
        begun = f"{before.kind.value} of {before.member}"
        yield f"{after.kind.value} of {after.member} begins during {begun}"


@oracle(Promise.REPLACED, Stored)
def members_leave_the_list_first(books: Books, fact: Stored) -> Iterator[str]:
    """A member of a cluster that has served leaves the record only when etcd's list was read
    without it."""
    before, told = books.durable, books.to(fact.process)
    if before is None or not before.served or before.generation != fact.record.generation:
        return  # those of a cluster that was reseeded are on no list any more
    if before.restore is not None or fact.record.restore is not None:
        return  # nor are those of one that is lost, and whoever is to be restored is on none yet
    for member in before.members:
        if fact.record.member(member.name) is not None:
            continue
        if told.listing is None or not told.listing_stands:
            yield f"{member.name} leaves the record, and nobody has read whether it is listed"
        elif told.listing.at(member.peer_url) or told.listing.entry(member.id):
            yield f"{member.name} leaves the record while etcd lists it"


@oracle(Promise.SIZE, Stored)
def members_are_few_and_apart(books: Books, fact: Stored) -> Iterator[str]:
    """Never more members than wanted, never two on one agent or on one port."""
    members = [m for m in fact.record.members if m.step is not Step.GONE]
    if len(members) > fact.record.target_size:
        yield f"{len(members)} members are on record, {fact.record.target_size} are wanted"
    agents = [m.agent_id for m in members]
    if books.settings.single_instance_per_agent and len(set(agents)) < len(agents):
        yield f"two members on one agent: {', '.join(sorted(agents))}"
    ports = [(m.agent_id, port) for m in members for port in (m.peer_port, m.client_port)]
    if len(set(ports)) < len(ports):
        yield "one port of an agent is given twice"


@oracle(Promise.SIZE, Released)
def launches_stay_within_the_size(books: Books, fact: Released) -> Iterator[str]:
    """What may run of the members on record, with what is being launched, fits the size."""
    record = books.record_of(fact.process)
    if not isinstance(fact.command, Launch) or record is None:
        return
    dead = books.to(fact.process).dead
    recorded = {task.id for member in record.members for task in member.tasks}
    pending = {task.id for task in fact.command.tasks}
    may_run = {i for i in recorded if i in books.launched and i not in dead} | pending
    if len(may_run) > record.target_size:
        yield f"{len(may_run)} tasks may run: {', '.join(sorted(may_run))}"
    agents = [books.agent_of[i] for i in may_run - pending]
    agents += [task.agent_id for task in fact.command.tasks]
    if books.settings.single_instance_per_agent and len(set(agents)) < len(agents):
        yield f"two tasks on one agent: {', '.join(sorted(agents))}"


@oracle(Promise.SIZE, EtcdStarted)
def etcds_are_apart(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """No two etcd processes of members really run on one host."""
    members = {m.name for m in books.durable.members} if books.durable is not None else set()
    if not books.settings.single_instance_per_agent or fact.member not in members:
        return
    host = fact.directory.partition(":")[0]
    for executor, running in books.running.items():
        # One that was removed is no member any more, and has to end.
        if running.member not in members:
            continue
        same = (running.host, running.generation) == (host, fact.generation)
        if same and executor != fact.executor:
            yield f"{fact.executor} and {executor} both run an etcd on {host}"
