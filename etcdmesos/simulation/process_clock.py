"""Time as one process has it: nothing happens in it while it is stopped, nothing after its end.

What would have happened meanwhile happens when it goes on, in the same order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from etcdmesos.simulation.clock import Clock, Timer

__all__ = ["ProcessClock"]


class ProcessClock:
    """The world's clock, for whatever runs beside the core of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: deque[tuple[Callable[..., object], Any]] = deque()
        self._stopped = False
        self._ended = False

    @property
    def now(self) -> float:
        return self._clock.now

    @property
    def stopped(self) -> bool:
        """Whether the process stands still."""
        return self._stopped

    def call_after(self, delay: float, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call `function(*arguments)` in `delay` seconds, if the process can."""
        return self._clock.call_after(delay, self.run, function, *arguments)

    def run(self, function: Callable[..., object], *arguments: Any) -> None:
        """Something comes to the process: now, when it goes on, or never."""
        if self._ended:
            return
        if self._stopped:
            self._held.append((function, arguments))
        else:
            function(*arguments)

    def stop(self) -> None:
        """SIGSTOP."""
        self._stopped = True

    def go_on(self) -> None:
        """SIGCONT."""
        self._stopped = False
        while self._held and not self._stopped:
            function, arguments = self._held.popleft()
            self.run(function, *arguments)

    def end(self) -> None:
        """The process is gone."""
        self._ended = True
        self._held.clear()
