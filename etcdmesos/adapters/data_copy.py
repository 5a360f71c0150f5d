"""Snapshots of a running etcd as files, and of what a copy of a stopped member's data shows.

The copy alone is run, with `--force-new-cluster`, on loopback ports that nobody is told; the data
is not changed, and the copy is gone when it ends.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from etcdmesos.adapters.child_process import CannotStart
from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.adapters.etcd_snapshot import LiveSnapshot
from etcdmesos.adapters.reseed_programs import Programs
from etcdmesos.adapters.sandbox_files import copy, need_room, size_of, write_whole
from etcdmesos.etcd.member_health import MemberHealth

log = logging.getLogger(__name__)

STATUS_WITHIN = 2.0
IDLE_WITHIN = 10.0
"""How long etcd may send nothing of a snapshot."""
SNAPSHOT_WITHIN = 3600.0
COPY_SERVES_WITHIN = 120.0
"""How long a copy may take until it serves: it replays its log first."""
COPY_LOOK_EVERY = 0.02


@frozen(kw_only=True)
class Saved:
    """A snapshot as a file."""

    size: int
    sha256: str
    revision: int
    """Of the etcd that it was taken of, right before."""


def save_snapshot(client_url: str, file: Path, status: MemberHealth) -> Saved:
    """Write a snapshot of the etcd there, whose Status was `status`.

    Raises SnapshotFailed, NotInSandbox and OSError: then there is no such file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    need_room(file.parent, status.db_size)
    with LiveSnapshot(client_url, idle_seconds=IDLE_WITHIN, seconds=SNAPSHOT_WITHIN) as snapshot:
        write_whole(file, snapshot)
    return Saved(size=snapshot.size, sha256=snapshot.sha256, revision=status.revision)


def snapshot_of_copy(
    programs: Programs, etcd: str, data: Path, target: Path, name: str, file: Path
) -> Saved:
    """Write a snapshot of what etcd shows on a copy of `data`, made at `target`, to `file`.

    Raises CannotStart, Cancelled, SnapshotFailed, NotInSandbox, GatewayError and OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # The copy, and the snapshot of it.
    need_room(target.parent, 2 * size_of(data))
    try:
        copy(data, target, programs.go_on)
        with programs.copy_of(etcd, str(target), name) as running:
            status = _serving(running.client_url, running.ended, programs.go_on)
            return save_snapshot(running.client_url, file, status)
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _serving(
    client_url: str, ended: Callable[[float], str], go_on: Callable[[], None]
) -> MemberHealth:
    """The copy's Status once it leads its cluster of one."""
    deadline = time.monotonic() + COPY_SERVES_WITHIN
    gateway = Gateway(client_url, STATUS_WITHIN)
    while time.monotonic() < deadline:
        try:
            if (status := gateway.status()).leader:
                return status
        except GatewayError:
            log.debug("the copy does not answer yet")
        if said := ended(COPY_LOOK_EVERY):
            raise CannotStart(f"the copy's etcd ended: {said}")
        go_on()
    raise CannotStart(f"the copy did not serve within {COPY_SERVES_WITHIN:g} s")
