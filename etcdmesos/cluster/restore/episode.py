"""What the record keeps of restoring: the one under way or given up, and those that succeeded.

Values only.  Moments are Unix time, in seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import frozen

from etcdmesos.backups.source import Source


class Stage(enum.Enum):
    """How far the intent has gone; each is recorded before anything of it is asked for."""

    CHOOSING = "choosing"
    """The backup is looked for and read back; nothing is launched."""
    LAUNCHING = "launching"
    """It is sound; a place is waited for."""
    FETCHING = "fetching"
    """One member is launched without data, and fetches it."""
    SEEDING = "seeding"
    """That member restores it as a new cluster, which is watched until it serves."""
    ENDING = "ending"
    """The attempt came to nothing: its member is being ended."""
    FAILED = "failed"
    """Given up until the operator says something else."""


@frozen(kw_only=True)
class Point:
    """What is restored: one sound snapshot."""

    name: str
    """Of the backup, or the path it was made of."""
    revision: int
    """The newest that is certainly in it."""
    taken_at: float
    size: int
    """In bytes."""
    sha256: str
    path: str = ""
    """On the scheduler's host, if it is no backup at the target."""


@frozen(kw_only=True)
class Restore:
    """A cluster is to be made from a backup."""

    source: Source
    stage: Stage
    began: float
    why: str
    """Why it was begun, in words."""
    by_operator: bool = False
    older: bool = False
    """Whether the one before may be taken when the newest is damaged."""
    point: Point | None = None
    bump: int = 0
    """By how much revisions go up."""
    generation: int = 0
    """Of the attempt, above every one before; 0 before the first."""
    attempts: int = 0
    """Those that came to nothing."""
    failure: str = ""
    """What the last one came to."""
    refused: Mapping[str, str] = {}
    """By backup: why it is not restored."""


@frozen(kw_only=True)
class Restored:
    """A cluster that was made from a backup: what an operator has to know of it."""

    generation: int
    at: float
    source: str
    """The backup's name, or the path."""
    taken_at: float
    revision: int
    """Writes above it are not in it."""
    bump: int
    highest_revision: int
    """The highest one that was ever seen of the cluster before; 0 when there was none."""
    why: str
    by_operator: bool
    member: str
    past: tuple[str, ...]
    """The members of the cluster that was lost, and where their data lies until it is collected."""
