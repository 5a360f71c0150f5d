"""Backups that come before something: the removal of a member that may live, and a reseed.

Neither depends on one.  A removal waits for a while, and only where a backup may be expected; a
reseed waits for nothing: the snapshot that it grows from lies in a sandbox as a file by then, and
is sent from there while the new cluster is made.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.backups.choosing import chosen
from etcdmesos.cluster.backups.telling import newest
from etcdmesos.cluster.backups.view import Survivor
from etcdmesos.cluster.health import Assessment
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Member
from etcdmesos.orders import Kept, SavedSnapshot

FRESH = 600.0
"""Seconds.  A backup that is not older is new enough to remove a member after it."""
PATIENCE = 60.0
"""Seconds.  A removal waits no longer than that for a backup (etcd-operator gave one a minute)."""


def wait_for_backup(draft: Draft, member: Member, state: Assessment) -> tuple[Draft, bool]:
    """Whether the removal of `member`, which may live, is to wait for a backup; it is asked for."""
    model, view = draft.model, draft.model.backups
    if not _to_be_had(model, state) or _is_fresh(model, draft.now):
        return draft, False
    if view.preceding is None or view.preceding[0] != member.name:
        view = evolve(view, preceding=(member.name, draft.now), asked=True)
        draft = draft.having(backups=view)
    assert view.preceding is not None
    until = view.preceding[1] + PATIENCE
    return (draft, False) if draft.now >= until else (draft.waking(until), True)


def awaited(model: Model, now: float) -> str:
    """What a removal waits for, in a clause; "" when none does."""
    waiting = model.backups.preceding
    if waiting is None or now >= waiting[1] + PATIENCE:
        return ""
    return f"waits for a backup before {waiting[0]} is removed"


def wait_no_more(draft: Draft) -> Draft:
    """No removal is due: the next one waits anew."""
    view = draft.model.backups
    return draft if view.preceding is None else draft.having(backups=evolve(view, preceding=None))


def _to_be_had(model: Model, state: Assessment) -> bool:
    """Whether one may be expected: the target answered, the last one did not fail, and somebody
    can give one."""
    view = model.backups
    answers = model.settings.backups is not None and view.catalogue is not None
    return answers and not view.failures and chosen(model, state) is not None


def _is_fresh(model: Model, now: float) -> bool:
    """Whether the newest backup is of this cluster, and young."""
    made = newest(model.backups)
    ours = made is not None and made.cluster_id == model.record.cluster_id
    return made is not None and ours and model.unix_time(now) - made.taken_at <= FRESH


def send_survivor(draft: Draft, member: Member, taken: SavedSnapshot, term: int) -> Draft:
    """Have this snapshot, from which a new cluster is grown, sent as soon as that can be.  It stays
    where it is, so nobody waits; and what grows from it is backed up at once in any case."""
    model, view = draft.model, draft.model.backups
    if model.settings.backups is None or _has(model, taken.sha256):
        return draft
    survivor = Survivor(
        member=member.name,
        task_id=member.tasks[-1].id,
        kept=Kept(path=taken.path, sha256=taken.sha256, revision=taken.revision, term=term),
        size=taken.size,
        cluster_id=model.record.cluster_id,
        generation=model.record.generation,
    )
    return draft.having(backups=evolve(view, survivor=survivor))


def _has(model: Model, sha256: str) -> bool:
    """Whether that snapshot is on its way already, or there."""
    view = model.backups
    under_way = view.run.survivor if view.run is not None else None
    counted = view.last is not None and view.last.sha256 == sha256
    return counted or (under_way is not None and under_way.kept.sha256 == sha256)
