"""What is due in a proxy that knows this much.

So few things can be the case that a chart would say no more than `plan` does: there is a front or
not, and it stands before the cluster as it is or not.
"""

from __future__ import annotations

import signal

from attrs import evolve

from etcdmesos.proxy import words as w
from etcdmesos.proxy.model import Model, Running
from etcdmesos.step import Command, Exit, Step


def plan(model: Model, now: float) -> Step[Model, None]:
    """What is due at `now`."""
    if model.ending:
        return _plan_end(model, now)
    commands: list[Command] = []
    if not model.looking and now >= model.look_at:
        model = evolve(model, looking=True)
        commands.append(w.FindCluster())
    running = model.running
    if running is None:
        model, command = _plan_start(model, now)
    elif running.stopping:
        model, command = _plan_kill(model, running, now)
    elif reason := _why_stop(model, running):
        model, command = _stop(model, running, signal.SIGTERM, now)
        model = evolve(model, remark=reason)
    else:
        model, command = _plan_check(model, running, now)
    commands += [command] if command else []
    return Step(model=model, commands=tuple(commands), wake_at=_wake_at(model))


def _plan_end(model: Model, now: float) -> Step[Model, None]:
    running = model.running
    if running is None:
        return Step(model=model, commands=(Exit(status=0),))
    if running.stopping:
        model, command = _plan_kill(model, running, now)
    else:
        model, command = _stop(model, running, model.ending, now)
    return Step(model=model, commands=(command,) if command else (), wake_at=_wake_at(model))


def _plan_start(model: Model, now: float) -> tuple[Model, Command | None]:
    if model.cluster is None or now < model.start_at:
        return model, None
    run = model.runs + 1
    running = Running(
        run=run,
        cluster=model.cluster,
        since=now,
        checked_at=now,
    )
    arguments = model.settings.front.arguments(model.cluster)
    remark = f"starts the front before {', '.join(model.cluster.endpoints)}"
    return evolve(model, running=running, runs=run, remark=remark), w.StartFront(
        run=run, arguments=arguments
    )


def _why_stop(model: Model, running: Running) -> str:
    """Why the front that runs must be another one; "" if it need not."""
    cluster, settings = model.cluster, model.settings
    if cluster is None:
        return f"stops the front: {model.why}"
    if cluster.cluster_id != running.cluster.cluster_id:
        return f"the cluster is another one now, {cluster.cluster_id}"
    if set(cluster.endpoints) != set(running.cluster.endpoints):
        # Also without members that are gone: their ports may be another cluster's by now.
        return "the members have moved"
    if running.unwell >= settings.unwell_most:
        return f"the front failed {running.unwell} checks, though the cluster answers"
    return ""


def _stop(model: Model, running: Running, number: int, now: float) -> tuple[Model, Command | None]:
    stopping = evolve(running, stopping=True, kill_at=now + model.settings.grace)
    return evolve(model, running=stopping), w.SignalFront(run=running.run, signal=number)


def _plan_kill(model: Model, running: Running, now: float) -> tuple[Model, Command | None]:
    if now < running.kill_at:
        return model, None
    return _stop(model, running, signal.SIGKILL, now)


def _plan_check(model: Model, running: Running, now: float) -> tuple[Model, Command | None]:
    if running.checking or now < running.checked_at + model.settings.check_every:
        return model, None
    return evolve(model, running=evolve(running, checking=True)), w.CheckFront(run=running.run)


def _wake_at(model: Model) -> float | None:
    """The first of the moments at which something is due by itself."""
    moments = []
    if not model.looking and not model.ending:
        moments.append(model.look_at)
    if model.running is None:
        moments += [model.start_at] if model.cluster is not None else []
    elif model.running.stopping:
        moments.append(model.running.kill_at)
    elif not model.running.checking:
        moments.append(model.running.checked_at + model.settings.check_every)
    return min(moments, default=None)
