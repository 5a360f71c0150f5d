"""Planted bugs in what is made of what was heard: of tasks, of health, of updates."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from etcdmesos.cluster import events as e
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import Acknowledge, Shutdown
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Record, Step
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import ClusterStep, planted, scheduler_with
from etcdmesos.step import Event
from etcdmesos.step import Step as CoreStep


def _reading(*states: TaskState) -> Callable[[ClusterStep], ClusterStep]:
    """A step that takes these states for a proof of death."""

    def around(step: ClusterStep) -> ClusterStep:
        def read(model: Model, event: Event, now: float) -> CoreStep[Model, Record]:
            if isinstance(event, e.TaskUpdated) and event.status.state in states:
                event = evolve(event, status=evolve(event.status, state=TaskState.GONE))
            return step(model, event, now)

        return read

    return around


@planted(
    "only_the_proven_dead_are_dead",
    "only_the_hopeless_are_given_up",
    "acknowledges_what_it_took_in",
)
def unreachable_is_dead() -> Cores:
    """TASK_UNREACHABLE counts as an end: the field's most expensive mistake on Mesos."""
    return scheduler_with(around=_reading(TaskState.UNREACHABLE))


@planted(
    "only_the_proven_dead_are_dead",
    "only_the_hopeless_are_given_up",
    "acknowledges_what_it_took_in",
)
def unknown_is_dead() -> Cores:
    """A reconciled TASK_UNKNOWN counts as an end."""
    return scheduler_with(around=_reading(TaskState.UNKNOWN))


@planted("acknowledges_what_it_took_in")
def acknowledges_before_taking_in() -> Cores:
    """While it recovers, updates are acknowledged and left for later."""

    def take(draft: Draft) -> Draft:
        event = draft.event
        assert isinstance(event, e.TaskUpdated)
        if draft.model.phase == "recovering" and event.status.uuid:
            return draft.asking(Acknowledge(status=event.status))
        return ACTIONS["take_task_update"](draft)

    return scheduler_with(actions={"take_task_update": take})


@planted("acknowledges_what_it_took_in")
def never_acknowledges_an_end() -> Cores:
    """Of a task that is dead nothing more is said, not even an acknowledgement."""

    def take(draft: Draft) -> Draft:
        event = draft.event
        assert isinstance(event, e.TaskUpdated)
        done = ACTIONS["take_task_update"](draft)
        if not event.status.dead:
            return done
        return evolve(
            done, commands=tuple(c for c in done.commands if not isinstance(c, Acknowledge))
        )

    return scheduler_with(actions={"take_task_update": take})


@planted("strays_are_ended", "no_stray_survives")
def never_kills_strays() -> Cores:
    """Only tasks of members are killed: executors outlive everything, as the original's did."""

    def plan(draft: Draft) -> Draft:
        record = draft.model.record
        of_members = {t.id for m in record.members for t in m.tasks}
        ours = {i: k for i, k in draft.model.kills.items() if i in of_members}
        done = ACTIONS["plan_kills"](draft.having(kills=ours))
        return done.having(kills={**draft.model.kills, **done.model.kills})

    return scheduler_with(actions={"plan_kills": plan})


@planted("strays_are_ended", "no_stray_survives", "it_ends_well")
def asks_once_to_end() -> Cores:
    """One KILL, and no SHUTDOWN when it is lost or ignored."""

    def plan(draft: Draft) -> Draft:
        fresh = {i: k for i, k in draft.model.kills.items() if k.since is None}
        removed = any(m.step is Step.REMOVING for m in draft.model.record.members)
        done = ACTIONS["plan_kills"](
            draft.having(kills=fresh if not removed else draft.model.kills)
        )
        done = done.having(kills={**draft.model.kills, **done.model.kills})
        return evolve(done, commands=tuple(c for c in done.commands if not isinstance(c, Shutdown)))

    return scheduler_with(actions={"plan_kills": plan})


@planted("healthy_is_seen")
def a_quorum_is_healthy() -> Cores:
    """Healthy as soon as a quorum serves, whatever the size."""

    def all_well(draft: Draft) -> bool:
        return assess(draft.model, draft.now).serving

    return scheduler_with(
        guards={"all_well": all_well, "unwell": lambda draft: not all_well(draft)}
    )


@planted("healthy_is_seen", "serving_is_seen")
def a_leader_is_progress() -> Cores:
    """A member that names a leader proves that raft makes progress."""

    def take(draft: Draft) -> Draft:
        event = draft.event
        assert isinstance(event, e.MemberProbed)
        done = ACTIONS["take_health"](draft)
        if not event.health.leader:
            return done
        return done.having(
            progress=evolve(done.model.progress, made_at=draft.now, failing_since=None)
        )

    return scheduler_with(actions={"take_health": take})


@planted("serving_is_seen", "healthy_is_seen")
def one_answers_for_all() -> Cores:
    """One endpoint answers for all members, as in the original's health check."""

    def take(draft: Draft) -> Draft:
        event = draft.event
        assert isinstance(event, e.MemberProbed)
        done = ACTIONS["take_health"](draft)
        if not event.health.serving_voter:
            return done
        seen = done.model.view(event.member)
        views = {m.name: seen for m in done.model.record.members}
        return done.having(views={**done.model.views, **views})

    return scheduler_with(actions={"take_health": take})


@planted("healthy_is_seen", "serving_is_seen", "it_ends_well")
def health_never_ages() -> Cores:
    """A member's last good word counts for ever: probes that fail change nothing."""

    def take(draft: Draft) -> Draft:
        done = ACTIONS["take_outcome"](draft)
        views = {
            name: evolve(view, failing_since=None, latest_at=draft.now)
            for name, view in done.model.views.items()
        }
        progress = evolve(done.model.progress, failing_since=None)
        if progress.made_at is not None:
            progress = evolve(progress, made_at=draft.now)
        return done.having(views=views, progress=progress)

    return scheduler_with(actions={"take_outcome": take})


@planted("it_ends_well")
def a_failed_probe_is_the_last() -> Cores:
    """What was once found failing is never asked again."""

    def plan(draft: Draft) -> Draft:
        failing = {n: v for n, v in draft.model.views.items() if v.failing_since is not None}
        probing = {n: evolve(v, probing=True) for n, v in failing.items()}
        return ACTIONS["plan_probes"](draft.having(views={**draft.model.views, **probing}))

    return scheduler_with(actions={"plan_probes": plan})
