"""How the simulated Mesos is set up: Mesos' own flags, with Mesos' own defaults.  Values only."""

from __future__ import annotations

from attrs import field, frozen

__all__ = ["AgentSpec", "FrameworkInfo", "MesosOptions"]


@frozen(kw_only=True)
class AgentSpec:
    """What one agent offers.  cpus in cores, mem and disk in MiB."""

    cpus: float = 4.0
    memory: float = 8192.0
    disk: float = 32768.0
    ports: tuple[int, int] = (31000, 31099)
    """First and last."""
    attributes: tuple[tuple[str, str], ...] = ()
    region: str = ""
    zone: str = ""


@frozen(kw_only=True)
class FrameworkInfo:
    """What a scheduler says of its framework.  Always checkpointed and PARTITION_AWARE."""

    name: str = "etcd-simulated"
    failover_timeout: float = 604800.0


@frozen(kw_only=True)
class MesosOptions:
    """Times are in seconds."""

    # The master
    heartbeat_interval: float = 15.0
    allocation_interval: float = 1.0
    ping_timeout: float = 15.0
    ping_timeouts_max: int = 5
    reregister_timeout: float = 600.0
    """How long a new master waits for the agents of its registry."""
    recovery: float = 0.2
    """How long a new master answers 503, reading its registry."""

    # The agents
    registration_timeout: float = 60.0
    """For an executor to subscribe, fetching apart."""
    reregistration_timeout: float = 2.0
    """For executors to come back to an agent daemon that was restarted."""
    shutdown_grace: float = 5.0
    """For executors that name none of their own."""
    recovery_timeout: float = 900.0
    update_retry: float = 10.0
    update_retry_max: float = 600.0
    registration_backoff: float = 1.0
    """The first pause between two attempts to register; each further one is twice as long."""
    registration_backoff_max: float = 60.0
    boot_seconds: float = 0.1
    """From the start of an agent daemon to its first call."""
    fetch_seconds: tuple[float, float] = (0.2, 1.5)
    """Fetching and starting a container takes between these."""

    agents: tuple[AgentSpec, ...] = field(default=(AgentSpec(),) * 5)
    """One per host, in the order of the hosts."""
