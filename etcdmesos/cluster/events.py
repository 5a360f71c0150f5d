"""What the outside may tell the controller: frozen observations, grouped by who says them.

An event updates what was observed; it never carries a decision.  The snake_case name of a class is
its name in `statecharts/cluster.yaml`.
"""

from __future__ import annotations

from attrs import field, frozen

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.retention import Catalogue
from etcdmesos.backups.source import LATEST, Source
from etcdmesos.cluster.restore.episode import Point
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.mesos.master_state import MasterState
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.statuses import TaskStatus
from etcdmesos.orders import WayIn
from etcdmesos.step import (
    CommandDone,
    CommandFailed,
    CommandUnknown,
    Event,
    RecordLoaded,
    RecordPutAside,
    RecordUnavailable,
    SaveFailed,
    TimerFired,
)

__all__ = [
    "AgentLost",
    "BackupAsked",
    "BackupChecked",
    "BackupCounted",
    "BackupDamaged",
    "BackupLent",
    "BackupOpened",
    "CatalogueRead",
    "CommandDone",
    "CommandFailed",
    "CommandUnknown",
    "Disconnected",
    "Event",
    "ExecutorLost",
    "ExecutorSaid",
    "ForgetAsked",
    "FrameworkRefused",
    "LeaderSeen",
    "LeadershipGained",
    "LeadershipLost",
    "LeadershipSuspended",
    "MasterStateRead",
    "MemberProbed",
    "MembersListed",
    "OfferRescinded",
    "OffersReceived",
    "OperatorAsked",
    "ProgressMade",
    "RecordLoaded",
    "RecordPutAside",
    "RecordUnavailable",
    "ReseedAsked",
    "RestoreAsked",
    "SaveFailed",
    "StopAsked",
    "Subscribed",
    "TaskUpdated",
    "TimerFired",
    "UninstallAsked",
]

# The election


@frozen(kw_only=True)
class LeadershipGained(Event):
    """This scheduler is the one that may act: elected, or connected again in the session in which
    it was.  Whatever is written from here on is seen by a read that follows."""


@frozen(kw_only=True)
class LeadershipSuspended(Event):
    """The session with the election is not confirmed at the moment.  Nobody else is elected before
    it has expired; LeadershipGained or LeadershipLost follows."""

    reason: str


@frozen(kw_only=True)
class LeadershipLost(Event):
    """The session has expired: another scheduler may hold the cluster by now."""

    reason: str


@frozen(kw_only=True)
class LeaderSeen(Event):
    """Another scheduler, which calls itself `holder`, is the one that may act; "" when nobody
    is."""

    holder: str


# Mesos


@frozen(kw_only=True)
class Subscribed(Event):
    """The master took our SUBSCRIBE.  `master` is host:port."""

    framework_id: str
    master: str


@frozen(kw_only=True)
class Disconnected(Event):
    """There is no subscription (any more): refused, cut, silent for too long, or no master
    known."""

    reason: str


@frozen(kw_only=True)
class FrameworkRefused(Event):
    """The master sent ERROR: the subscription is over and trying the same again will not help."""

    message: str


@frozen(kw_only=True)
class OffersReceived(Event):
    """New offers; each stands until it is used, declined or rescinded."""

    offers: tuple[Offer, ...]


@frozen(kw_only=True)
class OfferRescinded(Event):
    """This offer is void."""

    offer_id: str


@frozen(kw_only=True)
class TaskUpdated(Event):
    """A status update or an answer to RECONCILE."""

    status: TaskStatus


@frozen(kw_only=True)
class AgentLost(Event):
    """FAILURE without an executor: the agent was removed or its health check timed out."""

    agent_id: str


@frozen(kw_only=True)
class ExecutorLost(Event):
    """FAILURE with an executor: it ended, with this wait status."""

    agent_id: str
    executor_id: str
    wait_status: int


@frozen(kw_only=True)
class ExecutorSaid(Event):
    """A framework message from an executor."""

    agent_id: str
    executor_id: str
    data: bytes


@frozen(kw_only=True)
class MasterStateRead(Event):
    """The answer to ReadMasterState."""

    state: MasterState
    subscription: int
    """As in the command: what was asked under an earlier one says nothing of this one."""


# etcd


@frozen(kw_only=True)
class MemberProbed(Event):
    """The answer to ProbeMember: what one member says of itself."""

    member: str
    health: MemberHealth


@frozen(kw_only=True)
class ProgressMade(Event):
    """The answer to ProbeProgress: a proposal through this member was committed by a quorum."""

    member: str


@frozen(kw_only=True)
class MembersListed(Event):
    """The answer to ListMembers: the list as a quorum had it after the question was asked."""

    members: MemberList


# Backups


@frozen(kw_only=True)
class CatalogueRead(Event):
    """What lies at the target."""

    catalogue: Catalogue


@frozen(kw_only=True)
class BackupOpened(Event):
    """There is a way in for the backup of this name, begun at `taken_at` (Unix time)."""

    name: str
    taken_at: float
    way: WayIn


@frozen(kw_only=True)
class BackupCounted(Event):
    """The backup was read back and counts."""

    manifest: Manifest


# Restoring


@frozen(kw_only=True)
class BackupChecked(Event):
    """The backup that `source` means was read back, and is sound."""

    source: Source
    point: Point


@frozen(kw_only=True)
class BackupDamaged(Event):
    """The backup that `source` means cannot be restored from, now or ever."""

    source: Source
    name: str
    """"" when there is none."""
    reason: str
    """The rest of a sentence that begins with the name."""


@frozen(kw_only=True)
class BackupLent(Event):
    """An executor can fetch the snapshot there; the address is a key, and used up soon.

    `point` is what is lent: one that is made of a data directory is another one each time.
    """

    point: Point
    url: str = field(repr=False)


# The operator


@frozen(kw_only=True)
class StopAsked(Event):
    """This scheduler is to end; the cluster goes on without it."""


@frozen(kw_only=True)
class OperatorAsked(Event):
    """Base of what the operator asks for over the admin interface.

    Each ends in one AnswerOperator with its number.  The other fields are what has to be said with
    it; those with a default need not be.
    """

    number: int


@frozen(kw_only=True)
class UninstallAsked(OperatorAsked):
    """The cluster of this name is to end: its tasks and its framework."""

    cluster: str


@frozen(kw_only=True)
class ReseedAsked(OperatorAsked):
    """A new cluster is to be grown from `member`, or ("") from the best survivor."""

    member: str = ""


@frozen(kw_only=True)
class ForgetAsked(OperatorAsked):
    """The cluster of this name, whose framework Mesos has removed, is to be forgotten."""

    cluster: str


@frozen(kw_only=True)
class BackupAsked(OperatorAsked):
    """A backup is to be taken now."""


@frozen(kw_only=True)
class RestoreAsked(OperatorAsked):
    """The cluster that was lost is to be restored from `source`: latest, a backup's name or
    address, or file:///path; from the one before the newest too, if that is damaged (`older`)."""

    source: str = LATEST
    older: bool = False
