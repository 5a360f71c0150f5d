"""A line that was said a moment ago is not said again: for libraries that log every attempt.

What is down for hours is tried again every second; its lines would push everything else out of a
log that is rotated.  What we say ourselves is kept short by `event_log`.
"""

from __future__ import annotations

import logging
import time

SAID_AGAIN = 600.0
"""Seconds after which the same is said again."""
REMEMBERED = 100
"""Texts."""


class Unrepeated(logging.Filter):
    """Lets each text of a logger through every ten minutes; a text that holds `anew` begins all
    anew."""

    def __init__(self, anew: str) -> None:
        super().__init__()
        self._anew = anew
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text, now = record.getMessage(), time.monotonic()
        if self._anew in text or len(self._said) >= REMEMBERED:
            self._said.clear()
        elif now - self._said.get(text, now - SAID_AGAIN) < SAID_AGAIN:
            return False
        self._said[text] = now
        return True
