"""What a reseed on the operator's word would do now, and whether it can be followed.  Pure; nothing
is changed by asking.
"""

from __future__ import annotations

from typing import Any

from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.permission import obstacle, only_left
from etcdmesos.cluster.reseed.quorum_loss import quorum_gone
from etcdmesos.cluster.reseed.safety import configurations, doubtful, proven
from etcdmesos.cluster.reseed.standing import (
    dead,
    held,
    in_reach,
    learns,
    only_learners,
    out_of_reach,
)
from etcdmesos.cluster.reseed.telling import of_the_attempt
from etcdmesos.cluster.revisions import highest_revision, raises_revisions


def dry_run(model: Model, now: float, member: str = "") -> dict[str, Any]:
    """What a reseed on the operator's word, with `member` as the seed ("": the best), would do now.

    `lines` says it to people; nothing is changed by asking.
    """
    record = model.record
    possible, ended, stopped = configurations(record), dead(model), held(model)
    reach = frozenset(m.name for m in in_reach(model))
    safe = proven(possible, ended, stopped | reach)
    others = [] if safe else list(doubtful(possible, ended, stopped | reach))
    refused = refusal(model, now, member)
    calculation = {
        "quorum_gone": quorum_gone(model, now),
        "known_dead": sorted(ended),
        "in_reach": sorted(reach),
        "may_serve": others,
        "proven_once_held": safe,
        "highest_revision": highest_revision(model),
        "refused": refused,
    }
    return {
        **calculation,
        "lines": [*_calculated(model, now, others), *_steps(model, member, refused)],
    }


def refusal(model: Model, now: float, member: str) -> str:
    """Why the operator's word to reseed cannot be followed; "" when it can."""
    if model.phase not in ("healthy", "degraded", "reconfiguring", "reseeding"):
        return f"not now: the phase is {model.phase}"
    if blocked := (_no_seed(model, member) if member else "") or obstacle(model, now):
        return blocked
    reseed = model.record.reseed
    if reseed is not None and reseed.stage is Stage.SEEDING:
        return f"a reseed is under way: {of_the_attempt(model)}"
    return ""


def _no_seed(model: Model, name: str) -> str:
    """Why the member of that name can't be the seed; "" when it may."""
    member = model.record.member(name)
    if member is None:
        return f"there is no member {name}"
    if model.ended(member):
        return f"{name} is known dead"
    return "" if member in in_reach(model) else f"{name} is out of reach"


def _calculated(model: Model, now: float, others: list[str]) -> list[str]:
    lines = []
    for member in model.record.members:
        latest = model.view(member.name).latest
        seen = f", revision {latest.revision}, index {latest.commit_index}" if latest else ""
        how = "is nowhere to be found"
        if model.ended(member):
            how = "is known dead"
        elif member in in_reach(model):
            last = ", the last to be tried as the seed" if learns(model, member) else ""
            how = f"is in reach and would be held{last}"
        elif out_of_reach(model, member):
            how = "is out of reach, as Mesos says, and may serve"
        lines.append(f"{member.name} on {member.hostname} ({member.role.value}) {how}{seen}")
    sizes = ", ".join(str(len(one)) for one in configurations(model.record))
    lines.append(f"voters of the configurations that may be in force: {sizes}")
    if others:
        lines.append(f"a second cluster could serve: {', '.join(others)} cannot be held")
    else:
        lines.append("no second cluster can serve once all in reach are held")
    gone = "is gone" if quorum_gone(model, now) else "is not gone"
    lines.append(f"quorum {gone}; the highest revision ever seen is {highest_revision(model)}")
    return lines


def _steps(model: Model, member: str, refused: str) -> list[str]:
    if refused:
        return [f"nothing would be done: {refused}"]
    seed = member or "the one with the highest commit index"
    warned = [f"beware: {_warning(model, learners)}"] if (learners := only_learners(model)) else []
    as_they_are = "revisions as in the snapshot: they may go back"
    raised = "revisions raised" if raises_revisions(model) else as_they_are
    names = ", ".join(one.name for one in in_reach(model))
    return [
        *warned,
        "1. every member that answers saves a snapshot",
        f"2. etcd is stopped on {names}, and the data kept",
        "3. a snapshot of a copy is made where the best of them could not answer",
        f"4. {seed} puts its data aside and restores its snapshot as a new cluster ({raised})",
        "5. once it lists itself alone and commits, it is the cluster; all others are killed",
        "6. new members join it as learners",
    ]


def _warning(model: Model, learners: tuple[Member, ...]) -> str:
    """What the operator should know who is about to have a learner made the cluster."""
    shown = [latest.revision for m in learners if (latest := model.view(m.name).latest)]
    has = f": it has shown revision {max(shown)}" if shown else ""
    return (
        f"{only_left(learners)}{has}; the voters' data lies in their sandboxes, and once this "
        "member has ended, too, that or a backup can be restored"
    )
