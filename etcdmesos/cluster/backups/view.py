"""What is known of backups: part of the model, and of no record."""

from __future__ import annotations

import enum

from attrs import field, frozen

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.retention import Catalogue
from etcdmesos.orders import BackupReport, Kept, WayIn


class Stage(enum.Enum):
    """How far the backup under way has come."""

    OPENING = "opening"
    """The target is asked for a way in."""
    SENDING = "sending"
    """The executor was told, and streams."""
    COUNTING = "counting"
    """The target's copy is read back."""


@frozen(kw_only=True)
class Survivor:
    """A member without quorum, and the snapshot of it that a new cluster is grown from."""

    member: str
    task_id: str
    kept: Kept
    size: int
    cluster_id: str
    generation: int
    """Of the cluster that has lost its quorum, as the id before."""


@frozen(kw_only=True)
class Run:
    """The backup under way."""

    stage: Stage = Stage.OPENING
    member: str
    task_id: str
    floor: int
    """The newest revision published when it was begun; a snapshot that has less is none.  Of a
    survivor, which may have less: the one it has."""
    survivor: Survivor | None = None
    """Of a snapshot that was kept; None: of a running member."""
    ends_at: float
    """By then it has failed."""
    name: str = ""
    taken_at: float = 0.0
    """Unix time."""
    way: WayIn | None = field(default=None, repr=False)
    order_at: float = 0.0
    """When to tell the executor (again)."""
    heard_at: float = 0.0
    report: BackupReport | None = None


@frozen(kw_only=True)
class BackupView:
    """Everything known of this cluster's backups."""

    catalogue: Catalogue | None = None
    """What lies at the target, as last read; None: to be read before anything else."""
    reading: bool = False
    look_at: float = 0.0
    run: Run | None = None
    called_off: tuple[str, str] | None = None
    """(task id, name) of a backup that an executor is still to be told not to send."""
    asked: bool = False
    """One is wanted now, due or not."""
    survivor: Survivor | None = None
    """Whose snapshot is to be sent before any other; tried once."""
    preceding: tuple[str, float] | None = None
    """(member, since when) whose removal waits for a backup."""
    opened_at: float | None = None
    """When the last way in was given; None before the first."""
    due_at: float = 0.0
    deleting: str = ""
    """The backup being deleted."""
    delete_at: float = 0.0
    """Not to be deleted anything before: the last attempt failed."""
    tidying: str = ""
    """What failed last when old ones were to be deleted; "" when nothing did."""
    failures: int = 0
    """In a row."""
    failure: str = ""
    """What the last one said."""
    last: Manifest | None = None
    """The last one this scheduler saw counted."""
    taken: int = 0
    """Counted since this scheduler started."""
    failed: int = 0
    """Failed since this scheduler started."""
