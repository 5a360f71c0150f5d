"""Faults: everything that breaks in the simulated world, one small value each.

Each does only what happens to real machines, networks and services; what follows from it is the
business of those that are hit.  None decides when it happens: see `schedule` and `swarm`.
"""

from etcdmesos.simulation.faults import (
    agents,
    backups,
    coincidences,
    etcds,
    executors,
    majorities,
    masters,
    members,
    networks,
    reseeds,
    restores,
    schedulers,
    stores,
)
from etcdmesos.simulation.faults.base import Fault, registered

_ROOMS = (
    agents,
    backups,
    coincidences,
    etcds,
    executors,
    majorities,
    masters,
    members,
    networks,
    reseeds,
    restores,
    schedulers,
    stores,
)
"""Imported for their faults, which register themselves."""

__all__ = ["Fault", "registered"]
