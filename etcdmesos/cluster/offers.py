"""The plan for offers: give back what is not wanted, and ask for more only while something is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from etcdmesos.cluster.bootstrap import gathering
from etcdmesos.cluster.commands import Decline, Revive, Suppress
from etcdmesos.cluster.constraints import refusal
from etcdmesos.cluster.membership import place_wanted
from etcdmesos.cluster.model import Draft, Model, without
from etcdmesos.cluster.placement import shortage, suitable
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.repairs import ailments


def plan_offers(draft: Draft) -> Draft:
    """Decline offers that nothing waits for; suppress or revive them as a whole."""
    model = draft.model
    if not (model.mesos.subscribed and model.store.loaded):
        return draft  # without the record, nobody knows what is wanted
    grows = gathering(model, draft.now) or place_wanted(model, draft.now)
    wanted = grows and not model.record.uninstalling
    return _suppress_or_revive(_give_back(draft, wanted), wanted)


def _give_back(draft: Draft, wanted: bool) -> Draft:
    """Decline offers that are of no use, or were held for too long; what could not be given back
    before, again."""
    staying = _staying(draft) if wanted and draft.model.offers else []
    ruled_out = _ruled_out(draft.model, staying) if wanted else {}
    if ruled_out != draft.model.ruled_out:
        draft = draft.having(ruled_out=ruled_out)
    model, settings = draft.model, draft.model.settings
    if not model.offers and not model.unreturned:
        return draft
    late = [i for i, at in model.unreturned.items() if at <= draft.now]
    waiting = without(model.unreturned, *late)
    useless = [i for i in model.offers if not (wanted and _may_serve(model, i, staying))]
    overdue = [i for i, h in model.offers.items() if draft.now >= h.since + settings.gang_limit]
    held = without(model.offers, *useless, *overdue)
    lacking = shortage([model.offers[i].offer for i in useless], settings) if wanted else ""
    if lacking:
        draft = draft.having(setback=f"offers were too small: {lacking}")
    again = [*waiting.values(), *(h.since + settings.gang_limit for h in held.values())]
    if again:
        draft = draft.waking(min(again))
    unwanted = tuple(dict.fromkeys([*late, *useless, *overdue]))
    if not unwanted:
        return draft
    return draft.having(offers=held, unreturned=waiting).asking(
        Decline(offer_ids=unwanted, refuse_seconds=settings.refuse)
    )


def _suppress_or_revive(draft: Draft, wanted: bool) -> Draft:
    mesos = draft.model.mesos
    if mesos.suppressed is (not wanted):
        return draft
    if draft.now < mesos.suppress_at:
        return draft.waking(mesos.suppress_at)
    return draft.having(mesos=evolve(mesos, suppressed=not wanted)).asking(
        Revive() if wanted else Suppress()
    )


def _staying(draft: Draft) -> list[Member]:
    """The members that new ones have to fit in with.

    Not those that are to be replaced: what is offered by then, and given back because of them,
    comes again only after they are gone.
    """
    model = draft.model
    leaving = ailments(model, draft.now)
    return [
        member
        for member in model.record.members
        if member.name not in model.places and member.name not in leaving
    ]


def _ruled_out(model: Model, staying: Sequence[Member]) -> Mapping[str, str]:
    """By agent, the constraint for which its offer, in hand or given back lately, is of no use."""
    settings = model.settings
    if not settings.constraints:
        return {}
    more = settings.cluster_size - len(staying) > 1
    ruled_out = dict(model.ruled_out)
    for held in model.offers.values():
        broken = refusal(settings.constraints, held.offer, staying, more_to_come=more)
        if broken is None:
            ruled_out.pop(held.offer.agent_id, None)
        else:
            ruled_out[held.offer.agent_id] = str(broken)
    return ruled_out


def _may_serve(model: Model, offer_id: str, staying: Sequence[Member]) -> bool:
    """Whether the offer, alone or with others of its agent, has room for one more member on an
    agent where there may be one."""
    offer = model.offers[offer_id].offer
    occupied = any(member.agent_id == offer.agent_id for member in staying)
    if occupied and model.settings.single_instance_per_agent:
        return False
    if offer.agent_id in model.agents_of_the_past():
        return False
    if offer.agent_id in model.ruled_out:
        return False
    if suitable(offer, model.settings):
        return True
    return sum(held.offer.agent_id == offer.agent_id for held in model.offers.values()) > 1
