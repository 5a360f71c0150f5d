"""What a restore on the operator's word would do now, and whether it can be followed.

Pure; nothing is changed, and nothing read, by asking.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.source import LATEST, NoSuchBackup, Source, Unsound, choose
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.restore.permission import origin_wanted, refusal, source_of
from etcdmesos.cluster.restore.telling import places
from etcdmesos.cluster.revisions import (
    highest_revision,
    published,
    raises_revisions,
    revision_of,
)
from etcdmesos.errors import BadUsage
from etcdmesos.moments import iso


def dry_run(model: Model, text: str = LATEST) -> dict[str, Any]:
    """What a restore from what `text` names would do; `lines` says it to people."""
    refused = refusal(model)
    try:
        source = source_of(model, text)
        backup = _backup(model, source)
    except (BadUsage, NoSuchBackup, Unsound) as error:
        refused = refused or str(error)
        return {"refused": refused, "backup": None, "lines": [_nothing(refused)]}
    found = [] if backup is None else _of_the_backup(model, backup)
    if source.path:
        found = [f"{source.path}, on this scheduler's host, is looked at when it is restored"]
    lines = [*found, *([_nothing(refused)] if refused else _steps(model))]
    return {"refused": refused, "backup": backup.name if backup else None, "lines": lines}


def _nothing(refused: str) -> str:
    return f"nothing would be done: {refused}"


def _backup(model: Model, source: Source) -> Manifest | None:
    """The one that `source` means, as the target was last read; None for a path."""
    if source.path:
        return None
    catalogue, last = model.backups.catalogue, model.backups.last
    if catalogue is None:
        raise NoSuchBackup("what lies at the target was not read yet")
    if last is not None and last not in catalogue.backups:
        catalogue = evolve(catalogue, backups=(last, *catalogue.backups))
    return choose(catalogue, source, origin_wanted(model, source))


def _of_the_backup(model: Model, backup: Manifest) -> list[str]:
    said = (
        f"backup {backup.name} of {iso(backup.taken_at)}, revision {backup.revision}, "
        f"{backup.size} bytes, of {backup.member} with etcd {backup.etcd_version}"
        + (", taken without quorum" if backup.survivor else "")
    )
    highest = highest_revision(model)
    if not highest:
        return [said]
    return [said, f"the highest revision ever seen is {highest}: {_missing(model, backup)}"]


def _missing(model: Model, backup: Manifest) -> str:
    """What of the cluster that was lost is not in `backup`, as far as revisions can tell."""
    if backup.cluster_id != model.record.cluster_id:
        return "the backup is of another cluster, and all that was written since would be missing"
    shown = (revision_of(model, member) for member in model.record.members)
    missing = max([published(model), *shown]) - backup.revision
    return f"at least {missing} would be missing" if missing > 0 else "none is known to be missing"


def _steps(model: Model) -> list[str]:
    as_they_are = "revisions as in the backup: clients see some twice"
    raised = "revisions raised" if raises_revisions(model) else as_they_are
    lost = places(model.record.members)
    kept = [f"the members' own data stays where it is until collected: {lost}"] if lost else []
    return [
        "1. it is read back: size, SHA-256, and the hash etcd wrote at its end",
        "2. one member is launched without data; it fetches the backup and checks all three again",
        f"3. it restores it as a new cluster, with a new cluster id ({raised})",
        "4. once it lists itself alone and commits, it is the cluster",
        "5. the others join it as learners",
        *kept,
    ]
