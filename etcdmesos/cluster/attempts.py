"""New members that fail one after the other: how long to wait before the next one is added.

Pure.  Kept in memory only: another scheduler finds out for itself.
"""

from __future__ import annotations

from attrs import frozen

from etcdmesos.backoff import doubling
from etcdmesos.cluster.settings import Settings


@frozen(kw_only=True)
class Attempts:
    """To bring in new members, on whatever agents."""

    failures: int = 0
    """In a row: each soon after the wait for the last was over."""
    until: float = 0.0
    """No member is added before."""

    def failing(self, settings: Settings, now: float) -> Attempts:
        """After another one that failed at `now`.

        One failure says little: the next attempt follows at once, the others ever more slowly.
        """
        failures = self.failures + 1 if now < self.until + settings.retry_most else 1
        wait = doubling(settings.retry_first, settings.retry_most, failures - 1)
        return Attempts(failures=failures, until=now + wait)
