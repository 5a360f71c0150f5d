"""What the operator set for backups.  Durations in seconds."""

from __future__ import annotations

from attrs import field, frozen

from etcdmesos.backups.retention import Keep


@frozen(kw_only=True)
class BackupSettings:
    """There are backups."""

    target: str
    """Where to, for people; holds no secret."""
    tool: str
    """What takes them, and its version; for manifests."""
    interval: float = 1800.0
    """Between two backups (coreos: 30 min)."""
    jitter: float = 0.1
    """The part of the interval over which clusters are spread, by their framework ids."""
    keep: Keep = field(factory=lambda: Keep(count=48))
    again_first: float = 30.0
    """Wait after a failure: doubles from here up to the interval."""
    order_again: float = 5.0
    """After which time an order is repeated that nothing was heard of."""
    silence: float = 30.0
    """How long an executor may say nothing of a backup before that has failed.  It speaks every
    5 s."""
    idle: float = 30.0
    """How long nothing may move on the way to the target."""
    limit: float = 900.0
    """How long a backup may take (druid: 15 min), and more for each byte:"""
    slowest: float = 1024.0 * 1024.0
    """Bytes a second; a large one takes as much longer."""
    look_again: float = 3600.0
    """Between two readings of the target while nothing is done there."""

    def limit_of(self, size: int) -> float:
        """How long a backup of so many bytes may take."""
        return self.limit + size / self.slowest
