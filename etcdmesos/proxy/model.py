"""Everything the proxy's core knows."""

from __future__ import annotations

from attrs import field, frozen

from etcdmesos.finding.cluster import Cluster
from etcdmesos.proxy.fronts import Front


@frozen(kw_only=True)
class Settings:
    """How the proxy works.  Times are in seconds."""

    front: Front
    look_every: float = 2.0
    """Between two looks for the cluster; a look costs the scheduler and one member a request."""
    look_again: float = 0.5
    """The same after it was not found: soon it may be another one."""
    check_every: float = 2.0
    """Between two requests through the front."""
    unwell_most: int = 3
    """A front that answered nothing so many times, while the cluster did, is started again."""
    grace: float = 3.0
    """A front that has not ended so long after a signal is killed."""
    restart_first: float = 0.5
    restart_most: float = 15.0
    """The wait after a front that ended by itself, and what it doubles up to."""
    settled: float = 60.0
    """A front that ran so long had started well."""


@frozen(kw_only=True)
class Running:
    """The front that runs, or is on its way."""

    run: int
    cluster: Cluster
    """The one it stands before, as far as it knows by itself or was told."""
    since: float
    checked_at: float
    """When the last check came to its end, or it was started."""
    checking: bool = False
    unwell: int = 0
    """Checks in a row that it failed while the cluster answered."""
    stopping: bool = False
    kill_at: float = 0.0
    """When it is to be killed, once it is stopping."""


@frozen(kw_only=True)
class Model:
    """The proxy, as of one moment."""

    settings: Settings
    cluster: Cluster | None = None
    """As it was found last; None while there is none that counts."""
    found_at: float = float("-inf")
    why: str = "looks for the cluster"
    """What is being waited for, in one sentence; "" for nothing."""
    looking: bool = False
    look_at: float = 0.0
    running: Running | None = None
    runs: int = 0
    failures: int = field(default=0)
    """Fronts in a row that ended by themselves before they had settled."""
    start_at: float = 0.0
    ending: int = 0
    """The signal that asked us to end; 0 for none."""
    remark: str = ""
    """What the last event came to, for the log; "" for nothing of interest."""
