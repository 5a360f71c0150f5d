"""Oracles on restores: when one may begin, from what, what comes of it, and what is left if nothing
does.

What is decided is judged by what the scheduler was told; what was restored, by what really was.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.backups.names import origin_in, origin_of
from etcdmesos.backups.source import Source
from etcdmesos.cluster.commands import Launch
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.episode import Point, Restore, Stage
from etcdmesos.simulation.facts import (
    Committed,
    DataRestored,
    EtcdStarted,
    Released,
    Settled,
    Stepped,
    Stored,
)
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.oracles.restore_books import under_way
from etcdmesos.simulation.promises import Promise

AS_SOON = 0.001
"""Seconds that may be missing where a difference of times is rounded."""


# When one may begin, and from what


@oracle(Promise.RESTORE, Stepped, Stored)
def only_the_lost_are_restored(books: Books, fact: Stepped | Stored) -> Iterator[str]:
    """A restore is begun only by a scheduler that is connected, where every member was said to be
    dead and none runs, or where none ever was; and its members, with their ends, are kept apart."""
    if isinstance(fact, Stepped) and (fact.step.save is None or not fact.before.store.loaded):
        return
    told, before, record = books.to(fact.process), books.durable, _record_of(fact)
    if isinstance(fact, Stepped):
        before = fact.before.record
        if _begins(before, record) and not (told.subscribed and told.leads):
            yield "a restore is begun by a scheduler that is not connected"
    if not _begins(before, record):
        return
    kept = {m.name for m in record.lost_members if all(task.ended for task in m.tasks)}
    for member in before.members if before is not None else ():
        if not {task.id for task in member.tasks} <= told.dead:
            yield f"a restore is begun, and nobody has said that {member.name} is dead"
        if any(task.executor_id in books.running for task in member.tasks):
            yield f"a restore is begun, and {member.name} runs"
        if member.name not in kept:
            yield f"a restore is begun, and the end of {member.name} is forgotten"


@oracle(Promise.RESTORE, Stored)
def restores_are_wanted(books: Books, fact: Stored) -> Iterator[str]:
    """Without the operator's word only what the flags say: once a new cluster from what they name;
    one that was lost when the policy is auto, not soon after the last time, nor where it failed."""
    before, restore = books.durable, fact.record.restore
    if restore is None or not _begins(before, fact.record):
        return
    settings = books.settings.restore
    if restore.by_operator:
        if fact.process not in books.restores.asked:
            yield "a restore is begun on the operator's word, and he gave none"
        return
    if before is not None and before.restore is not None:
        yield f"a restore is begun again, and it had been given up: {before.restore.failure}"
    if before is None or not before.served:
        if settings.source != restore.source or fact.record.restores:
            yield f"a new cluster is restored from {restore.source}, which nobody wanted"
        return
    if not settings.automatic:
        yield "a lost cluster is restored unasked"
    since = restore.began - before.restores[-1].at if before.restores else settings.not_again
    if since < settings.not_again - AS_SOON:
        yield f"a lost cluster is restored unasked {since:.0f} s after the last time"


@oracle(Promise.RESTORE, Stored)
def only_what_was_read_back_is_restored(books: Books, fact: Stored) -> Iterator[str]:
    """What is chosen counts, and this scheduler was told that all of it was read and is sound."""
    point, restore = _chosen_now(books.durable, fact.record), fact.record.restore
    if point is None or restore is None:
        return
    made = books.restores.counting.get(point.name)
    if made is None:
        yield f"{point.name} is to be restored, and does not count"
    elif (made.sha256, made.size, made.revision) != (point.sha256, point.size, point.revision):
        yield f"{point.name} is to be restored as something that it is not"
    if point.sha256 not in books.restores.checked.get(fact.process, ()):
        yield f"{point.name} is to be restored, and was not read back"
    if restore.source.name not in ("", point.name):
        yield f"{point.name} is to be restored, and {restore.source.name} was named"


@oracle(Promise.RESTORE, Stored)
def older_ones_are_allowed(books: Books, fact: Stored) -> Iterator[str]:
    """Where the newest is wanted it is the newest that counts, of the lost framework; an older one
    only when that is allowed, or where the newer one is a survivor's that has less."""
    point, restore, record = (
        _chosen_now(books.durable, fact.record),
        fact.record.restore,
        fact.record,
    )
    if point is None or restore is None or restore.source != Source():
        return
    ours = origin_of(record.framework_id) if record.served else ""
    if ours not in ("", origin_in(point.name)):
        yield f"{point.name} is to be restored, which is another framework's"
    newer = [
        one.name
        for name, one in books.restores.counting.items()
        if name > point.name and ours in ("", origin_in(name)) and name not in restore.refused
        if not one.survivor or one.revision >= point.revision
    ]
    if newer:
        yield f"{point.name} is to be restored, and {max(newer)} is newer"
    if restore.refused and not restore.older:
        yield f"{point.name} is to be restored in the place of {max(restore.refused)}"


# How it goes


@oracle(Promise.RESTORE, Released)
def nothing_begins_empty(books: Books, fact: Released) -> Iterator[str]:
    """Where a backup is to be restored, or was given up, one member is launched, which waits for
    it, once that is on record; and no other."""
    record = books.record_of(fact.process)
    if not isinstance(fact.command, Launch) or record is None:
        return
    named = ", ".join(task.id for task in fact.command.tasks)
    restore = record.restore
    if restore is None:
        if not record.served and books.settings.restore.source is not None:
            yield f"{named} is launched empty, and the cluster is to begin from a backup"
    elif restore.stage is not Stage.FETCHING or len(fact.command.tasks) != 1:
        yield f"{named} is launched, and the restore on record is {restore.stage.value}"


@oracle(Promise.RESTORE, Stored)
def attempts_to_restore_are_new(books: Books, fact: Stored) -> Iterator[str]:
    """Every attempt has a generation above all before, and one member, which is its own."""
    restore, record = under_way(fact.record), fact.record
    if restore is None or restore.stage not in (Stage.FETCHING, Stage.SEEDING):
        return
    names = [member.name for member in record.members]
    if len(names) != 1:
        yield f"{restore.stage.value} with {len(names)} members"
        return
    if restore.generation <= record.generation:
        yield f"an attempt in generation {restore.generation}; {record.generation} is in force"
    known = books.restores.attempts.get(restore.generation)
    if known is not None and known.member != names[0]:
        yield f"{known.member} and {names[0]} are both of generation {restore.generation}"
    if known is None and any(one >= restore.generation for one in books.restores.attempts):
        yield f"generation {restore.generation} is not above all before"


@oracle(Promise.RESTORE, DataRestored)
def restores_are_on_record(books: Books, fact: DataRestored) -> Iterator[str]:
    """What is restored is, to the byte, the backup on record, which counts; under a token of its
    own, and with revisions raised as recorded."""
    attempt = books.restores.attempts.get(fact.generation)
    if attempt is None:
        if fact.generation not in books.seeds:
            yield f"a snapshot is restored in generation {fact.generation}, which is not on record"
        return
    restore = attempt.restore
    if restore.point is None or fact.sha256 != restore.point.sha256:
        yield "another snapshot is restored than the one on record"
    if not any(fact.sha256 == one.sha256 for one in books.restores.counting.values()):
        yield "what is restored is no backup that counts"
    if fact.bump != restore.bump:
        yield f"revisions are raised by {fact.bump}, and {restore.bump} is on record"
    if books.generation_of_token.get(fact.token, fact.generation) != fact.generation:
        yield f"{fact.token} was the token of another cluster"


@oracle(Promise.RESTORE, EtcdStarted)
def restored_clusters_are_new(books: Books, fact: EtcdStarted) -> Iterator[str]:
    """The restored member starts on restored data: another cluster id, itself alone; it is the one
    on record, and no member of the lost cluster runs."""
    attempt, record = books.restores.attempts.get(fact.generation), books.durable
    if attempt is None or record is None or fact.generation <= record.generation:
        return
    if attempt.member != fact.member:
        yield f"{fact.member} starts as restored, and {attempt.member} is to be"
    if fact.generation not in books.restores.restored:
        yield f"{fact.member} starts as restored, and nothing was"
    if fact.cluster_id in ("", record.cluster_id) or fact.voters != 1:
        yield f"{fact.member} starts as restored on data of cluster {fact.cluster_id or 'none'}"
    lost = {member.name for member in record.lost_members}
    for one in books.running.values():
        if one.member in lost:
            yield f"{fact.member} starts as restored while {one.member} runs"


@oracle(Promise.RESTORE, Committed)
def the_restored_serve_alone(books: Books, fact: Committed) -> Iterator[str]:
    """Once a restored member has started, no cluster that was in force before it commits."""
    generation = books.generation_of_token.get(fact.token, 0)
    if generation not in books.restores.in_force:
        return  # an attempt that nobody was told of
    newest = max(books.restores.restored.keys() & books.restores.attempts.keys(), default=0)
    if newest > generation:
        yield f"{fact.token} commits, and generation {newest} was made from a backup"


# What comes of it


@oracle(Promise.RESTORE, Stored)
def restores_are_told(books: Books, fact: Stored) -> Iterator[str]:
    """The write that makes the restored cluster the one in force says from what it was made, at
    which revision, what was seen before, and where the lost members' data lies."""
    before, after = books.durable, fact.record
    restore = under_way(before)
    if before is None or restore is None or before.generation == after.generation:
        return
    told = after.restores[-1] if after.restores else None
    point, made = restore.point, books.restores.restored.get(after.generation)
    if told is None or point is None or told.generation != after.generation:
        yield f"generation {after.generation} is in force, and nothing tells of the restore"
        return
    if (told.source, told.revision, told.bump) != (point.name, point.revision, restore.bump):
        yield f"told to be from {told.source}, at {told.revision}, and it is not"
    if made is None or told.revision > made.revision:
        yield f"told to be at revision {told.revision}, and it is not"
    if told.highest_revision < before.highest_revision:
        yield f"told that {told.highest_revision} was seen, and {before.highest_revision} was"
    for member in books.restores.lost:
        if member.tasks and not any(place.startswith(member.name + " ") for place in told.past):
            yield f"nothing tells where the data of {member.name} lies"
    if after.restore is not None or after.lost_members:
        yield "the restore is over, and goes on"


@oracle(Promise.RESTORE, Stored)
def failed_restores_change_nothing(books: Books, fact: Stored) -> Iterator[str]:
    """A restore that was given up leaves the record as it was, with all members and where their
    data lies, and says what was wrong."""
    before, after = books.durable, fact.record
    if after.restore is None or after.restore.stage is not Stage.FAILED:
        return
    if under_way(before) is None:
        return
    known = {member.name: member for member in after.members}
    for member in books.restores.lost:
        there = known.get(member.name)
        if there is None or (there.tasks, there.sandbox) != (member.tasks, member.sandbox):
            yield f"a restore was given up, and {member.name} is not what it was"
    if not after.restore.failure:
        yield "a restore was given up, and nobody knows why"


@oracle(Promise.RESTORE, Settled)
def the_restored_have_it_all(books: Books, fact: Settled) -> Iterator[str]:
    """At rest, the serving cluster holds every key of the backup that it was made from."""
    generation = books.durable.generation if books.durable is not None else 0
    while generation and generation not in books.restores.attempts:
        grown = books.restores.grown.get(generation)
        generation = grown.base if grown is not None else 0
    made = books.restores.restored.get(generation)
    if made is None or fact.keys is None or fact.lost_majority:
        return
    if missing := made.keys - fact.keys:
        yield f"{len(missing)} keys of the backup are missing, such as {min(missing)}"


def _record_of(fact: Stepped | Stored) -> Record:
    return fact.record if isinstance(fact, Stored) else fact.step.model.record


def _begins(before: Record | None, after: Record) -> bool:
    """Whether the write begins a restore."""
    return under_way(before) is None and under_way(after) is not None


def _chosen_now(before: Record | None, after: Record) -> Point | None:
    """What the write says is to be restored, if it is the one that says so."""
    restore = under_way(after)
    known: Restore | None = under_way(before)
    if restore is None or (known is not None and known.point == restore.point):
        return None
    return restore.point
