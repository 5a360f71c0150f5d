"""May a cluster be made from a backup now?  The answer with its reason in words.  Asks for nothing.

Only where no member can be alive: a backup is older than what any living one holds.
"""

from __future__ import annotations

from etcdmesos.backups.names import origin_of
from etcdmesos.backups.source import Source
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.restore.episode import Restore, Stage
from etcdmesos.errors import BadUsage


def under_way(model: Model) -> Restore | None:
    """The restore on record, unless it was given up."""
    restore = model.record.restore
    return None if restore is None or restore.stage is Stage.FAILED else restore


def refusal(model: Model) -> str:
    """Why the operator's word to restore cannot be followed now; "" when it can."""
    if model.record.uninstalling:
        return "the cluster is being uninstalled"
    restore = under_way(model)
    if restore is not None:
        return f"a restore is under way, from {restore.source}: /stats says how far it is"
    if model.phase == "bootstrapping" and model.record.restore is None:
        return "not now: a new cluster is being started; -restore-from makes one from a backup"
    if model.phase not in ("lost", "bootstrapping"):
        return (
            f"not now: the phase is {model.phase}, and members may be alive that hold more than a "
            "backup; only a cluster that is lost is restored"
        )
    return unable(model)


def unable(model: Model) -> str:
    """Why this scheduler could restore nothing at all; "" when it can."""
    if model.settings.artifacts.restorer is None:
        return "this scheduler has no etcdutl (before etcd 3.5: etcdctl) to restore a snapshot with"
    return ""


def source_of(model: Model, text: str) -> Source:
    """What the operator named.  Raises BadUsage."""
    backups = model.settings.backups
    target = backups.target if backups is not None else ""
    try:
        return Source.parse(text, target, model.settings.cluster_name)
    except BadUsage as error:
        raise BadUsage(f"{text} {error}") from None


def origin_wanted(model: Model, source: Source) -> str:
    """Of whom the newest backup must be: after a loss of the lost framework itself, as others of
    its name may share the target; for a new cluster of any ("")."""
    own = model.record.served and source == Source()
    return origin_of(model.record.framework_id) if own else ""


def automatic_at(model: Model) -> float:
    """From when on a cluster that was lost again may be restored without being asked."""
    settings, last = model.settings, model.record.restores[-1:]
    return last[0].at + settings.restore.not_again - settings.wall_clock if last else 0.0


def automatic(model: Model, now: float) -> str:
    """Why a cluster that is lost is not restored without being asked; "" when it is to be."""
    settings, record = model.settings.restore, model.record
    if not settings.automatic:
        return "waits for the operator"
    if record.restore is not None:
        return "waits for the operator, as restoring it has failed"
    if now < automatic_at(model):
        return "waits for the operator, as it was lost again soon after it was restored"
    return unable(model)
