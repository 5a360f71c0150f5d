"""What the operator set for restoring.  Durations in seconds."""

from __future__ import annotations

from attrs import frozen

from etcdmesos.backups.source import Source


@frozen(kw_only=True)
class RestoreSettings:
    """By default nothing is restored without being asked."""

    source: Source | None = None
    """What a new cluster is to be made of; None: it starts empty."""
    automatic: bool = False
    """Whether a cluster that was lost is restored from its newest backup without being asked."""
    older: bool = False
    """Whether the one before is taken when the newest is damaged."""
    attempts: int = 8
    """After so many that failed it is given up."""
    again_first: float = 10.0
    again_most: float = 600.0
    """Wait after one that failed: doubles from the first to the most."""
    check_limit: float = 3600.0
    """How long finding a backup and reading it back may take."""
    limit: float = 900.0
    """How long fetching may take, and seeding, and more for each byte:"""
    slowest: float = 1024.0 * 1024.0
    """Bytes a second."""
    idle: float = 30.0
    """How long nothing of a backup may come."""
    not_again: float = 3600.0
    """How soon after a restore nothing is restored without being asked: what is lost as soon as it
    was restored will be lost again."""
