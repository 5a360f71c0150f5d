"""Holding a member: etcd stopped, its own data in its place, the end of its log known.

The record says so before etcd is stopped.  The same room undoes a seeding, since both end with a
member that does not run on data of its own.
"""

from __future__ import annotations

from etcdmesos.executor.commands import CancelWork, PutBack, ReadLog
from etcdmesos.executor.events import LogRead
from etcdmesos.executor.model import Draft, LogEnd, Model, Process
from etcdmesos.executor.observe import event_of
from etcdmesos.executor.plans import plan_stop
from etcdmesos.executor.settings import FAILED_SEEDS_KEPT

FOLDER = "reseed"
ASIDE = "aside"


def aside_path(model: Model, generation: int) -> str:
    """Where the member's own data is while the seed of that generation is in its place."""
    assert model.spec is not None
    return f"{ASIDE}/{model.spec.name}-{generation}"


# What is known


def to_be_stopped(model: Model) -> bool:
    """Whether etcd must not run on what is there, or on nothing where a backup is to be."""
    empty = model.spec is not None and model.spec.restores
    return model.record.held is not None or model.reseed.undo or empty


def begin_holding(draft: Draft) -> Draft:
    """etcd is killed where its snapshot is here, or what it runs on is given up; otherwise it gets
    its grace to end.

    Without quorum a graceful end waits up to 7 s for proposals that cannot be committed.  A kill
    loses the commit index that etcd buffers until its next synced write (server/storage/wal:
    `MustSync`), and with it, in a copy, the last write that was acknowledged: a snapshot has that.
    """
    model, reseed = draft.model, draft.model.reseed
    assert model.spec is not None
    said = str(model.record.held) if model.record.held else "the seed is undone"
    grace = 0.0 if reseed.snapshot is not None or reseed.undo else model.spec.grace_seconds
    return draft.with_reseed(snapshot_wanted=False).having(
        kill_at=draft.now + grace, remark=f"stopping etcd: {said}"
    )


def take_log(draft: Draft) -> Draft:
    """Where the log of the stopped member ends."""
    end = event_of(draft, LogRead).end
    said = f"the member's log ends at commit index {end.commit_index}, term {end.term}"
    draft = draft.having(
        cluster_id=end.cluster_id or draft.model.cluster_id,
        member_id=end.member_id or draft.model.member_id,
        remark=said,
    )
    return draft.with_reseed(working=False, cancelling=False, log_end=end)


def log_unread(draft: Draft, reason: str) -> Draft:
    """It is held all the same; nothing can be said of how far its data goes."""
    said = f"the member's log cannot be read: {reason}"
    return draft.with_reseed(log_end=LogEnd(), failed="hold", reason=said).having(remark=said)


def data_put_back(draft: Draft, command: PutBack) -> Draft:
    """The member's own data is in its place again."""
    reseed = draft.model.reseed
    gone = {command.aside, command.failed, *command.remove}
    kept = [path for path in reseed.kept if path not in gone]
    if reseed.seed_ran:
        kept.append(command.failed)
    if reseed.own is not None:
        draft = draft.having(
            spec=reseed.own.spec,
            cluster_id=reseed.own.cluster_id,
            member_id=reseed.own.member_id,
        ).with_reseed(snapshot=reseed.own.snapshot)
    return (
        draft.with_record(seeded=0)
        .with_reseed(own=None, undo=False, seed_ran=False, kept=tuple(kept))
        .having(remark="the member's own data is in its place again")
    )


def not_put_back(draft: Draft, reason: str) -> Draft:
    """No etcd runs, on whichever data; tried again at the next order."""
    said = f"the data cannot be put back: {reason}"
    return draft.with_reseed(undo_failed=True, failed="hold", reason=said).having(remark=said)


def let_run(draft: Draft) -> Draft:
    """Nothing keeps etcd from running on the data that is there."""
    reseed = draft.model.reseed
    return draft.with_reseed(
        snapshot=None if reseed.released else reseed.snapshot,
        log_end=None,
        measuring=False,
        seed=None,
    ).having(crashes=0, remark="not held any more")


# What is asked for


def plan_hold(draft: Draft) -> Draft:
    """Stop etcd, then put the member's own data back, then read its log: each once."""
    model, reseed = draft.model, draft.model.reseed
    assert model.spec is not None
    if model.etcd.process is not Process.NONE:
        return plan_stop(draft)
    if reseed.working:
        return draft
    if reseed.undo:
        if reseed.undo_failed:
            return draft
        return _working(draft, _undoing(model))
    if model.record.held is not None and reseed.log_end is None:
        return _working(draft, ReadLog(data_directory=model.data_directory))
    return draft


def plan_cancel(draft: Draft) -> Draft:
    """End what is under way on the disk, if that can be ended early."""
    reseed = draft.model.reseed
    if not reseed.working or reseed.cancelling:
        return draft
    return draft.with_reseed(cancelling=True).asking(CancelWork())


def _working(draft: Draft, command: PutBack | ReadLog) -> Draft:
    return draft.with_reseed(working=True, cancelling=False).asking(command)


def _undoing(model: Model) -> PutBack:
    reseed = model.reseed
    assert reseed.own is not None
    earlier = [path for path in reseed.kept if path.startswith(f"{ASIDE}/failed-")]
    return PutBack(
        data_directory=model.data_directory,
        aside=aside_path(model, reseed.own.generation),
        failed=f"{ASIDE}/failed-{reseed.own.generation}",
        remove=tuple(earlier[: max(0, len(earlier) + 1 - FAILED_SEEDS_KEPT)]),
    )
