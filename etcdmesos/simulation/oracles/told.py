"""What each scheduler process was told, and what it asked for, as oracles remember it.

Every entry comes from an event; nothing here reads a plan of the controller, and nothing is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Record, Role
from etcdmesos.cluster.settings import Settings
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.mesos.statuses import ALIVE, TaskState
from etcdmesos.orders import Report, decode
from etcdmesos.simulation import facts as f
from etcdmesos.step import CommandDone, CommandFailed, CommandUnknown, Event, RecordLoaded

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


def hear(told: Told, fact: f.Stepped, settings: Settings) -> None:
    """Take in what the event of a step told its process."""
    event, before, told.now = fact.event, fact.before, fact.now
    take = _HEARD.get(type(event))
    if take is not None:
        take(told, event)
    elif isinstance(event, e.MemberProbed):
        _probed(told, event, before, settings)
    elif isinstance(event, e.ProgressMade):
        told.progress_at = told.signs_until = told.now
        told.progress_of = event.member


def _probed(told: Told, event: e.MemberProbed, before: Model, settings: Settings) -> None:
    told.seen[event.member] = told.words[event.member] = Seen(told.now, event.health)
    member = before.record.member(event.member)
    if event.health.serving_voter and member and member.step.value != "removing":
        told.serving.add(before.record.token)
    if names_a_leader(event.health) and event.health.cluster_id == before.record.cluster_id:
        told.signs_until = told.now
    if event.health.serving_voter:
        _see_together(told, event.health, before.record, settings)


def names_a_leader(word: MemberHealth) -> bool:
    """Whether this is a sign of a leader: a learner names the last one for ever."""
    return bool(word.leader) and not word.learner


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
    members = (*loaded.members, *loaded.lost_members) if loaded is not None else ()
    tasks = [task for member in members for task in member.tasks]
    # The others were never launched under that record.
    told.dead &= {task.id for task in tasks}
    told.dead |= {task.id for task in tasks if task.ended}


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
