"""Planted bugs in the replacement of members: who joins, and what becomes of who left."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from etcdmesos.cluster import events as e
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import (
    AddLearner,
    Decline,
    Kill,
    Launch,
    PromoteLearner,
    RemoveMember,
    Revive,
)
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Change, Kind, Member, Record, Step
from etcdmesos.cluster.repairs import learner
from etcdmesos.etcd.member_list import ListedMember
from etcdmesos.mesos.statuses import ALIVE, REFUSED
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import (
    ClusterStep,
    planned_by,
    planted,
    scheduler_with,
)
from etcdmesos.step import CommandDone, Event, TimerFired
from etcdmesos.step import Step as CoreStep

WATCHING = ("healthy", "degraded", "reconfiguring")


@planted("learners_have_caught_up")
def promotes_at_once() -> Cores:
    """A learner that was launched is made a voter: it will catch up as one."""

    def plan(draft: Draft) -> Draft:
        model = draft.model
        joining, state = learner(model.record), assess(model, draft.now)
        view = model.membership
        if (
            joining is None
            or joining.step is not Step.JOINING
            or model.record.change is not None
            or view.busy
            or view.listing is None
            or not state.serving
        ):
            return ACTIONS["plan_membership"](draft)
        through = next(m for m in model.record.members if m.name in state.agreeing)
        change = Change(
            kind=Kind.PROMOTE,
            member=joining.name,
            id=joining.id,
            generation=model.record.generation,
        )
        asked = PromoteLearner(member=joining.name, id=joining.id, client_url=through.client_url)
        return (
            draft.recording(change=change)
            .having(membership=evolve(view, busy=True))
            .asking(asked)
            .changing_course()
        )

    return planned_by(plan)


@planted("changes_follow_a_reading")
def asks_again_without_looking() -> Cores:
    """An addition that nobody answered is asked for again, with the list as it was: two ghosts."""

    def take(draft: Draft) -> Draft:
        done = ACTIONS["take_outcome"](draft)
        command = getattr(draft.event, "command", None)
        if not isinstance(command, AddLearner) or isinstance(draft.event, CommandDone):
            return done
        known = draft.model.membership.listing
        return done.having(membership=evolve(done.model.membership, listing=known))

    return scheduler_with(actions={"take_outcome": take})


@planted("it_ends_well")
def ignores_ghosts() -> Cores:
    """Entries of the list that were never started are somebody else's business."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_membership"](draft)
        change = done.model.record.change
        ghost = change is not None and change.kind is Kind.REMOVE and change.member == ""
        return draft if ghost else done

    return planned_by(plan)


@planted("it_ends_well", "strays_are_ended", "no_stray_survives")
def never_gives_a_learner_up() -> Cores:
    """A learner that died while it joined is waited for."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_membership"](draft)
        change, joining = done.model.record.change, learner(draft.model.record)
        evicts = (
            change is not None
            and joining is not None
            and change.kind is Kind.REMOVE
            and change.member == joining.name
        )
        return draft if evicts else done

    return planned_by(plan)


@planted("strays_are_ended", "no_stray_survives")
def forgets_the_task_of_the_removed() -> Cores:
    """When an agent comes back with the task of a member that was replaced, nobody ends it."""

    def forgetting(action: str) -> Callable[[Draft], Draft]:
        def forget(draft: Draft) -> Draft:
            done = ACTIONS[action](draft)
            return done.having(kills=draft.model.kills) if draft.model.record.served else done

        return forget

    names = ("take_task_update", "plan_membership")
    return scheduler_with(actions={name: forgetting(name) for name in names})


@planted("the_removed_stay_out")
def lets_the_returned_in_again() -> Cores:
    """A task of a removed member that comes back, healthy by all signs, is welcome again."""

    def around(step: ClusterStep) -> ClusterStep:
        removed: dict[str, Member] = {}

        def remembering(model: Model, event: Event, now: float) -> CoreStep[Model, Record]:
            task = event.status.task_id if isinstance(event, e.TaskUpdated) else ""
            if isinstance(event, e.RecordLoaded):
                removed.clear()
            back = removed.get(task)
            done = step(model, event, now)
            if (
                back is not None
                and isinstance(event, e.TaskUpdated)
                and event.status.state in ALIVE
                and done.model.phase in WATCHING
                and done.model.record.member(back.name) is None
            ):
                return _welcoming(done, back)
            for member in model.record.members if model.store.loaded else ():
                if done.model.record.member(member.name) is None:
                    removed.update((t.id, member) for t in member.tasks)
            return done

        return remembering

    return scheduler_with(around=around)


def _welcoming(done: CoreStep[Model, Record], back: Member) -> CoreStep[Model, Record]:
    """With this member on record again."""
    record, saved = done.model.record, done.save is not None
    members = (*record.members, evolve(back, step=Step.VOTER))
    record = evolve(record, members=members, sequence=record.sequence + (not saved))
    return evolve(done, model=evolve(done.model, record=record), save=record)


@planted("learners_start_when_listed")
def launches_before_it_is_listed() -> Cores:
    """The learner's task is launched along with the addition: whatever becomes of that."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_membership"](draft)
        asked = [x for x in done.commands if isinstance(x, AddLearner)]
        view = done.model.membership
        if not asked or view.listing is None:
            return done
        member = done.model.record.member(asked[0].member)
        assert member is not None
        hoped = ListedMember(
            id="0" * 16,
            name="",
            peer_urls=(member.peer_url,),
            client_urls=(),
            learner=True,
        )
        listing = evolve(view.listing, members=(*view.listing.members, hoped))
        early = evolve(done, model=evolve(done.model, membership=evolve(view, busy=False)))
        early = early.having(
            membership=evolve(early.model.membership, listing=listing), offers=draft.model.offers
        )
        launched = ACTIONS["plan_membership"](early)
        return launched.recording(change=done.model.record.change)

    return planned_by(plan)


@planted("names_are_used_once", "the_removed_stay_out", "data_belongs_to_one_member")
def reuses_the_name_of_the_removed() -> Cores:
    """The replacement takes the place and the name of the one it replaces."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_membership"](draft)
        asked = [x for x in done.commands if isinstance(x, AddLearner)]
        if not asked or done.model.record.next_member == draft.model.record.next_member:
            return done
        record, old = done.model.record, asked[0].member
        taken = {m.name for m in record.members}
        name = next(f"etcd-{n}" for n in range(1, 1000) if f"etcd-{n}" not in taken)
        members = tuple(evolve(m, name=name) if m.name == old else m for m in record.members)
        change = record.change and evolve(record.change, member=name)
        commands = tuple(
            evolve(x, member=name) if isinstance(x, AddLearner) else x for x in done.commands
        )
        places = {name if n == old else n: place for n, place in done.model.places.items()}
        renamed = done.recording(members=members, change=change).having(places=places)
        return evolve(renamed, commands=commands)

    return planned_by(plan)


@planted("changes_are_on_record")
def asks_before_it_is_on_record() -> Cores:
    """A change is asked for first and recorded with its outcome, as the original did it."""

    def around(step: ClusterStep) -> ClusterStep:
        def late(model: Model, event: Event, now: float) -> CoreStep[Model, Record]:
            done = step(model, event, now)
            asks = any(
                isinstance(x, AddLearner | PromoteLearner | RemoveMember) for x in done.commands
            )
            return evolve(done, save=None) if asks else done

        return late

    return scheduler_with(around=around)


@planted("members_are_spared", "kills_are_on_record")
def kills_who_lost_the_quorum() -> Cores:
    """A member that knows no leader is restarted: its task is killed."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_kills"](draft)
        model = done.model
        for member in model.record.members if model.record.served else ():
            view = model.view(member.name)
            leaderless = view.latest is not None and not view.latest.leader
            if leaderless and member.step is Step.VOTER and member.tasks:
                task = member.tasks[-1]
                return done.asking(Kill(task_id=task.id, agent_id=task.agent_id))
        return done

    return scheduler_with(actions={"plan_kills": plan})


@planted("launches_are_on_record", "offers_stand_when_used")
def accepts_twice() -> Cores:
    """An ACCEPT that the master refused is sent again, with other offers and the same task id."""

    def around(step: ClusterStep) -> ClusterStep:
        last: dict[str, Launch] = {}
        refused: list[Launch] = []

        def again(model: Model, event: Event, now: float) -> CoreStep[Model, Record]:
            if isinstance(event, e.RecordLoaded):
                last.clear()
                refused.clear()
            if isinstance(event, e.TaskUpdated) and event.status.state in REFUSED:
                launch = last.pop(event.status.task_id, None)
                if launch is not None and model.phase in WATCHING:
                    refused.append(launch)
                    done = step(model, TimerFired(), now)
                    return evolve(done, commands=(*done.commands, Revive()))
            done = step(model, event, now)
            for launch in (x for x in done.commands if isinstance(x, Launch)):
                last.update((task.id, launch) for task in launch.tasks)
            if refused and isinstance(event, e.OffersReceived) and done.model.phase in WATCHING:
                return _accepting(done, refused, event)
            return done

        return again

    return scheduler_with(around=around)


def _accepting(
    done: CoreStep[Model, Record], refused: list[Launch], event: e.OffersReceived
) -> CoreStep[Model, Record]:
    """With the refused launch on an offer of its agent, if there is one."""
    agent = refused[0].tasks[0].agent_id
    offers = tuple(offer.id for offer in event.offers if offer.agent_id == agent)
    if not offers:
        return done
    kept = tuple(x for x in done.commands if not isinstance(x, Decline))
    return evolve(done, commands=(*kept, evolve(refused.pop(), offer_ids=offers)))


@planted("one_change_is_under_way", "changes_follow_a_reading", "changes_are_on_record")
def does_not_wait_for_the_outcome() -> Cores:
    """The next step is taken on the list as it was, while the last request is under way."""

    def plan(draft: Draft) -> Draft:
        view = draft.model.membership
        change = draft.model.record.change
        waits = view.busy and view.listing is not None and change is not None
        return ACTIONS["plan_membership"](
            draft.having(membership=evolve(view, busy=False)) if waits else draft
        )

    return planned_by(plan)
