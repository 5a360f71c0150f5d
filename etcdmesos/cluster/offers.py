"""The plan for offers: give back what is not wanted, and ask for more only while something is."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.bootstrap import gathering
from etcdmesos.cluster.commands import Command, Decline, Revive, Suppress
from etcdmesos.cluster.membership import place_wanted
from etcdmesos.cluster.model import Draft, without
from etcdmesos.cluster.placement import shortage, suitable


def plan_offers(draft: Draft) -> Draft:
    """Decline offers that nothing waits for; suppress or revive them as a whole."""
    model = draft.model
    if not model.mesos.subscribed:
        return draft
    wanted = gathering(model, draft.now) or place_wanted(model, draft.now)
    settings = model.settings
    late = tuple(i for i, at in model.unreturned.items() if at <= draft.now)
    waiting = without(model.unreturned, *late)
    if waiting:
        draft = draft.waking(min(waiting.values()))
    unwanted = late + tuple(
        offer_id
        for offer_id, held in model.offers.items()
        if not wanted
        or not _may_serve(draft, offer_id)
        or draft.now >= held.since + settings.gang_limit
    )
    too_small = [
        held.offer for i, held in model.offers.items() if wanted and not _may_serve(draft, i)
    ]
    if lacking := shortage(too_small, settings):
        draft = draft.having(setback=f"offers were too small: {lacking}")
    commands: list[Command] = []
    if unwanted:
        commands.append(Decline(offer_ids=unwanted, refuse_seconds=settings.refuse))
    suppressed = model.mesos.suppressed
    if wanted == suppressed and draft.now < model.mesos.suppress_at:
        draft = draft.waking(model.mesos.suppress_at)
    elif wanted == suppressed:
        commands.append(Revive() if wanted else Suppress())
        suppressed = not wanted
    offers = {i: held for i, held in model.offers.items() if i not in unwanted}
    if offers:
        draft = draft.waking(min(held.since for held in offers.values()) + settings.gang_limit)
    return draft.having(
        offers=offers,
        unreturned=waiting,
        mesos=evolve(model.mesos, suppressed=suppressed),
    ).asking(*commands)


def _may_serve(draft: Draft, offer_id: str) -> bool:
    """Whether the offer, alone or with others of its agent, has room for one more member."""
    offers, model = draft.model.offers, draft.model
    offer = offers[offer_id].offer
    occupied = {m.agent_id for m in model.record.members if m.name not in model.places}
    if model.settings.single_instance_per_agent and offer.agent_id in occupied:
        return False
    others = sum(held.offer.agent_id == offer.agent_id for held in offers.values()) > 1
    return others or suitable(offer, draft.model.settings)
