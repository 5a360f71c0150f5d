"""Finds the backup that is meant, and reads all of it back before anything is made of it."""

from __future__ import annotations

from etcdmesos.adapters.backups.library import Damaged, Library
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.source import NoSuchBackup, Unsound, choose
from etcdmesos.cluster.commands import CheckBackup
from etcdmesos.cluster.events import BackupChecked, BackupDamaged
from etcdmesos.cluster.restore.episode import Point
from etcdmesos.step import Event


def checked(command: CheckBackup, library: Library) -> Event:
    """What there is to say of the backup that `command` means.  Raises TargetFailed when another
    time may be better."""
    source = command.source
    try:
        manifest = _sound(command, library)
    except Unsound as error:
        return BackupDamaged(source=source, name=error.name, reason=error.reason)
    except NoSuchBackup as error:
        return BackupDamaged(source=source, name="", reason=str(error))
    return BackupChecked(source=source, point=point_of(manifest))


def _sound(command: CheckBackup, library: Library) -> Manifest:
    """The backup that is meant; all of it was read.  Raises Unsound, NoSuchBackup and
    TargetFailed."""
    manifest = choose(library.catalogue(), command.source, command.origin, command.refused)
    try:
        library.check(manifest, seconds=command.seconds)
    except Damaged as error:
        raise Unsound(manifest.name, str(error).removeprefix(f"{manifest.name} ")) from error
    return manifest


def point_of(manifest: Manifest) -> Point:
    """What a restore goes by, of a backup."""
    return Point(
        name=manifest.name,
        revision=manifest.revision,
        taken_at=manifest.taken_at,
        size=manifest.size,
        sha256=manifest.sha256,
    )
