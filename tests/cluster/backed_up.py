"""Backups that the tests of the core hear of, each with sensible rest."""

from __future__ import annotations

import time

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import name_of, origin_of
from etcdmesos.backups.retention import Catalogue
from etcdmesos.orders import BackupReport, Means, Sending, WayIn

READ_AT = 1_795_000_000.0
"""Unix time of every reading of the target."""
ORIGIN = origin_of("fw-1")
WAY = WayIn(means=Means.PUT, parts=("http://planted",), part_bytes=1 << 40)


def name_at(age: float, origin: str = ORIGIN) -> str:
    """Of the backup begun that many seconds before."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(READ_AT - age))
    return name_of(stamp, origin, 1, 1)


def manifest(name: str, age: float = 0.0) -> Manifest:
    return Manifest(
        name=name,
        cluster="c",
        cluster_id="c1",
        generation=1,
        member="etcd-2",
        taken_at=READ_AT - age,
        revision=9,
        term=2,
        etcd_version="3.5.30",
        size=3,
        sha256="ab",
        tool="test",
    )


def catalogue(*names: str, ages: tuple[float, ...] = ()) -> Catalogue:
    backups = [manifest(name) for name in names] + [manifest(name_at(a), a) for a in sorted(ages)]
    return Catalogue(backups=tuple(backups), read_at=READ_AT)


def report(
    name: str,
    sending: Sending,
    *,
    task_id: str,
    epoch: int = 1,
    revision: int = 9,
    sent: int = 3,
    reason: str = "",
) -> BackupReport:
    return BackupReport(
        task_id=task_id,
        epoch=epoch,
        name=name,
        sending=sending,
        sent=sent,
        size=3,
        sha256="ab",
        revision=revision,
        term=2,
        reason=reason,
    )
