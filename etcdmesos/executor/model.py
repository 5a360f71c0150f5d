"""What the executor knows: one frozen value, and the draft of the step that makes the next one.

No method here decides anything; what follows from the model is in the guards and the plans.
"""

from __future__ import annotations

import enum
from typing import Any, Self

from attrs import evolve, field, frozen

from etcdmesos import draft
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.executor.settings import Settings
from etcdmesos.member_spec import MemberSpec
from etcdmesos.orders import Backup, BackupReport, FetchBackup, Report, SavedSnapshot, Seed


class Process(enum.Enum):
    """Whether there is an etcd of ours."""

    NONE = "none"
    """Never started, or reaped."""
    ASKED = "asked"
    """A start is under way: there may be one."""
    ALIVE = "alive"


@frozen(kw_only=True)
class Link:
    """The subscription at the agent."""

    subscribed: bool = False
    asking: bool = False
    ever: bool = False
    """Whether there was one before."""
    down_since: float = 0.0
    attempts: int = 0
    """Failed ones since the last success."""
    again_at: float = 0.0
    listed: tuple[str, ...] = ()
    """The uuids named in the Subscribe under way."""


@frozen(kw_only=True)
class Task:
    """The task we were given."""

    id: str
    info: str
    """The TaskInfo as it came, JSON."""
    acknowledged: bool = False
    """Whether the agent has acknowledged any update of it."""


@frozen(kw_only=True, slots=False)
class Etcd:
    """Our etcd: its process, and what it last said.  Without slots, for `changed`."""

    process: Process = Process.NONE
    run: int = 0
    """How often it was started; tells a late answer about an earlier process from a new one."""
    reaped: int = 0
    """The last run that is certain to be over."""
    pid: int = 0
    started_at: float = 0.0
    signalled: int = 0
    """The last signal sent to this process."""
    signalling: bool = False
    probing: bool = False
    probe_at: float = 0.0
    health: MemberHealth | None = None
    """The last answer of this process."""
    serving_since: float | None = None
    """Since when this process has been a serving voter without a break we saw."""
    unwell_since: float | None = None


@frozen(kw_only=True)
class Restart:
    """What is known while etcd is down after a crash."""

    at: float = 0.0
    asking: bool = False
    asked: bool = False
    removed: bool = False
    """Whether every peer that answered no longer lists us."""


@frozen(kw_only=True)
class Update:
    """A status update, as the core sees it; the adapter adds timestamp and source."""

    task_id: str
    uuid: str
    """16 bytes in hex."""
    state: str
    """A TaskState of the v1 API."""
    message: str
    reason: str = ""
    healthy: bool | None = None
    data: str = ""
    """JSON."""
    last: bool = False
    """Whether this is the terminal one of our own task."""
    taken_at: float | None = None
    """When the agent took it; not yet an acknowledgement."""
    again_at: float = 0.0


@frozen(kw_only=True)
class Ending:
    """Why and how it ends; said once etcd has been reaped."""

    state: str
    message: str
    reason: str = ""


@frozen(kw_only=True)
class Held:
    """By whom etcd is kept from running on the member's data."""

    epoch: int
    generation: int

    def __str__(self) -> str:
        return f"held by epoch {self.epoch}, generation {self.generation}"


@frozen(kw_only=True)
class ExecutorRecord:
    """What is kept on disk, in the sandbox."""

    epoch: int = 0
    """The highest seen; commands of a lower one come from a scheduler that was replaced."""
    task_id: str = ""
    generation: int = 0
    """Of the last reseed order that was taken; lower ones are of attempts that are over."""
    held: Held | None = None
    seeded: int = 0
    """The generation whose seed's data lies, or is about to, where the member's own data was;
    0: its own data is in its place."""


@frozen(kw_only=True)
class Own:
    """The member as it was before a seeding."""

    generation: int
    """Of the seed."""
    spec: MemberSpec
    cluster_id: str
    member_id: str
    snapshot: SavedSnapshot


@frozen(kw_only=True)
class LogEnd:
    """raft's hard state at the end of a stopped member's log, and whose log it is."""

    term: int = 0
    commit_index: int = 0
    cluster_id: str = ""
    member_id: str = ""


@frozen(kw_only=True)
class Reseed:
    """What reseeding orders have led to, beside what the record says of them."""

    released: bool = False
    """Whether the record's generation has had its last order."""
    snapshot: SavedSnapshot | None = None
    """Of the data that is in the member's place; dropped when a hold ends, or when another attempt
    begins without one."""
    snapshot_wanted: bool = False
    """Of the running etcd."""
    saving: bool = False
    """It is under way."""
    log_end: LogEnd | None = None
    """None while the member runs, and until its log was read."""
    measuring: bool = False
    """A copy is to be run, or is being run; or a backup fetched."""
    fetch: FetchBackup | None = None
    """The backup that is to be fetched, or is being fetched; None when it is a copy."""
    fetching: str = field(default="", repr=False)
    """The address from which one is being fetched: it may be another by now."""
    seed: Seed | None = None
    """To be carried out, or under way."""
    seed_taken: int = 0
    """The generation of the last `seed`: none is carried out twice."""
    seed_ran: bool = False
    """Whether etcd was started on what was restored."""
    own: Own | None = None
    """What was set aside; None while the member's own data is in its place."""
    undo: bool = False
    """The seed's data is to be set aside, and the member's own put back."""
    undo_failed: bool = False
    """It could not be; tried again at the next order."""
    working: bool = False
    """The disk is being worked on, or a copy run: a command for that is under way."""
    cancelling: bool = False
    """That command was asked to end."""
    failed: str = ""
    reason: str = ""
    """As in `orders.Report`."""
    kept: tuple[str, ...] = ()
    """Paths below the sandbox, oldest first."""
    old: tuple[str, ...] = ()
    """Those of them that are to be removed."""
    removing: bool = False
    answer_due: bool = False
    """An order came that was not answered yet."""
    told: Report | None = None
    """The last report that went out."""


@frozen(kw_only=True)
class BackingUp:
    """The last backup that was ordered."""

    order: Backup | None = None
    """While it is wanted."""
    report: BackupReport | None = None
    """How it stands."""
    sending: str = ""
    """The name of the one being streamed, perhaps one that is wanted no more."""
    stopping: bool = False
    answer_due: bool = False
    told: BackupReport | None = None
    """What was last reported."""


@frozen(kw_only=True, slots=False)
class Model(draft.Phased):
    """Everything the executor knows."""

    settings: Settings
    record: ExecutorRecord = field(factory=ExecutorRecord)
    record_before: ExecutorRecord = field(factory=ExecutorRecord)
    """What was saved before the record: what stands if its save fails."""
    link: Link = field(factory=Link)
    task: Task | None = None
    spec: MemberSpec | None = None
    etcd_version: str = ""
    etcd: Etcd = field(factory=Etcd)
    cluster_id: str = ""
    member_id: str = ""
    served: bool = False
    """Whether TASK_RUNNING was due once; Mesos knows no way back from it."""
    preparing: bool = False
    crashes: int = 0
    """Since etcd last served well."""
    restart: Restart = field(factory=Restart)
    reseed: Reseed = field(factory=Reseed)
    backing_up: BackingUp = field(factory=BackingUp)
    ending: Ending | None = None
    kill_at: float = 0.0
    """When SIGTERM has had its time; means something only while etcd is being stopped."""
    leave_at: float | None = None
    """When to leave without an acknowledgement of the last word; None before it is said."""
    updates: tuple[Update, ...] = ()
    """Those the agent has not acknowledged, oldest first."""
    updates_made: int = 0
    sending: str = ""
    """The uuid of the update under way."""
    said: tuple[str, bool | None, Held | None] = ("", None, None)
    """State, health and hold last put into an update."""
    remark: str = ""
    """What the last event came to, in a sentence for the log; "" if nothing worth one."""

    @property
    def data_directory(self) -> str:
        assert self.spec is not None
        return f"data/{self.spec.name}"


@frozen(kw_only=True, slots=False)
class Draft(draft.Draft[Model]):
    """A step of the executor being written."""

    def with_etcd(self, **changes: Any) -> Self:
        """With these fields of the model's etcd replaced."""
        return self.having(etcd=draft.changed(self.model.etcd, changes))

    def with_reseed(self, **changes: Any) -> Self:
        """With these fields of what reseeding has led to replaced."""
        return self.having(reseed=evolve(self.model.reseed, **changes))

    def with_record(self, **changes: Any) -> Self:
        """With these fields of the record replaced."""
        return self.having(record=evolve(self.model.record, **changes))

    def with_link(self, **changes: Any) -> Self:
        """With these fields of the model's link replaced."""
        return self.having(link=evolve(self.model.link, **changes))
