"""What people are told of a lost quorum and of reseeding: sentences, and a part of /stats.

Nothing parses the sentences; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import asdict

from etcdmesos.cluster.episode import Reseed, Reseeded, Stage
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member, Record
from etcdmesos.cluster.reseed.ordering import to_measure
from etcdmesos.cluster.reseed.permission import may_begin, may_seed
from etcdmesos.cluster.reseed.quorum_loss import watched
from etcdmesos.cluster.reseed.standing import (
    STOPPED,
    in_reach,
    last_report,
    not_released,
    stands,
)
from etcdmesos.cluster.reseed.verifying import unverified
from etcdmesos.moments import iso


def of_the_loss(model: Model, now: float) -> str:
    """Since when quorum has been gone, and what is done about it; "" while it is not."""
    watch = model.quorum_watch
    if watch is None:
        return ""
    verdict = may_begin(model, now)
    left = f" ({verdict.at - now:.0f} s left)" if verdict.at is not None else ""
    doing = "is about to reseed: " if verdict.granted else "does not reseed yet: "
    return f"quorum has been gone for {watched(model, now):.0f} s; {doing}{verdict.why}{left}"


def of_the_attempt(model: Model) -> str:
    """What the attempt under way is waiting for."""
    reseed = model.record.reseed
    if reseed is None:
        return "is over"
    begun = f"reseeds in generation {reseed.generation}, as {reseed.why}: "
    if reseed.stage is Stage.RELEASING:
        return f"does not reseed, as {reseed.why}: {_releasing(model, reseed)}"
    tried = "; ".join(f"{name} {why}" for name, why in reseed.failures.items())
    return begun + _DOING[reseed.stage](model, reseed) + (f" ({tried})" if tried else "")


def _names(members: list[Member]) -> str:
    return ", ".join(member.name for member in members)


def _measuring(model: Model, _reseed: Reseed) -> str:
    left = [m for m in in_reach(model) if to_measure(model, m)]
    return f"waits for a snapshot of {_names(left)}" if left else "is about to hold the survivors"


def _holding(model: Model, _reseed: Reseed) -> str:
    left = [m for m in in_reach(model) if not stands(model, m, *STOPPED)]
    if left:
        return f"waits for {_names(left)} to confirm the hold"
    return may_seed(model).why


def _copying(_model: Model, reseed: Reseed) -> str:
    return f"waits for a snapshot of a copy of the data of {reseed.seed}"


def _seeding(model: Model, reseed: Reseed) -> str:
    seed = model.record.member(reseed.seed)
    missing = unverified(model, seed) if seed is not None else "it is gone"
    safe = "" if reseed.proven else "; a second cluster may serve until the old members are killed"
    return f"waits until {reseed.seed} serves as the seed: {missing}{safe}"


def _releasing(model: Model, _reseed: Reseed) -> str:
    return f"waits for {_names(list(not_released(model)))} to be released"


_DOING: Mapping[Stage, Callable[[Model, Reseed], str]] = {
    Stage.MEASURING: _measuring,
    Stage.HOLDING: _holding,
    Stage.COPYING: _copying,
    Stage.SEEDING: _seeding,
    Stage.RELEASING: _releasing,
}


def of_a_reseeding(one: Reseeded) -> str:
    """One that succeeded, and what may be missing since."""
    by = "on the operator's word" if one.by_operator else f"as {one.why}"
    safe = "" if one.proven else "; a second cluster may have served until its members were killed"
    return (
        f"{iso(one.at)}: reseeded from {one.member}, {by}; acknowledged writes above revision "
        f"{one.revision} may be missing; the highest one ever seen was {one.highest_revision}{safe}"
    )


def news(before: Record, after: Record) -> Iterator[tuple[str, bool]]:
    """What a write of the record tells of it, each a line and whether somebody should look."""
    if after.quorum_lost_at and not before.quorum_lost_at:
        yield "quorum is gone", True
    elif before.quorum_lost_at and not after.quorum_lost_at and before.reseeds == after.reseeds:
        yield "quorum is there again", True
    was, now = before.reseed, after.reseed
    if now is not None and (was is None or was.generation < now.generation):
        yield f"generation {now.generation}: {now.stage.value}, as {now.why}", True
    elif now is not None and was is not None and was.stage is not now.stage:
        seed = f" from {now.seed}" if now.seed else ""
        yield f"generation {now.generation}: {now.stage.value}{seed}", True
    for name, why in now.failures.items() if now is not None else ():
        if was is None or was.failures.get(name) != why:
            yield f"{name} {why}", True
    for one in after.reseeds[-1:]:
        if before.reseeds[-1:] != (one,):
            yield of_a_reseeding(one), True


def stats(model: Model, now: float) -> dict[str, Any]:
    """The part of /stats that tells of it all."""
    record = model.record
    reseed = record.reseed
    return {
        "quorum_lost_at": iso(record.quorum_lost_at) if record.quorum_lost_at else "",
        "quorum_lost_seconds": round(watched(model, now), 3),
        "reseed": None
        if reseed is None
        else {
            "generation": reseed.generation,
            "stage": reseed.stage.value,
            "began": iso(reseed.began),
            "why": reseed.why,
            "by_operator": reseed.by_operator,
            "seed": reseed.seed,
            "proven": reseed.proven,
            "failures": dict(reseed.failures),
        },
        "reseeds": [
            {**asdict(one), "at": iso(one.at), "past": list(one.past), "text": of_a_reseeding(one)}
            for one in record.reseeds
        ],
        "kept": {
            member.name: list(report.kept)
            for member in record.members
            if (report := last_report(model, member)) is not None and report.kept
        },
    }
