"""Which backups may go.  Pure; whatever is in doubt stays."""

from __future__ import annotations

import re

from attrs import frozen

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import origin_in

YOUNG = 3600.0
"""Seconds.  Nothing younger is ever deleted (kops: cleanup.go)."""

_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@frozen(kw_only=True)
class Keep:
    """How many of the newest are kept, and how long; a backup stays as long as either wants it.

    None: this one wants none.  Not both are None.
    """

    count: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Keep:
        """What `48`, `7d` or `48,7d` say.  Raises ValueError."""
        count, seconds = None, None
        for part in text.split(","):
            if part.isdecimal() and count is None:
                count = int(part)
            elif (match := re.fullmatch(r"(\d+)([mhdw])", part)) and seconds is None:
                seconds = int(match[1]) * _SECONDS[match[2]]
            else:
                raise ValueError(
                    f"'{text}' is neither a number of backups (48) nor an age (90m, 12h, 7d, 4w) "
                    "nor both (48,7d)"
                )
        if count == 0 or seconds == 0.0:
            raise ValueError(f"'{text}': the newest backup is always kept, so 1 is the least")
        return cls(count=count, seconds=seconds)


@frozen(kw_only=True)
class Catalogue:
    """What lies at the target, of one cluster."""

    backups: tuple[Manifest, ...] = ()
    """Those that count, newest first."""
    unfinished: tuple[tuple[str, float], ...] = ()
    """Names of snapshots without a manifest, and when they were begun (Unix time)."""
    broken: tuple[str, ...] = ()
    """Names of manifests that cannot be understood, or that have no snapshot."""
    read_at: float
    """Unix time, by the clock that stamped the names."""

    @property
    def newest(self) -> Manifest | None:
        return self.backups[0] if self.backups else None


def expired(catalogue: Catalogue, keep: Keep, origin: str) -> tuple[str, ...]:
    """The names that may be deleted, of this framework's only, oldest first.

    Never the newest one that counts, nor the newest one that is not a survivor's, nothing younger
    than an hour, and what was left unfinished only while there is a newer one that counts.
    """
    ours = [manifest for manifest in catalogue.backups if origin_in(manifest.name) == origin]
    ours.sort(key=lambda manifest: (manifest.taken_at, manifest.name), reverse=True)
    if not ours:
        return ()
    kept = {ours[0].name, *[manifest.name for manifest in ours if not manifest.survivor][:1]}
    gone = [
        (manifest.taken_at, manifest.name)
        for number, manifest in enumerate(ours)
        if manifest.name not in kept
        and _unwanted(number, catalogue.read_at - manifest.taken_at, keep)
    ]
    gone += [
        (begun_at, name)
        for name, begun_at in catalogue.unfinished
        if origin_in(name) == origin
        and catalogue.read_at - begun_at > YOUNG
        and begun_at < ours[0].taken_at
    ]
    return tuple(name for _, name in sorted(gone))


def _unwanted(number: int, age: float, keep: Keep) -> bool:
    """Whether nobody wants the backup of that age (seconds) that `number` newer ones precede."""
    by_count = keep.count is not None and number < keep.count
    by_age = keep.seconds is not None and age <= keep.seconds
    return age > YOUNG and not by_count and not by_age
