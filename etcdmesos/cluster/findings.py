"""What is wrong with the cluster: one named finding for each thing, with a short clause for people.

All of them are looked at anew every time; nothing here is stored, and nothing is decided by it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from attrs import frozen

from etcdmesos.cluster import alarms
from etcdmesos.cluster.backups.telling import trouble
from etcdmesos.cluster.health import FRESH_INTERVALS, Assessment, progressing, statuses, voters
from etcdmesos.cluster.model import MemberView, Model
from etcdmesos.cluster.record import Member, Role
from etcdmesos.cluster.terms import RISES, WINDOW
from etcdmesos.mesos.statuses import TaskState, TaskStatus

BEHIND = 5000
"""Entries.  etcd refuses requests at such a gap (server: maxGapBetweenApplyAndCommitIndex)."""


class Kind(enum.Enum):
    """The names of findings, for tools; they never change."""

    DEAD = "dead"
    OUT_OF_REACH = "out_of_reach"
    SILENT = "silent"
    STARTING = "starting"
    LEARNER = "learner"
    NO_LEADER = "no_leader"
    DIVERGING_LEADERS = "diverging_leaders"
    TERM_FLAPPING = "term_flapping"
    CLUSTER_ID_MISMATCH = "cluster_id_mismatch"
    STUCK_COMMIT_INDEX = "stuck_commit_index"
    STUCK_APPLIED_INDEX = "stuck_applied_index"
    NOSPACE = "nospace"
    CORRUPT = "corrupt"
    BACKUP = "backup"


@frozen(kw_only=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    member: str = ""
    """The name of the member it is about; "" for the whole cluster."""
    text: str


def findings(model: Model, state: Assessment, now: float) -> list[Finding]:
    """What is wrong at `now`, `state` being how the cluster stands then."""
    found = []
    for member in voters(model.record):
        if member.name not in state.agreeing:
            kind, text = _trouble(model, member)
            found.append(Finding(kind=kind, member=member.name, text=f"{member.name} {text}"))
    return [
        *found,
        *_of_the_learner(model),
        *_of_alarms(model, state),
        *_of_progress(model, state, now),
        *_of_the_list(model),
        *_of_the_term(model, now),
        *_of_backups(model),
    ]


def _of_the_learner(model: Model) -> Iterator[Finding]:
    """A learner that ended, or that nobody vouches for; one that is on its way is no finding."""
    for member in model.record.members:
        if member.role is Role.LEARNER and any(
            s.dead or s.out_of_reach for s in statuses(model, member)
        ):
            kind, text = _trouble(model, member)
            yield Finding(kind=kind, member=member.name, text=f"{member.name} {text}")


def _trouble(model: Model, member: Member) -> tuple[Kind, str]:
    """Why `member` is not among those that serve: the name, and the rest of a clause."""
    status = next(iter(statuses(model, member)), None)
    view = model.view(member.name)
    if status is not None and status.dead:
        by = " on the operator's word" if status.state is TaskState.GONE_BY_OPERATOR else ""
        return Kind.DEAD, f"is dead{by} ({_detail(status)})"
    if status is not None and status.out_of_reach:
        answer = f" and does not answer ({view.failure})" if view.failing_since is not None else ""
        return Kind.OUT_OF_REACH, f"is out of reach ({_detail(status)}){answer}"
    if status is None:
        return Kind.STARTING, "was not heard of yet"
    if status.state is TaskState.STAGING:
        return Kind.STARTING, "is being launched"
    if view.failing_since is not None and status.state is not TaskState.STARTING:
        return Kind.SILENT, f"does not answer ({view.failure})"
    if status.state is TaskState.STARTING:
        return Kind.STARTING, "is starting"
    return _trouble_of_one_that_answers(model, view)


def _detail(status: TaskStatus) -> str:
    return f"{status.state.value}: {status.message or status.reason or 'no reason given'}"


def _trouble_of_one_that_answers(model: Model, view: MemberView) -> tuple[Kind, str]:
    latest = view.latest
    if latest is None:
        return Kind.STARTING, "was not probed yet"
    if model.record.cluster_id and latest.cluster_id != model.record.cluster_id:
        reseed = model.record.reseed
        if reseed is not None and reseed.seed and model.view(reseed.seed) is view:
            return Kind.STARTING, "starts as the seed of a new cluster"
        return Kind.CLUSTER_ID_MISMATCH, f"is of another cluster ({latest.cluster_id})"
    if latest.learner:
        return Kind.LEARNER, "is a learner still"
    if not latest.leader:
        return Kind.NO_LEADER, "knows no leader"
    return (
        Kind.DIVERGING_LEADERS,
        f"names another leader ({latest.leader}, term {latest.term})",
    )


def _of_alarms(model: Model, state: Assessment) -> Iterator[Finding]:
    by_id = {member.id: member.name for member in model.record.members if member.id}
    remedies = {
        alarms.NOSPACE: "make space (compact, defragment) and disarm it",
        alarms.CORRUPT: "once that member is replaced, disarm it",
    }
    for alarm in state.alarms:
        name = by_id.get(alarm.member_id, "")
        who = name or f"member {alarm.member_id}, which is none of ours any more,"
        if alarm.kind in remedies:
            yield Finding(
                kind=Kind[alarm.kind],
                member=name,
                text=f"{who} raises {alarm.kind}, and writes are refused: {remedies[alarm.kind]}",
            )


def _of_progress(model: Model, state: Assessment, now: float) -> Iterator[Finding]:
    if state.agreeing and not progressing(model, now):
        failure = model.progress.failure or "not tried yet"
        text = f"no proposal is committed ({failure})"
        yield Finding(kind=Kind.STUCK_COMMIT_INDEX, text=text)
        return
    limit = max(model.settings.stuck_after, FRESH_INTERVALS * model.settings.probe_interval)
    views = {name: model.view(name) for name in state.agreeing}
    committed = max((v.latest.commit_index for v in views.values() if v.latest), default=0)
    for name, view in views.items():
        applied = view.latest.applied_index if view.latest else 0
        if committed - applied > BEHIND:
            text = f"{name} has applied {applied} of {committed} committed entries"
        elif now - view.moved_at > limit:
            text = f"{name} has applied nothing for {limit:g} s: {applied} of {committed} entries"
        else:
            continue
        yield Finding(kind=Kind.STUCK_APPLIED_INDEX, member=name, text=text)


def _of_the_list(model: Model) -> Iterator[Finding]:
    listing, ours = model.membership.listing, model.record.cluster_id
    if listing is not None and ours and listing.cluster_id != ours:
        text = f"the member list that was read is of another cluster ({listing.cluster_id})"
        yield Finding(kind=Kind.CLUSTER_ID_MISMATCH, text=text)


def _of_the_term(model: Model, now: float) -> Iterator[Finding]:
    if model.terms.flapping(now):
        text = (
            f"the term rose more than {RISES} times within {WINDOW:g} s, to "
            f"{model.terms.highest}, and no member's task started or ended"
        )
        yield Finding(kind=Kind.TERM_FLAPPING, text=text)


def _of_backups(model: Model) -> Iterator[Finding]:
    if text := trouble(model):
        yield Finding(kind=Kind.BACKUP, text=text)
