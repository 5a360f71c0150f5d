"""Planted bugs in the removal of members: who leaves etcd's list, and when."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import AddLearner, RemoveMember
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Change, Kind, Member, Role, Step
from etcdmesos.cluster.repairs import learner
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import planned_by, planted, scheduler_with

LONG_AGO = -1e6
"""Seconds: longer ago than any time-out."""


@planted("only_the_failed_are_removed", "removals_leave_a_quorum")
def takes_a_failed_probe_for_death() -> Cores:
    """One probe that fails, and the member is replaced: the network's hiccup costs a voter."""

    def plan(draft: Draft) -> Draft:
        views = {
            name: evolve(view, failing_since=LONG_AGO) if view.failing_since is not None else view
            for name, view in draft.model.views.items()
        }
        done = ACTIONS["plan_membership"](draft.having(views=views))
        return done.having(
            views={
                name: draft.model.views.get(name, view) if view == views.get(name) else view
                for name, view in done.model.views.items()
            }
        )

    return planned_by(plan)


@planted("only_the_failed_are_removed", "removals_leave_a_quorum")
def unreachable_is_replaced_at_once() -> Cores:
    """TASK_UNREACHABLE counts as dead at once, without -member-timeout."""

    def take(draft: Draft) -> Draft:
        done = ACTIONS["take_task_update"](draft)
        away = dict.fromkeys(done.model.out_of_reach, LONG_AGO)
        return done.having(out_of_reach=away)

    return scheduler_with(actions={"take_task_update": take})


@planted("removals_leave_a_quorum")
def removes_without_counting_the_rest() -> Cores:
    """Whoever is out of reach for long enough is removed, whatever remains."""

    def plan(draft: Draft) -> Draft:
        model, view = draft.model, draft.model.membership
        state, listing = assess(model, draft.now), view.listing
        if not state.serving or view.busy or listing is None or model.record.change is not None:
            return ACTIONS["plan_membership"](draft)
        for member in model.record.members:
            away = [model.out_of_reach.get(t.id, draft.now) for t in member.tasks]
            late = any(draft.now - at >= model.settings.member_timeout for at in away)
            if member.role is Role.VOTER and late and listing.entry(member.id) is not None:
                return _removing(draft, member, state.agreeing)
        return ACTIONS["plan_membership"](draft)

    return planned_by(plan)


def _removing(draft: Draft, member: Member, serving: tuple[str, ...]) -> Draft:
    """With its removal on record and asked for, properly but for the reason."""
    record = draft.model.record
    through = next(m for m in record.members if m.name in serving)
    change = Change(
        kind=Kind.REMOVE, member=member.name, id=member.id, generation=record.generation
    )
    view = evolve(draft.model.membership, busy=True)
    return (
        draft.recording(change=change)
        .recording_member(evolve(member, step=Step.REMOVING))
        .having(membership=view)
        .asking(RemoveMember(member=member.name, id=member.id, client_url=through.client_url))
        .changing_course()
    )


@planted("removals_leave_a_quorum", "only_the_failed_are_removed")
def removes_the_live_with_the_dead() -> Cores:
    """The dead one's place in the sorted list is taken for its place in ours: a live voter goes."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_membership"](draft)
        change, record = done.model.record.change, done.model.record
        begun = draft.model.record.change is None and change is not None
        if not begun or change is None or change.kind is not Kind.REMOVE or not change.member:
            return done
        others = [m for m in record.members if m.name != change.member and m.id]
        if not others:
            return done
        wrong = evolve(change, member=others[0].name, id=others[0].id)
        commands = tuple(
            evolve(x, member=wrong.member, id=wrong.id) if isinstance(x, RemoveMember) else x
            for x in done.commands
        )
        return evolve(done.recording(change=wrong), commands=commands)

    return planned_by(plan)


@planted("it_ends_well", "removals_leave_a_quorum")
def counts_the_quorum_from_the_target_size() -> Cores:
    """What remains is compared with -cluster-size, not with the configuration in force."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_membership"](draft)
        removes = [x for x in done.commands if isinstance(x, RemoveMember) and x.member]
        state = assess(draft.model, draft.now)
        well = len([n for n in state.agreeing if not removes or n != removes[0].member])
        if removes and not has_quorum(well, draft.model.settings.cluster_size):
            return draft
        return done

    return planned_by(plan)


@planted("the_dead_leave_first")
def adds_before_the_dead_are_removed() -> Cores:
    """Of two dead voters one is removed, and its replacement is added while the other is listed."""

    def plan(draft: Draft) -> Draft:
        model = draft.model
        dead = [m for m in model.record.members if m.role is Role.VOTER and model.ended(m)]
        busy = model.record.change is not None or learner(model.record) is not None
        full = len(model.record.members) >= model.record.target_size
        listing = model.membership.listing
        if not dead or busy or full or listing is None:
            return ACTIONS["plan_membership"](draft)
        kept = tuple(m for m in model.record.members if m not in dead)
        ids, view = [m.id for m in dead], model.membership
        entries = tuple(x for x in listing.members if x.id not in ids)
        shorter = evolve(view, listing=evolve(listing, members=entries))
        agents = [m.agent_id for m in dead]
        offers = {i: h for i, h in model.offers.items() if h.offer.agent_id not in agents}
        done = ACTIONS["plan_membership"](
            draft.having(
                record=evolve(model.record, members=kept), membership=shorter, offers=offers
            )
        ).having(offers=model.offers)
        if not any(isinstance(x, AddLearner) for x in done.commands):
            return ACTIONS["plan_membership"](draft) if draft.now >= view.look_at else draft
        members = (*model.record.members, done.model.record.members[-1])
        return done.recording(members=members)

    return planned_by(plan)


@planted("the_unstarted_come_first")
def removes_beside_the_unstarted() -> Cores:
    """A dead voter goes at once, also while a learner has yet to start."""

    def plan(draft: Draft) -> Draft:
        joining, listing = learner(draft.model.record), draft.model.membership.listing
        if joining is None or listing is None or draft.model.record.change is not None:
            return ACTIONS["plan_membership"](draft)
        state = assess(draft.model, draft.now)
        model, view = draft.model, draft.model.membership
        for member in model.record.members:
            dead = member.role is Role.VOTER and model.ended(member)
            if dead and state.serving and not view.busy and listing.entry(member.id):
                return _removing(draft, member, state.agreeing)
        return ACTIONS["plan_membership"](draft)

    return planned_by(plan)
