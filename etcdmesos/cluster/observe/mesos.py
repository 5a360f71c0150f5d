"""What the Mesos master says of itself, of our subscription and of its agents' offers."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.backoff import doubling
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Draft, HeldOffer, MesosLink, without
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.record import Step
from etcdmesos.cluster.settings import Errand

REMOVED = ("has been removed", "completed framework")
"""What masters say of a framework that is over (Mesos 1.x; older ones)."""


def take_subscription(draft: Draft) -> Draft:
    """A new subscription: nothing of it is accounted for yet, and old offers are void.

    The record is read again: whoever took over before we subscribed has written it, and whoever
    does later throws us out of this subscription.
    """
    event = event_of(draft, e.Subscribed)
    settings = draft.model.settings
    if settings.errand is Errand.FORGET:
        reason = (
            f"framework {event.framework_id} of cluster {settings.cluster_name} is not removed: "
            f"-uninstall={settings.cluster_name} ends it"
        )
        return draft.asking(c.Exit(status=1, reason=reason))
    recorded = frozenset(
        task.id
        for member in draft.model.record.members
        if member.step is not Step.GONE
        for task in member.tasks
        if not draft.model.known_dead(task.id)
    )
    draft = draft.having(
        store=evolve(draft.model.store, loaded=False),
        mesos=MesosLink(
            number=draft.model.mesos.number + 1,
            subscribed=True,
            master=event.master,
            unaccounted=recorded,
            reconcile_at=draft.now,
            reconcile_wait=draft.model.settings.reconcile_first,
            reconcile_all_at=draft.now,
            # All are asked for at the start anyway.
            reconcile_away_at=draft.now + draft.model.settings.reconcile_first,
            reconcile_away_wait=draft.model.settings.reconcile_first * 2,
            read_state_at=draft.now,
        ),
        offers={},
        unreturned={},
        gang_since=None,
    )
    if draft.model.record.framework_id != event.framework_id:
        draft = draft.recording(framework_id=event.framework_id)
    return draft


def note_disconnected(draft: Draft) -> Draft:
    """The subscription is gone, or an attempt at one failed; try again with growing waits."""
    if draft.model.mesos.removed:
        return draft
    return not_subscribed(draft, event_of(draft, e.Disconnected).reason)


def not_subscribed(draft: Draft, reason: str) -> Draft:
    """There is no subscription; when to try again."""
    mesos, settings = draft.model.mesos, draft.model.settings
    failures = 1 if mesos.subscribed else mesos.failures + 1
    wait = doubling(settings.subscribe_first, settings.subscribe_most, failures)
    return draft.having(
        mesos=MesosLink(
            number=mesos.number,
            reason=reason,
            failures=failures,
            subscribe_at=draft.now + wait,
        ),
        offers={},
        unreturned={},
        gang_since=None,
    )


def give_up_framework(draft: Draft) -> Draft:
    """The master refuses this framework for good: end, and say what it said.

    One that was removed is no failure of ours: it stays to be seen, until the operator has his say.
    """
    message = event_of(draft, e.FrameworkRefused).message
    removed = any(words in message.lower() for words in REMOVED)
    if removed and draft.model.record.framework_id:
        return framework_removed(draft, message)
    return draft.asking(c.Exit(status=1, reason=f"the Mesos master refused us: {message}"))


def framework_removed(draft: Draft, message: str) -> Draft:
    """There is no such framework any more, nor any task of it."""
    gone = MesosLink(number=draft.model.mesos.number, removed=True, reason=message)
    return draft.having(mesos=gone, offers={}, unreturned={}, gang_since=None)


def stop(draft: Draft) -> Draft:
    """End this scheduler; tasks go on, and the framework waits for the next one."""
    return draft.asking(c.Exit(status=0))


def take_master_state(draft: Draft) -> Draft:
    """Keep what the master says of agents and of frameworks of our name.

    An answer to an earlier subscription's question is dropped: this one asks its own.
    """
    event, mesos = event_of(draft, e.MasterStateRead), draft.model.mesos
    new = not draft.model.record.framework_id
    wanted = mesos.subscribed or draft.model.store.rebuilding or new
    if event.subscription != mesos.number or not wanted:
        return draft
    return draft.having(mesos=evolve(mesos, state=event.state, reading_state=False, reason=""))


def take_offers(draft: Draft) -> Draft:
    """Hold new offers until the plan has looked at them."""
    offers = {
        o.id: HeldOffer(offer=o, since=draft.now) for o in event_of(draft, e.OffersReceived).offers
    }
    return draft.having(offers={**draft.model.offers, **offers})


def drop_offer(draft: Draft) -> Draft:
    """A rescinded offer is never used."""
    return draft.having(
        offers=without(draft.model.offers, event_of(draft, e.OfferRescinded).offer_id)
    )


def drop_offers_of_agent(draft: Draft) -> Draft:
    """An agent that is gone offers nothing; its tasks are told of one by one."""
    agent_id = event_of(draft, e.AgentLost).agent_id
    offers = {i: held for i, held in draft.model.offers.items() if held.offer.agent_id != agent_id}
    return draft.having(offers=offers)
