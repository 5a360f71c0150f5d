"""Planted bugs in reseeding: when it begins, who is counted, how it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.health import voters
from etcdmesos.cluster.model import Draft, Model, ProgressView
from etcdmesos.executor.commands import PutBack, RunCopy, StartEtcd
from etcdmesos.executor.guards import GUARDS as EXECUTOR_GUARDS
from etcdmesos.executor.model import Draft as ExecutorDraft
from etcdmesos.executor.model import ExecutorRecord
from etcdmesos.executor.model import Model as ExecutorModel
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.simulation.options import Cores, real_cores
from etcdmesos.simulation.planted.registry import (
    Action,
    executor_with,
    planted,
    scheduler_with,
)
from etcdmesos.step import Command, Event, Step

PLANS = ("watch_quorum", "plan_reseed")

Lie = Callable[[Model, float], Mapping[str, Any]]
"""Fields of the model, or of its record, as a slip takes them."""


def _believing(lie: Lie) -> Cores:
    """Cores that plan reseeds as if these fields of the model were so."""

    def plan(name: str) -> Action:
        def believe(draft: Draft) -> Draft:
            truth, lies = draft.model, dict(lie(draft.model, draft.now))
            done = ACTIONS[name](draft.having(**lies))
            # What the plan has not changed is what it was.
            back = {k: getattr(truth, k) for k in lies if getattr(done.model, k) is lies[k]}
            return done.having(**back)

        return believe

    return scheduler_with(actions={name: plan(name) for name in PLANS})


def _believing_of_the_record(lie: Lie) -> Cores:
    """The same of fields of the record."""

    def plan(name: str) -> Action:
        def believe(draft: Draft) -> Draft:
            truth, lies = draft.model.record, dict(lie(draft.model, draft.now))
            lied = evolve(truth, **lies)
            done = ACTIONS[name](draft.having(record=lied))
            if done.model.record is lied:
                return done.having(record=truth)
            if done.model.record.generation != truth.generation:
                return done
            made = done.model.record
            back = {k: getattr(truth, k) for k in lies if getattr(made, k) == lies[k]}
            return done.having(record=evolve(made, **back))

        return believe

    return scheduler_with(actions={name: plan(name) for name in PLANS})


def _then(change: Callable[[Draft, Draft], Draft]) -> Cores:
    """Cores in which a step of an attempt is changed once it is planned."""

    def plan(draft: Draft) -> Draft:
        return change(draft, ACTIONS["plan_reseed"](draft))

    return scheduler_with(actions={"plan_reseed": plan})


def _stage(draft: Draft) -> Stage | None:
    reseed = draft.model.record.reseed
    return reseed.stage if reseed is not None else None


# When it begins


@planted("reseeds_only_when_quorum_is_gone")
def does_not_wait_for_the_time_out() -> Cores:
    """A lost quorum is reseeded at once, proven or not."""
    return _believing(lambda model, _: {"settings": evolve(model.settings, reseed_timeout=0.0)})


@planted("reseeds_only_when_quorum_is_gone")
def reseeds_unasked() -> Cores:
    """-auto-reseed=false is not looked at."""
    return _believing(lambda model, _: {"settings": evolve(model.settings, auto_reseed=True)})


@planted("reseeds_only_when_quorum_is_gone")
def the_clock_survives_progress() -> Cores:
    """The time since quorum was first lost counts, however often it was back meanwhile."""

    def watch(draft: Draft) -> Draft:
        known = draft.model.quorum_watch
        done = ACTIONS["watch_quorum"](draft)
        if known is None:
            return done
        kept = done.model.quorum_watch
        seen_at = kept.seen_at if kept is not None else draft.now
        return done.having(quorum_watch=evolve(known, seen_at=seen_at))

    return scheduler_with(actions={"watch_quorum": watch})


@planted("reseeds_only_when_quorum_is_gone")
def the_clock_survives_a_reconnection() -> Cores:
    """Time in which this scheduler had no master, or no record, counts as watched."""

    def stop(draft: Draft) -> Draft:
        watch = draft.model.quorum_watch
        return draft.having(quorum_watch=watch and evolve(watch, seen_at=draft.now))

    return scheduler_with(actions={"stop_watching": stop})


@planted("reseeds_only_when_quorum_is_gone")
def takes_failed_probes_for_a_lost_quorum() -> Cores:
    """Whoever does not answer the scheduler is not well, whatever its executor says: a scheduler
    that is alone cut off reseeds a healthy cluster, as the original's livelock count did."""

    def lie(model: Model, _: float) -> Mapping[str, Any]:
        tasks = dict(model.tasks)
        for member in model.record.members:
            if model.view(member.name).failing_since is None:
                continue
            for task in member.tasks:
                if task.id in tasks:
                    tasks[task.id] = evolve(tasks[task.id], healthy=False)
        return {"tasks": tasks}

    return _believing(lie)


@planted("reseeds_only_when_quorum_is_gone")
def holds_though_a_survivor_knows_a_leader() -> Cores:
    """Once begun, an attempt goes on, whatever survivors say of a leader."""

    def lie(model: Model, _: float) -> Mapping[str, Any]:
        reseed = model.record.reseed
        if reseed is None or reseed.stage in (Stage.SEEDING, Stage.RELEASING):
            return {}
        views = {
            name: evolve(view, latest=view.latest and evolve(view.latest, leader=""))
            for name, view in model.views.items()
        }
        return {"views": views, "progress": ProgressView()}

    return _believing(lie)


# Who is counted


@planted("others_are_dead_or_held", "the_proven_serve_alone", "reseeds_only_when_quorum_is_gone")
def counts_the_unreachable_as_dead() -> Cores:
    """A member that is out of reach cannot serve: the field's most expensive mistake."""

    def lie(model: Model, _: float) -> Mapping[str, Any]:
        gone = {
            i: evolve(s, state=TaskState.GONE) if s.state is TaskState.UNREACHABLE else s
            for i, s in model.tasks.items()
        }
        return {"tasks": gone}

    return _believing(lie)


@planted("others_are_dead_or_held", "reseeds_only_when_quorum_is_gone")
def forgets_the_change_in_flight() -> Cores:
    """Only the recorded voters count, though a removal in flight may have shrunk the quorum."""
    return _believing_of_the_record(lambda _model, _now: {"change": None})


@planted("others_are_dead_or_held", "reseeds_only_when_quorum_is_gone")
def forgets_voters_added_by_hand() -> Cores:
    """The quorum is that of our own members, as if the target size could not be exceeded."""
    return _believing_of_the_record(lambda _model, _now: {"foreign_voters": ()})


# How it is carried out


@planted("orders_are_on_record")
def holds_while_it_measures() -> Cores:
    """Survivors are stopped right away: nothing says so on record yet."""

    def change(before: Draft, done: Draft) -> Draft:
        if _stage(before) is not Stage.MEASURING or _stage(done) is not Stage.MEASURING:
            return done
        return evolve(done, commands=tuple(map(_as_hold, done.commands)))

    def _as_hold(command: Command) -> Command:
        if not isinstance(command, SendMessage):
            return command
        order = orders.decode(command.data)
        if not isinstance(order, orders.TakeSnapshot):
            return command
        hold = orders.Hold(
            task_id=order.task_id, epoch=order.epoch, generation=order.generation, in_force=0
        )
        return evolve(command, data=orders.encode(hold))

    return _then(change)


@planted("orders_are_on_record")
def two_seeds() -> Cores:
    """Every held survivor is ordered to seed."""

    def change(before: Draft, done: Draft) -> Draft:
        reseed = before.model.record.reseed
        if reseed is None or reseed.stage is not Stage.SEEDING or reseed.chosen is None:
            return done
        commands: list[Command] = []
        for command in done.commands:
            commands.append(command)
            order = orders.decode(command.data) if isinstance(command, SendMessage) else None
            if not isinstance(command, SendMessage) or not isinstance(order, orders.Seed):
                continue
            for member in voters(before.model.record):
                task = member.tasks[-1] if member.tasks else None
                if task is not None and task.id != order.task_id:
                    other = orders.encode(evolve(order, task_id=task.id))
                    commands.append(
                        SendMessage(
                            executor_id=task.executor_id, agent_id=task.agent_id, data=other
                        )
                    )
        return evolve(done, commands=tuple(commands))

    return _then(change)


@planted("orders_are_on_record")
def releases_others_before_the_seed_serves() -> Cores:
    """The rest is let go as soon as the seed has its order."""

    def change(before: Draft, done: Draft) -> Draft:
        reseed, record = before.model.record.reseed, before.model.record
        if reseed is None or reseed.stage is not Stage.SEEDING:
            return done
        others = [m for m in record.members if m.name != reseed.seed and m.tasks]
        return done.asking(
            *(
                SendMessage(
                    executor_id=member.tasks[-1].executor_id,
                    agent_id=member.tasks[-1].agent_id,
                    data=orders.encode(
                        orders.Release(
                            task_id=member.tasks[-1].id,
                            epoch=record.epoch,
                            generation=reseed.generation,
                            in_force=record.generation,
                        )
                    ),
                )
                for member in others
            )
        )

    return _then(change)


@planted("the_best_is_the_seed", "losses_are_admitted")
def takes_the_first_survivor() -> Cores:
    """How far each survivor's log goes is not compared."""

    def lie(model: Model, _: float) -> Mapping[str, Any]:
        reports = {
            i: evolve(
                report,
                commit_index=0,
                snapshot=report.snapshot and evolve(report.snapshot, applied_index=0, revision=0),
            )
            for i, report in model.reports.items()
        }
        return {"reports": reports}

    return _believing(lie)


@planted("attempts_have_their_own_generations")
def reuses_the_generation() -> Cores:
    """The next seed after a failed one is tried in the same generation."""
    return _believing_of_the_record(
        lambda model, _: {"attempted_generation": model.record.generation}
    )


@planted("announced_when_verified")
def announces_before_it_is_verified() -> Cores:
    """A seed that answers is the cluster: whether it commits anything is not waited for."""

    def lie(model: Model, now: float) -> Mapping[str, Any]:
        reseed = model.record.reseed
        if reseed is None or reseed.stage is not Stage.SEEDING:
            return {}
        return {"progress": evolve(model.progress, made_by=reseed.seed, made_at=now)}

    return _believing(lie)


@planted("reseeds_are_told")
def does_not_tell_of_it() -> Cores:
    """Nothing is kept of a reseed that succeeded, nor of what may be missing."""

    def change(before: Draft, done: Draft) -> Draft:
        told = before.model.record.reseeds
        return done if done.model.record.reseeds == told else done.recording(reseeds=told)

    return _then(change)


# Executors


def _letting_out(change: Callable[[ExecutorModel, Command], Command]) -> Cores:
    """Executors whose commands are changed on their way out."""
    cores = executor_with()

    def step(model: ExecutorModel, event: Event, now: float) -> Step[ExecutorModel, ExecutorRecord]:
        done = cores.executor_step(model, event, now)
        commands = tuple(change(done.model, command) for command in done.commands)
        return evolve(done, commands=commands)

    return evolve(real_cores(), executor_start=cores.executor_start, executor_step=step)


@planted("only_copies_are_forced")
def measures_the_data_itself() -> Cores:
    """--force-new-cluster is run on the member's own data, to save the room for a copy."""

    def change(_: ExecutorModel, command: Command) -> Command:
        if isinstance(command, RunCopy):
            return evolve(command, copy_directory=command.data_directory)
        return command

    return _letting_out(change)


@planted("only_copies_are_forced")
def seeds_with_force() -> Cores:
    """The seed is started with --force-new-cluster, as the original did it."""

    def change(model: ExecutorModel, command: Command) -> Command:
        if isinstance(command, StartEtcd) and model.record.seeded:
            return evolve(command, arguments=(*command.arguments, "--force-new-cluster"))
        return command

    return _letting_out(change)


@planted("what_is_set_aside_is_kept")
def clears_away_what_was_set_aside() -> Cores:
    """When a seed failed, what was set aside is removed instead of put back."""

    def change(_: ExecutorModel, command: Command) -> Command:
        if isinstance(command, PutBack):
            return evolve(command, aside=command.failed, remove=(command.aside,))
        return command

    return _letting_out(change)


@planted("the_held_stay_down")
def starts_what_is_held() -> Cores:
    """An executor that holds its member starts it again when it is asked to do nothing."""

    def may_run(draft: ExecutorDraft) -> bool:
        return EXECUTOR_GUARDS["may_run"](draft) or draft.model.phase == "held"

    def must_not_run(draft: ExecutorDraft) -> bool:
        return EXECUTOR_GUARDS["must_not_run"](draft) and draft.model.phase != "starting"

    return executor_with(guards={"may_run": may_run, "must_not_run": must_not_run})
