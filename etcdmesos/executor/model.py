"""What the executor knows: one frozen value, and the draft of the step that makes the next one.

No method here decides anything; what follows from the model is in the guards and the plans.
"""

from __future__ import annotations

import enum
from typing import Any, Self

from attrs import evolve, field, frozen

from etcdmesos import draft
from etcdmesos.cluster.member_health import MemberHealth
from etcdmesos.executor.settings import Settings
from etcdmesos.member_spec import MemberSpec


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


@frozen(kw_only=True)
class Etcd:
    """Our etcd: its process, and what it last said."""

    process: Process = Process.NONE
    run: int = 0
    """How often it was started; tells a late answer about an earlier process from a new one."""
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
class ExecutorRecord:
    """What is kept on disk, in the sandbox."""

    epoch: int = 0
    """The highest seen; commands of a lower one come from a scheduler that was replaced."""
    task_id: str = ""


@frozen(kw_only=True, slots=False)
class Model(draft.Phased):
    """Everything the executor knows."""

    settings: Settings
    record: ExecutorRecord = field(factory=ExecutorRecord)
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
    ending: Ending | None = None
    kill_at: float = 0.0
    """When SIGTERM has had its time; means something only while stopping."""
    leave_at: float | None = None
    """When to leave without an acknowledgement of the last word; None before it is said."""
    updates: tuple[Update, ...] = ()
    """Those the agent has not acknowledged, oldest first."""
    updates_made: int = 0
    sending: str = ""
    """The uuid of the update under way."""
    said: tuple[str, bool | None] = ("", None)
    """State and health last put into an update."""
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
        return self.having(etcd=evolve(self.model.etcd, **changes))

    def with_link(self, **changes: Any) -> Self:
        """With these fields of the model's link replaced."""
        return self.having(link=evolve(self.model.link, **changes))
