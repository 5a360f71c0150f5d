"""The one door into the proxy's core: `step(model, event, now)`.

An event only updates what is known; what to do is then worked out from the whole model, in `plans`.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.backoff import doubling
from etcdmesos.finding.cluster import Cluster
from etcdmesos.proxy import words as w
from etcdmesos.proxy.model import Model
from etcdmesos.proxy.plans import plan
from etcdmesos.step import CommandFailed, Event, Step


def step(model: Model, event: Event, now: float) -> Step[Model, None]:
    """What `event`, coming at `now` (seconds, never going back), leads to."""
    return plan(_take(evolve(model, remark=""), event, now), now)


def _take(model: Model, event: Event, now: float) -> Model:
    match event:
        case w.ClusterFound(cluster=cluster):
            return _take_cluster(model, cluster, now)
        case w.ClusterNotFound(why=why, outdated=outdated):
            known = None if outdated else model.cluster
            return evolve(_missed(model, now), cluster=known, why=why)
        case CommandFailed(command=w.FindCluster(), reason=reason):
            return evolve(_missed(model, now), why=reason)
        case CommandFailed(command=w.StartFront(run=run), reason=reason):
            return _take_end(model, run, f"the front cannot be started: {reason}", now)
        case w.FrontExited(run=run, wait_status=status, said=said):
            return _take_end(model, run, f"the front ended with {status}: {said}", now)
        case w.FrontChecked(run=run, well=well):
            return _take_check(model, run, well, now)
        case CommandFailed(command=w.CheckFront(run=run)):
            return _take_check(model, run, False, now)
        case w.StopAsked(signal=number):
            return evolve(model, ending=model.ending or number)
    return model  # the timer, and words that a command was carried out


def _missed(model: Model, now: float) -> Model:
    return evolve(model, looking=False, look_at=now + model.settings.look_again)


def _take_cluster(model: Model, cluster: Cluster, now: float) -> Model:
    look_at = now + model.settings.look_every
    model = evolve(model, looking=False, look_at=look_at, cluster=cluster, found_at=now, why="")
    running = model.running
    if running is None or not model.settings.front.follows or not _kin(running.cluster, cluster):
        return model
    return evolve(model, running=evolve(running, cluster=cluster))


def _kin(before: Cluster, now: Cluster) -> bool:
    """Whether who knew the one finds the other by asking: some member is in both."""
    return before.cluster_id == now.cluster_id and bool(set(before.endpoints) & set(now.endpoints))


def _take_end(model: Model, run: int, how: str, now: float) -> Model:
    running = model.running
    if running is None or running.run != run:
        return model
    if running.stopping:
        return evolve(model, running=None, start_at=now)
    failures = 0 if now - running.since >= model.settings.settled else model.failures + 1
    wait = doubling(model.settings.restart_first, model.settings.restart_most, failures)
    return evolve(
        model,
        running=None,
        failures=failures,
        start_at=now + wait,
        remark=how,
    )


def _take_check(model: Model, run: int, well: bool, now: float) -> Model:
    running = model.running
    if running is None or running.run != run:
        return model
    unwell = running.unwell
    if well or model.why:
        unwell = 0  # a cluster that cannot be found makes no front bad
    elif model.found_at > running.checked_at:
        unwell += 1
    checked = evolve(running, checking=False, checked_at=now, unwell=unwell)
    return evolve(model, running=checked)
