"""May it begin, and may a seed start?  Each answer with its reason in words.  Asks for nothing."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from etcdmesos.backoff import doubling
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.quorum_loss import quorum_gone
from etcdmesos.cluster.reseed.safety import configurations, doubtful, proven
from etcdmesos.cluster.reseed.standing import (
    STOPPED,
    dead,
    held,
    in_reach,
    only_learners,
    out_of_reach,
    stands,
)
from etcdmesos.cluster.settings import ReseedPolicy


@frozen(kw_only=True)
class Verdict:
    """Whether to go ahead."""

    granted: bool
    why: str
    """The reason; or, if it is not granted, what is waited for."""
    unproven: bool = False
    """Whether members that are out of reach need not be accounted for."""
    at: float | None = None
    """When it is granted if nothing changes; None: nobody can tell."""


def obstacle(model: Model, now: float) -> str:
    """Why nobody could reseed at the moment, not even on the operator's word; "" when it can be."""
    if not quorum_gone(model, now):
        if assess(model, now).serving:
            return "quorum is not gone"
        return (
            "nobody is seen to serve, but quorum is not known to be gone: a leader may live, or "
            "Mesos calls a quorum of the members well"
        )
    if model.settings.artifacts.restorer is None:
        return "this scheduler has no etcdutl (before etcd 3.5: etcdctl) to restore a snapshot with"
    if not in_reach(model):
        return "waits for a member in reach that ran when quorum was lost"
    return ""


def may_begin(model: Model, now: float) -> Verdict:
    """Whether an attempt is to begin without being asked, quorum having been watched as gone."""
    settings, watch = model.settings, model.quorum_watch
    blocked = obstacle(model, now)
    if blocked or watch is None:
        return Verdict(granted=False, why=blocked or "quorum is not watched")
    if not settings.auto_reseed:
        return Verdict(granted=False, why="waits for POST /reseed, as -auto-reseed=false")
    if learners := only_learners(model):
        left, setback = only_left(learners), model.record.reseed_setback
        before = f" (before: {setback})" if setback and left not in setback else ""
        waits = "waits for POST /reseed, or for its end to restore something instead"
        return Verdict(granted=False, why=f"{waits}, as {left}{before}")
    failures = model.record.reseed_failures
    again = watch.since + doubling(settings.reseed_again, settings.reseed_again_most, failures)
    if now < again:
        return Verdict(granted=False, why=f"pauses after {model.record.reseed_setback}", at=again)
    unproven = settings.reseed_policy is ReseedPolicy.TIMEOUT
    possible, ended = configurations(model.record), dead(model)
    if proven(possible, ended, frozenset()):
        return Verdict(granted=True, why="the dead leave no quorum", unproven=unproven)
    reach = frozenset(member.name for member in in_reach(model))
    others = doubtful(possible, ended, reach)
    at = watch.since + settings.reseed_timeout
    safe = proven(possible, ended, reach)
    if not safe:
        if not unproven:
            return Verdict(granted=False, why=f"waits for POST /reseed, as {_may_serve(others)}")
        if vouched := _not_given_up(model, others):
            return Verdict(granted=False, why=f"waits until Mesos gives up {', '.join(vouched)}")
    if now < at:
        doubt = "" if safe else f", as {_may_serve(others)}"
        return Verdict(granted=False, why=f"waits for -reseed-timeout{doubt}", at=at)
    why = f"quorum was gone for {settings.reseed_timeout:g} s"
    return Verdict(granted=True, why=why, unproven=unproven)


def only_left(learners: Iterable[Member]) -> str:
    """Why nothing is grown from `learners` without the operator's word, in a clause."""
    names = ", ".join(member.name for member in learners)
    return f"only {names} is left, a learner, which may hold little of what was written"


def _may_serve(names: Iterable[str]) -> str:
    return f"{', '.join(names)} may still serve out of reach"


def _not_given_up(model: Model, names: Iterable[str]) -> list[str]:
    """Those of `names` that Mesos has not given up; of a stranger it never knew."""
    members = ((name, model.record.member(name)) for name in names)
    return [name for name, one in members if one is None or not out_of_reach(model, one)]


def may_seed(model: Model) -> Verdict:
    """Whether the new cluster may start now, in the attempt under way.

    Granted and not unproven: no second cluster can serve.  A seed that failed counts as one until
    it is confirmed stopped.
    """
    reseed = model.record.reseed
    assert reseed is not None
    possible, ended, stopped = configurations(model.record), dead(model), held(model)
    running = tuple(name for name in reseed.failed_seeds if not _stopped(model, name))
    others = tuple(dict.fromkeys([*doubtful(possible, ended, stopped), *running]))
    if proven(possible, ended, stopped) and not running:
        return Verdict(granted=True, why="no second cluster can serve")
    if not reseed.unproven:
        return Verdict(granted=False, why=f"waits, as {_may_serve(others)}")
    if vouched := _not_given_up(model, others):
        return Verdict(granted=False, why=f"waits for the end of {', '.join(vouched)}")
    return Verdict(granted=True, why=_may_serve(others), unproven=True)


def _stopped(model: Model, name: str) -> bool:
    member = model.record.member(name)
    return member is None or model.ended(member) or stands(model, member, *STOPPED)
