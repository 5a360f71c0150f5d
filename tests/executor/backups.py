"""Orders of backups as a scheduler gives them."""

from __future__ import annotations

from etcdmesos.orders import Backup, BackupKept, CancelBackup, Kept, Means, WayIn
from tests.executor.world import TASK, World

NAME = "20261122T204500Z-0a0b0c0d-g1-e4"
WAY = WayIn(
    means=Means.PUT,
    parts=("http://127.0.0.1:1/planted",),
    part_bytes=100,
    headers={"Authorization": "planted"},
)


def backup(name: str = NAME, *, epoch: int = 4) -> Backup:
    return Backup(task_id=TASK, epoch=epoch, name=name, way=WAY, seconds=60.0, idle_seconds=5.0)


def backup_kept(world: World, path: str = "") -> BackupKept:
    """Of the snapshot that the executor has reported, or of another path."""
    saved = world.report.snapshot
    assert saved is not None
    return BackupKept(
        task_id=TASK,
        epoch=4,
        name=NAME,
        way=WAY,
        seconds=60.0,
        idle_seconds=5.0,
        kept=Kept(path=path or saved.path, sha256=saved.sha256, revision=saved.revision, term=2),
    )


def cancel(name: str = NAME) -> CancelBackup:
    return CancelBackup(task_id=TASK, epoch=4, name=name)
