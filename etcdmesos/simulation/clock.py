"""Virtual time: a queue of functions to be called, in the order of their times.

Functions due at the same instant run in the order in which they were asked for, so that a seed
gives one trace and no other.  Nothing here knows what is simulated, draws anything at random, or
looks at the real clock.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from etcdmesos.simulation.errors import Runaway

__all__ = ["Clock", "Timer"]


class Timer:
    """A call that is due at `time`; `cancel` makes it never happen."""

    __slots__ = ("_arguments", "_function", "time")

    def __init__(self, time: float, function: Callable[..., object], arguments: Any) -> None:
        self.time = time
        self._function: Callable[..., object] | None = function
        self._arguments: Any = arguments

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self._function is not None

    def cancel(self) -> None:
        """Do not call; without effect once it was called."""
        self._function = None
        self._arguments = ()

    def fire(self) -> None:
        """Call now, unless cancelled or called before.  For the clock alone."""
        function, arguments = self._function, self._arguments
        if function is not None:
            self._function = None
            self._arguments = ()
            function(*arguments)


class Clock:
    """Virtual seconds since the world began.  Only this object moves `now`."""

    __slots__ = ("_queue", "_sequence", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._queue: list[tuple[float, int, Timer]] = []
        self._sequence = 0

    def call_at(self, time: float, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call `function(*arguments)` at `time`; at once, but not from here, if that is past."""
        if time < self.now:
            time = self.now
        timer = Timer(time, function, arguments)
        self._sequence += 1
        heappush(self._queue, (time, self._sequence, timer))
        return timer

    def call_after(self, delay: float, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call `function(*arguments)` in `delay` seconds."""
        time = self.now + delay if delay > 0.0 else self.now
        timer = Timer(time, function, arguments)
        self._sequence += 1
        heappush(self._queue, (time, self._sequence, timer))
        return timer

    def next_time(self) -> float | None:
        """When the next call is due; None when nothing is."""
        queue = self._queue
        while queue and not queue[0][2].pending:
            heappop(queue)
        return queue[0][0] if queue else None

    def step(self) -> bool:
        """Move to the next call and make it.  False when there is none."""
        if self.next_time() is None:
            return False
        self.now, _, timer = heappop(self._queue)
        timer.fire()
        return True

    def run_until(self, time: float, *, calls_max: int = 10_000) -> None:
        """Make every call due up to `time`, and stay there.

        Raises Runaway after at least `calls_max` calls at one time, or a hundred times as many
        until `time`: some two parts keep each other busy.
        """
        queue = self._queue
        for _ in range(100):
            stood_at = self.now
            for _ in range(calls_max):
                if not queue or queue[0][0] > time:
                    self.now = max(self.now, time)
                    return
                self.now, _, timer = heappop(queue)
                timer.fire()
            if self.now == stood_at:
                raise Runaway(f"{calls_max} calls and time still stands at {self.now}")
        raise Runaway(f"{100 * calls_max} calls and it is only {self.now}")

    def run_while(self, condition: Callable[[], object], until: float) -> bool:
        """Make calls as long as `condition()` holds; whether it ended before `until`."""
        while condition():
            due = self.next_time()
            if due is None or due > until:
                self.now = max(self.now, until)
                return False
            self.step()
        return True
