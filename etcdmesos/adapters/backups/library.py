"""One cluster's backups at a target: listed by their manifests, read back before they count."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from etcdmesos.adapters.backups.target import SHORT, Target, TargetFailed
from etcdmesos.adapters.snapshot_hash import SnapshotHash
from etcdmesos.backups import names
from etcdmesos.backups.manifest import BadManifest, Manifest, decode, encode
from etcdmesos.backups.retention import Catalogue

log = logging.getLogger(__name__)

_STAMP = "%Y%m%dT%H%M%SZ"
_MANIFEST_BYTES = 64 * 1024


@frozen(kw_only=True)
class Content:
    """What was read back of a snapshot."""

    size: int
    sha256: str
    """Of all of it, in hex."""


class Damaged(TargetFailed):
    """What lies there is not what was put there; another time it will be no better."""


class Library:
    """May be used from one thread at a time."""

    def __init__(self, target: Target, cluster: str, wall_clock: Callable[[], float]) -> None:
        """`target` is the folder of that cluster; `wall_clock` gives Unix time."""
        self._target = target
        self._cluster = cluster
        self._wall_clock = wall_clock
        self._manifests: dict[str, Manifest] = {}

    def new_name(self, origin: str, generation: int, epoch: int) -> str:
        """A name for a backup begun now."""
        stamp = time.strftime(_STAMP, time.gmtime(self._wall_clock()))
        return names.name_of(stamp, origin, generation, epoch)

    def catalogue(self) -> Catalogue:
        """What lies there.  Raises TargetFailed; a single manifest that is unreadable is logged,
        and its backup is neither listed nor called unfinished."""
        files = set(self._target.files())
        manifests = {n for f in files if (n := names.stem(f, names.MANIFEST))}
        snapshots = {n for f in files if (n := names.stem(f, names.SNAPSHOT))}
        self._manifests = {n: m for n, m in self._manifests.items() if n in manifests}
        for name in sorted(manifests - self._manifests.keys()):
            if (manifest := self._manifest(name)) is not None:
                self._manifests[name] = manifest
        counted = [m for name, m in self._manifests.items() if name in snapshots]
        return Catalogue(
            backups=tuple(sorted(counted, key=lambda m: (m.taken_at, m.name), reverse=True)),
            unfinished=tuple((n, taken_at(n)) for n in sorted(snapshots - manifests)),
            broken=tuple(sorted(manifests - {m.name for m in counted})),
            read_at=self._wall_clock(),
        )

    def _manifest(self, name: str) -> Manifest | None:
        try:
            content = b""
            with self._target.read(name + names.MANIFEST, seconds=SHORT.total) as blocks:
                for block in blocks:
                    content += block
                    if len(content) > _MANIFEST_BYTES:
                        raise BadManifest(f"the manifest of {name} is too long for one")
            return decode(content, self._cluster, name)
        except BadManifest as error:
            log.warning("a backup is not counted", extra={"reason": str(error)})
            return None

    def read_back(self, name: str, *, seconds: float) -> Content:
        """Read the snapshot to its end.  Raises TargetFailed; Damaged when it does not end in the
        hash of what precedes it, as etcd's snapshots do."""
        found = SnapshotHash()
        with self._target.read(name + names.SNAPSHOT, seconds=seconds) as blocks:
            for block in blocks:
                found.take(block)
        if not found.sound:
            raise Damaged(f"{name} is damaged: it does not end in its own hash")
        return Content(size=found.size, sha256=found.sha256)

    def count(self, manifest: Manifest, *, seconds: float) -> None:
        """Read the snapshot back and, if it is what `manifest` says, let it count from now on.

        Raises TargetFailed.
        """
        self.check(manifest, seconds=seconds)
        self._target.write(manifest.name + names.MANIFEST, encode(manifest))
        self._manifests[manifest.name] = manifest

    def check(self, manifest: Manifest, *, seconds: float) -> None:
        """Raises Damaged unless the snapshot is what `manifest` says, and TargetFailed."""
        found = self.read_back(manifest.name, seconds=seconds)
        if (found.size, found.sha256) != (manifest.size, manifest.sha256):
            raise Damaged(
                f"{manifest.name} is damaged: {found.size} bytes of SHA-256 {found.sha256[:12]}… "
                f"came back instead of {manifest.size} of {manifest.sha256[:12]}…"
            )

    def fetch(self, manifest: Manifest, path: Path, *, seconds: float) -> None:
        """Write the snapshot to `path`, which has its name only once it is what `manifest` says.

        Raises TargetFailed, and OSError when it cannot be written.
        """
        whole = hashlib.sha256()
        partial = path.with_name(f".{path.name}.partial")
        try:
            with self._target.read(manifest.name + names.SNAPSHOT, seconds=seconds) as blocks:
                with partial.open("xb") as stream:
                    for block in blocks:
                        whole.update(block)
                        stream.write(block)
            if whole.hexdigest() != manifest.sha256:
                raise Damaged(f"{manifest.name} is damaged: its SHA-256 is another one")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Remove a backup; it stops counting first.  Raises TargetFailed."""
        for suffix in (names.MANIFEST, names.SNAPSHOT):
            self._target.delete(name + suffix)
        self._manifests.pop(name, None)


def taken_at(name: str) -> float:
    """Unix time that a backup's name says; 0 when it says none."""
    with contextlib.suppress(ValueError):
        return float(calendar.timegm(time.strptime(name.partition("-")[0], _STAMP)))
    return 0.0
