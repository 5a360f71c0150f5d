"""Measuring a member: a snapshot of its running etcd, or of what a copy of its data shows.

Where there is no data it is the snapshot of a backup.
"""

from __future__ import annotations

from etcdmesos.executor.commands import FetchSnapshot, RunCopy, SaveSnapshot
from etcdmesos.executor.events import SnapshotSaved
from etcdmesos.executor.holding import FOLDER, plan_cancel
from etcdmesos.executor.model import Draft, Process
from etcdmesos.executor.obeying import refused
from etcdmesos.executor.observe import event_of
from etcdmesos.executor.retention import old_snapshots
from etcdmesos.orders import FetchBackup, MeasureCopy, TakeSnapshot


def take_saved(draft: Draft) -> Draft:
    """A snapshot is there, and stands for the member's data unless that has gone on since."""
    event, model, reseed = event_of(draft, SnapshotSaved), draft.model, draft.model.reseed
    snapshot = event.snapshot
    kept = (*(path for path in reseed.kept if path != snapshot.path), snapshot.path)
    said = f"saved a snapshot of revision {snapshot.revision}, {snapshot.size} bytes"
    draft = draft.with_reseed(kept=kept).having(remark=said)
    if event.of_copy and not reseed.measuring:
        return draft
    if event.of_copy:
        draft = draft.with_reseed(measuring=False, fetch=None, working=False, cancelling=False)
    else:
        draft = draft.with_reseed(saving=False)
    earlier = event.generation != model.record.generation and model.record.held is None
    if reseed.released or earlier or (reseed.snapshot is not None and not event.of_copy):
        return draft
    return old_snapshots(draft.with_reseed(snapshot=snapshot, snapshot_wanted=False))


def snapshot_failed(draft: Draft, generation: int, reason: str) -> Draft:
    """There is no snapshot of the running etcd."""
    draft = draft.with_reseed(saving=False)
    if generation != draft.model.record.generation:
        return draft
    return refused(draft.with_reseed(snapshot_wanted=False), TakeSnapshot, reason)


def copy_failed(draft: Draft, reason: str) -> Draft:
    """There is no snapshot of the stopped member's data; the data is as it was."""
    return refused(draft.with_reseed(measuring=False), MeasureCopy, reason)


def fetch_failed(draft: Draft, url: str, reason: str) -> Draft:
    """There is no backup here; or none from an address that is not wanted any more."""
    wanted = draft.model.reseed.fetch
    if wanted is None or wanted.url != url:
        return draft
    return refused(draft.with_reseed(measuring=False, fetch=None), FetchBackup, reason)


def plan_snapshot(draft: Draft) -> Draft:
    """Save a snapshot of the running etcd if one was ordered."""
    model, reseed = draft.model, draft.model.reseed
    assert model.spec is not None
    if not reseed.snapshot_wanted or reseed.saving or model.etcd.process is not Process.ALIVE:
        return draft
    return draft.with_reseed(snapshot_wanted=False, saving=True).asking(
        SaveSnapshot(
            generation=model.record.generation,
            client_url=model.spec.client_url,
            path=f"{FOLDER}/{model.record.generation}/snapshot.db",
        )
    )


def plan_copy(draft: Draft) -> Draft:
    """Run a copy of the held data once, or fetch a backup; end it if the hold is over before
    that."""
    model, reseed = draft.model, draft.model.reseed
    assert model.spec is not None
    if model.record.held is None and reseed.working:
        return plan_cancel(draft)
    if reseed.fetch is not None:
        return _plan_fetch(draft, reseed.fetch)
    if reseed.working:
        return draft
    generation = model.record.generation
    return draft.with_reseed(working=True, cancelling=False).asking(
        RunCopy(
            generation=generation,
            data_directory=model.data_directory,
            copy_directory=f"{FOLDER}/{generation}/copy",
            name=model.spec.name,
            applied_index=reseed.log_end.commit_index if reseed.log_end else 0,
            path=f"{FOLDER}/{generation}/copy.db",
        )
    )


def _plan_fetch(draft: Draft, order: FetchBackup) -> Draft:
    """Fetch it; first end what comes from another address: its scheduler may be gone."""
    reseed, generation = draft.model.reseed, draft.model.record.generation
    if reseed.working:
        return draft if reseed.fetching == order.url else plan_cancel(draft)
    return draft.with_reseed(working=True, cancelling=False, fetching=order.url).asking(
        FetchSnapshot(
            generation=generation,
            url=order.url,
            size=order.size,
            sha256=order.sha256,
            revision=order.revision,
            path=f"{FOLDER}/{generation}/backup.db",
            seconds=order.seconds,
            idle_seconds=order.idle_seconds,
        )
    )
