"""Oracles on changes of etcd's member list: one at a time, on record, and none costs a quorum.

What the scheduler asks for is judged by what it was told (the list it read, the members it saw, the
tasks it heard of); what etcd carried out, by etcd's own list.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.commands import AddLearner, Launch, PromoteLearner, RemoveMember
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Kind, Role
from etcdmesos.simulation.facts import MembersChanged, Released, Stored
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.oracles.told import RECONFIGURES, Reconfigures
from etcdmesos.simulation.promises import Promise

KINDS: dict[type[Reconfigures], Kind] = {
    AddLearner: Kind.ADD,
    PromoteLearner: Kind.PROMOTE,
    RemoveMember: Kind.REMOVE,
}


@oracle(Promise.ONE_CHANGE, Released)
def one_change_is_under_way(books: Books, fact: Released) -> Iterator[str]:
    """No change is asked for while the outcome of another one is awaited."""
    told = books.to(fact.process)
    if isinstance(fact.command, RECONFIGURES) and told.changing is not None:
        yield f"{_named(fact.command)}, while {_named(told.changing)} is under way"


@oracle(Promise.ONE_CHANGE, Released)
def changes_follow_a_reading(books: Books, fact: Released) -> Iterator[str]:
    """A change is asked for only by who has read the list since the last change ended; and never
    what that list says is done."""
    command, told = fact.command, books.to(fact.process)
    if not isinstance(command, RECONFIGURES) or told.changing is not None:
        return
    if told.listing is None or not told.listing_stands:
        yield f"{_named(command)}, and the list was not read since the last change"
    elif isinstance(command, AddLearner):
        if told.listing.at(command.peer_url) is not None:
            yield f"{_named(command)}, and {command.peer_url} is listed already"
    elif told.listing.entry(command.id) is None:
        yield f"{_named(command)}, and the list has no {command.id}"


@oracle(Promise.ONE_CHANGE, Stored)
def the_unstarted_come_first(books: Books, fact: Stored) -> Iterator[str]:
    """While the list has a member that never started, nothing but a removal of such a one, or of
    the learner that stalled, begins."""
    change, told = fact.record.change, books.to(fact.process)
    begun = books.durable.change if books.durable is not None else None
    if change is None or change == begun or told.listing is None:
        return
    answered = {one.health.member_id for one in told.seen.values()}
    unstarted = [e for e in told.listing.members if not e.name and e.id not in answered]
    if change.kind is Kind.PROMOTE:
        unstarted = [e for e in unstarted if e.id != change.id]  # see `learners_have_caught_up`
    if change.kind is Kind.REMOVE:
        entry = told.listing.entry(change.id)
        if entry is None or not entry.name or entry.learner:
            return
    if unstarted:
        named = f"{change.kind.value} of {change.member or change.id}"
        yield f"{named} begins, while {unstarted[0].peer_urls[0]} has not started"


@oracle(Promise.LEARNERS, MembersChanged)
def members_join_as_learners(_books: Books, fact: MembersChanged) -> Iterator[str]:
    """Every member that a scheduler adds is a learner."""
    if fact.kind == "add" and not fact.learner and not fact.by_hand:
        yield f"{fact.member} was added as a voter"


@oracle(Promise.LEARNERS, Released, MembersChanged)
def learners_have_caught_up(books: Books, fact: Released | MembersChanged) -> Iterator[str]:
    """A promotion is asked for, and carried out, only of a learner that really had the log."""
    if isinstance(fact, MembersChanged):
        if fact.kind == "promote" and not fact.by_hand and fact.member not in books.caught_up:
            yield f"{fact.member} votes and has not caught up"
    elif isinstance(fact.command, PromoteLearner) and fact.command.id not in books.caught_up:
        yield f"{_named(fact.command)}, which has not caught up"


@oracle(Promise.LEARNERS, Released)
def the_dead_leave_first(books: Books, fact: Released) -> Iterator[str]:
    """A learner is first asked for only when no voter on the list is known to be dead."""
    command, told = fact.command, books.to(fact.process)
    record = books.record_of(fact.process)
    if not isinstance(command, AddLearner) or record is None or told.listing is None:
        return
    if command.member in told.added:
        return  # another attempt at the same one; what died meanwhile is not what it replaces
    for member in record.members:
        ids = {task.id for task in member.tasks}
        if member.role is Role.VOTER and ids and ids <= told.dead:
            entry = told.listing.at(member.peer_url)
            if entry is not None and not entry.learner:
                yield f"{_named(command)}, while {member.name}, which is dead, still is a voter"


@oracle(Promise.LEARNERS, Released)
def removals_leave_a_quorum(books: Books, fact: Released) -> Iterator[str]:
    """The voters that were just seen serving are a quorum without the one that is removed."""
    command, told = fact.command, books.to(fact.process)
    listing = told.listing
    if not isinstance(command, RemoveMember) or listing is None:
        return
    entry = listing.entry(command.id)
    if entry is None or entry.learner:
        return
    rest = [e.id for e in listing.members if not e.learner and e.id != command.id]
    serving = told.serving_ids(books.settings)
    well = [one for one in rest if one in serving]
    # One that never started can go as long as etcd allows it: it is no healthy voter's place.
    if entry.name and not has_quorum(len(well), len(rest)):
        yield f"{_named(command)}, and {len(well)} of the {len(rest)} that remain were seen serving"


@oracle(Promise.LEARNERS, Released)
def learners_start_when_listed(books: Books, fact: Released) -> Iterator[str]:
    """A member that joins a living cluster is launched only when the list was read with it."""
    command, told = fact.command, books.to(fact.process)
    record = books.record_of(fact.process)
    if not isinstance(command, Launch) or record is None:
        return
    for task in command.tasks:
        member = record.owner(task.id)
        if member is None or member.initial_state == "new":
            continue
        if told.listing is None or not told.listing_stands:
            yield f"{task.id} is launched, and nobody has read whether {member.name} is listed"
        elif told.listing.at(member.peer_url) is None:
            yield f"{task.id} is launched, and {member.name} is not listed"


@oracle(Promise.SIZE, MembersChanged)
def the_list_stays_within_the_size(books: Books, fact: MembersChanged) -> Iterator[str]:
    """No addition that a scheduler asked for makes etcd's list longer than the cluster's size."""
    size = books.settings.cluster_size
    if fact.kind == "add" and not fact.by_hand and fact.listed > size:
        yield f"{fact.listed} members are listed with {fact.member}, {size} are wanted"


@oracle(Promise.INTENT, Released)
def changes_are_on_record(books: Books, fact: Released) -> Iterator[str]:
    """A change is asked for only once the durable record names it."""
    command, record = fact.command, books.record_of(fact.process)
    if not isinstance(command, RECONFIGURES) or record is None:
        return
    change = record.change
    if change is None:
        yield f"{_named(command)}, and no change is on record"
        return
    if (change.kind, change.member) != (KINDS[type(command)], command.member):
        yield f"{_named(command)}, and {change.kind.value} of {change.member} is on record"
    elif isinstance(command, AddLearner):
        member = record.member(command.member)
        if member is None or member.peer_url != command.peer_url:
            yield f"{_named(command)} at another address than recorded"
    elif change.id != command.id:
        yield f"{_named(command)}, and {change.id or 'no id'} is on record"


@oracle(Promise.REPLACED, Released)
def only_the_failed_are_removed(books: Books, fact: Released) -> Iterator[str]:
    """A voter is removed only if it is dead, called corrupt, was out of reach for -member-timeout,
    or was for as long not seen among those that serve."""
    command, told = fact.command, books.to(fact.process)
    record = books.record_of(fact.process)
    if not isinstance(command, RemoveMember) or told.listing is None:
        return
    entry = told.listing.entry(command.id)
    if entry is None or entry.learner or not entry.name:
        return
    member = record.member(command.member) if record is not None else None
    if member is None:
        yield f"{_named(command)}, which somebody else runs"
        return
    ids = {task.id for task in member.tasks}
    limit = books.settings.member_timeout - 0.001
    away = any(told.now - told.away[i] >= limit for i in ids if i in told.away)
    if ids <= told.dead or away or told.corrupt(command.id):
        return
    seen = told.together.get(member.name)
    if seen is not None and told.now - seen < limit:
        yield f"{_named(command)}, and it served {told.now - seen:.1f} s ago"


def _named(command: Reconfigures) -> str:
    named = command.member or (command.id if isinstance(command, RemoveMember) else "")
    return f"{KINDS[type(command)].value} of {named} is asked for"
