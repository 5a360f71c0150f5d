"""What an executor is told at its start, and how patient it is.  Times are in seconds."""

from __future__ import annotations

from attrs import frozen

PROBE_INTERVAL = 30.0


@frozen(kw_only=True)
class Settings:
    """From the agent's environment variables and the flags."""

    identity: str
    """Tells this executor from every other one: framework, executor, container."""
    sandbox: str
    """Its path on the agent's host, where an operator finds the data."""
    etcd_binary: str = "./etcd"
    checkpoint: bool = False
    """Whether the agent, when it comes back, expects us to be still there."""
    recovery_timeout: float = 900.0
    """How long to wait for an agent that went away (with checkpoint)."""
    backoff_max: float = 2.0
    """The longest pause between two attempts to subscribe."""
    shutdown_grace: float = 5.0
    """How long after SHUTDOWN the agent kills us and all we started."""
    probe_interval: float = PROBE_INTERVAL
    """Between two looks at an etcd that serves: its end is noticed without, and its health is the
    scheduler's to watch."""

    @property
    def stop_within(self) -> float:
        """The longest that stopping etcd may take, so that its end can still be reported."""
        return self.shutdown_grace - min(2.0, 0.2 * self.shutdown_grace)


FIRST_SUBSCRIBE_WITHIN = 60.0
"""How long to try to subscribe for the first time, where the agent expects nobody back."""

BACKOFF_FIRST = 0.1
"""The pause after the first failed attempt to subscribe; each further one is twice as long."""

UPDATE_AGAIN_AFTER = 10.0
"""An update that the agent took but did not acknowledge is sent again (it takes it only once)."""

UPDATE_RETRY_AFTER = 1.0
"""The pause after an update did not reach the agent, though we are subscribed."""

REPORT_WITHIN = 5.0
"""How long to wait for the acknowledgement of the last word before leaving without it."""

PROBE_PACES = ((1.0, 0.02), (5.0, 0.05), (30.0, 0.25))
"""(age of the process, pause between probes): quick at first, because others wait for RUNNING."""

PROBE_PACE_UNWELL = 1.0
PROBE_PACE_LONG_UNWELL = 5.0
LONG_UNWELL = 60.0
"""After so long without serving, seconds count less."""

UNHEALTHY_AFTER = 5.0
"""A running member is called unhealthy after not having been a serving voter for so long."""

RESTART_PAUSE_FIRST = 1.0
RESTART_PAUSE_MAX = 30.0

RESTARTS_MAX = 5
"""How often etcd is started again without having served for SERVED_WELL in between."""

SERVED_WELL = 60.0
"""After serving for so long, earlier crashes are forgotten."""

FAILED_SEEDS_KEPT = 2
"""How many failed seeds' data stays in the sandbox; what was set aside for them always does."""

OLDEST_ETCD = (3, 4)
