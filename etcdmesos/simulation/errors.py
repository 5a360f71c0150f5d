"""What the simulation raises when it is used wrongly or has gone wrong itself.

None of these is an outcome inside the simulated world: those are values.
"""

from __future__ import annotations

from etcdmesos.errors import EtcdMesosError


class ImpossibleWorld(EtcdMesosError):
    """The simulated world is in a state that the real one can't be in, or was asked to be."""


class Runaway(EtcdMesosError):
    """The simulated parts keep each other busy without end."""
