"""What the record keeps of reseeding: the attempt under way, and those that came to something.

Values only; what they lead to is decided in `reseed/`.  Moments are Unix time, in seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import frozen


class Stage(enum.Enum):
    """How far the intent of an attempt has gone; each is recorded before its orders go out."""

    MEASURING = "measuring"
    """Survivors that answer save a snapshot; nothing is changed."""
    HOLDING = "holding"
    """Every member in reach stops its etcd and keeps its data."""
    COPYING = "copying"
    """The best candidate had no snapshot to give: one is made of a copy of its data."""
    SEEDING = "seeding"
    """The seed's snapshot is restored as a new cluster, which is watched until it serves."""
    RELEASING = "releasing"
    """Nothing comes of it: members start on their own data again."""


@frozen(kw_only=True)
class Chosen:
    """The snapshot that the new cluster is made of."""

    sha256: str
    revision: int
    commit_index: int
    """raft's: everything up to here is in it."""
    bump: int
    """By how much revisions go up when it is restored."""


@frozen(kw_only=True)
class Reseed:
    """An attempt to grow a new cluster from one survivor."""

    generation: int
    """Of the attempt, above every one before; up by one for each further seed that is tried, and
    when it ends in a release."""
    stage: Stage
    began: float
    why: str
    """Why it was begun, in words."""
    by_operator: bool = False
    unproven: bool = False
    """Whether a seed may start though members that are out of reach could still serve."""
    member: str = ""
    """The one that the operator wants as the seed; "": the best one."""
    failures: Mapping[str, str] = {}
    """By member: why it is no candidate (any more)."""
    disobedient: tuple[str, ...] = ()
    """Members whose executors did not confirm the hold, and are ended; or the release, and are left
    alone."""
    failed_seeds: tuple[str, ...] = ()
    """Members that may still run as a seed that failed, until they are held again or dead."""
    seed: str = ""
    """The member that is copied or restored."""
    chosen: Chosen | None = None
    proven: bool = False
    """When the seed was chosen, no second cluster could serve."""


@frozen(kw_only=True)
class Reseeded:
    """A cluster that was grown from a survivor: what an operator has to know of it."""

    generation: int
    at: float
    why: str
    member: str
    """The seed."""
    revision: int
    """Of the seed's snapshot.  Acknowledged writes above it may be missing."""
    bump: int
    highest_revision: int
    """The highest one that was ever seen before."""
    proven: bool
    """No second cluster could serve."""
    by_operator: bool
    past: tuple[str, ...]
    """The other members: where each was, and where its data lies until it is collected."""
