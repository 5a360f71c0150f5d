"""The last happenings with the time of day, for GET /events.  Kept in memory only: the log on disk
has them all.  What counts as one is decided in `etcdmesos.cluster.happenings`.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import frozen

from etcdmesos.cluster.happenings import Happening, Kind

KEPT = 1000
SAID_AGAIN = 600.0
"""Seconds after which a warning is noted again that says the same as the last one of its kind.
What is down for hours is tried again every few seconds, and would push out how it began."""


@frozen(kw_only=True)
class Entry:
    """A happening, and when it was noted."""

    id: int
    """Up by one from 1; begins again with the scheduler's process."""
    time: datetime
    happening: Happening

    def to_json(self) -> dict[str, str | int | bool]:
        """As GET /events shows it; the time in UTC, ISO 8601."""
        return {
            "id": self.id,
            "time": self.time.isoformat(timespec="milliseconds"),
            "kind": self.happening.kind.value,
            "text": self.happening.text,
            "warning": self.happening.warning,
        }


class EventLog:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._counts: Counter[Kind] = Counter()
        self._last: dict[Kind, tuple[Happening, float]] = {}

    def add(self, happening: Happening, now: float) -> bool:
        """Note `happening`, at `now` on a clock that never goes back; whether it is worth a line.

        A warning that was noted a moment ago is only counted.
        """
        with self._lock:
            self._counts[happening.kind] += 1
            last, at = self._last.get(happening.kind, (None, 0.0))
            if happening.warning and happening == last and now - at < SAID_AGAIN:
                return False
            self._last[happening.kind] = happening, now
            number = next(self._numbers)
            self._entries.append(Entry(id=number, time=datetime.now(UTC), happening=happening))
            return True

    def after(self, number: int) -> list[Entry]:
        """Those with a higher id than `number`, oldest first, as far as they are kept."""
        with self._lock:
            return [entry for entry in self._entries if entry.id > number]

    def counts(self) -> Mapping[Kind, int]:
        """How many there were of each kind since the start."""
        with self._lock:
            return {kind: self._counts[kind] for kind in Kind}
