"""The controller's whole state, as one frozen value.  Nothing in here decides.

`record` survives the process; everything else is what was observed since it started, and is worth
nothing to the next scheduler.  Mappings are never changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import evolve, field, frozen

from etcdmesos import draft
from etcdmesos.cluster.attempts import Attempts
from etcdmesos.cluster.backups.view import BackupView
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.placement import Place
from etcdmesos.cluster.record import Member, Record, RecordedTask
from etcdmesos.cluster.restore.view import RestoreView
from etcdmesos.cluster.settings import Settings
from etcdmesos.cluster.shunning import Shunned
from etcdmesos.cluster.terms import Terms
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.orders import Order, Report

V = TypeVar("V")


@frozen(kw_only=True)
class Leadership:
    """Whether this scheduler is the one that may act.  Without an election it always is."""

    held: bool = True
    holder: str = ""
    """What the one that holds it calls itself, while we stand by."""
    reason: str = ""
    """Why it is not held."""
    epoch: int = 0
    """The one that this process has claimed in the record; 0: none yet."""


@frozen(kw_only=True)
class StoreLink:
    """Our hold on the record store."""

    loaded: bool = False
    """The record in the model is the stored one."""
    loading: bool = False
    stale: bool = False
    """The answer under way was asked for before we were to act: it is not the last word."""
    unreadable: bool = False
    """What is stored is no record; the operator said that it may be put aside."""
    rebuilding: bool = False
    """There is no record to be used; the operator said that one may be made of what lives."""
    load_at: float = 0.0
    reason: str = ""
    """Why it is not loaded."""
    doubtful: bool = False
    """The save that was to claim our epoch failed: a record of that epoch may be another's."""


@frozen(kw_only=True)
class MesosLink:
    """Our subscription to the master, and what of it is still to be accounted for."""

    number: int = 0
    """Up by one at every subscription of this scheduler."""
    subscribed: bool = False
    subscribing: bool = False
    removed: bool = False
    """The master has removed our framework, and with it every task: there is none any more."""
    subscribe_at: float = 0.0
    failures: int = 0
    """Attempts to subscribe that failed in a row."""
    master: str = ""
    reason: str = ""
    """Why there is no subscription."""
    unaccounted: frozenset[str] = frozenset()
    """Recorded tasks of which nothing was heard in this subscription."""
    reconcile_at: float = 0.0
    reconcile_wait: float = 0.0
    reconcile_all_at: float = 0.0
    reconcile_away_at: float = 0.0
    reconcile_away_wait: float = 0.0
    """When to ask again for recorded tasks out of reach, and how long to wait then."""
    state: MasterState | None = None
    """The master's state as last read in this subscription."""
    reading_state: bool = False
    read_state_at: float = 0.0
    state_wait: float = 0.0
    """The last wait between two readings; 0: there was none."""
    suppressed: bool | None = False
    """As asked of the master; None: a call failed, so nobody knows."""
    suppress_at: float = 0.0
    """Not to be suppressed or revived before: the last attempt failed."""


@frozen(kw_only=True)
class HeldOffer:
    """An offer in hand since `since`."""

    offer: Offer
    since: float


@frozen(kw_only=True)
class MemberView:
    """What the probes of one member have shown."""

    latest: MemberHealth | None = None
    latest_at: float = 0.0
    moved_at: float = 0.0
    """When it was last seen to have applied more than before."""
    previous: MemberHealth | None = None
    leaderless_since: float | None = None
    """Since when it has answered that it knows no leader, without a break."""
    failing_since: float | None = None
    failure: str = ""
    probing: bool = False
    probe_at: float = 0.0


NEVER_PROBED = MemberView()


@frozen(kw_only=True)
class ProgressView:
    """What the probes of raft's progress have shown."""

    made_at: float | None = None
    failing_since: float | None = None
    failure: str = ""
    probing: bool = False
    probe_at: float = 0.0
    tries: int = 0
    """Picks the member to ask: another one after each failure."""
    made_by: str = ""
    """The member through which it was last made."""


@frozen(kw_only=True)
class KillAsked:
    """A task we want dead: when we first asked, and when to ask again."""

    agent_id: str
    executor_id: str
    since: float | None = None
    again_at: float = 0.0

    @classmethod
    def of(cls, task: RecordedTask, **when: float) -> Self:
        """`task`, which is to end."""
        return cls(agent_id=task.agent_id, executor_id=task.executor_id, **when)


@frozen(kw_only=True)
class MembershipView:
    """What is known of etcd's member list, and of the change in flight."""

    listing: MemberList | None = None
    """As a quorum had it after the last change ended; None: to be read (again)."""
    look_at: float = 0.0
    """When to read it again, though nothing was changed."""
    busy: bool = False
    """A question or a change is under way."""
    ask_at: float = 0.0
    """Not to be asked before."""
    failures: int = 0
    """Attempts at the change in flight that failed or were not answered, in a row."""
    failure: str = ""
    """What the last one said."""
    unsettled_since: float | None = None
    """Since when etcd refuses the change in flight because its members have not been connected for
    long enough; refusals from then on are no failures until the limit is over."""


@frozen(kw_only=True)
class QuorumWatch:
    """For how long quorum has been seen to be gone, without a break."""

    since: float
    seen_at: float
    """When it was last looked at."""


@frozen(kw_only=True)
class OrderSent:
    """The last order to an executor, and when to repeat it unless it was answered."""

    order: Order
    since: float
    """When it was first sent."""
    again_at: float


@frozen(kw_only=True)
class ReseedView:
    """How far the recorded stage of reseeding has come, as this scheduler has seen it."""

    stage: tuple[int, Stage] | None = None
    """The generation and the stage that this is about."""
    since: float = 0.0
    """When this scheduler entered it."""
    sent: Mapping[str, OrderSent] = {}
    """By task id."""


@frozen(kw_only=True)
class ErrandView:
    """How far the operator's errand has come."""

    busy: bool = False
    """A teardown, or the record's removal, is under way."""
    again_at: float = 0.0
    failure: str = ""
    """What became of the last attempt."""
    tries: int = 0
    """Picks the member to ask for etcd's list: another one each time."""
    forgetting: bool = False
    """The operator asked for the record to be put aside."""


@frozen(kw_only=True)
class Counters:
    """Totals since this scheduler started, for /stats."""

    launched: int = 0
    failed: int = 0


@frozen(kw_only=True, slots=False)
class Model(draft.Phased):
    """Everything the controller knows."""

    settings: Settings
    phase_since: float = 0.0
    record: Record
    """Not to be acted on until `store.loaded`; of a standby, what it last read."""
    leadership: Leadership = Leadership()
    store: StoreLink = StoreLink()
    mesos: MesosLink = MesosLink()
    offers: Mapping[str, HeldOffer] = {}
    unreturned: Mapping[str, float] = {}
    """Offers whose use or return failed, and when to give them back: the master counts them as
    ours."""
    gang_since: float | None = None
    """Since when offers have been held for a gang."""
    setback: str = ""
    """Why the last gang, attempt to bootstrap or new member came to nothing."""
    tasks: Mapping[str, TaskStatus] = {}
    """The last status of every task heard of."""
    views: Mapping[str, MemberView] = {}
    progress: ProgressView = ProgressView()
    terms: Terms = field(factory=Terms)
    membership: MembershipView = MembershipView()
    places: Mapping[str, Place] = {}
    """By member name: where members being added are to run, while their offers are in hand."""
    out_of_reach: Mapping[str, float] = {}
    """By task id: since when nobody vouches for it."""
    apart_since: Mapping[str, float] = {}
    """By member name: since when a voter has not been one of the quorum that serves without it."""
    joining_since: Mapping[str, float] = {}
    """By member name: since when the last learner has been on its way, or a voter since, as far as
    we saw."""
    attempts: Attempts = field(factory=Attempts)
    kills: Mapping[str, KillAsked] = {}
    """By task id: tasks we want dead that are not known to be."""
    attempt_since: float = 0.0
    """When the bootstrap under way was launched, or taken over."""
    retry_at: float = 0.0
    """When the next attempt to bootstrap may start."""
    shunned: Mapping[str, Shunned] = {}
    """Agents where a launch or a member failed, while others are preferred."""
    ruled_out: Mapping[str, str] = {}
    """Agents whose last offer went back because of a constraint, and that constraint in words;
    while an offer is wanted."""
    revision_saved_at: float = 0.0
    errand: ErrandView = ErrandView()
    backups: BackupView = field(factory=BackupView)
    quorum_watch: QuorumWatch | None = None
    """None while quorum is there, or while nobody could tell."""
    reseeding: ReseedView = ReseedView()
    restoring: RestoreView = field(factory=RestoreView)
    reports: Mapping[str, Report] = {}
    """By task id: how executors stand, as they said last."""
    ask_kept_at: float = 0.0
    """When to ask (again) for what executors keep of reseeding."""
    counters: Counters = Counters()

    def view(self, member: str) -> MemberView:
        return self.views.get(member, NEVER_PROBED)

    def agents_of_the_past(self) -> frozenset[str]:
        """Agents where there is no place for a member, as one of the past may still run there."""
        if not self.settings.single_instance_per_agent:
            return frozenset()
        return frozenset(kill.agent_id for kill in self.kills.values())

    def known_dead(self, task_id: str) -> bool:
        """Whether the task is proven to have ended."""
        status = self.tasks.get(task_id)
        return status is not None and status.dead

    def unix_time(self, now: float) -> float:
        """The moment `now` as people know it, in whole seconds."""
        return float(round(self.settings.wall_clock + now))

    def ended(self, member: Member) -> bool:
        """Whether `member` had a task, and every one of them is proven to have ended."""
        # A loop: asked of every member many times a step.
        for task in member.tasks:
            status = self.tasks.get(task.id)
            if status is None or not status.dead:
                return False
        return bool(member.tasks)


@frozen(kw_only=True, slots=False)
class Draft(draft.Draft[Model]):
    """A step of the controller being written."""

    def entering(self, phase: str) -> Self:
        """In another phase, from now on."""
        return self.having(phase=phase, phase_since=self.now)

    def recording(self, **changes: Any) -> Self:
        """With these fields of the record replaced; the step will save it."""
        return self.having(record=evolve(self.model.record, **changes))

    def recording_member(self, member: Member) -> Self:
        """With the recorded member of that name replaced, if it differs."""
        record = self.model.record
        if record.member(member.name) == member:
            return self
        return self.having(record=record.with_member(member))


def without(mapping: Mapping[str, V], *keys: str) -> dict[str, V]:
    """`mapping` less `keys`, as a new one."""
    return {k: v for k, v in mapping.items() if k not in keys}


def ended_on_record(record: Record) -> dict[str, TaskStatus]:
    """The tasks on record whose end was seen, by us or by a scheduler before us."""
    return {
        task.id: TaskStatus(
            task_id=task.id,
            agent_id=task.agent_id,
            executor_id=task.executor_id,
            state=TaskState(task.ended),
            message="as recorded",
        )
        for member in record.members
        for task in member.tasks
        if task.ended
    }
