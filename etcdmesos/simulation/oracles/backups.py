"""Oracles on backups: what counts, of whom it is, what goes, and that it goes on."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos import orders
from etcdmesos.backups.names import origin_in, origin_of
from etcdmesos.cluster.commands import OpenBackup
from etcdmesos.cluster.record import Role
from etcdmesos.simulation.facts import BackupCounts, BackupRemoved, Released, Settled
from etcdmesos.simulation.oracles.backup_books import backup_order
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise

YOUNG = 3600.0
"""Seconds."""
AFTER = 30.0
"""Seconds that what is due may take to begin."""


@oracle(Promise.BACKUPS, BackupCounts)
def only_the_sound_count(books: Books, fact: BackupCounts) -> Iterator[str]:
    """What counts lies there whole, and holds all that had been published when it was begun."""
    made = fact.manifest
    if not fact.sound:
        yield f"{made.name} counts, and what lies there is not what was sent"
        return
    if fact.learner and not made.survivor:
        yield f"{made.name} counts, and was taken of a learner"
    if fact.revision < made.revision:
        yield f"{made.name} says it has revision {made.revision}, and has {fact.revision}"
    floor = books.backups.floor_of.get(made.name, 0)
    if not made.survivor and made.revision < floor:
        yield f"{made.name} has revision {made.revision}, when {floor} had been published"


@oracle(Promise.BACKUPS, BackupCounts)
def survivors_are_marked(books: Books, fact: BackupCounts) -> Iterator[str]:
    """A snapshot without quorum behind it says so, and no other one does."""
    kept = fact.manifest.name in books.backups.kept
    if kept is not fact.manifest.survivor:
        yield f"{fact.manifest.name} is {'' if kept else 'not '}of a survivor, and says otherwise"


@oracle(Promise.BACKUPS, Released)
def backups_are_of_voters(books: Books, fact: Released) -> Iterator[str]:
    """Of a member on record that is a voter and has said that it has all that was published."""
    order, record = backup_order(fact.command), books.record_of(fact.process)
    if order is None or isinstance(order, orders.BackupKept) or record is None:
        return
    if order.name in books.backups.floor_of:
        return  # repeated
    member = record.owner(order.task_id)
    if member is None:
        yield f"{order.name} is asked of {order.task_id}, which is not on record"
        return
    if member.role is not Role.VOTER:
        yield f"{order.name} is asked of {member.name}, which is a {member.role.value}"
    seen = books.to(fact.process).seen.get(member.name)
    has, floor = seen.health.revision if seen else -1, books.backups.floors.get(fact.process, 0)
    if has < floor:
        yield f"{order.name} is asked of {member.name}, which has revision {has} of {floor}"


@oracle(Promise.BACKUPS, Released)
def one_backup_at_a_time(books: Books, fact: Released) -> Iterator[str]:
    """None is begun before the one before counts or was given up."""
    under_way = books.backups.under_way.get(fact.process, "")
    order = backup_order(fact.command)
    other = order is not None and order.name != under_way
    if under_way and (other or isinstance(fact.command, OpenBackup)):
        yield f"another backup is begun while {under_way} is under way"


@oracle(Promise.BACKUPS, BackupRemoved)
def old_ones_go_after_newer_ones_count(books: Books, fact: BackupRemoved) -> Iterator[str]:
    """Deleted is what is ours and older than an hour, once a newer one counts that is whole: never
    the newest, nor the newest that a quorum stood behind."""
    if fact.abandoned:
        if fact.counted:
            yield f"{fact.name} is given up, and counts"
        return
    ours = origin_of(books.durable.framework_id if books.durable else "")
    if origin_in(fact.name) != ours:
        yield f"{fact.name} is deleted, which is another framework's"
        return
    # Names begin with the time to the second.
    newer = [one for one in fact.left if origin_in(one.name) == ours and one.name > fact.name]
    if not newer:
        yield f"{fact.name} is deleted, and no newer one counts that is whole"
    whole = fact.counted and fact.name not in books.backups.survivors
    if newer and whole and all(one.survivor for one in newer):
        yield f"{fact.name} is deleted, and all newer ones are of survivors"
    if fact.age <= YOUNG:
        yield f"{fact.name} is deleted, and is not an hour old"


@oracle(Promise.BACKUPS, Settled)
def backups_go_on(books: Books, fact: Settled) -> Iterator[str]:
    """At rest, none is under way for ever, and the next one is due within an interval."""
    settings = books.settings.backups
    if settings is None or fact.model is None or fact.model.phase != "healthy":
        return
    view = fact.model.backups
    if view.run is not None and fact.now > view.run.ends_at + AFTER:
        yield f"a backup of {view.run.member} is under way for ever"
    if view.run is None and view.due_at > fact.now + settings.interval + AFTER:
        yield f"the next backup is {view.due_at - fact.now:.0f} s away"
