"""How crashes are counted, and how long to wait after one.  Pure arithmetic."""

from __future__ import annotations

from etcdmesos.backoff import doubling
from etcdmesos.executor.events import EtcdExited
from etcdmesos.executor.model import Model
from etcdmesos.executor.settings import (
    RESTART_PAUSE_FIRST,
    RESTART_PAUSE_MAX,
    RESTARTS_MAX,
    SERVED_WELL,
)

REMOVED = "the member has been permanently removed from the cluster"
"""etcd's words, in 3.4 as in 3.5.  It writes them of itself only."""


def crash_count(model: Model, now: float) -> int:
    """How many crashes there were since etcd last served well, with the one just heard of."""
    since = model.etcd.serving_since
    served_well = since is not None and now - since >= SERVED_WELL
    return 1 if served_well else model.crashes + 1


def pause_before_restart(crashes: int) -> float:
    """Seconds to wait after the last of so many crashes."""
    return doubling(RESTART_PAUSE_FIRST, RESTART_PAUSE_MAX, crashes)


def exhausted(crashes: int) -> bool:
    """Whether so many crashes are too many to try again."""
    return crashes > RESTARTS_MAX


def says_removed(exited: EtcdExited) -> bool:
    """Whether etcd's last words were that it was removed from its cluster."""
    return REMOVED in exited.log_tail
