"""Planted bugs that make it wait for ever, or not at all: hidden livelocks."""

from __future__ import annotations

import math

from attrs import evolve

from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Record
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import ClusterStep, planted, scheduler_with
from etcdmesos.step import Event, Step


@planted("it_ends_well", "healthy_is_seen")
def never_asks_to_be_woken() -> Cores:
    """The step names no moment at which it wants to go on."""

    def around(step: ClusterStep) -> ClusterStep:
        def asleep(model: Model, event: Event, now: float) -> Step[Model, Record]:
            return evolve(step(model, event, now), wake_at=None)

        return asleep

    return scheduler_with(around=around)


@planted("it_does_not_spin")
def wants_to_be_woken_at_once() -> Cores:
    """A moment that has passed is asked for again: a busy loop."""

    def around(step: ClusterStep) -> ClusterStep:
        def restless(model: Model, event: Event, now: float) -> Step[Model, Record]:
            done = step(model, event, now)
            return evolve(done, wake_at=now) if done.model.phase == "degraded" else done

        return restless

    return scheduler_with(around=around)


@planted("it_ends_well")
def never_subscribes_again() -> Cores:
    """A lost subscription is waited for, and nobody asks for another one."""

    def note(draft: Draft) -> Draft:
        done = ACTIONS["note_disconnected"](draft)
        return done.having(mesos=evolve(done.model.mesos, subscribe_at=math.inf))

    return scheduler_with(actions={"note_disconnected": note})


@planted("it_ends_well")
def never_loads_again() -> Cores:
    """A record that could not be read once is not asked for again."""

    def note(draft: Draft) -> Draft:
        done = ACTIONS["note_record_unavailable"](draft)
        return done.having(store=evolve(done.model.store, loading=True))

    return scheduler_with(actions={"note_record_unavailable": note})


@planted("it_ends_well")
def reconciles_once() -> Cores:
    """Mesos answers a reconciliation at most once; the question is not repeated."""

    def keep(draft: Draft) -> Draft:
        mesos = draft.model.mesos
        if mesos.subscribed and mesos.reconcile_wait > draft.model.settings.reconcile_first:
            draft = draft.having(mesos=evolve(mesos, reconcile_at=math.inf))
        return ACTIONS["keep_links"](draft)

    return scheduler_with(actions={"keep_links": keep})


@planted("it_ends_well")
def an_unanswered_launch_is_waited_for() -> Cores:
    """A bootstrap has no limit: what was never launched is waited for."""

    def plan(draft: Draft) -> Draft:
        if draft.model.record.members:
            draft = draft.having(attempt_since=draft.now)
        return ACTIONS["plan_bootstrap"](draft)

    return scheduler_with(actions={"plan_bootstrap": plan})


@planted("it_ends_well")
def waits_for_the_unreachable() -> Cores:
    """An attempt that is given up is over only when each of its tasks is proven dead (the
    original blocked for ever on members that were gone)."""

    def plan(draft: Draft) -> Draft:
        model = draft.model
        leaving = [m for m in model.record.members if m.step.value == "removing"]
        if leaving and not all(model.ended(m) for m in leaving):
            return draft
        return ACTIONS["plan_bootstrap"](draft)

    return scheduler_with(actions={"plan_bootstrap": plan})
