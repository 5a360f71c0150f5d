"""What the proxy's core hears and asks for, beside the words in `etcdmesos.step`."""

from __future__ import annotations

from attrs import frozen

from etcdmesos.finding.cluster import Cluster
from etcdmesos.step import Command, Event

# Commands


@frozen(kw_only=True)
class FindCluster(Command):
    """Look where the cluster is.  Ends in ClusterFound or ClusterNotFound."""


@frozen(kw_only=True)
class StartFront(Command):
    """Start etcd with these arguments.  Ends in FrontStarted and later FrontExited, or fails."""

    run: int
    arguments: tuple[str, ...]


@frozen(kw_only=True)
class SignalFront(Command):
    """Send a signal to that run of the front."""

    run: int
    signal: int


@frozen(kw_only=True)
class CheckFront(Command):
    """Ask the front, as a client would, for /health.  Ends in FrontChecked."""

    run: int


# Events


@frozen(kw_only=True)
class ClusterFound(Event):
    """The cluster as it is now."""

    cluster: Cluster


@frozen(kw_only=True)
class ClusterNotFound(Event):
    """It could not be told where the cluster is."""

    why: str
    outdated: bool
    """The one found last counts no more, or not now."""


@frozen(kw_only=True)
class FrontStarted(Event):
    """That run has a process."""

    run: int
    pid: int


@frozen(kw_only=True)
class FrontExited(Event):
    """That run has ended and was reaped."""

    run: int
    wait_status: int
    """The exit status, or minus the number of a signal."""
    said: str
    """The last line of its log."""


@frozen(kw_only=True)
class FrontChecked(Event):
    """Whether that run of the front had a request answered."""

    run: int
    well: bool


@frozen(kw_only=True)
class StopAsked(Event):
    """We are to end; the front gets the same signal."""

    signal: int
