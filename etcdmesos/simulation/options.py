"""What one simulated world is made of: values, drawn from a seed by `swarm` or given by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from attrs import field, frozen

from etcdmesos.backups.retention import Keep
from etcdmesos.backups.source import Source
from etcdmesos.cluster.backups.settings import BackupSettings
from etcdmesos.cluster.constraints import parse
from etcdmesos.cluster.controller import Controller
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.settings import RestoreSettings
from etcdmesos.cluster.settings import Artifacts, ReseedPolicy, Restorer, Settings
from etcdmesos.executor.controller import Controller as ExecutorController
from etcdmesos.executor.model import ExecutorRecord
from etcdmesos.executor.model import Model as ExecutorModel
from etcdmesos.simulation.etcd.versions import Version
from etcdmesos.simulation.mesos.options import AgentSpec
from etcdmesos.step import Event, Step

__all__ = ["Cores", "Options", "real_cores"]

PROBE_INTERVAL_SETTLING = 0.25
"""Seconds; nobody waits for a simulated start, and its probes would be most of a schedule."""
STANDBY_LOOK = 60.0
"""Seconds, and four probes; nobody reads what a simulated standby shows."""


BACKUP_AGAIN = 10.0
"""Seconds to the first repetition of a backup that failed; simulated faults are short."""

RESTORE_ATTEMPTS, RESTORE_LIMIT, RESTORE_NOT_AGAIN = 5, 120.0, 300.0
"""Attempts; seconds for fetching and for seeding, and until a restored cluster may be restored
again unasked.  Nobody waits an hour for a simulated one."""


@frozen
class Cores:
    """The cores under test: the real ones, or one with a planted bug, or somebody else's."""

    start: Callable[[Settings], Model]
    step: Callable[[Model, Event, float], Step[Model, Record]]
    executor_step: Callable[[ExecutorModel, Event, float], Step[ExecutorModel, ExecutorRecord]]
    executor_start: Callable[..., ExecutorModel]


@cache
def real_cores() -> Cores:
    """The cores as they are shipped.  They hold no state, so all worlds may share them."""
    cluster, executor = Controller(), ExecutorController()
    return Cores(cluster.start, cluster.step, executor.step, executor.start)


@frozen(kw_only=True)
class Options:
    """One world, before anything happens in it.  Times are in seconds."""

    seed: int = 0
    cluster_size: int = 3
    agents: int = 4
    single_instance: bool = True
    zones: int = 0
    """Into how many zones the agents are put in turn; 0: they name none."""
    constraints: str = ""
    """Placement constraints, as the scheduler's flag takes them."""
    etcd_version: str = "3.5.30"
    probe_interval: float = 2.0
    bootstrap_limit: float = 180.0
    """The controller's patience with a launch, as its settings have it."""
    elected: bool = True
    """Whether two schedulers run, and an election in ZooKeeper says which of them acts."""
    session_timeout: float = 4.0
    """Of their sessions with ZooKeeper."""
    ping_timeout: float = 15.0
    """The master's `--agent_ping_timeout`; five of them, and an agent is unreachable."""
    faults: Mapping[str, float] = field(factory=dict)
    """Names of the faults that exist, and how likely each is relative to the others."""
    faults_wanted: int = 8
    fault_pause: float = 6.0
    """Between two faults, on average."""
    fault_seconds: float = 15.0
    """How long a fault lasts that heals by itself, on average."""
    early: bool = False
    """Whether faults begin before the cluster was healthy once."""
    write_pause: float = 2.0
    """Between two writes of the clients."""
    auto_reseed: bool = True
    reseed_timeout: float = 240.0
    reseed_policy: ReseedPolicy = ReseedPolicy.TIMEOUT
    """As the scheduler's flags have them."""
    operator: bool = True
    """Whether somebody orders a reseed at last, when that is waited for."""
    backup_interval: float = 0.0
    """Between two backups; 0: none are taken."""
    backup_keep: int = 48
    backup_partial: bool = False
    """Whether the target keeps what was cut off half-way."""
    backups_lost: bool = False
    """Whether the target never takes anything again once all else is healed."""
    restore_from: bool = False
    """Whether a new cluster is to begin from the newest backup that lies there."""
    restore_automatic: bool = False
    restore_older: bool = False
    """As the scheduler's flags have them."""
    restore_answered: bool = False
    """Whether somebody orders a restore when that is waited for."""
    neighbour: bool = False
    """Whether another framework of the same name has tasks at first."""

    def agent_specs(self) -> tuple[AgentSpec, ...]:
        """What the agents are like, one after the other."""
        if not self.zones:
            return (AgentSpec(),) * self.agents
        return tuple(
            AgentSpec(
                region="region",
                zone=f"zone-{number % self.zones}",
                attributes=(("half", "ab"[number % 2]),),
            )
            for number in range(self.agents)
        )

    def settings(self) -> Settings:
        """The controller's settings in this world."""
        return Settings(
            cluster_name="simulated",
            framework_name="etcd-simulated",
            cluster_size=self.cluster_size,
            artifacts=Artifacts(
                executor_uri="http://scheduler/executor",
                etcd_uri=f"http://scheduler/etcd-{self.etcd_version}",
                etcd_sha256="00" * 32,
                restorer=self._restorer(),
            ),
            single_instance_per_agent=self.single_instance,
            constraints=parse(self.constraints),
            elected=self.elected,
            standby_look=max(STANDBY_LOOK, 4 * self.probe_interval),
            probe_interval=self.probe_interval,
            probe_interval_settling=PROBE_INTERVAL_SETTLING,
            membership_interval=max(10.0, self.probe_interval),
            bootstrap_limit=self.bootstrap_limit,
            auto_reseed=self.auto_reseed,
            reseed_timeout=self.reseed_timeout,
            reseed_policy=self.reseed_policy,
            # Nobody waits an hour for a simulated attempt.
            reseed_again=10.0,
            reseed_again_most=60.0,
            backups=self._backups(),
            restore=self._restore(),
        )

    def _backups(self) -> BackupSettings | None:
        if not self.backup_interval:
            return None
        return BackupSettings(
            target="s3://simulated/etcd",
            tool="etcd-mesos simulated",
            interval=self.backup_interval,
            keep=Keep(count=self.backup_keep),
            again_first=BACKUP_AGAIN,
        )

    def _restore(self) -> RestoreSettings:
        return RestoreSettings(
            source=Source() if self.restore_from else None,
            automatic=self.restore_automatic,
            older=self.restore_older,
            attempts=RESTORE_ATTEMPTS,
            again_most=60.0,
            limit=RESTORE_LIMIT,
            not_again=RESTORE_NOT_AGAIN,
        )

    def _restorer(self) -> Restorer:
        version = Version(self.etcd_version)
        return Restorer(
            name="etcdctl" if version.minor == (3, 4) else "etcdutl",
            uri="http://scheduler/restorer",
            sha256="11" * 32,
            bumps=version.bumps_revisions,
        )
