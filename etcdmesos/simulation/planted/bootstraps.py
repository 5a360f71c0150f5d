"""Planted bugs about what is bootstrapped, when, and beside what."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import events as e
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.guards import GUARDS
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.record import Step
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import planted, scheduler_with

IMPATIENT = 15.0
"""Seconds."""


@planted("only_the_hopeless_are_given_up", "served_is_for_ever")
def bootstraps_again_when_all_are_dead() -> Cores:
    """`new` whenever no member runs, as in the original: an empty cluster in the place of one that
    had data."""

    def never_served(draft: Draft) -> bool:
        return GUARDS["never_served"](draft) or GUARDS["all_gone"](draft)

    def plan(draft: Draft) -> Draft:
        if GUARDS["all_gone"](draft):
            return draft.recording(members=(), served=False, cluster_id="")
        return ACTIONS["plan_bootstrap"](draft)

    def all_gone(draft: Draft) -> bool:
        watching = draft.model.phase in ("healthy", "degraded")
        return watching and GUARDS["all_gone"](draft)

    def late_to_join(draft: Draft) -> bool:
        return GUARDS["late_to_join"](draft) and not GUARDS["all_gone"](draft)

    return scheduler_with(
        guards={
            "never_served": never_served,
            "late_to_join": late_to_join,
            "all_gone": all_gone,
        },
        actions={"plan_bootstrap": plan},
    )


@planted("served_is_for_ever")
def forgets_that_it_served() -> Cores:
    """A takeover reads who the members are, and not that they have served."""

    def take(draft: Draft) -> Draft:
        return ACTIONS["take_record"](draft).recording(served=False)

    return scheduler_with(actions={"take_record": take})


@planted("serving_is_noted")
def does_not_note_that_it_serves() -> Cores:
    """That a member was seen serving is not recorded."""

    def take(draft: Draft) -> Draft:
        done = ACTIONS["take_health"](draft)
        return done.recording(served=draft.model.record.served)

    return scheduler_with(actions={"take_health": take})


@planted("looks_around_before_a_bootstrap")
def bootstraps_beside_a_namesake() -> Cores:
    """Another framework's tasks are none of our business."""

    def take(draft: Draft) -> Draft:
        event = draft.event
        assert isinstance(event, e.MasterStateRead)
        alone = evolve(event, state=evolve(event.state, frameworks=()))
        return ACTIONS["take_master_state"](evolve(draft, event=alone))

    return scheduler_with(actions={"take_master_state": take})


@planted("looks_around_before_a_bootstrap")
def does_not_wait_for_agents() -> Cores:
    """Agents that the master still expects back are not waited for."""

    def take(draft: Draft) -> Draft:
        event = draft.event
        assert isinstance(event, e.MasterStateRead)
        complete = evolve(event, state=evolve(event.state, outstanding_agents=0))
        return ACTIONS["take_master_state"](evolve(draft, event=complete))

    return scheduler_with(actions={"take_master_state": take})


@planted("only_the_hopeless_are_given_up")
def gives_up_a_quorum() -> Cores:
    """An attempt that takes longer than it should is given up, whoever has started."""

    def plan(draft: Draft) -> Draft:
        model = draft.model
        members = model.record.members
        late = draft.now - model.attempt_since > IMPATIENT
        if members and late and not any(m.step is Step.REMOVING for m in members):
            leaving = tuple(evolve(m, step=Step.REMOVING) for m in members)
            return draft.recording(members=leaving)
        return ACTIONS["plan_bootstrap"](draft)

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("only_the_hopeless_are_given_up", "kills_are_on_record")
def one_dead_member_ends_the_attempt() -> Cores:
    """A bootstrap is all or nothing, even when a quorum of it runs."""

    def plan(draft: Draft) -> Draft:
        model = draft.model
        members = model.record.members
        if any(model.ended(m) for m in members) and members[0].step is not Step.REMOVING:
            leaving = tuple(evolve(m, step=Step.REMOVING) for m in members)
            return draft.recording(members=leaving)
        return ACTIONS["plan_bootstrap"](draft)

    return scheduler_with(actions={"plan_bootstrap": plan})
