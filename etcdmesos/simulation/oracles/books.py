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
from etcdmesos.cluster.member_health import MemberHealth
from etcdmesos.cluster.member_list import MemberList
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Record, Role
from etcdmesos.cluster.settings import Settings
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.statuses import ALIVE, TaskState
from etcdmesos.orders import Report, decode
from etcdmesos.simulation import facts as f
from etcdmesos.step import CommandDone, CommandFailed, CommandUnknown, Event, RecordLoaded

__all__ = [
    "FRESH_INTERVALS",
    "RECONFIGURES",
    "Books",
    "Flip",
    "Reconfigures",
    "Running",
    "Seen",
    "Told",
]

RECONFIGURES = (c.AddLearner, c.PromoteLearner, c.RemoveMember)
"""Commands that change etcd's member list."""
Reconfigures = c.AddLearner | c.PromoteLearner | c.RemoveMember
FRESH_INTERVALS = 3
"""Probe intervals for which a member's word counts."""
CORRUPT = "CORRUPT"
STARTED = (TaskState.STARTING, TaskState.RUNNING)


@frozen
class Seen:
    """A member's answer to a probe, and when it came."""

    at: float
    health: MemberHealth


@frozen
class Running:
    """An etcd process that runs."""

    host: str
    member: str
    generation: int


@define
class Told:
    """What one scheduler process was told, and what it did."""

    now: float = 0.0
    """What its clock said when it was last told anything."""
    leads: bool = True
    """That it is the one that may act; without an election it always is."""
    failed_over: bool = False
    """That another scheduler of its framework has subscribed."""
    words: dict[str, Seen] = field(factory=dict)
    """The last answer of each member whose last probe was answered."""
    reports: dict[str, Report] = field(factory=dict)
    """What each task's executor said last."""
    seeding_at: float = 0.0
    """When this process last recorded that a seed is to start."""
    signs_until: float = 0.0
    """When this process last saw the old quorum, or could not look."""
    asked_since_write: bool = False
    """A change of etcd's list, since the record was last written by it."""
    subscribed: bool = False
    subscriptions: int = 0
    heard: set[str] = field(factory=set)
    """Tasks heard of in this subscription."""
    state: MasterState | None = None
    """The master's, as read in this subscription."""
    offered: set[str] = field(factory=set)
    """Offers in hand in this subscription: not used, given back or rescinded."""
    dead: set[str] = field(factory=set)
    """Tasks said to have ended, or to have never begun."""
    started: set[str] = field(factory=set)
    serving: set[str] = field(factory=set)
    """Tokens of generations of which a member was seen serving."""
    launched: set[str] = field(factory=set)
    alive: set[str] = field(factory=set)
    """Tasks that somebody last vouched for, in this subscription."""
    well: set[str] = field(factory=set)
    """Tasks that were last said to run, by executors that do not say that they are unwell."""
    asked: dict[str, float] = field(factory=dict)
    """When the end of a task was last asked for."""
    asked_first: dict[str, float] = field(factory=dict)
    """And when for the first time."""
    away: dict[str, float] = field(factory=dict)
    """Tasks that nobody vouches for, and since when."""
    seen: dict[str, Seen] = field(factory=dict)
    """The last successful probe of each member."""
    together: dict[str, float] = field(factory=dict)
    """When a member was last seen as one of a quorum under one leader."""
    progress_at: float | None = None
    progress_of: str = ""
    """Through which member."""
    listing: MemberList | None = None
    """etcd's member list as last read."""
    listing_stands: bool = False
    """Nothing was asked to change since that was read."""
    changing: Reconfigures | None = None
    """The change that was asked for and has not ended."""
    added: set[str] = field(factory=set)
    """Members that were asked to be added."""

    def serving_ids(self, settings: Settings) -> set[str]:
        """The ids of members that said lately that they serve as voters."""
        since = self.now - FRESH_INTERVALS * settings.probe_interval - 1e-6
        words = [one.health for one in self.seen.values() if one.at >= since]
        return {word.member_id for word in words if word.serving_voter}

    def corrupt(self, member_id: str) -> bool:
        """Whether some member has said that this one's data is corrupt."""
        alarms = (alarm for one in self.seen.values() for alarm in one.health.alarms)
        return any(alarm.kind == CORRUPT and alarm.member_id == member_id for alarm in alarms)


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
    aside: dict[str, str] = field(factory=dict)
    """By host and path, what lies in the data that were set aside."""
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
            self._hear_event(self.to(fact.process), fact.event, fact.before, fact.now)
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

    def _hear_event(self, told: Told, event: Event, before: Model, now: float) -> None:
        told.now = now
        hear = _HEARD.get(type(event))
        if hear is not None:
            hear(told, event)
        elif isinstance(event, e.MemberProbed):
            told.seen[event.member] = told.words[event.member] = Seen(now, event.health)
            member = before.record.member(event.member)
            if event.health.serving_voter and member and member.step.value != "removing":
                told.serving.add(before.record.token)
            if event.health.leader and event.health.cluster_id == before.record.cluster_id:
                told.signs_until = now
            if event.health.serving_voter:
                _see_together(told, event.health, before.record, self.settings)
        elif isinstance(event, e.ProgressMade):
            told.progress_at = told.signs_until = now
            told.progress_of = event.member


def _gained(told: Told, _: e.LeadershipGained) -> None:
    told.leads, told.signs_until = True, told.now


def _not_leading(told: Told, _: e.LeadershipSuspended | e.LeadershipLost) -> None:
    told.leads = False


def _refused(told: Told, _: e.FrameworkRefused) -> None:
    told.failed_over = True


def _subscribed(told: Told, _: e.Subscribed) -> None:
    told.subscribed, told.signs_until = True, told.now
    told.subscriptions += 1
    told.heard, told.offered, told.state, told.alive = set(), set(), None, set()


def _disconnected(told: Told, _: e.Disconnected) -> None:
    told.subscribed = False
    told.offered, told.state, told.alive = set(), None, set()


def _state_read(told: Told, event: e.MasterStateRead) -> None:
    if event.subscription == told.subscriptions:
        told.state = event.state


def _offered(told: Told, event: e.OffersReceived) -> None:
    told.offered |= {offer.id for offer in event.offers}


def _rescinded(told: Told, event: e.OfferRescinded) -> None:
    told.offered.discard(event.offer_id)


def _updated(told: Told, event: e.TaskUpdated) -> None:
    status = event.status
    told.heard.add(status.task_id)
    told.alive.discard(status.task_id)
    if status.dead:
        told.dead.add(status.task_id)
    elif status.state in ALIVE and status.task_id not in told.dead:
        told.alive.add(status.task_id)
    told.well.discard(status.task_id)
    if status.state is TaskState.RUNNING and status.healthy is not False:
        told.well.add(status.task_id)
    if status.state in STARTED:
        told.started.add(status.task_id)
    if status.out_of_reach:
        told.away.setdefault(status.task_id, told.now)
    else:
        told.away.pop(status.task_id, None)


def _see_together(told: Told, word: MemberHealth, record: Record, settings: Settings) -> None:
    """A voter has spoken: who says lately what it says?"""
    since = told.now - FRESH_INTERVALS * settings.probe_interval
    voters = [m.name for m in record.members if m.role is Role.VOTER]
    group = [
        name
        for name in voters
        if (one := told.seen.get(name)) is not None
        and one.at >= since
        and one.health.serving_voter
        and (one.health.cluster_id, one.health.leader, one.health.term)
        == (word.cluster_id, word.leader, word.term)
    ]
    if has_quorum(len(group), len(voters)):
        told.together.update((name, told.seen[name].at) for name in group)


def _said(told: Told, event: e.ExecutorSaid) -> None:
    said = decode(event.data)
    if isinstance(said, Report):
        told.reports[said.task_id] = said


def _listed(told: Told, event: e.MembersListed) -> None:
    told.listing = event.members
    told.listing_stands = told.changing is None


def _ended(told: Told, event: CommandDone | CommandFailed | CommandUnknown) -> None:
    if isinstance(event.command, RECONFIGURES):
        told.changing = None


def _failed(told: Told, event: CommandFailed) -> None:
    _ended(told, event)
    if isinstance(event.command, c.ProbeMember):
        told.words.pop(event.command.member, None)
    if isinstance(event.command, c.Launch):
        told.dead |= {task.id for task in event.command.tasks}


def _loaded(told: Told, event: RecordLoaded[Record]) -> None:
    loaded = event.record
    # Those were never launched under that record.
    told.dead -= {i for i in told.dead if loaded is None or loaded.owner(i) is None}
    if loaded is not None:
        told.dead |= {t.id for m in loaded.members for t in m.tasks if t.ended}


_HEARD: dict[type[Event], Callable[[Told, Any], None]] = {
    e.LeadershipGained: _gained,
    e.LeadershipSuspended: _not_leading,
    e.LeadershipLost: _not_leading,
    e.FrameworkRefused: _refused,
    e.Subscribed: _subscribed,
    e.Disconnected: _disconnected,
    e.MasterStateRead: _state_read,
    e.OffersReceived: _offered,
    e.OfferRescinded: _rescinded,
    e.TaskUpdated: _updated,
    e.ExecutorSaid: _said,
    e.MembersListed: _listed,
    CommandDone: _ended,
    CommandUnknown: _ended,
    CommandFailed: _failed,
    RecordLoaded: _loaded,
}


def _stepped(books: Books, fact: f.Stepped) -> None:
    told = books.to(fact.process)
    for command in fact.step.commands:
        if isinstance(command, c.Launch | c.Decline):
            told.offered -= set(command.offer_ids)
        elif isinstance(command, c.Kill):
            told.asked[command.task_id] = fact.now
            told.asked_first.setdefault(command.task_id, fact.now)


def _released(books: Books, fact: f.Released) -> None:
    told = books.to(fact.process)
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
        kept = {m.name for m in fact.record.members}
        books.left |= {m.name for m in before.members} - kept
    books.durable, books.writer = fact.record, fact.process
    books.written[fact.process] = fact.record
    books.to(fact.process).asked_since_write = False
    books.writer_of_epoch.setdefault(fact.record.epoch, fact.process)
    for member in fact.record.members:
        books.generation_of[member.name] = member.generation
    _note_reseed(books, before, fact.record)


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
}
