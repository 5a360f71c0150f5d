"""What reseeding has left in the sandbox, and what of it goes.

A snapshot of data that are in their place is no more than a measurement: the newest are enough.
What was set aside may be all that is left of acknowledged writes; it goes when the scheduler says
so, and never what could still be put back.
"""

from __future__ import annotations

from collections.abc import Iterable

from etcdmesos.executor.commands import RemoveKept
from etcdmesos.executor.holding import FOLDER
from etcdmesos.executor.model import Draft, Model
from etcdmesos.kept import generation_of, oldest_to_keep
from etcdmesos.orders import Discard


def take_discard(draft: Draft, order: Discard) -> Draft:
    """Let go of what is old, while the member serves and no seed of it waits for its verdict."""
    model, record = draft.model, draft.model.record
    draft = draft.with_reseed(answer_due=True)
    if model.phase != "running" or record.held is not None or record.seeded > order.in_force:
        return draft
    # What was seeded for the cluster in force is the member's own by now.
    judged = draft.with_record(seeded=0).with_reseed(own=None)
    old = _free(judged.model, order.before, model.reseed.kept)
    return _to_remove(judged, old) if old else draft


def old_snapshots(draft: Draft) -> Draft:
    """Let go of snapshots that newer ones replace."""
    model = draft.model
    snapshots = [path for path in model.reseed.kept if path.startswith(f"{FOLDER}/")]
    return _to_remove(draft, _free(model, oldest_to_keep(snapshots), snapshots))


def _free(model: Model, before: int, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of `paths` of generations below `before` that nothing is to be made of."""
    reseed = model.reseed
    own = reseed.own.snapshot if reseed.own is not None else None
    needed = {snapshot.path for snapshot in (reseed.snapshot, own) if snapshot is not None}
    return tuple(p for p in paths if 0 < generation_of(p) < before and p not in needed)


def _to_remove(draft: Draft, paths: tuple[str, ...]) -> Draft:
    old = draft.model.reseed.old
    return draft.with_reseed(old=(*old, *(path for path in paths if path not in old)))


def plan_removal(draft: Draft) -> Draft:
    """Remove what is old, once nothing else is done on the disk."""
    reseed = draft.model.reseed
    if not reseed.old or reseed.removing or reseed.working:
        return draft
    return draft.with_reseed(removing=True).asking(RemoveKept(paths=reseed.old))


def kept_removed(draft: Draft, command: RemoveKept, reason: str) -> Draft:
    """It is gone; or, with a reason, it stays until it is found to be old again."""
    reseed = draft.model.reseed
    old = tuple(path for path in reseed.old if path not in command.paths)
    draft = draft.with_reseed(old=old, removing=False)
    if reason:
        return draft.having(remark=f"what is old cannot be removed: {reason}")
    kept = tuple(path for path in reseed.kept if path not in command.paths)
    said = f"removed {', '.join(command.paths)}"
    return draft.with_reseed(kept=kept).having(remark=said)
