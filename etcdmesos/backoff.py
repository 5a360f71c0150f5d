"""How long to wait before the next attempt at what has failed.  Pure."""

from __future__ import annotations

MOST_DOUBLINGS = 64
"""Far beyond any wait that is ever set; a float holds no power of two that is much higher."""


def doubling(first: float, most: float, failures: int) -> float:
    """The wait after so many failures in a row, in the unit of `first`: nothing after none, `first`
    after one, and after each more twice as long, up to `most`."""
    if failures < 1:
        return 0.0
    return min(most, first * 2.0 ** min(failures - 1, MOST_DOUBLINGS))
