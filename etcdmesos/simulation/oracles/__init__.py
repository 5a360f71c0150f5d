"""Oracles: what every run must keep, one function per promise, judged on facts alone.

Nothing here reads a plan of the controller or changes a world.  Each function has a trace that it
accepts and one that it refuses in `tests/simulation/oracles`.
"""

from etcdmesos.simulation.oracles import (
    backups,
    bootstrap,
    executors,
    health,
    leadership,
    links,
    liveness,
    members,
    ordering,
    places,
    reconfiguration,
    reseeding,
    restoring,
    tasks,
    writes,
)
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import Judge, Oracle, registered

_ROOMS = (
    backups,
    bootstrap,
    executors,
    health,
    leadership,
    links,
    liveness,
    members,
    ordering,
    places,
    reconfiguration,
    reseeding,
    restoring,
    tasks,
    writes,
)
"""Imported for their oracles, which register themselves."""

__all__ = ["Books", "Judge", "Oracle", "registered"]
