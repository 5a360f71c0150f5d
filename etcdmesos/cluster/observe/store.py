"""What the record store says."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Draft, StoreLink
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.record import Record


def take_record(draft: Draft) -> Draft:
    """Hold the stored record, and raise its epoch: from here on it is ours."""
    loaded: Record | None = event_of(draft, e.RecordLoaded).record
    settings = draft.model.settings
    ours = draft.model.record.epoch
    record = loaded or Record(
        cluster_name=settings.cluster_name,
        framework_name=settings.framework_name,
        target_size=settings.cluster_size,
    )
    if record.target_size != settings.cluster_size:
        return draft.asking(
            c.Exit(
                status=2,
                reason=f"-cluster-size={settings.cluster_size}, but the cluster on record has "
                f"{record.target_size}: resizing is not possible yet",
            )
        )
    if ours and record.epoch > ours:
        return draft.asking(
            c.Exit(status=1, reason="another scheduler has taken over this cluster")
        )
    if not ours or record.epoch < ours:
        # Also when our first save never arrived: an epoch once claimed is not claimed again.
        record = evolve(record, epoch=max(ours, record.epoch + 1), sequence=0)
    return draft.having(record=record, store=StoreLink(loaded=True), attempt_since=draft.now)


def note_record_unavailable(draft: Draft) -> Draft:
    """The record could not be read; try again later, or ask the operator if it is damaged."""
    event = event_of(draft, e.RecordUnavailable)
    if event.unreadable:
        return draft.asking(c.Exit(status=1, reason=event.reason))
    wait = draft.model.settings.subscribe_most
    return draft.having(store=StoreLink(reason=event.reason, load_at=draft.now + wait))


def note_save_failed(draft: Draft) -> Draft:
    """What is stored is not known: read it again before anything else; or it is not ours any
    more."""
    event = event_of(draft, e.SaveFailed)
    if event.conflict:
        return draft.asking(
            c.Exit(status=1, reason="another scheduler has written this cluster's record")
        )
    return draft.having(store=StoreLink(reason=event.reason))
