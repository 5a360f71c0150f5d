"""Orders of backups as a scheduler gives them."""

from __future__ import annotations

from etcdmesos.orders import Backup, CancelBackup, Means, WayIn
from tests.executor.world import TASK

NAME = "20261122T204500Z-0a0b0c0d-g1-e4"
WAY = WayIn(
    means=Means.PUT,
    parts=("http://127.0.0.1:1/planted",),
    part_bytes=100,
    headers={"Authorization": "planted"},
)


def backup(name: str = NAME, *, epoch: int = 4) -> Backup:
    return Backup(task_id=TASK, epoch=epoch, name=name, way=WAY, seconds=60.0, idle_seconds=5.0)


def cancel(name: str = NAME) -> CancelBackup:
    return CancelBackup(task_id=TASK, epoch=4, name=name)
