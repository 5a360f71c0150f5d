"""What the controller may ask of the outside: frozen values, each with its duty in its docstring.

The commands of one step are released together, after the step's save is confirmed, and none waits
for another.  Every command ends in one event (see `ports.CommandPort`).
"""

from __future__ import annotations

from attrs import frozen

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.source import Source
from etcdmesos.cluster.restore.episode import Point
from etcdmesos.mesos.statuses import TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.orders import WayIn
from etcdmesos.step import Command, DeleteRecord, Exit, LoadRecord, PutRecordAside

__all__ = [
    "AbandonBackup",
    "Acknowledge",
    "AddLearner",
    "AnswerOperator",
    "CheckBackup",
    "Command",
    "CountBackup",
    "Decline",
    "DeleteBackup",
    "DeleteRecord",
    "Exit",
    "Kill",
    "Launch",
    "LendBackup",
    "ListMembers",
    "LoadRecord",
    "OpenBackup",
    "ProbeMember",
    "ProbeProgress",
    "PromoteLearner",
    "PutRecordAside",
    "ReadCatalogue",
    "ReadMasterState",
    "Reconcile",
    "RemoveMember",
    "Revive",
    "SendMessage",
    "Shutdown",
    "Subscribe",
    "Suppress",
    "Teardown",
]

# Mesos


@frozen(kw_only=True)
class Subscribe(Command):
    """Open a subscription, as this framework id or ("") as a new framework.

    One attempt: ends in Subscribed, or in Disconnected or FrameworkRefused.  The adapter never
    subscribes again by itself.  Only after the record with this scheduler's epoch is durable.
    """

    framework_id: str


@frozen(kw_only=True)
class ReadMasterState(Command):
    """Read the master's agents and the frameworks of our name.  Ends in MasterStateRead."""

    subscription: int
    """The subscription this is asked for, as `MesosLink.number` counts them."""


@frozen(kw_only=True)
class Launch(Command):
    """ACCEPT `offer_ids` (all of one agent) and launch `tasks`.

    Sent at most once for a task id, and only once the record that names the task is durable.
    Done means that the master took the call, not that a task runs.
    """

    offer_ids: tuple[str, ...]
    tasks: tuple[Task, ...]


@frozen(kw_only=True)
class Decline(Command):
    """Give `offer_ids` back and refuse such offers for `refuse_seconds`."""

    offer_ids: tuple[str, ...]
    refuse_seconds: float


@frozen(kw_only=True)
class Suppress(Command):
    """Ask for no offers."""


@frozen(kw_only=True)
class Revive(Command):
    """Ask for offers again; also lifts every refusal."""


@frozen(kw_only=True)
class Acknowledge(Command):
    """Acknowledge a status update that the model has taken in (and whose effect is durable)."""

    status: TaskStatus


@frozen(kw_only=True)
class Reconcile(Command):
    """Ask for the state of `tasks`, (task id, agent id) pairs; of every task when empty."""

    tasks: tuple[tuple[str, str], ...]


@frozen(kw_only=True)
class Kill(Command):
    """KILL: asks the executor to stop the task.  Nobody enforces it."""

    task_id: str
    agent_id: str


@frozen(kw_only=True)
class Shutdown(Command):
    """SHUTDOWN: the agent ends the executor and all it started, by force after its grace period."""

    executor_id: str
    agent_id: str


@frozen(kw_only=True)
class SendMessage(Command):
    """A framework message to an executor: at most once, unacknowledged by Mesos."""

    executor_id: str
    agent_id: str
    data: bytes


@frozen(kw_only=True)
class Teardown(Command):
    """End the framework and kill every task of it.  Only on the operator's word."""


# etcd


@frozen(kw_only=True)
class ProbeMember(Command):
    """Ask one member about itself, without quorum.  Ends in MemberProbed or a failure."""

    member: str
    client_url: str


@frozen(kw_only=True)
class ProbeProgress(Command):
    """Have a quorum commit a proposal that changes nothing: revoke a lease that never existed.

    It leaves key space and revision alone and passes under NOSPACE.  Ends in ProgressMade, or in a
    failure when no quorum committed it within the time-out.
    """

    member: str
    client_url: str


@frozen(kw_only=True)
class ListMembers(Command):
    """Read etcd's member list as a quorum has it.  Ends in MembersListed or a failure."""

    client_url: str


@frozen(kw_only=True)
class AddLearner(Command):
    """Add a learner with this peer URL to etcd's list.

    Only while the record says that this change is in flight.  Whatever the outcome, the list is
    read again before anything else is changed.
    """

    member: str
    peer_url: str
    client_url: str


@frozen(kw_only=True)
class PromoteLearner(Command):
    """Make a learner a voter; etcd refuses while it is not caught up.  Duties as AddLearner's."""

    member: str
    id: str
    client_url: str


@frozen(kw_only=True)
class RemoveMember(Command):
    """Take a member off etcd's list for ever.  Duties as AddLearner's."""

    member: str
    id: str
    client_url: str


# Backups


@frozen(kw_only=True)
class ReadCatalogue(Command):
    """Read what lies at the target.  Ends in CatalogueRead or a failure."""


@frozen(kw_only=True)
class OpenBackup(Command):
    """Get a way in for one snapshot of about `size` bytes, good for `seconds`.

    Ends in BackupOpened or a failure.
    """

    origin: str
    """Whose it is; part of its name, as the next two are."""
    generation: int
    epoch: int
    size: int
    seconds: float


@frozen(kw_only=True)
class CountBackup(Command):
    """Read back what was sent and, if it is what `manifest` says, let it count from now on.

    Ends in BackupCounted or a failure: then it does not count.
    """

    manifest: Manifest
    way: WayIn
    tags: tuple[str, ...]
    """What the target answered to each part."""
    seconds: float
    """How long it may take."""


@frozen(kw_only=True)
class AbandonBackup(Command):
    """Nobody sends anything more by this way in: nothing of it is to be left."""

    name: str
    way: WayIn


@frozen(kw_only=True)
class DeleteBackup(Command):
    """Delete a backup for good.  Only one that retention lets go."""

    name: str


# Restoring


@frozen(kw_only=True)
class CheckBackup(Command):
    """Find what `source` means, and read all of it back.

    Ends in BackupChecked, in BackupDamaged, or in a failure that another attempt may not have.
    """

    source: Source
    origin: str
    """Of which framework it must be; "" for any."""
    refused: tuple[str, ...]
    """Backups that are known to be damaged."""
    seconds: float
    """How long it may take."""


@frozen(kw_only=True)
class LendBackup(Command):
    """Make an address at which an executor can fetch this one within `seconds`; earlier ones are
    void.  Ends in BackupLent or a failure."""

    point: Point
    seconds: float


# The operator


@frozen(kw_only=True)
class AnswerOperator(Command):
    """Tell the operator what becomes of what was asked under this number.

    "Accepted" goes out with the step that begins it: only once what must be on record is durable.
    """

    number: int
    accepted: bool
    text: str
