"""The plan for etcd's membership: one recorded change at a time, until N voters serve.

Each turn starts from etcd's list as a quorum has it.  A change is recorded before it is asked for,
and whatever becomes of the request, the list is read again: it alone says whether the change took
place.  Nothing is asked while no quorum serves.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from etcdmesos.cluster import placement
from etcdmesos.cluster.backups.preceding import wait_for_backup, wait_no_more
from etcdmesos.cluster.changes import ask_for_the_list, ask_to_add, finish
from etcdmesos.cluster.health import Assessment, assess, leader_ended, progressing, voters
from etcdmesos.cluster.launch import new_learner
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Change, Kind, Member, Step
from etcdmesos.cluster.repairs import (
    Repair,
    ailments,
    learner,
    next_repair,
    strangers,
    vanished,
)
from etcdmesos.cluster.shunning import avoided_at, ports_of_failures, shunned_at
from etcdmesos.draft import SOON
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import without_ports


def plan_membership(draft: Draft) -> Draft:
    """Read the list when it is not known, finish the change in flight, or start the next one."""
    state = assess(draft.model, draft.now)
    draft = _watch_voters(_watch_learner(draft), state)
    turned = _turn(draft, state)
    before, after = draft.model.record.change, turned.model.record.change
    fewer = len(turned.model.record.members) < len(draft.model.record.members)
    if before == after and not fewer:
        return turned
    # The end of one change is durable before the next one begins.
    turned = turned.waking(draft.now + SOON) if after is None else turned
    return turned.changing_course()


def _watch_learner(draft: Draft) -> Draft:
    """Count the time of a learner that somebody else launched from when we first saw it."""
    joining, since = learner(draft.model.record), draft.model.joining_since
    if joining is None or joining.step is Step.ADDING or joining.name in since:
        return draft
    return draft.having(joining_since={joining.name: draft.now})


def _watch_voters(draft: Draft, state: Assessment) -> Draft:
    """Count the time of voters that are not of the quorum that serves.

    Without such a quorum nobody is at fault: a member that merely lost quorum is not replaced.
    """
    known = draft.model.apart_since
    apart = {
        m.name: known.get(m.name, draft.now)
        for m in voters(draft.model.record)
        if state.serving and m.name not in state.agreeing
    }
    return draft if apart == known else draft.having(apart_since=apart)


def _turn(draft: Draft, state: Assessment) -> Draft:
    model, view = draft.model, draft.model.membership
    if (
        view.busy
        or not (state.serving or _shortened(model, state, draft.now))
        or model.record.cluster_id == ""
    ):
        return draft
    if leader_ended(model, state.leader):
        return draft  # followers would hand it on to the dead, and never answer
    if draft.now < view.ask_at:
        return draft.waking(view.ask_at)
    listing = view.listing
    if listing is None or draft.now >= view.look_at:
        return ask_for_the_list(draft, state)
    draft = draft.waking(view.look_at)
    if listing.cluster_id != model.record.cluster_id:
        return draft  # somebody else's list; the probes' findings say so
    change = model.record.change
    if not state.serving:
        return _let_go(draft, change, listing, state)
    if change is not None:
        return finish(draft, change, listing, state)
    repair = next_repair(model, listing, state, draft.now)
    if repair is None or not _removes_the_living(model, repair):
        draft = wait_no_more(draft)
    elif repair.member is not None:
        draft, waits = wait_for_backup(draft, repair.member, state)
        if waits:
            return draft
    if repair is not None:
        return _start(draft, repair)
    if strangers(model.record, listing):
        return draft  # a learner told of our members alone could not join, and the list may be full
    return _add(draft, state)


def _removes_the_living(model: Model, repair: Repair) -> bool:
    """Whether a voter is to leave that has data, and was not proven dead."""
    member = repair.member
    return (
        repair.kind is Kind.REMOVE
        and member is not None
        and member.step is Step.VOTER
        and not model.ended(member)
    )


def _shortened(model: Model, state: Assessment, now: float) -> bool:
    """Whether etcd commits with fewer voters than are a quorum of the record, all others being
    dead: its list is shorter than the record."""
    rest = [m for m in voters(model.record) if m.name not in state.agreeing]
    dead = bool(state.agreeing) and all(model.ended(m) for m in rest)
    return dead and progressing(model, now)


def _let_go(draft: Draft, change: Change | None, listing: MemberList, state: Assessment) -> Draft:
    """Take off the record who is off the list; etcd is asked for nothing."""
    if change is not None:
        off = change.kind is Kind.REMOVE and listing.entry(change.id) is None
        return finish(draft, change, listing, state) if off else draft
    repair = vanished(draft.model.record, listing)
    return draft if repair is None else _start(draft, repair)


def changing(model: Model) -> bool:
    """Whether a change is in flight or a learner on its way."""
    return model.record.change is not None or learner(model.record) is not None


def place_wanted(model: Model, now: float) -> bool:
    """Whether an offer is wanted for a new member, now or as soon as a dead one is removed."""
    record = model.record
    if not record.served or model.phase == "lost" or now < model.attempts.until:
        return False
    if learner(record) is not None and not model.places:
        return False
    well = len(record.members) - len(ailments(model, now))
    return well < record.target_size or bool(model.places)


# Starting a change


def _start(draft: Draft, repair: Repair) -> Draft:
    """Record the change; it is asked for by what finishes it."""
    record = draft.model.record
    change = Change(
        kind=repair.kind,
        member=repair.member.name if repair.member else "",
        id=repair.id,
        generation=record.generation,
    )
    draft = draft.recording(change=change)
    if repair.member is not None and repair.kind is Kind.REMOVE:
        draft = draft.recording_member(evolve(repair.member, step=Step.REMOVING))
    view = evolve(draft.model.membership, failures=0, failure="", unsettled_since=None)
    draft = draft.having(membership=view)
    listing = view.listing
    assert listing is not None
    return finish(draft, change, listing, assess(draft.model, draft.now))


def _add(draft: Draft, state: Assessment) -> Draft:
    """Add a learner at a place in hand, if members are missing and all others are well."""
    model, record = draft.model, draft.model.record
    missing = record.target_size - len(record.members)
    if missing <= 0 or learner(record) is not None or len(state.agreeing) < len(record.members):
        return draft
    if draft.now < model.attempts.until:
        return draft.waking(model.attempts.until)
    draft, place = _place(draft)
    if place is None:
        return draft
    member = new_learner(place, record.next_member, record.generation, model.settings)
    change = Change(kind=Kind.ADD, member=member.name, generation=record.generation)
    draft = draft.recording(
        members=(*record.members, member), next_member=record.next_member + 1, change=change
    ).having(
        places={member.name: place},
        membership=evolve(model.membership, failures=0, failure="", unsettled_since=None),
    )
    return ask_to_add(draft, member, state)


def _beside(members: Iterable[Member], offer: Offer) -> Offer:
    """`offer` less the ports of members at its address: an agent that comes back as another one
    offers them again, while etcd lists them still."""
    listed = [port for member in members if member.host == offer.address for port in member.ports]
    return evolve(offer, resources=without_ports(offer.resources, listed)) if listed else offer


def _place(draft: Draft) -> tuple[Draft, placement.Place | None]:
    """The place for the next learner, if one is in hand that is worth taking now."""
    model, settings = draft.model, draft.model.settings
    past, avoided = model.agents_of_the_past(), avoided_at(model.shunned, draft.now)
    places = placement.choose(
        [
            _beside(model.record.members, held.offer)
            for held in model.offers.values()
            if held.offer.agent_id not in past
        ],
        1,
        settings,
        placed=model.record.members,
        shunned=shunned_at(model.shunned, draft.now),
        avoided=avoided,
        doubtful=ports_of_failures(model.shunned),
    )
    if not places:
        return draft, None
    if places[0].agent_id in avoided:
        # An agent with free resources offers them at once; others may take a moment longer.
        patience = min(model.offers[i].since for i in places[0].offer_ids) + settings.elsewhere
        if draft.now < patience:
            return draft.waking(patience), None
    return draft, places[0]
