"""What the record store says."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Draft, StoreLink, ended_on_record
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.record import Member, Record
from etcdmesos.cluster.record import Step as MemberStep
from etcdmesos.cluster.settings import Errand, Settings

FIRST_SAVE = 1
"""The sequence number of the save that claims an epoch."""


def take_record(draft: Draft) -> Draft:
    """Hold the stored record, and raise its epoch: from here on it is ours.

    A standby only keeps it to be shown.
    """
    loaded: Record | None = event_of(draft, e.RecordLoaded).record
    settings, leadership, store = draft.model.settings, draft.model.leadership, draft.model.store
    ours = leadership.epoch
    if store.stale or (ours and not leadership.held):
        return draft.having(store=evolve(store, loading=False, stale=False))
    record = loaded or Record(
        cluster_name=settings.cluster_name,
        framework_name=settings.framework_name,
        target_size=settings.cluster_size,
    )
    if mistake := _mistake(record, settings):
        return draft.asking(c.Exit(status=2, reason=mistake))
    if not leadership.held:
        again = StoreLink(load_at=draft.now + settings.standby_look)
        return draft.having(record=record, store=again)
    if loaded is None and ours and draft.model.record.uninstalling:
        return draft.asking(c.Exit(status=0, reason=uninstalled(settings)))
    if loaded is None and settings.errand in (Errand.UNINSTALL, Errand.FORGET):
        reason = f"nothing is on record of cluster {settings.cluster_name}"
        return draft.asking(c.Exit(status=2, reason=reason))
    if settings.errand is Errand.REBUILD and not (record.members or record.served):
        return draft.having(record=record, store=StoreLink(rebuilding=True))
    if ours and record.epoch > ours:
        return draft.asking(
            c.Exit(status=1, reason="another scheduler has taken over this cluster")
        )
    if not ours or record.epoch < ours or store.doubtful:
        # Also when our first save never arrived: an epoch once claimed is not claimed again.
        record = evolve(record, epoch=max(ours, record.epoch + 1), sequence=0)
    if ours:
        record = _with_what_was_seen(record, draft.model.record)
    if settings.errand is Errand.UNINSTALL:
        record = evolve(record, uninstalling=True)
    # Of tasks that were never on record (their launch was not let out), nothing is remembered:
    # their names may be used now, for the first time.
    tasks = {i: s for i, s in draft.model.tasks.items() if record.owner(i) or not s.dead}
    return draft.having(
        record=record,
        tasks={**ended_on_record(record), **tasks},
        # Whom a write that did not arrive made one of the past is not: the plans ask again.
        kills={i: kill for i, kill in draft.model.kills.items() if record.owner(i) is None},
        leadership=evolve(leadership, epoch=record.epoch),
        store=StoreLink(loaded=True),
        attempt_since=draft.now,
    )


def _mistake(record: Record, settings: Settings) -> str:
    """What of the operator's settings cannot be meant for the stored record; "" if nothing."""
    if record.cluster_name != settings.cluster_name:
        return (
            f"-cluster-name={settings.cluster_name}, but the record of framework "
            f"{record.framework_name} is of cluster {record.cluster_name}"
        )
    if record.target_size != settings.cluster_size and not (
        record.uninstalling or settings.errand in (Errand.UNINSTALL, Errand.FORGET)
    ):
        return (
            f"-cluster-size={settings.cluster_size}, but the cluster on record has "
            f"{record.target_size}: resizing is not possible yet"
        )
    return ""


def uninstalled(settings: Settings) -> str:
    """The last word on a cluster."""
    return f"cluster {settings.cluster_name} is uninstalled"


def take_put_aside(draft: Draft) -> Draft:
    """What could not be used is out of the way: end if that was all, or begin anew."""
    name, settings = event_of(draft, e.RecordPutAside).name, draft.model.settings
    if settings.errand is Errand.FORGET or draft.model.errand.forgetting:
        reason = (
            f"the record of cluster {settings.cluster_name} was put aside as {name}; "
            "the next start begins a new cluster"
        )
        return draft.asking(c.Exit(status=0, reason=reason))
    said = f"the record that nobody could read was put aside as {name}"
    view = evolve(draft.model.errand, busy=False, failure=said)
    return draft.having(errand=view, store=StoreLink())


def _with_what_was_seen(stored: Record, ours: Record) -> Record:
    """`stored` with the facts in `ours`, the record as this scheduler knew it before.

    Facts seen while no record was in hand are told only once; intents that were not saved are
    none.
    """
    stored = evolve(stored, framework_id=ours.framework_id or stored.framework_id)
    if ours.generation != stored.generation:
        return stored  # facts of another cluster: its revisions may be higher than ours
    return evolve(
        stored,
        served=stored.served or ours.served,
        cluster_id=stored.cluster_id or ours.cluster_id,
        highest_revision=max(stored.highest_revision, ours.highest_revision),
        members=tuple(_as_seen(m, ours.member(m.name)) for m in stored.members),
    )


_SEEN = (MemberStep.LAUNCHING, MemberStep.JOINING, MemberStep.VOTER)
"""Steps that tell what was seen of a member, in the order in which it happens."""


def _as_seen(stored: Member, ours: Member | None) -> Member:
    if ours is None or [t.id for t in ours.tasks] != [t.id for t in stored.tasks]:
        return stored
    if ours.generation != stored.generation:
        return stored  # what was seen of it was another cluster's
    stored = evolve(stored, tasks=ours.tasks)
    if stored.step not in _SEEN or ours.step not in _SEEN:
        return stored
    return ours if _SEEN.index(ours.step) >= _SEEN.index(stored.step) else stored


def note_record_unavailable(draft: Draft) -> Draft:
    """The record could not be read: try again later; a damaged one is for the operator.

    Who cannot read it because it is of a newer version ends: a standby of that version may lead.
    """
    event, store = event_of(draft, e.RecordUnavailable), draft.model.store
    if store.stale:
        return draft.having(store=evolve(store, loading=False, stale=False))
    reason = event.reason
    if event.unreadable and draft.model.leadership.held:
        if event.too_new:
            return draft.asking(c.Exit(status=1, reason=reason))
        if draft.model.settings.errand in (Errand.REBUILD, Errand.FORGET):
            return draft.having(store=StoreLink(unreadable=True, reason=reason))
        reason += (
            "; nothing is changed; if it cannot be restored, -rebuild-record makes another one"
        )
    wait = draft.model.settings.subscribe_most
    return draft.having(
        store=StoreLink(reason=reason, load_at=draft.now + wait, doubtful=store.doubtful)
    )


def note_save_failed(draft: Draft) -> Draft:
    """What is stored is not known: read it again before anything else; or it is not ours any
    more."""
    event = event_of(draft, e.SaveFailed)
    if event.conflict:
        return draft.asking(
            c.Exit(status=1, reason="another scheduler has written this cluster's record")
        )
    # Not at once: a store that can be read and not written would be tried without a pause.
    wait = draft.model.settings.subscribe_first
    doubtful = draft.model.record.sequence == FIRST_SAVE
    return draft.having(
        store=StoreLink(reason=event.reason, load_at=draft.now + wait, doubtful=doubtful)
    )
