"""Planted bugs about offers and places."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import Decline, Launch, Revive
from etcdmesos.cluster.model import Draft
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import planted, scheduler_with


@planted("members_are_few_and_apart")
def two_on_one_agent() -> Cores:
    """-single-instance-per-slave is not looked at when places are chosen."""

    def plan(draft: Draft) -> Draft:
        settings = draft.model.settings
        anywhere = evolve(settings, single_instance_per_agent=False)
        return ACTIONS["plan_bootstrap"](draft.having(settings=anywhere)).having(settings=settings)

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("members_are_few_and_apart")
def pending_members_do_not_count() -> Cores:
    """Every member of a gang takes the first place, as if no other were pending (recorded by the
    original: pending tasks did not count for uniqueness)."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_bootstrap"](draft)
        launches = [c for c in done.commands if isinstance(c, Launch)]
        if not launches:
            return done
        first = done.model.record.members[0]
        members = tuple(
            evolve(
                m,
                agent_id=first.agent_id,
                host=first.host,
                tasks=tuple(evolve(t, agent_id=first.agent_id) for t in m.tasks),
            )
            for m in done.model.record.members
        )
        return done.recording(members=members)

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("members_are_few_and_apart")
def one_member_too_many() -> Cores:
    """One more than wanted is launched, to be on the safe side."""

    def plan(draft: Draft) -> Draft:
        settings = draft.model.settings
        more = evolve(settings, cluster_size=settings.cluster_size + 1)
        return ACTIONS["plan_bootstrap"](draft.having(settings=more)).having(settings=settings)

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("offers_stand_when_used")
def ignores_a_rescinded_offer() -> Cores:
    """A rescinded offer stays in the cache."""
    return scheduler_with(actions={"drop_offer": _nothing})


@planted("offers_stand_when_used")
def keeps_offers_of_an_old_subscription() -> Cores:
    """Offers survive the loss of the subscription."""

    def note(draft: Draft) -> Draft:
        return ACTIONS["note_disconnected"](draft).having(offers=draft.model.offers)

    def take(draft: Draft) -> Draft:
        return ACTIONS["take_subscription"](draft).having(offers=draft.model.offers)

    return scheduler_with(actions={"note_disconnected": note, "take_subscription": take})


@planted("it_ends_well")
def never_revives() -> Cores:
    """Offers are suppressed once there is a gang, and never asked for again."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_offers"](draft)
        return evolve(done, commands=tuple(c for c in done.commands if not isinstance(c, Revive)))

    return scheduler_with(actions={"plan_offers": plan})


@planted("it_ends_well")
def refuses_offers_for_ever() -> Cores:
    """A declined offer is refused for a week: the original refused the offers that it needed."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_offers"](draft)
        commands = tuple(
            evolve(c, refuse_seconds=604800.0) if isinstance(c, Decline) else c
            for c in done.commands
            if not isinstance(c, Revive)
        )
        return evolve(done, commands=commands)

    return scheduler_with(actions={"plan_offers": plan})


@planted("members_are_where_they_may_be")
def constraints_are_for_gangs() -> Cores:
    """A replacement goes wherever there is room: constraints were looked at when the cluster was
    gathered."""

    def plan(draft: Draft) -> Draft:
        settings = draft.model.settings
        anywhere = evolve(settings, constraints=())
        return ACTIONS["plan_membership"](draft.having(settings=anywhere)).having(settings=settings)

    return scheduler_with(actions={"plan_membership": plan})


@planted("members_are_where_they_may_be")
def zone_of_the_wrong_offer() -> Cores:
    """What is recorded of an agent is taken from the first offer in hand, not from its own."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_bootstrap"](draft)
        if not any(isinstance(command, Launch) for command in done.commands):
            return done
        first = min(draft.model.offers.values(), key=lambda held: held.offer.id).offer
        members = tuple(
            evolve(m, region=first.region, zone=first.zone) for m in done.model.record.members
        )
        return done.recording(members=members)

    return scheduler_with(actions={"plan_bootstrap": plan})


def _nothing(draft: Draft) -> Draft:
    return draft
