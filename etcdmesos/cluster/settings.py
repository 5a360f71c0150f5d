"""What the operator set, as the core reads it.  Durations in seconds, sizes in MiB."""

from __future__ import annotations

import enum

from attrs import field, frozen

from etcdmesos.cluster.backups.settings import BackupSettings
from etcdmesos.cluster.constraints import Constraint
from etcdmesos.cluster.restore.settings import RestoreSettings


class Errand(enum.Enum):
    """What a scheduler was started for.  All but the first are the operator's word, said once."""

    RUN = "run"
    REBUILD = "rebuild"
    """As RUN; and a record that was lost is rebuilt from the cluster's tasks."""
    UNINSTALL = "uninstall"
    """End the cluster, its framework and its record."""
    FORGET = "forget"
    """Put the record aside of a cluster whose framework Mesos has removed."""


class ReseedPolicy(enum.Enum):
    """Whether a cluster is reseeded while old members that nobody can reach might still serve."""

    TIMEOUT = "timeout"
    """After the time-out, once Mesos has given them up."""
    PROVEN = "proven"
    """Only on the operator's word."""


@frozen(kw_only=True)
class Restorer:
    """The program that restores snapshots.  Members are launched with it."""

    name: str
    """etcdutl, or before etcd 3.5 etcdctl."""
    uri: str
    sha256: str
    bumps: bool = False
    """Whether it can raise the revision of what it restores."""


@frozen(kw_only=True)
class Artifacts:
    """Where agents fetch the programs from; URIs name the content, so a changed file is another
    URI."""

    executor_uri: str
    etcd_uri: str
    etcd_sha256: str
    restorer: Restorer | None = None


@frozen(kw_only=True)
class Settings:
    """Everything the controller may be told from outside."""

    cluster_name: str
    framework_name: str
    cluster_size: int
    artifacts: Artifacts
    errand: Errand = Errand.RUN
    etcd_options: tuple[str, ...] = ()
    """Each `--name=value`, handed to etcd."""

    single_instance_per_agent: bool = True
    constraints: tuple[Constraint, ...] = ()
    """What agents must be like, each and together; no launch breaks one."""
    cpus: float = 1.0
    memory: float = 2048.0
    disk: float = 4096.0
    """Per member, etcd and executor together."""
    quota_bytes: int = 1024 * 1024 * 1024
    """`--quota-backend-bytes`: at most a quarter of `disk`, as reseeding needs room beside the
    data."""
    executor_cpus: float = 0.1
    """Of `cpus`; Mesos wants an executor to have some of its own."""
    executor_memory: float = 64.0
    """Of `memory`."""
    grace: float = 15.0
    """How long a graceful stop of etcd may take."""

    refuse: float = 15.0
    """How long an offer like a declined one is unwanted (the original's default)."""
    gang_limit: float = 60.0
    """How long offers are held for the rest of the gang; then all go back."""
    bootstrap_limit: float = 180.0
    """How long after the launch a quorum of tasks may take to reach TASK_STARTING (fetching
    included)."""
    join_limit: float = 60.0
    """How long a bootstrap that already serves may take for its last members to join."""
    retry_first: float = 2.0
    retry_most: float = 120.0
    """Wait between failed attempts to bootstrap, or to bring in a new member: doubles from the
    first to the most.  A new member that ends within the most of its launch was one."""

    probe_interval: float = 2.0
    """Between two probes of one member while all is well."""
    probe_interval_settling: float = 0.05
    """The same while a cluster is about to become healthy: short, since it is what a start waits
    for."""
    probe_interval_joining: float = 0.5
    """The same while a member's executor has not said yet that it serves, or a leader is waited
    for; and once `probe_patience` is over, for whoever was to be asked more often."""
    probe_patience: float = 5.0
    """How long a member's or a quorum's probes may fail in a row before that is a finding."""
    stuck_after: float = 15.0
    """How long a member may apply nothing, while a quorum commits, before that is a finding."""

    shunned: float = 300.0
    shunned_most: float = 4800.0
    """How long an agent where a launch or a member failed is taken last: doubles with every failure
    in a row from the first to the most."""
    elsewhere: float = 10.0
    """How long an offer of an agent where nothing works is held in the hope of another one."""
    member_timeout: float = 60.0
    """How long a member may be out of reach, or answer nothing, before it is replaced."""
    learner_limit: float = 300.0
    """How long a new member may take from its launch until it can be promoted (k3s: 5 min)."""
    membership_interval: float = 10.0
    """Between two looks at etcd's member list while nothing is being changed."""
    change_first: float = 0.5
    change_most: float = 15.0
    """Wait after a membership change that etcd refused or did not answer: doubles from the first
    to the most."""
    unsettled_again: float = 0.5
    unsettled_limit: float = 6.0
    """Between two attempts at a change that etcd refuses because its members are not connected for
    5 s (its HealthInterval) yet, and how long these go on before the waits grow."""

    auto_reseed: bool = True
    """Whether a cluster that lost its quorum is reseeded without being asked."""
    reseed_timeout: float = 240.0
    """How long quorum must be gone before a survivor's data become a new cluster (the original's
    default), unless the dead prove at once that no other one can serve."""
    reseed_policy: ReseedPolicy = ReseedPolicy.TIMEOUT
    watch_gap: float = 10.0
    """Time that passed between two looks at a lost quorum counts as watched up to this."""
    measure_limit: float = 60.0
    """How long survivors may take to save a snapshot."""
    hold_patience: float = 15.0
    """How long after the grace period an executor may take to confirm that etcd is stopped."""
    copy_limit: float = 300.0
    """How long a snapshot may take that is made of a copy of the data."""
    seed_limit: float = 180.0
    """How long a seed may take from the order until it serves."""
    order_again: float = 5.0
    """After which time an order is repeated that no report has answered."""
    reseed_again: float = 60.0
    reseed_again_most: float = 3600.0
    """Wait after an attempt to reseed that came to nothing: doubles from the first to the most."""
    ask_kept_again: float = 600.0
    """Between two looks at what executors keep of reseeding."""
    keep_for: float = 86400.0
    """How long all members must have served before what is old of that is removed."""
    wall_clock: float = 0.0
    """Unix time when the controller's own clock said 0; for what people are told."""

    backups: BackupSettings | None = None
    """None: none are taken."""
    restore: RestoreSettings = field(factory=RestoreSettings)

    elected: bool = False
    """Whether an election says when this scheduler may act; otherwise it may from the start."""
    standby_look: float = 5.0
    """Between two readings of the record by a standby, which only shows it."""
    subscribe_first: float = 0.5
    subscribe_most: float = 15.0
    """Wait between attempts to subscribe: doubles from the first to the most."""
    reconcile_first: float = 2.0
    reconcile_most: float = 30.0
    """Wait between explicit reconciliations (dcos-commons: 4 to 30 s)."""
    reconcile_all: float = 900.0
    """Between implicit reconciliations (Mesos' high-availability guide: 15 min)."""
    kill_again: float = 5.0
    """After the grace period and this, an unanswered KILL becomes a SHUTDOWN, and is repeated."""
    revision_interval: float = 60.0
    """How often the highest revision seen is recorded when nothing else changes."""
