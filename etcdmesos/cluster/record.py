"""The record: the part of the model that must survive the process.

Kept in the store as JSON with a schema version, written with compare-and-set.  Nothing here
decides; `steps` of a member are recorded intent, never its health.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping

import cattrs
from attrs import evolve, frozen

from etcdmesos.cluster.episode import Reseed, Reseeded
from etcdmesos.cluster.migrations import MIGRATIONS, migrated
from etcdmesos.cluster.restore.episode import Restore, Restored
from etcdmesos.errors import RecordTooNew, RecordUnreadable

SCHEMA = 4
LONGEST_HISTORY = 10
"""Reseedings and restores that are remembered, of each."""


class Step(enum.Enum):
    """How far the intent for a member has gone."""

    ADDING = "adding"
    """To be added to etcd's list."""
    LAUNCHING = "launching"
    """Its task may have been launched; nothing was heard of it yet."""
    JOINING = "joining"
    """Its executor reported TASK_STARTING."""
    VOTER = "voter"
    """Seen serving as a voter."""
    REMOVING = "removing"
    """To be stopped, and removed from etcd's list where it is on one."""
    GONE = "gone"
    """Confirmed dead and on no list; kept only for what its sandbox may still hold."""


class Role(enum.Enum):
    """A member's part in raft."""

    VOTER = "voter"
    LEARNER = "learner"


class Purpose(enum.Enum):
    """What a task of a member is for; other companions may come."""

    SERVER = "etcd-server"


@frozen(kw_only=True)
class RecordedTask:
    """One task of a member.  Recorded before its ACCEPT; an ACCEPT is never sent twice for one
    id."""

    id: str
    purpose: Purpose
    agent_id: str
    executor_id: str
    ended: str = ""
    """The state that proved its end, such as TASK_FAILED, or TASK_GONE_BY_OPERATOR on the
    operator's word; "" until then."""


@frozen(kw_only=True)
class Member:
    """One member of the cluster, whatever runs it at the moment."""

    name: str
    """`etcd-<n>`; n is never used twice."""
    generation: int
    id: str = ""
    """etcd's member id (16 hex digits); "" until it was seen."""
    role: Role
    step: Step
    initial_state: str = "new"
    """etcd's `--initial-cluster-state`: new for a member of a gang, existing for one added
    later."""
    scheme: str = "http"
    host: str
    peer_port: int
    client_port: int
    agent_id: str
    hostname: str
    region: str = ""
    zone: str = ""
    attributes: Mapping[str, str] = {}
    """Of its agent, as it was offered: later members are placed by them, under whatever
    constraints there are then."""
    sandbox: str = ""
    """The sandbox's path on the agent; "" until the executor said it."""
    etcd_version: str = ""
    artifact: str = ""
    """SHA-256 of the etcd binary it was launched with."""
    tasks: tuple[RecordedTask, ...] = ()

    @property
    def number(self) -> int:
        """The n of its name."""
        return int(self.name.removeprefix("etcd-"))

    @property
    def ports(self) -> frozenset[int]:
        return frozenset((self.peer_port, self.client_port))

    @property
    def peer_url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.peer_port}"

    @property
    def client_url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.client_port}"


class Kind(enum.Enum):
    """What a membership change does to etcd's list."""

    ADD = "add"
    PROMOTE = "promote"
    REMOVE = "remove"


@frozen(kw_only=True)
class Change:
    """The one membership change in flight."""

    kind: Kind
    member: str
    """Its name; "" for one that etcd lists and we never knew."""
    id: str = ""
    """etcd's member id; "" until it is known."""
    generation: int


@frozen(kw_only=True)
class Record:
    """Everything another scheduler needs to take over."""

    schema: int = SCHEMA
    cluster_name: str
    framework_name: str
    framework_id: str = ""
    epoch: int = 0
    """Up by one at every takeover by a scheduler."""
    sequence: int = 0
    """Up by one at every save of one epoch."""
    target_size: int
    generation: int = 0
    """Of the cluster in force, or of the attempt to bootstrap one."""
    attempted_generation: int = 0
    """The highest that was ever tried: up by one at every attempt to bootstrap, reseed or
    restore."""
    cluster_id: str = ""
    served: bool = False
    """A member of the present generation was once seen serving: its data may matter to somebody."""
    highest_revision: int = 0
    members: tuple[Member, ...] = ()
    """Those of the present attempt or cluster, by number."""
    next_member: int = 1
    failed_attempts: int = 0
    """Attempts to bootstrap given up in a row."""
    change: Change | None = None
    foreign_voters: tuple[str, ...] = ()
    """etcd's ids of voters that somebody else added, as its list was last read."""
    quorum_lost_at: float = 0.0
    """When quorum was found to be gone (Unix time); 0 while it is not."""
    quorum_losses: int = 0
    """How often it ever was; the original's livelocks."""
    reseed: Reseed | None = None
    """The attempt under way."""
    reseed_failures: int = 0
    """Attempts that came to nothing since quorum was last there."""
    reseed_setback: str = ""
    """Why the last one came to nothing."""
    reseeds: tuple[Reseeded, ...] = ()
    """The last ones that succeeded, oldest first."""
    reseed_count: int = 0
    """How many ever succeeded."""
    restore: Restore | None = None
    """The one under way, or given up.  While it is here, nothing is bootstrapped empty."""
    lost_members: tuple[Member, ...] = ()
    """While one is under way: those of the cluster that was lost, all known dead."""
    restores: tuple[Restored, ...] = ()
    """The last ones that succeeded, oldest first."""
    uninstalling: bool = False
    """The operator's word that everything of this cluster is to end."""

    def member(self, name: str) -> Member | None:
        return next((m for m in self.members if m.name == name), None)

    def with_member(self, member: Member) -> Record:
        """This record with the member of that name replaced."""
        members = tuple(member if m.name == member.name else m for m in self.members)
        return evolve(self, members=members)

    def with_end(self, task_id: str, state: str) -> Record:
        """This record with the end of that task in it, if it is one of ours."""
        member = self.owner(task_id)
        if member is None:
            return self
        tasks = tuple(
            evolve(task, ended=task.ended or state) if task.id == task_id else task
            for task in member.tasks
        )
        return self.with_member(evolve(member, tasks=tasks))

    def owner(self, task_id: str) -> Member | None:
        """The member one of whose tasks is `task_id`."""
        for member in self.members:
            for task in member.tasks:
                if task.id == task_id:
                    return member
        return None

    @property
    def token(self) -> str:
        """`--initial-cluster-token` of the present generation, unlike that of any other."""
        return self.token_of(self.generation)

    def token_of(self, generation: int) -> str:
        """`--initial-cluster-token` of that generation."""
        return f"{self.cluster_name}-{self.framework_id}-{generation}"

    @property
    def next_generation(self) -> int:
        """The one that the next attempt has: no other one ever had it."""
        return max(self.generation, self.attempted_generation) + 1


_converter = cattrs.Converter(forbid_extra_keys=True)


def encode(record: Record) -> bytes:
    """`record` as the JSON that is stored."""
    return json.dumps(_converter.unstructure(record), sort_keys=True).encode()


def decode(data: bytes) -> Record:
    """The record stored as `data`; one of an older schema as the present one has it.

    Raises RecordUnreadable; RecordTooNew for a schema that only a newer scheduler knows.
    """
    try:
        raw = json.loads(data)
        schema = raw["schema"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RecordUnreadable(f"the stored record is damaged: {error!r}") from error
    # A list would be no key, and True is 1.
    if schema != SCHEMA and not (type(schema) is int and schema in MIGRATIONS):
        unknown = f"the stored record has schema {schema}, this scheduler knows {SCHEMA}"
        if type(schema) is int and schema > SCHEMA:
            raise RecordTooNew(f"{unknown}: run the version that wrote it, or a newer one")
        raise RecordUnreadable(unknown)
    try:
        return _converter.structure(migrated(raw, SCHEMA), Record)
    except Exception as error:
        # cattrs raises an ExceptionGroup of anything; whatever it is, the record is not usable.
        detail = "; ".join(cattrs.transform_error(error))
        raise RecordUnreadable(f"the stored record is damaged: {detail}") from error
