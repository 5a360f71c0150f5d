"""Planted bugs of several schedulers: who acts when, and what is fenced by what."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import Exit, Launch, Subscribe
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.promises import RECONFIGURES
from etcdmesos.cluster.record import Record
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import ClusterStep, planted, scheduler_with
from etcdmesos.step import CommandFailed, Event, SaveFailed, Step

NOT_SAVED = "the record was not saved"
"""Why a command failed whose step was not saved."""


@planted("only_the_leader_acts")
def acts_after_suspension() -> Cores:
    """A session that is only suspended is nothing to stop for."""
    return scheduler_with(actions={"suspend_leadership": lambda draft: draft})


@planted("only_the_leader_acts")
def goes_on_without_its_session() -> Cores:
    """Leadership is taken at the start, and for ever."""

    def nothing(draft: Draft) -> Draft:
        return draft

    return scheduler_with(actions={"suspend_leadership": nothing, "lose_leadership": nothing})


@planted("only_the_leader_acts")
def a_standby_takes_the_record_over() -> Cores:
    """Whoever reads the record claims the next epoch, elected or not."""

    def take(draft: Draft) -> Draft:
        leads = evolve(draft.model.leadership, held=True)
        return ACTIONS["take_record"](draft.having(leadership=leads))

    return scheduler_with(actions={"take_record": take})


@planted("the_failed_over_stay_away", "the_core_takes_everything_in")
def kicks_the_other_off() -> Cores:
    """ "Framework failed over" is taken for a connection that broke, and subscribed again after."""

    def give_up(draft: Draft) -> Draft:
        done = ACTIONS["give_up_framework"](draft)
        ends = any(isinstance(command, Exit) for command in done.commands)
        return draft if ends else done

    return scheduler_with(actions={"give_up_framework": give_up})


@planted("epochs_have_one_holder", "subscribes_after_takeover")
def takes_an_unknown_epoch_for_its_own() -> Cores:
    """The record of our epoch must be ours, even if our first save of it was never confirmed (a
    bug that the simulation found)."""

    def take(draft: Draft) -> Draft:
        store = evolve(draft.model.store, doubtful=False)
        return ACTIONS["take_record"](draft.having(store=store))

    return scheduler_with(actions={"take_record": take})


@planted("changes_follow_a_write")
def asks_again_without_a_fence() -> Cores:
    """A change that is on record already needs no other write before it is asked for again."""

    def around(step: ClusterStep) -> ClusterStep:
        def unfenced(model: Model, event: Event, now: float) -> Step[Model, Record]:
            done = step(model, event, now)
            asks = any(isinstance(command, RECONFIGURES) for command in done.commands)
            if not asks or done.save is None:
                return done
            sequence = model.record.sequence
            if evolve(done.save, sequence=sequence) != model.record:
                return done
            return evolve(done, save=None, model=evolve(done.model, record=model.record))

        return unfenced

    return scheduler_with(around=around)


@planted("launches_are_on_record", "changes_are_on_record", "subscribes_after_takeover")
def takes_an_unknown_write_for_done() -> Cores:
    """A write whose answer was lost has most likely arrived: what was to follow it is let go."""

    def note(draft: Draft) -> Draft:
        event = draft.event
        assert isinstance(event, SaveFailed)
        return ACTIONS["note_save_failed"](draft) if event.conflict else draft

    def take(draft: Draft) -> Draft:
        event = draft.event
        if isinstance(event, CommandFailed) and event.reason == NOT_SAVED:
            matters = isinstance(event.command, (Subscribe, Launch, *RECONFIGURES))
            return draft.asking(event.command) if matters else draft
        return ACTIONS["take_outcome"](draft)

    return scheduler_with(actions={"note_save_failed": note, "take_outcome": take})
