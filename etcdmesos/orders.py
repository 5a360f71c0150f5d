"""What scheduler and executors tell each other by framework messages: orders, and reports on them.

Mesos carries such a message at most once and acknowledges nothing, so an order is repeated until a
report shows that it was carried out, and carrying one out twice is the same as once.  An executor
obeys none of a lower epoch than the highest it has seen.  Pure; Mesos authenticates who sends.

Nothing in here may be a secret unless it is used up within minutes: agents may log messages.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from etcdmesos.errors import EtcdMesosError
from etcdmesos.plain_values import plain, structured


class BadMessage(EtcdMesosError):
    """The message is none that this version understands."""


@frozen(kw_only=True)
class Order:
    """What a scheduler wants of an executor."""

    task_id: str
    """The one it is meant for; the executor of another task refuses it."""
    epoch: int
    """Of the scheduler that gives it."""


@frozen(kw_only=True)
class ReseedOrder(Order):
    """One that belongs to an attempt to reseed, or to restore."""

    generation: int
    """Of the attempt; a lower one than the last is of an attempt that is over."""


@frozen(kw_only=True)
class TakeSnapshot(ReseedOrder):
    """Save a snapshot of the running etcd in the sandbox; change nothing."""


@frozen(kw_only=True)
class Hold(ReseedOrder):
    """Stop etcd, restart nothing, keep task and data.  What the seeding of an attempt later than
    `in_force` made is set aside, and the member's own data put back where it was."""

    in_force: int
    """The generation of the cluster in force.  What was seeded for it is the member's own data."""


@frozen(kw_only=True)
class MeasureCopy(ReseedOrder):
    """Held: run a copy of the data with `--force-new-cluster` on unpublished loopback ports, and
    save a snapshot of what it shows.  The data itself is not changed."""


@frozen(kw_only=True)
class FetchBackup(ReseedOrder):
    """To a member that was launched to restore: fetch the snapshot of a backup into the sandbox and
    check it, for the `Seed` that follows.  Another address ends the fetching under way."""

    url: str = field(repr=False)
    """Of the scheduler, over HTTP; good for this once.  Never logged: it is a key."""
    size: int
    sha256: str
    """Of the whole snapshot, in hex."""
    revision: int
    seconds: float
    """How long all of it may take."""
    idle_seconds: float
    """How long nothing may come."""


@frozen(kw_only=True)
class Tool:
    """The program that restores a snapshot: `etcdutl`, or `etcdctl` before 3.5."""

    name: str
    url: str
    """Where to fetch it, over HTTP."""
    sha256: str


@frozen(kw_only=True)
class Seed(ReseedOrder):
    """Held: set the data aside, restore the attempt's snapshot under `token`, start etcd on it.

    Carried out once in a generation, whatever comes of it; after a failure the member's own data is
    put back, and it is held.
    """

    token: str
    """`--initial-cluster-token` of the new cluster."""
    tool: Tool
    snapshot_sha256: str
    """Of the snapshot that was chosen; another one is not restored."""
    bump_revision: int = 0
    """By how much revisions go up, so that clients never see one again; 0 where the tool can't."""


@frozen(kw_only=True)
class Release(ReseedOrder):
    """Undo the hold: start etcd on the member's own data again, as `Hold` puts it back.  The last
    order of its generation: what comes of the same after it is late, and only answered."""

    in_force: int
    """As in `Hold`."""


@frozen(kw_only=True)
class Discard(Order):
    """Report what is kept, and remove of it what belongs to generations below `before`; 0: nothing.

    Not obeyed while the member does not serve, nor what could still be put back.
    """

    before: int
    in_force: int
    """As in `Hold`."""


class Means(enum.Enum):
    """How a snapshot is handed over."""

    PUT = "put"
    """HTTP PUT of each part to its URL."""
    FILE = "file"
    """Written to the one path, in a folder that scheduler and agents share."""


@frozen(kw_only=True)
class WayIn:
    """How to send one snapshot to where backups lie.  Good for that one and for a short time."""

    means: Means
    parts: tuple[str, ...] = field(repr=False)
    """The URL of each part, or the path of the one file.  Never logged: a URL may be a key."""
    part_bytes: int
    """Each part is that long, and the last one used is what is left."""
    headers: Mapping[str, str] = field(default={}, repr=False)
    """Sent with every part; never logged."""


@frozen(kw_only=True)
class Backup(Order):
    """Stream a live snapshot to the way in; change nothing.  One at a time: another name ends the
    one under way."""

    name: str
    way: WayIn
    seconds: float
    """How long all of it may take."""
    idle_seconds: float
    """How long nothing may move."""


@frozen(kw_only=True)
class Kept:
    """A snapshot that was saved in the sandbox before."""

    path: str
    """Below the sandbox, as its report had it."""
    sha256: str
    """Of the whole file, in hex; what is found otherwise is not sent to its end."""
    revision: int
    term: int
    """raft's; 0 when not known."""


@frozen(kw_only=True)
class BackupKept(Backup):
    """As Backup, of a snapshot that was saved for a reseed; etcd need not run."""

    kept: Kept


@frozen(kw_only=True)
class CancelBackup(Order):
    """Stop sending the backup of that name, if it is under way."""

    name: str


class Sending(enum.Enum):
    """How far a backup has come on the executor's side."""

    UNDER_WAY = "under_way"
    SENT = "sent"
    """The target took the last byte, and the snapshot's own hash was right."""
    FAILED = "failed"


@frozen(kw_only=True)
class BackupReport:
    """How an executor's last backup stands.  Sent after every order, at its end, and now and
    then."""

    task_id: str
    epoch: int
    """The highest it has seen."""
    name: str
    sending: Sending
    sent: int = 0
    """Bytes so far."""
    size: int = 0
    """Of the whole snapshot in bytes; 0 until it is known."""
    sha256: str = ""
    """Of the whole snapshot, once it is sent."""
    revision: int = 0
    """etcd's, right before: at least that is in it."""
    term: int = 0
    tags: tuple[str, ...] = ()
    """What the target answered to each part."""
    reason: str = ""
    """Why it failed, in one line."""


class Standing(enum.Enum):
    """What an executor does with its member, as far as orders are concerned."""

    UNHELD = "unheld"
    """etcd runs, or is started and restarted as it needs."""
    HOLDING = "holding"
    """etcd is being stopped, or a failed seed's data put back."""
    HELD = "held"
    """No etcd runs on the member's data and none will be started."""
    MEASURING = "measuring"
    """As HELD, and a copy of the data is being run, or a backup fetched.  A snapshot of a running
    etcd is no standing of its own: UNHELD."""
    SEEDING = "seeding"
    """As HELD, until etcd is started on the restored data."""
    SEEDED = "seeded"
    """etcd runs as the seed of `generation`."""


@frozen(kw_only=True)
class SavedSnapshot:
    """A snapshot in the sandbox, checked against the hash it ends in."""

    sha256: str
    """Of the whole file, in hex."""
    size: int
    """In bytes."""
    revision: int
    """The key space's revision in it."""
    applied_index: int
    """raft's, of the member it was taken from, right before; of a copy, the commit index of the
    member's own log (a copy's own index goes on beyond it).  0 when not known."""
    path: str
    """Below the sandbox."""


@frozen(kw_only=True)
class Report:
    """How an executor stands.  Sent after every order, and whenever the answer to one changes."""

    task_id: str
    epoch: int
    """The highest it has seen."""
    generation: int = 0
    """Of the last reseed order it took; 0 before any."""
    standing: Standing = Standing.UNHELD
    cluster_id: str = ""
    member_id: str = ""
    term: int = 0
    """raft's, as the stopped member's log has it; 0 unless held."""
    commit_index: int = 0
    """raft's, as the stopped member's log has it; 0 unless held."""
    snapshot: SavedSnapshot | None = None
    """The last one taken in this generation, or in an earlier one if the member's data has not
    been run since (a hold that is renewed keeps it)."""
    failed: str = ""
    """The kind of the order of this generation that last failed, such as `seed`; "" for none."""
    reason: str = ""
    """Why it failed, in one line."""
    kept: tuple[str, ...] = ()
    """Data directories and snapshots set aside, below the sandbox, oldest first."""


Message = Order | Report | BackupReport

KINDS: Mapping[str, type[Message]] = {
    "snapshot": TakeSnapshot,
    "hold": Hold,
    "measure": MeasureCopy,
    "fetch": FetchBackup,
    "seed": Seed,
    "release": Release,
    "discard": Discard,
    "report": Report,
    "backup": Backup,
    "backup_kept": BackupKept,
    "cancel_backup": CancelBackup,
    "backup_report": BackupReport,
}
"""The `type` of each message."""

_NAMES = {kind: name for name, kind in KINDS.items()}


def name_of(kind: type[Order]) -> str:
    """What `type` and `failed` call orders of this kind."""
    return _NAMES[kind]


def encode(message: Message) -> bytes:
    """`message` as it travels."""
    body = {"type": _NAMES[type(message)], **plain(message)}
    return json.dumps(body, sort_keys=True).encode()


def decode(data: bytes) -> Message:
    """The message in `data`.  Raises BadMessage with what is wrong."""
    try:
        body: dict[str, Any] = json.loads(data)
        message: Message = structured(KINDS[body.pop("type")], body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else repr(error)
        raise BadMessage(f"no message that is understood here: {' '.join(said.split())}") from error
    return message
