"""The record store of a daemon that keeps none: nothing of it has to survive its process."""

from __future__ import annotations


class NoRecord:
    """A RecordStore without anything in it."""

    def load(self) -> None:
        """There is nothing."""

    def save(self, record: None, /) -> None:
        """There is nothing to write."""

    def close(self) -> None:
        """There is nothing to release."""
