"""From the record's older schemas to the present one, a step for each.

A step takes the decoded JSON of schema n and returns that of schema n + 1.  Steps are never changed
once a release has written that schema; `tests/data/records` has a stored example of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Stored = Mapping[str, Any]


def _uninstalling(stored: Stored) -> Stored:
    """Schema 1 knew no uninstalling: a cluster in it is to live."""
    return {**stored, "uninstalling": False}


def _reseeding(stored: Stored) -> Stored:
    """Schema 2 knew no reseeding: the generation in force is the highest that was tried."""
    return {**stored, "attempted_generation": stored.get("generation", 0)}


def _restoring(stored: Stored) -> Stored:
    """Schema 3 knew no restoring: nothing of it was ever begun."""
    return stored


MIGRATIONS: Mapping[int, Callable[[Stored], Stored]] = {
    1: _uninstalling,
    2: _reseeding,
    3: _restoring,
}


def migrated(stored: Stored, schema: int) -> Stored:
    """`stored` in `schema`.  Raises KeyError when there is no way from the schema it has."""
    while stored["schema"] != schema:
        written = stored["schema"]
        stored = {**MIGRATIONS[written](stored), "schema": written + 1}
    return stored
