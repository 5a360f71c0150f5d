"""What the election says: whether this scheduler is the one that may act."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Draft, StoreLink
from etcdmesos.cluster.observe.event import event_of


def take_leadership(draft: Draft) -> Draft:
    """We may act once the record was read anew; an answer under way was asked for before that."""
    event_of(draft, e.LeadershipGained)
    leadership, store = draft.model.leadership, draft.model.store
    if leadership.held:
        return draft
    return draft.having(
        leadership=evolve(leadership, held=True, holder="", reason=""),
        store=StoreLink(loading=store.loading, stale=store.loading, doubtful=store.doubtful),
    )


def suspend_leadership(draft: Draft) -> Draft:
    """Nothing is changed while nobody can tell whether we still lead; the subscription stays."""
    reason = event_of(draft, e.LeadershipSuspended).reason
    leadership, store = draft.model.leadership, draft.model.store
    return draft.having(
        leadership=evolve(leadership, held=False, reason=reason),
        store=evolve(store, loaded=False),
    )


def lose_leadership(draft: Draft) -> Draft:
    """End, if we ever acted: another one may act by now, and the next process is its standby."""
    reason = event_of(draft, e.LeadershipLost).reason
    leadership = draft.model.leadership
    if leadership.epoch or leadership.held:
        return draft.asking(c.Exit(status=1, reason=f"leadership is lost: {reason}"))
    return draft.having(leadership=evolve(leadership, reason=reason))


def note_holder(draft: Draft) -> Draft:
    """Who may act instead of us; for people."""
    holder = event_of(draft, e.LeaderSeen).holder
    leadership = draft.model.leadership
    if leadership.held:
        return draft  # old news
    return draft.having(leadership=evolve(leadership, holder=holder, reason=""))
