"""The change in flight, brought to its end: asked for until etcd's list shows it, or let go of.

Whatever becomes of a request, the list is read again: it alone says whether the change took place.
Which change is due is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve

from etcdmesos.cluster.commands import (
    AddLearner,
    Command,
    Launch,
    ListMembers,
    PromoteLearner,
    RemoveMember,
)
from etcdmesos.cluster.health import Assessment
from etcdmesos.cluster.launch import server_task, with_task
from etcdmesos.cluster.leaving import forget
from etcdmesos.cluster.model import Draft, Model, without
from etcdmesos.cluster.placement import Place
from etcdmesos.cluster.record import Change, Kind, Member, Role, Step
from etcdmesos.cluster.repairs import ailing, may_remove, serving_ids
from etcdmesos.etcd.member_list import MemberList

ADD_ATTEMPTS = 4
"""After so many failed attempts to add one learner, another place is tried."""


def finish(draft: Draft, change: Change, listing: MemberList, state: Assessment) -> Draft:
    """`change`, which is on record: over if `listing` shows it, else asked for (again)."""
    return _FINISH[change.kind](draft, change, listing, state)


def ask_for_the_list(draft: Draft, state: Assessment) -> Draft:
    """Read etcd's list."""
    return _ask(draft, ListMembers(client_url=_through(draft.model, state)))


def ask_to_add(draft: Draft, member: Member, state: Assessment) -> Draft:
    """Have the member, which is on record, added to etcd's list."""
    through = _through(draft.model, state)
    command = AddLearner(member=member.name, peer_url=member.peer_url, client_url=through)
    return _ask(draft, command)


def _through(model: Model, state: Assessment) -> str:
    """The client URL of the member to ask: the leader's, or else that of one that serves.

    Not of one that is to be removed, which may never tell.
    """
    serving = [m for m in model.record.members if m.name in state.agreeing]
    staying = [m for m in serving if m.step is not Step.REMOVING] or serving
    return next((m for m in staying if m.id == state.leader), staying[0]).client_url


def _ask(draft: Draft, command: Command) -> Draft:
    return draft.having(membership=evolve(draft.model.membership, busy=True)).asking(command)


def _finish_add(draft: Draft, change: Change, listing: MemberList, state: Assessment) -> Draft:
    """Launch the learner once it is listed; give it up when its place is gone."""
    model = draft.model
    member = model.record.member(change.member)
    assert member is not None
    entry = listing.at(member.peer_url)
    if entry is not None and not entry.learner:
        return forget(draft.having(places={}), member)  # the address of somebody else
    place = model.places.get(member.name)
    in_hand = place is not None and all(i in model.offers for i in place.offer_ids)
    if entry is not None and place is not None and in_hand:
        return _launch(draft, evolve(member, id=entry.id), place)
    if entry is not None:
        removal = evolve(change, kind=Kind.REMOVE, id=entry.id)
        draft = draft.recording(change=removal).recording_member(
            evolve(member, id=entry.id, step=Step.REMOVING)
        )
        return _finish_removal(draft.having(places={}), removal, listing, state)
    if not in_hand or model.membership.failures >= ADD_ATTEMPTS:
        return forget(draft.having(places={}), member)
    return ask_to_add(draft, member, state)


def _launch(draft: Draft, member: Member, place: Place) -> Draft:
    model = draft.model
    member = evolve(with_task(member, place), step=Step.LAUNCHING)
    record = evolve(model.record.with_member(member), change=None)
    counters = model.counters
    return draft.having(
        record=record,
        places={},
        offers=without(model.offers, *place.offer_ids),
        joining_since={member.name: draft.now},
        counters=evolve(counters, launched=counters.launched + 1),
    ).asking(
        Launch(
            offer_ids=place.offer_ids,
            tasks=(server_task(member, place, record, model.settings),),
        )
    )


def _finish_promotion(
    draft: Draft, change: Change, listing: MemberList, state: Assessment
) -> Draft:
    """A voter once the list says so; until then ask again, unless the learner fell ill."""
    model = draft.model
    member = model.record.member(change.member)
    entry = listing.entry(change.id)
    if member is None or entry is None:
        return draft.recording(change=None)
    if not entry.learner:
        promoted = evolve(member, role=Role.VOTER, step=Step.VOTER)
        view = evolve(model.view(member.name), probe_at=draft.now)
        return (
            draft.recording(change=None)
            .recording_member(promoted)
            .having(views={**model.views, member.name: view}, setback="")
        )
    since = model.joining_since.get(member.name, draft.now)
    late = draft.now - since >= model.settings.learner_limit
    if late or ailing(model, member, draft.now):
        return draft.recording(change=None)  # the next turn removes it
    return _ask(
        draft,
        PromoteLearner(member=member.name, id=entry.id, client_url=_through(model, state)),
    )


def _finish_removal(draft: Draft, change: Change, listing: MemberList, state: Assessment) -> Draft:
    """Gone once the list lacks it; until then ask again, as long as that is safe."""
    model = draft.model
    entry = listing.entry(change.id)
    member = model.record.member(change.member)
    if entry is None:
        if member is not None:
            return forget(draft, member)
        return draft.recording(change=None)
    serving = serving_ids(model, state, draft.now)
    if entry.name and not may_remove(entry, listing, serving):
        return _give_up_removal(draft, member)  # another one may have to go first
    if member is not None and entry.id in serving and not ailing(model, member, draft.now):
        return _give_up_removal(draft, member)  # it is back
    through = _through(model, state)
    return _ask(draft, RemoveMember(member=change.member, id=entry.id, client_url=through))


def _give_up_removal(draft: Draft, member: Member | None) -> Draft:
    """No change any more; the next turn looks for the one that is due now."""
    draft = draft.recording(change=None)
    if member is None:
        return draft
    return draft.recording_member(evolve(member, step=Step.VOTER if member.id else Step.JOINING))


_FINISH: Mapping[Kind, Callable[[Draft, Change, MemberList, Assessment], Draft]] = {
    Kind.ADD: _finish_add,
    Kind.PROMOTE: _finish_promotion,
    Kind.REMOVE: _finish_removal,
}
