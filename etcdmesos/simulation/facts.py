"""What happened in a simulated world, as the oracles see it: frozen values, nothing else.

A trace of facts is all an oracle needs, so each is tested on traces written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from etcdmesos.backups.manifest import Manifest
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.step import Command, Event, Step

__all__ = [
    "BackupCounts",
    "BackupFound",
    "BackupRemoved",
    "ClusterForced",
    "Committed",
    "DataMoved",
    "DataRemoved",
    "DataRestored",
    "Erased",
    "EtcdEnded",
    "EtcdStarted",
    "Fact",
    "LeaderElected",
    "LearnerCaughtUp",
    "MembersChanged",
    "Obeyed",
    "Released",
    "SchedulerStarted",
    "Settled",
    "Stepped",
    "Stored",
    "UpdateSent",
    "WriteAcknowledged",
]


@frozen(kw_only=True)
class Fact:
    """Base of all facts."""


# The scheduler.  `process` numbers scheduler processes from 1 on; a restart is another one.


@frozen(kw_only=True)
class SchedulerStarted(Fact):
    """A scheduler process begins, knowing nothing."""

    process: int


@frozen(kw_only=True)
class Stepped(Fact):
    """The controller took an event in; nothing of the step is saved or released yet."""

    process: int
    event: Event
    before: Model
    step: Step[Model, Record]
    now: float


@frozen(kw_only=True)
class Released(Fact):
    """A command left for the outside."""

    process: int
    command: Command
    now: float


@frozen(kw_only=True)
class Stored(Fact):
    """A record became durable, whether the writer learns of it or not."""

    process: int
    record: Record


@frozen(kw_only=True)
class Obeyed(Fact):
    """The Mesos master carries a call out, whoever let go of it, and whenever."""

    framework_id: str
    command: Command


@frozen(kw_only=True)
class Erased(Fact):
    """There is no record any more."""

    process: int


# Executors and etcd, as they really are


@frozen(kw_only=True)
class EtcdStarted(Fact):
    """An executor started an etcd process."""

    executor: str
    member: str
    token: str
    generation: int
    epoch: int
    epoch_seen: int
    """The highest epoch on this executor's disk."""
    directory: str
    """Host and path of the data directory."""
    removed: bool = False
    """An earlier etcd of this executor ended because it was removed from its cluster."""
    again: bool = False
    """This executor has started an etcd before."""
    held: bool = False
    """The executor's disk said that its member is held when it asked for this etcd."""
    forced: bool = False
    """With `--force-new-cluster`."""
    founds: bool = False
    """With no data, as a member of a new cluster."""
    cluster_id: str = ""
    """Of the data it starts on, "" without any."""
    voters: int = 0
    """How many the data it starts on list."""


@frozen(kw_only=True)
class OrderHeard(Fact):
    """An executor has heard an order that is meant for it."""

    executor: str
    epoch: int
    epoch_seen: int
    """The highest epoch on this executor's disk before that."""
    recorded: bool
    """The order changed what is on that disk."""


@frozen(kw_only=True)
class DataMoved(Fact):
    """A member's data directory was renamed."""

    host: str
    source: str
    target: str
    content: object
    """What lies in it: the same for the same bytes."""


@frozen(kw_only=True)
class DataRestored(Fact):
    """A snapshot was restored where a member's data was, as another cluster's."""

    path: str
    """With its host."""
    generation: int
    token: str
    sha256: str
    """Of the snapshot."""
    revision: int
    """In the snapshot."""
    bump: int
    """By how much revisions went up."""
    keys: frozenset[str]


@frozen(kw_only=True)
class DataRemoved(Fact):
    """An executor removed a data directory that was set aside."""

    path: str
    """With its host."""


@frozen(kw_only=True)
class ClusterForced(Fact):
    """`--force-new-cluster` was run beside an executor's etcd."""

    path: str
    own: bool
    """On a member's data, and on no copy."""


@frozen(kw_only=True)
class Committed(Fact):
    """A leader committed an entry, while a cluster of a later generation had begun."""

    token: str
    by_hand: bool
    """People have changed member lists in this world."""


@frozen(kw_only=True)
class EtcdEnded(Fact):
    """An etcd process is gone and its executor, if that still runs, has reaped it."""

    executor: str
    removed: bool = False
    """It said that it was removed from its cluster."""


@frozen(kw_only=True)
class UpdateSent(Fact):
    """An executor said how its task is."""

    executor: str
    task_id: str
    state: str
    terminal: bool
    serving: bool
    """Whether its etcd was a voter that knew a leader, at this moment or shortly before."""


@frozen(kw_only=True)
class LeaderElected(Fact):
    """A member became leader; `keys` is what its log holds."""

    token: str
    keys: frozenset[str]


@frozen(kw_only=True)
class MembersChanged(Fact):
    """etcd carried out a change of its member list: the first member has applied it."""

    kind: str
    """add, promote or remove."""
    member: str
    """Its id, as etcd prints it."""
    learner: bool
    """Whether it was added or removed as a learner."""
    by_hand: bool
    """Somebody else than a scheduler asked for it."""
    listed: int
    """How many members are listed now, those that were added by hand left out."""


@frozen(kw_only=True)
class LearnerCaughtUp(Fact):
    """A learner has, for the first time, as much of the leader's log as etcd wants of a voter."""

    member: str
    """Its id."""


# Clients


@frozen(kw_only=True)
class WriteAcknowledged(Fact):
    """etcd told a client that its write is done."""

    key: str
    token: str
    revision: int = 0
    index: int = 0
    """raft's, of its entry; 0: not known."""


# Where backups lie


@frozen(kw_only=True)
class BackupCounts(Fact):
    """A manifest was written: from now on the backup counts."""

    manifest: Manifest
    sound: bool
    """What lies beside it is what it says."""
    revision: int = 0
    """In the snapshot, of which it was taken."""
    learner: bool = False
    """It was taken of a learner."""


@frozen(kw_only=True)
class BackupFound(Fact):
    """A backup lay there before the world began: it counts, and is whole."""

    manifest: Manifest


@frozen(kw_only=True)
class BackupRemoved(Fact):
    """A backup, or a snapshot that never counted, goes."""

    name: str
    age: float
    """Seconds."""
    counted: bool
    abandoned: bool
    """It was given up on the way, and is none of the old ones."""
    left: tuple[Manifest, ...]
    """Of all that count and were sound when they began to."""


# The end


@frozen(kw_only=True)
class Settled(Fact):
    """All faults have stopped and the world has come to rest."""

    now: float
    model: Model | None
    """The controller's, None when no scheduler runs."""
    alive: frozenset[str]
    """Tasks that really run, by id."""
    keys: frozenset[str] | None
    """What the serving cluster holds; None when none serves."""
    lost_majority: bool
    """Whether faults ended, for good, a majority of the voters that etcd really lists."""
    voters: int | None = None
    """How many voters etcd really lists; None when it is not known."""
    listed: int | None = None
    """How many members of any kind."""
    data: Mapping[str, object] = {}
    """What lies in every data directory, by host and path."""
    sound: bool = True
    """Whether a member that runs has data that can be read."""
    operator: bool = True
    """Whether people answer when they are waited for."""
    restorable: bool = False
    """Whether a backup that is whole lies where it can be read."""
    restored_on_demand: bool = False
    """Whether people order a restore when they are waited for."""
    leaders: int = 1
    """How many schedulers take themselves for the one that may act."""
    unsaid: tuple[str, ...] = ()
    """Executors whose agent has not heard how their task is."""
