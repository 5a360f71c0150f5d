"""Gang-scheduled bootstrap: all members at once, or none.

Offers are held until every member has a place; the record with all members and a fresh token is
saved; then all launch together with one static `--initial-cluster`.  An attempt is given up only
while no quorum of its tasks can ever have run, or when all are dead and none was seen serving;
from then on it is a cluster, to be healed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from etcdmesos.backoff import doubling
from etcdmesos.cluster import placement
from etcdmesos.cluster.commands import Command, Decline, Launch
from etcdmesos.cluster.constraints import tally
from etcdmesos.cluster.launch import new_member, server_task
from etcdmesos.cluster.links import obstacle
from etcdmesos.cluster.model import Draft, Model, without
from etcdmesos.cluster.placement import Place
from etcdmesos.cluster.quorum import quorum
from etcdmesos.cluster.record import Member, Step
from etcdmesos.cluster.restore.episode import Stage
from etcdmesos.cluster.shunning import (
    Failure,
    Shunned,
    avoided_at,
    ports_of_failures,
    shun,
    shunned_at,
)
from etcdmesos.cluster.terms import Terms
from etcdmesos.mesos.offers import Offer


def plan_bootstrap(draft: Draft) -> Draft:
    """Gather places and launch; or watch the attempt under way, and give it up if it is
    hopeless."""
    members = draft.model.record.members
    if draft.model.record.restore is not None:
        return draft  # it is to be made from a backup: never empty
    if not members:
        return _gather(draft)
    if any(m.step is Step.REMOVING for m in members):
        return _finish_giving_up(draft)
    reason = hopeless(draft.model, draft.now)
    if reason:
        return _give_up(draft, reason)
    limit = draft.model.attempt_since + draft.model.settings.bootstrap_limit
    # Past the limit with a quorum started, there is nothing to wake for: it is never given up.
    return draft.waking(limit) if draft.now < limit else draft


def gathering(model: Model, now: float) -> bool:
    """Whether offers are wanted at `now`, for a gang or for the one member that is restored."""
    record = model.record
    if record.members or not model.store.loaded:
        return False
    if record.restore is not None:
        return record.restore.stage is Stage.LAUNCHING and now >= model.restoring.again_at
    return not record.served and now >= model.retry_at


def _gather(draft: Draft) -> Draft:
    model, now = draft.model, draft.now
    if now < model.retry_at:
        return draft.waking(model.retry_at)
    if not model.offers:
        return draft.having(gang_since=None)
    settings = model.settings
    if obstacle(model):
        return draft  # plan_offers gives back what is held for too long
    offers = [held.offer for held in model.offers.values()]
    room = placement.room(offers, settings.cluster_size, settings)
    if room == settings.cluster_size:
        return _launch(draft, places_for(model, offers, room, now))
    since = now if model.gang_since is None else model.gang_since
    # Summed as the timer is: a difference may fall short by a rounding, and for ever.
    if now < since + settings.gang_limit:
        return draft.having(gang_since=since).waking(since + settings.gang_limit)
    decline = Decline(offer_ids=tuple(model.offers), refuse_seconds=settings.refuse)
    setback = _shortfall(model, offers, room)
    return draft.having(offers={}, gang_since=None, setback=setback).asking(decline)


def places_for(model: Model, offers: list[Offer], count: int, now: float) -> tuple[Place, ...]:
    """Where the first `count` members go; `offers` have room for them."""
    return placement.choose(
        offers,
        count,
        model.settings,
        shunned=shunned_at(model.shunned, now),
        avoided=avoided_at(model.shunned, now),
        doubtful=ports_of_failures(model.shunned),
    )


def _shortfall(model: Model, offers: list[Offer], room: int) -> str:
    """Why no gang was gathered in time, in words."""
    settings = model.settings
    excluded = placement.excluded(offers, settings.cluster_size, settings)
    lacking = placement.shortage(offers, settings)
    counted = f"only {room} of {settings.cluster_size} members had a place"
    reasons = (
        f"{counted} after {settings.gang_limit:g} s",
        tally({**model.ruled_out, **excluded}),
        f"too small: {lacking}" if lacking else "",
    )
    return "; ".join(reason for reason in reasons if reason)


def _launch(draft: Draft, places: tuple[Place, ...]) -> Draft:
    """Record all members of a new generation, then launch them all."""
    generation = draft.model.record.next_generation
    return launch_gang(draft, places, generation, generation=generation).waking(
        draft.now + draft.model.settings.bootstrap_limit
    )


def launch_gang(
    draft: Draft, places: tuple[Place, ...], of_generation: int, **recorded: Any
) -> Draft:
    """Record new members at `places`, of a generation that nobody had, and launch them together.

    `recorded` is what else the record says from now on.
    """
    model = draft.model
    record, settings = model.record, model.settings
    members = tuple(
        new_member(place, number, of_generation, settings)
        for number, place in enumerate(places, record.next_member)
    )
    record = evolve(
        record,
        attempted_generation=of_generation,
        members=members,
        next_member=record.next_member + len(members),
        **recorded,
    )
    by_agent: dict[tuple[str, ...], list[tuple[Member, Place]]] = {}
    for member, place in zip(members, places, strict=True):
        by_agent.setdefault(place.offer_ids, []).append((member, place))
    launches: list[Command] = [
        Launch(
            offer_ids=offer_ids,
            tasks=tuple(server_task(m, p, record, settings) for m, p in pairs),
        )
        for offer_ids, pairs in by_agent.items()
    ]
    used = {offer_id for offer_ids in by_agent for offer_id in offer_ids}
    counters = model.counters
    return draft.having(
        record=record,
        offers={i: held for i, held in model.offers.items() if i not in used},
        gang_since=None,
        attempt_since=draft.now,
        counters=evolve(counters, launched=counters.launched + len(members)),
    ).asking(*launches)


def hopeless(model: Model, now: float) -> str:
    """Why the attempt under way must be given up, in words; "" when it must not.

    Safe because a cluster that never had a quorum of started members never acknowledged a write;
    and if all are dead and none was seen serving, nobody was ever told of one.
    """
    record = model.record
    if not record.members or record.served:
        return ""
    size = len(record.members)
    if all(model.ended(m) for m in record.members):
        return "all its members are dead and none was seen serving"
    started = sum(m.step in (Step.JOINING, Step.VOTER) for m in record.members)
    if started >= quorum(size):
        return ""
    waiting = sum(m.step is Step.LAUNCHING and not model.ended(m) for m in record.members)
    if started + waiting < quorum(size):
        return f"only {started} of {size} members started and too few can still"
    if now >= model.attempt_since + model.settings.bootstrap_limit:
        return (
            f"only {started} of {size} members started within {model.settings.bootstrap_limit:g} s"
        )
    return ""


def _give_up(draft: Draft, reason: str) -> Draft:
    """Record that the attempt is over, before any of its tasks is killed."""
    model = draft.model
    ends = [
        status.summary
        for member in model.record.members
        for task in member.tasks
        if (status := model.tasks.get(task.id)) is not None and status.dead
    ]
    setback = "; ".join([reason, *ends[:1]])
    shunned = shun_the_failed(model, draft.now)
    members = tuple(evolve(m, step=Step.REMOVING) for m in model.record.members)
    draft = draft.having(shunned=shunned, setback=setback).recording(members=members)
    return _finish_giving_up(draft)


def shun_the_failed(model: Model, now: float) -> Mapping[str, Shunned]:
    """The agents to be taken last, with those on which a member of this attempt failed."""
    failed: dict[str, frozenset[int]] = {}
    for member in model.record.members:
        if model.ended(member) or member.step is Step.LAUNCHING:
            others = failed.get(member.agent_id, frozenset())
            failed[member.agent_id] = others | member.ports
    return shun(model.shunned, failed, Failure.LAUNCH, model.settings, now)


def _finish_giving_up(draft: Draft) -> Draft:
    """Once no task of the attempt is vouched for any more, forget it and wait before the next one.

    One that nobody can vouch for (unreachable, unknown) is not waited for: it is of a generation
    that never served, cannot join another one, and is killed when it comes back.
    """
    model = draft.model
    if not nobody_vouched_for(model):
        return draft
    attempts = model.record.failed_attempts + 1
    settings = model.settings
    wait = doubling(settings.retry_first, settings.retry_most, attempts)
    ended = [task.id for member in model.record.members for task in member.tasks]
    return (
        draft.recording(members=(), failed_attempts=attempts, cluster_id="")
        .having(
            retry_at=draft.now + wait,
            views={},
            terms=Terms(),
            kills=without(model.kills, *ended),
        )
        .waking(draft.now + wait)
    )


def nobody_vouched_for(model: Model) -> bool:
    """Whether of every task on record it is known that it ended, or that it is out of reach."""
    statuses = [model.tasks.get(task.id) for m in model.record.members for task in m.tasks]
    return all(status is not None and (status.dead or status.out_of_reach) for status in statuses)
