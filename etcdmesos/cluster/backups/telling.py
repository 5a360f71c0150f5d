"""How backups stand, for people and their tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from etcdmesos.backups.manifest import Manifest
from etcdmesos.cluster.backups.view import BackupView, Run
from etcdmesos.cluster.model import Model


def trouble(model: Model) -> str:
    """What is wrong with backups, in a clause; "" when nothing is."""
    view = model.backups
    if model.settings.backups is None:
        return ""
    if view.failures:
        times = "" if view.failures == 1 else f" ({view.failures} times in a row)"
        return f"the last backup failed{times}: {view.failure}"
    if view.tidying:
        return f"old backups cannot be deleted: {view.tidying}"
    return ""


def remedy(model: Model) -> str:
    """What there is to restore from, in a clause; "" when no backups are taken."""
    settings, made = model.settings.backups, newest(model.backups)
    if settings is None:
        return ""
    if made is None:
        known = model.backups.catalogue is not None
        return f"there is no backup in {settings.target}" if known else "backups: not read yet"
    what = f"revision {made.revision}" + (" of a survivor without quorum" if made.survivor else "")
    return f"the newest backup is {made.name}, {what}, in {settings.target}"


def stats(model: Model, now: float) -> dict[str, Any] | None:
    """The `backups` of /stats; None when none are taken."""
    settings, view = model.settings.backups, model.backups
    if settings is None:
        return None
    made = newest(view)
    return {
        "target": settings.target,
        "newest": _described(made) if made else None,
        "count": len(view.catalogue.backups) if view.catalogue else None,
        "next_in_seconds": round(max(0.0, view.due_at - now), 1),
        "under_way": _progress(view.run) if view.run else None,
        "failures_in_a_row": view.failures,
        "failure": view.failure,
        "tidying_failure": view.tidying,
        "taken": view.taken,
        "failed": view.failed,
    }


def listed(model: Model) -> dict[str, Any]:
    """The body of GET /backups: those that count, newest first, as last read."""
    settings, view = model.settings.backups, model.backups
    backups = view.catalogue.backups if view.catalogue else ()
    return {
        "target": settings.target if settings else None,
        "backups": [_described(manifest) for manifest in backups],
        "trouble": trouble(model),
    }


def newest(view: BackupView) -> Manifest | None:
    """The newest backup that is known to count."""
    known = [view.last, view.catalogue.newest if view.catalogue else None]
    return max((m for m in known if m), key=lambda m: m.taken_at, default=None)


def _described(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "taken_at": manifest.taken_at,
        "revision": manifest.revision,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "member": manifest.member,
        "generation": manifest.generation,
        "cluster_id": manifest.cluster_id,
        "etcd_version": manifest.etcd_version,
        "survivor": manifest.survivor,
    }


def _progress(run: Run) -> dict[str, Any]:
    report = run.report
    return {
        "name": run.name,
        "stage": run.stage.value,
        "member": run.member,
        "sent": report.sent if report else 0,
        "size": report.size if report else 0,
    }


def news(before: Model, after: Model) -> Iterator[tuple[str, bool]]:
    """What a step came to, and whether somebody should look."""
    was, view = before.backups, after.backups
    if was is view:
        return
    if view.taken > was.taken and view.last is not None:
        made = view.last
        whose = f", of {made.member} without quorum" if made.survivor else ""
        yield f"{made.name} counts: {made.size} bytes at revision {made.revision}{whose}", False
    if view.failed > was.failed:
        yield f"failed: {view.failure}", True
    if was.deleting and not view.deleting and not view.tidying:
        yield f"{was.deleting} was deleted", False
