"""What reseeding leaves in a sandbox, by its paths below it, and which of that is old.

Each belongs to the generation of an attempt, the last number in its path.  Pure, and of both sides:
executors keep it, schedulers say when it may go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

GENERATIONS_KEPT = 2
"""The newest so many are never removed."""


def generation_of(path: str) -> int:
    """Of `aside/etcd-3-2`, `aside/failed-2` and `reseed/2/snapshot.db`: 2; 0 for none of these."""
    numbers = re.findall(r"\d+", path)
    return int(numbers[-1]) if numbers else 0


def oldest_to_keep(paths: Iterable[str]) -> int:
    """What belongs to a generation below this one is old; 0 when nothing is."""
    generations = sorted({generation_of(path) for path in paths} - {0})
    return generations[-GENERATIONS_KEPT] if len(generations) > GENERATIONS_KEPT else 0
