"""What the executor's core may ask of the outside: frozen values, each with its duty.

Every command ends in one event (see `ports.CommandPort`).
"""

from __future__ import annotations

from attrs import field, frozen

from etcdmesos.executor.model import Update
from etcdmesos.orders import Kept, Tool, WayIn
from etcdmesos.step import Command

# The agent


@frozen(kw_only=True)
class Subscribe(Command):
    """Subscribe at the agent, naming what it has not acknowledged yet.

    One attempt: ends in Subscribed, or in Disconnected.  The adapter never subscribes by itself.
    """

    tasks: tuple[str, ...]
    """The TaskInfos (JSON) of tasks none of whose updates was acknowledged."""
    updates: tuple[Update, ...]


@frozen(kw_only=True)
class SendUpdate(Command):
    """Hand one status update to the agent.

    Only one is under way at a time, or a later state could overtake an earlier one.  Done means
    that the agent took the call; it has stored the update once UpdateAcknowledged comes.
    """

    update: Update


@frozen(kw_only=True)
class SendMessage(Command):
    """Hand a framework message to the agent, for the scheduler.

    Mesos delivers it at most once; a scheduler that misses it asks again.
    """

    data: bytes


# etcd


@frozen(kw_only=True)
class Prepare(Command):
    """Look whether etcd can be started here, and make its data directory.

    Asked once, before the first start.  Ends in EtcdPrepared, or in a failure that says what is in
    the way; nothing was started then.
    """

    data_directory: str
    """Below the sandbox.  Must not exist, or be empty."""
    host: str
    ports: tuple[int, ...]
    room_bytes: int
    """Disk space that must be free."""


@frozen(kw_only=True)
class StartEtcd(Command):
    """Start etcd with these arguments.  Only while no etcd of ours runs.

    Ends in EtcdStarted (and then, whenever that is, EtcdExited) or in a failure: nothing runs.
    """

    run: int
    arguments: tuple[str, ...]


@frozen(kw_only=True)
class SignalEtcd(Command):
    """Send this signal to etcd.  Done means sent; what it leads to is EtcdExited."""

    run: int
    signal: int


@frozen(kw_only=True)
class ProbeMember(Command):
    """Ask our own etcd for its Status.  Ends in MemberProbed or a failure."""

    run: int
    client_url: str


@frozen(kw_only=True)
class AskPeers(Command):
    """Ask the other members whom they list.  Ends in PeersAnswered, at worst without an answer."""

    run: int
    peer_urls: tuple[str, ...]


# Reseeding.  All paths are below the sandbox.


@frozen(kw_only=True)
class SaveSnapshot(Command):
    """Save a snapshot of our running etcd.  Ends in SnapshotSaved or a failure: no such file."""

    generation: int
    client_url: str
    path: str


@frozen(kw_only=True)
class ReadLog(Command):
    """Read where the log of the stopped member ends.  Ends in LogRead or a failure."""

    data_directory: str


@frozen(kw_only=True)
class RunCopy(Command):
    """Save a snapshot of what a copy of the stopped member's data shows when it is run alone.

    Changes nothing in the data.  The copy's etcd is reaped, and the copy removed, when it ends: in
    SnapshotSaved or in a failure.
    """

    generation: int
    data_directory: str
    copy_directory: str
    name: str
    applied_index: int
    """For the SavedSnapshot: the member's own, since the copy's goes on beyond it."""
    path: str


@frozen(kw_only=True)
class FetchSnapshot(Command):
    """Fetch a backup's snapshot, and check its size, its SHA-256 and the hash it ends in.

    Ends in SnapshotSaved or in a failure: no such file.
    """

    generation: int
    url: str = field(repr=False)
    size: int
    sha256: str
    revision: int
    path: str
    seconds: float
    """How long all of it may take."""
    idle_seconds: float
    """How long nothing may come."""


@frozen(kw_only=True)
class RestoreSeed(Command):
    """Set the data aside and restore the snapshot where it was.  Only while no etcd of ours runs.

    Ends in SeedRestored, or in a failure: what was done is to be undone by PutBack.
    """

    generation: int
    tool: Tool
    snapshot: str
    sha256: str
    """Of the snapshot's file; another one is not restored."""
    data_directory: str
    aside: str
    """Where the data goes, unchanged.  Must not exist."""
    name: str
    peer_url: str
    token: str
    bump_revision: int


@frozen(kw_only=True)
class PutBack(Command):
    """Undo what RestoreSeed did, as far as it came: what it made goes to `failed`, and what it set
    aside comes back.  Done means that the data is as it was before."""

    data_directory: str
    aside: str
    failed: str
    remove: tuple[str, ...]
    """Failed seeds of earlier attempts that need not be kept any longer."""


@frozen(kw_only=True)
class RemoveKept(Command):
    """Remove what is not needed any longer: files and folders, none of them the member's data."""

    paths: tuple[str, ...]


@frozen(kw_only=True)
class CancelWork(Command):
    """End the RunCopy, FetchSnapshot or RestoreSeed under way, which then fails."""


# Backups


@frozen(kw_only=True)
class SendBackup(Command):
    """Stream a snapshot of our running etcd, or one that was kept, the way in.  One at a time.

    Ends in BackupSent or a failure, with BackupMoved now and then before.
    """

    name: str
    client_url: str
    way: WayIn
    seconds: float
    """How long all of it may take."""
    idle_seconds: float
    """How long nothing may move."""
    kept: Kept | None = None


@frozen(kw_only=True)
class StopBackup(Command):
    """Have the one of that name, if it is under way, end in a failure."""

    name: str
