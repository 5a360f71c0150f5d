"""A registry of planted bugs: the proof that the simulation can find what it is there to find.

Nothing in here is reached by the product.
"""

from etcdmesos.simulation.planted import (
    backups,
    bootstraps,
    executors,
    intents,
    leaderships,
    places,
    readings,
    removals,
    replacements,
    reseeds,
    restores,
    waits,
)
from etcdmesos.simulation.planted.registry import PlantedBug, registered

_ROOMS = (
    backups,
    bootstraps,
    executors,
    intents,
    leaderships,
    places,
    readings,
    removals,
    replacements,
    reseeds,
    restores,
    waits,
)
"""Imported for their bugs, which register themselves."""

__all__ = ["PlantedBug", "registered"]
