"""The agent's status update stream of one task: order, duplicates, acknowledgement, retry.

Pure bookkeeping: at most one update is on its way to the scheduler; the others wait
until it is acknowledged. When to send again is told, not done, here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class UpdateStream:
    """What one task's scheduler has not acknowledged yet, oldest first."""

    framework_id: str
    task_id: str
    retry_seconds: float
    retry_seconds_max: float
    pending: list[Json] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    interval: float = 0.0
    attempt: int = 0

    def add(self, status: Json) -> bool:
        """Take an update; is it now the one to send?"""
        uuid = status["uuid"]
        if uuid in self.seen:
            return False
        self.seen.append(uuid)
        self.pending.append(status)
        return len(self.pending) == 1

    def head(self) -> Json | None:
        """The update that is on its way."""
        return self.pending[0] if self.pending else None

    def latest_state(self) -> str | None:
        """The newest state known, which the master needs before the scheduler has it."""
        return self.pending[-1]["state"] if self.pending else None

    def acknowledge(self, uuid: str) -> bool:
        """Take the scheduler's acknowledgement; False if it is not for the one on its way."""
        if not self.pending or self.pending[0]["uuid"] != uuid:
            return False
        self.pending.pop(0)
        self.interval = 0.0
        return True

    def next_retry(self) -> float:
        """Seconds until the one on its way is to be sent again; longer every time."""
        doubled = self.interval * 2 or self.retry_seconds
        self.interval = min(doubled, self.retry_seconds_max)
        self.attempt += 1
        return self.interval
