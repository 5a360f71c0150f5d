"""What the master's process and the agents' processes have in common: life, SIGSTOP, timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etcdmesos.simulation.clock import Clock, Timer

__all__ = ["Daemon"]


class Daemon:
    """One life of one process.  Whatever comes while it is stopped waits; once dead, nothing."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.running = True
        self.paused = False
        self._inbox: list[tuple[Callable[..., object], Any]] = []

    def do(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call now, or when the process goes on; not at all once it has ended."""
        if not self.running:
            return
        if self.paused:
            self._inbox.append((function, arguments))
        else:
            function(*arguments)

    def after(self, delay: float, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call in `delay` seconds, on the same terms."""
        return self.clock.call_after(delay, self.do, function, *arguments)

    def pause(self) -> None:
        """SIGSTOP: sockets stay open, nothing is done."""
        self.paused = self.running

    def resume(self) -> None:
        """SIGCONT."""
        if not self.paused:
            return
        self.paused = False
        inbox, self._inbox = self._inbox, []
        for function, arguments in inbox:
            self.do(function, *arguments)

    def end(self) -> None:
        """Nothing is done any more."""
        self.running = self.paused = False
        self._inbox.clear()
