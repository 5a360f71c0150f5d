"""What oracles remember: what was told to each scheduler process, what is durable, what was done.

Nothing here reads a plan of the controller; every entry comes from a fact.  Nothing is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.episode import Reseed, Reseeded, Stage
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.episode import Stage as RestoreStage
from etcdmesos.cluster.settings import Settings
from etcdmesos.mesos.offers import Offer
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.oracles.backup_books import BackupBooks
from etcdmesos.simulation.oracles.restore_books import TOLD_OF_RESTORES, RestoreBooks
from etcdmesos.simulation.oracles.told import RECONFIGURES, Told, hear

USES = (c.Launch, c.Decline)
"""Commands after which an offer is not in hand any more."""


@frozen
class Running:
    """An etcd process that runs."""

    host: str
    member: str
    generation: int


@frozen
class Flip:
    """A new cluster in the place of an old one, as it was recorded."""

    generation: int
    """The new one's."""
    seed: Reseed
    """The attempt, as it was recorded last."""
    told: Reseeded
    """What people are told of it."""


@define
class Books:
    """Everything the oracles of one world remember."""

    settings: Settings
    told: dict[int, Told] = field(factory=dict)
    durable: Record | None = None
    writer: int = 0
    """The process that wrote what is durable."""
    written: dict[int, Record] = field(factory=dict)
    """By process, the record it wrote last."""
    writer_of_epoch: dict[int, int] = field(factory=dict)
    launched: dict[str, int] = field(factory=dict)
    """Task ids ever launched, and in which generation."""
    agent_of: dict[str, str] = field(factory=dict)
    agents: dict[str, Offer] = field(factory=dict)
    """Agents as they were last offered to anybody: what is true of them, whatever is on record."""
    generation_of: dict[str, int] = field(factory=dict)
    """By member name, as ever recorded."""
    directory_of: dict[str, str] = field(factory=dict)
    member_of: dict[str, str] = field(factory=dict)
    """By data directory."""
    generation_of_token: dict[str, int] = field(factory=dict)
    caught_up: set[str] = field(factory=set)
    """Ids of learners that once had caught up with their leader."""
    left: set[str] = field(factory=set)
    """Names of members that were on record and are not any more."""
    running: dict[str, Running] = field(factory=dict)
    """etcd processes by executor."""
    started: set[str] = field(factory=set)
    """Executors that have ever started an etcd."""
    acknowledged: dict[str, f.WriteAcknowledged] = field(factory=dict)
    """Acknowledged writes by key."""
    seeds: dict[int, Reseed] = field(factory=dict)
    """By generation, every attempt that was on record as seeding."""
    flips: dict[int, Flip] = field(factory=dict)
    """By the generation that ended, how a reseed ended it."""
    ended_by_force: set[str] = field(factory=set)
    """Executors that were on record as not having confirmed a hold."""
    aside: dict[str, object] = field(factory=dict)
    """By host and path, what lies in the data that were set aside."""
    backups: BackupBooks = field(factory=BackupBooks)
    restores: RestoreBooks = field(factory=RestoreBooks)
    checks: dict[str, int] = field(factory=dict)
    """How often each oracle judged."""
    phases: dict[str, int] = field(factory=dict)
    """Phases entered."""

    def to(self, process: int) -> Told:
        """What this scheduler process was told."""
        told = self.told.get(process)
        if told is None:
            told = self.told[process] = Told(leads=not self.settings.elected)
        return told

    def record_of(self, process: int) -> Record | None:
        """What it may go by when it lets go of a command: the record it wrote last, which another
        one may have taken over meanwhile; or what is durable, if it never wrote one."""
        return self.written.get(process, self.durable)

    # Taking facts in: before the oracles judge them, what was heard; after that, what was done.

    def hear(self, fact: f.Fact) -> None:
        """Take in what a fact says was told to somebody."""
        if isinstance(fact, f.Stepped):
            hear(self.to(fact.process), fact, self.settings)
            if isinstance(fact.event, TOLD_OF_RESTORES):
                self.restores.heard(fact.process, fact.event)
            if isinstance(fact.event, e.OffersReceived):
                self.agents |= {offer.agent_id: offer for offer in fact.event.offers}
            if fact.step.model.phase != fact.before.phase:
                phase = fact.step.model.phase
                self.phases[phase] = self.phases.get(phase, 0) + 1

    def note(self, fact: f.Fact) -> None:
        """Take in what a fact says was done."""
        note = _NOTES.get(type(fact))
        if note is not None:
            note(self, fact)


def _stepped(books: Books, fact: f.Stepped) -> None:
    told = books.to(fact.process)
    if isinstance(fact.event, e.BackupCounted):
        books.backups.over(fact.process, fact.event.manifest.name)
    for command in fact.step.commands:
        if isinstance(command, USES):
            told.offered -= set(command.offer_ids)
        elif isinstance(command, c.Kill):
            told.asked[command.task_id] = fact.now
            told.asked_first.setdefault(command.task_id, fact.now)


def _released(books: Books, fact: f.Released) -> None:
    told = books.to(fact.process)
    books.backups.released(fact, books.record_of(fact.process))
    if isinstance(fact.command, RECONFIGURES):
        told.changing, told.listing_stands = fact.command, False
        told.asked_since_write = True
        if isinstance(fact.command, c.AddLearner):
            told.added.add(fact.command.member)
    elif isinstance(fact.command, c.Launch):
        generation = books.durable.generation if books.durable else 0
        for task in fact.command.tasks:
            told.launched.add(task.id)
            books.launched[task.id] = generation
            books.agent_of[task.id] = task.agent_id


def _stored(books: Books, fact: f.Stored) -> None:
    before = books.durable
    if before is not None:
        kept = {m.name for m in (*fact.record.members, *fact.record.lost_members)}
        books.left |= {m.name for m in before.members} - kept
    books.durable, books.writer = fact.record, fact.process
    books.written[fact.process] = fact.record
    books.to(fact.process).asked_since_write = False
    books.writer_of_epoch.setdefault(fact.record.epoch, fact.process)
    for member in fact.record.members:
        books.generation_of[member.name] = member.generation
    _note_reseed(books, before, fact.record)
    _note_restore(books, before, fact.record)


def _note_reseed(books: Books, before: Record | None, after: Record) -> None:
    if before is not None and before.reseed is not None and before.generation != after.generation:
        told = after.reseeds[-1] if after.reseeds else None
        if told is not None and told.generation == after.generation:
            flip = Flip(after.generation, before.reseed, told)
            books.flips[before.generation] = flip
    reseed = after.reseed
    if reseed is None:
        return
    if reseed.stage is Stage.SEEDING:
        if reseed.generation not in books.seeds:
            writer = books.to(books.writer)
            writer.seeding_at = writer.now
        books.seeds[reseed.generation] = reseed
    for member in after.members:
        if member.name in reseed.disobedient:
            books.ended_by_force |= {task.executor_id for task in member.tasks}


def _note_restore(books: Books, before: Record | None, after: Record) -> None:
    restore = after.restore
    if restore is not None and restore.stage is RestoreStage.SEEDING:
        known = before.restore if before is not None else None
        if known is None or known.stage is not RestoreStage.SEEDING:
            writer = books.to(books.writer)
            writer.seeding_at = writer.now
    books.restores.stored(before, after)


def _erased(books: Books, _: f.Erased) -> None:
    books.durable = None


def _etcd_started(books: Books, fact: f.EtcdStarted) -> None:
    books.running[fact.executor] = Running(
        fact.directory.partition(":")[0], fact.member, fact.generation
    )
    books.started.add(fact.executor)
    books.directory_of.setdefault(fact.member, fact.directory)
    books.member_of.setdefault(fact.directory, fact.member)
    books.generation_of_token.setdefault(fact.token, fact.generation)


def _etcd_ended(books: Books, fact: f.EtcdEnded) -> None:
    books.running.pop(fact.executor, None)


def _caught_up(books: Books, fact: f.LearnerCaughtUp) -> None:
    books.caught_up.add(fact.member)


def _acknowledged(books: Books, fact: f.WriteAcknowledged) -> None:
    books.acknowledged[fact.key] = fact


def _moved(books: Books, fact: f.DataMoved) -> None:
    books.aside.pop(f"{fact.host}:{fact.source}", None)
    if "/aside/" in fact.target:
        books.aside[f"{fact.host}:{fact.target}"] = fact.content


def _backup_counts(books: Books, fact: f.BackupCounts) -> None:
    if fact.sound:
        books.restores.counting[fact.manifest.name] = fact.manifest
    if fact.manifest.survivor:
        books.backups.survivors.add(fact.manifest.name)


def _backup_found(books: Books, fact: f.BackupFound) -> None:
    books.restores.found.add(fact.manifest.name)
    books.restores.counting[fact.manifest.name] = fact.manifest


def _backup_removed(books: Books, fact: f.BackupRemoved) -> None:
    books.restores.counting.pop(fact.name, None)


def _restored(books: Books, fact: f.DataRestored) -> None:
    books.restores.restored[fact.generation] = fact


_NOTES: dict[type[f.Fact], Callable[[Books, Any], None]] = {
    f.Stepped: _stepped,
    f.Released: _released,
    f.Stored: _stored,
    f.Erased: _erased,
    f.EtcdStarted: _etcd_started,
    f.EtcdEnded: _etcd_ended,
    f.LearnerCaughtUp: _caught_up,
    f.WriteAcknowledged: _acknowledged,
    f.DataMoved: _moved,
    f.BackupCounts: _backup_counts,
    f.BackupFound: _backup_found,
    f.BackupRemoved: _backup_removed,
    f.DataRestored: _restored,
}
