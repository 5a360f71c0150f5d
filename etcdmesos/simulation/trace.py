"""What a person reads of a run: one aligned line per state change.

Columns: seconds of virtual time, who, what.  Two runs of one seed give the same bytes.  Nothing is
decided here, and nothing is formatted unless somebody reads.
"""

from __future__ import annotations

from collections.abc import Callable

from etcdmesos.simulation.clock import Clock

__all__ = ["Trace"]


class Trace:
    """Writes lines to `write`, or nothing when there is no `write`."""

    __slots__ = ("_clock", "_write")

    def __init__(self, clock: Clock, write: Callable[[str], object] | None = None) -> None:
        self._clock = clock
        self._write = write

    @property
    def on(self) -> bool:
        """Whether anybody reads; ask before building what `say` is to say."""
        return self._write is not None

    def say(self, who: str, what: str) -> None:
        """One line."""
        if self._write is not None:
            self._write(f"{self._clock.now:12.4f}  {who:<14} {what}")
