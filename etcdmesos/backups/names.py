"""The names of a backup's two objects: the snapshot, and beside it the manifest.

A name says when it was taken, of which framework, generation and scheduler; nothing that is called
otherwise is ever listed, read or deleted.  Both lie in a folder that is called like the cluster.
"""

from __future__ import annotations

import hashlib
import re

SNAPSHOT = ".db"
MANIFEST = ".json"

_NAME = re.compile(r"\d{8}T\d{6}Z-(?P<origin>[0-9a-f]{8})-g(?P<generation>\d+)-e\d+")


def origin_of(framework_id: str) -> str:
    """8 hex digits that tell one framework's backups from another's of the same cluster name."""
    return hashlib.sha256(framework_id.encode()).hexdigest()[:8]


def name_of(stamp: str, origin: str, generation: int, epoch: int) -> str:
    """A backup's name; `stamp` is the time in UTC as 20261122T204500Z.  Names sort by time."""
    name = f"{stamp}-{origin}-g{generation}-e{epoch}"
    if not is_name(name):
        raise ValueError(f"no name of a backup: {name!r}")
    return name


def is_name(text: str) -> bool:
    """Whether `text` is what a backup may be called."""
    return _NAME.fullmatch(text) is not None


def origin_in(name: str) -> str:
    """Whose backup the name says it is; "" when it is no name."""
    match = _NAME.fullmatch(name)
    return match["origin"] if match else ""


def generation_in(name: str) -> int:
    """Of which generation of its cluster the backup says it is; 0 when it is no name."""
    match = _NAME.fullmatch(name)
    return int(match["generation"]) if match else 0


def stem(file: str, suffix: str) -> str:
    """The backup that a file of this suffix belongs to; "" when it is no file of ours."""
    name = file.removesuffix(suffix)
    return name if file.endswith(suffix) and is_name(name) else ""
