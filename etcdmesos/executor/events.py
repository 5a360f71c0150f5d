"""What the outside may tell the executor's core: frozen observations, grouped by who says them.

The snake_case name of a class is its name in `statecharts/executor.yaml`.
"""

from __future__ import annotations

from attrs import frozen

from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.executor.model import LogEnd
from etcdmesos.orders import SavedSnapshot
from etcdmesos.step import (
    CommandDone,
    CommandFailed,
    CommandUnknown,
    Event,
    SaveFailed,
    TimerFired,
)

__all__ = [
    "BackupMoved",
    "BackupSent",
    "CommandDone",
    "CommandFailed",
    "CommandUnknown",
    "Disconnected",
    "EtcdExited",
    "EtcdPrepared",
    "EtcdStarted",
    "Event",
    "KillAsked",
    "LogRead",
    "MemberProbed",
    "MessageReceived",
    "PeerAnswer",
    "PeersAnswered",
    "SaveFailed",
    "SeedRestored",
    "ShutdownAsked",
    "SnapshotSaved",
    "Subscribed",
    "TaskLaunched",
    "TimerFired",
    "UpdateAcknowledged",
]

# The agent


@frozen(kw_only=True)
class Subscribed(Event):
    """The agent took our SUBSCRIBE, and with it the updates that it named."""


@frozen(kw_only=True)
class Disconnected(Event):
    """There is no subscription (any more)."""

    reason: str


@frozen(kw_only=True)
class TaskLaunched(Event):
    """LAUNCH: the agent hands us a task."""

    task_id: str
    data: bytes
    task_info: str
    """The whole TaskInfo as JSON, to be named again when subscribing."""


@frozen(kw_only=True)
class KillAsked(Event):
    """KILL.  `grace_seconds` is the call's own kill policy, None if it carries none."""

    task_id: str
    grace_seconds: float | None


@frozen(kw_only=True)
class ShutdownAsked(Event):
    """The executor is to end: the agent's SHUTDOWN, or a signal.  `by` says which."""

    by: str


@frozen(kw_only=True)
class UpdateAcknowledged(Event):
    """The agent has stored the update with this uuid (hex)."""

    task_id: str
    uuid: str


@frozen(kw_only=True)
class MessageReceived(Event):
    """A framework message."""

    data: bytes


# etcd's process


@frozen(kw_only=True)
class EtcdPrepared(Event):
    """etcd can be started here; `version` is what its binary says of itself."""

    version: str


@frozen(kw_only=True)
class EtcdStarted(Event):
    """The process runs."""

    run: int
    pid: int


@frozen(kw_only=True)
class EtcdExited(Event):
    """The process has ended and was reaped."""

    run: int
    wait_status: int
    """As Python has it: the exit status, or the negative number of a signal."""
    log_tail: str
    """The last lines that this run wrote."""
    data_kept: bool = True
    """Whether its data directory still holds a write-ahead log."""


# etcd itself


@frozen(kw_only=True)
class MemberProbed(Event):
    """What our own etcd says of itself."""

    run: int
    health: MemberHealth


@frozen(kw_only=True)
class PeerAnswer:
    """Whom one peer lists as members: pairs of a member's id (16 hex digits) and its peer URLs."""

    peer_url: str
    cluster_id: str
    members: tuple[tuple[str, tuple[str, ...]], ...]


@frozen(kw_only=True)
class PeersAnswered(Event):
    """The peers that answered, and what they said."""

    run: int
    answers: tuple[PeerAnswer, ...]


# Backups


@frozen(kw_only=True)
class BackupMoved(Event):
    """How far the backup under way has come, in bytes."""

    name: str
    sent: int
    size: int


@frozen(kw_only=True)
class BackupSent(Event):
    """The target has taken all of it, and the snapshot's own hash was right."""

    name: str
    size: int
    sha256: str
    tags: tuple[str, ...]
    revision: int
    """etcd's, right before."""
    term: int


# Reseeding


@frozen(kw_only=True)
class SnapshotSaved(Event):
    """A snapshot lies in the sandbox, its hash checked."""

    generation: int
    """Of the attempt for which it was asked."""
    of_copy: bool
    """Of a copy of the stopped member's data, or of a backup; not of our running etcd."""
    snapshot: SavedSnapshot


@frozen(kw_only=True)
class LogRead(Event):
    """Where the stopped member's log ends."""

    end: LogEnd


@frozen(kw_only=True)
class SeedRestored(Event):
    """The data was set aside, and the snapshot restored where it was."""

    generation: int
