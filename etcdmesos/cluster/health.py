"""Is the cluster well?  The assessment of what probes have shown, and the plan for the next probes.

Three signals are kept apart: the task's state (Mesos), a member's own word (no quorum needed), and
a proposal that a quorum committed.  No one of them stands in for another, and no member for the
rest.
"""

from __future__ import annotations

from collections import Counter

from attrs import evolve, frozen

from etcdmesos.cluster.commands import ProbeMember, ProbeProgress
from etcdmesos.cluster.member_health import MemberHealth
from etcdmesos.cluster.model import Draft, MemberView, Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Member, Record, Role, Step
from etcdmesos.mesos.statuses import TaskState, TaskStatus

FRESH_INTERVALS = 3
"""A probe's result counts for this many intervals; after that nobody knows."""


@frozen(kw_only=True)
class Assessment:
    """How the cluster stands.  Member names are sorted as in the record."""

    voters: int
    """Of the configuration in force."""
    leader: str
    """etcd's member id of the leader that a quorum agrees on; "" when there is none."""
    agreeing: tuple[str, ...]
    """Serving voters that name this leader, in this term."""
    serving: bool
    """A quorum agrees on a leader and commits proposals."""
    healthy: bool
    """All target-size members serve, agree, and did so in two readings of the same term."""
    findings: tuple[str, ...]
    """What is wrong, one short clause each."""


def voters(record: Record) -> tuple[Member, ...]:
    """The voters of the configuration in force, as recorded."""
    return tuple(
        m for m in record.members if m.role is Role.VOTER and m.step not in (Step.ADDING, Step.GONE)
    )


def serves(record: Record, health: MemberHealth) -> bool:
    """Whether this is the word of a serving voter of the recorded cluster, not of another one at
    the same address."""
    return health.serving_voter and record.cluster_id in ("", health.cluster_id)


def assess(model: Model, now: float) -> Assessment:
    """How the cluster stands at `now`, from the probes that are still fresh."""
    config = voters(model.record)
    fresh = {m.name: v for m in config if (v := _fresh_view(model, m.name, now)) is not None}
    votes = Counter(
        (v.latest.cluster_id, v.latest.leader, v.latest.term)
        for v in fresh.values()
        if v.latest is not None and serves(model.record, v.latest)
    )
    # Sorted, so that a tie cannot depend on the order in which probes came back.
    cluster_id, leader, term = max(sorted(votes), key=votes.__getitem__, default=("", "", 0))
    agreeing = tuple(
        name
        for name, view in fresh.items()
        if view.latest is not None
        and (view.latest.cluster_id, view.latest.leader, view.latest.term)
        == (cluster_id, leader, term)
        and serves(model.record, view.latest)
    )
    progressing = _progressing(model, now)
    serving = bool(config) and has_quorum(len(agreeing), len(config)) and progressing
    stable = all(_stable(fresh[name]) for name in agreeing)
    complete = len(agreeing) == len(config) == model.settings.cluster_size
    return Assessment(
        voters=len(config),
        leader=leader if serving else "",
        agreeing=agreeing,
        serving=serving,
        healthy=serving and complete and stable,
        findings=tuple(_findings(model, config, agreeing, progressing)),
    )


def _fresh_view(model: Model, name: str, now: float) -> MemberView | None:
    view = model.view(name)
    old = now - view.latest_at > FRESH_INTERVALS * model.settings.probe_interval
    failing = (
        view.failing_since is not None and now - view.failing_since > model.settings.probe_patience
    )
    member = model.record.member(name)
    dead = member is not None and model.ended(member)
    return None if view.latest is None or old or failing or dead else view


def _statuses(model: Model, name: str) -> list[TaskStatus]:
    member = model.record.member(name)
    tasks = member.tasks if member is not None else ()
    return [model.tasks[task.id] for task in tasks if task.id in model.tasks]


def _stable(view: MemberView) -> bool:
    """Two readings in a row with the same leader and term."""
    latest, previous = view.latest, view.previous
    return (
        latest is not None
        and previous is not None
        and (latest.leader, latest.term) == (previous.leader, previous.term)
    )


def _progressing(model: Model, now: float) -> bool:
    """Whether a quorum committed a proposal lately, and has not refused to ever since."""
    progress, settings = model.progress, model.settings
    if progress.made_at is None:
        return False
    if now - progress.made_at > FRESH_INTERVALS * settings.probe_interval:
        return False
    failing = progress.failing_since
    return failing is None or now - failing <= settings.probe_patience


def _findings(
    model: Model, config: tuple[Member, ...], agreeing: tuple[str, ...], progressing: bool
) -> list[str]:
    findings = [
        f"{member.name} {_trouble(model, member)}"
        for member in config
        if member.name not in agreeing
    ]
    for member in config:
        latest = model.view(member.name).latest
        if latest is not None and latest.alarms:
            findings.append(f"{member.name} raises {' and '.join(latest.alarms)}")
    if agreeing and not progressing:
        failure = model.progress.failure or "not tried yet"
        findings.append(f"no proposal is committed ({failure})")
    return findings


def _trouble(model: Model, member: Member) -> str:
    """Why `member` is not among those that serve, as the rest of a clause."""
    status = next(iter(_statuses(model, member.name)), None)
    view = model.view(member.name)
    if status is not None and status.dead:
        detail = status.message or status.reason or "no reason given"
        return f"is dead ({status.state.value}: {detail})"
    if status is not None and status.out_of_reach:
        detail = status.message or status.reason or "no reason given"
        answer = f" and does not answer ({view.failure})" if view.failing_since is not None else ""
        return f"is out of reach ({status.state.value}: {detail}){answer}"
    if status is None:
        return "was not heard of yet"
    if status.state is TaskState.STAGING:
        return "is being launched"
    if view.failing_since is not None and status.state is not TaskState.STARTING:
        return f"does not answer ({view.failure})"
    if status.state is TaskState.STARTING:
        return "is starting"
    if view.latest is None:
        return "was not probed yet"
    if view.latest.learner:
        return "is a learner still"
    if not view.latest.leader:
        return "knows no leader"
    if model.record.cluster_id and view.latest.cluster_id != model.record.cluster_id:
        return f"is of another cluster ({view.latest.cluster_id})"
    return f"names another leader ({view.latest.leader}, term {view.latest.term})"


def plan_probes(draft: Draft) -> Draft:
    """Probe every member that may run and is due, and raft's progress through one that serves."""
    for member in draft.model.record.members:
        if _worth_probing(draft.model, member):
            draft = _plan_member_probe(draft, member)
    return _plan_progress_probe(draft)


def _worth_probing(model: Model, member: Member) -> bool:
    statuses = _statuses(model, member.name)
    return bool(statuses) and not any(status.dead for status in statuses)


def _plan_member_probe(draft: Draft, member: Member) -> Draft:
    view = draft.model.view(member.name)
    if view.probing:
        return draft
    if draft.now < view.probe_at:
        return draft.waking(view.probe_at)
    views = {**draft.model.views, member.name: evolve(view, probing=True)}
    return draft.having(views=views).asking(
        ProbeMember(member=member.name, client_url=member.client_url)
    )


def _plan_progress_probe(draft: Draft) -> Draft:
    model, progress = draft.model, draft.model.progress
    asked = [
        m
        for m in voters(model.record)
        if (v := model.view(m.name).latest) and serves(model.record, v)
    ]
    if progress.probing or not asked:
        return draft
    if draft.now < progress.probe_at:
        return draft.waking(progress.probe_at)
    member = asked[progress.tries % len(asked)]
    return draft.having(progress=evolve(progress, probing=True)).asking(
        ProbeProgress(member=member.name, client_url=member.client_url)
    )


def next_probe_at(model: Model, member: str, now: float) -> float:
    """When to probe `member` (or, for "", raft's progress) again, `now` being this probe's end."""
    settings = model.settings
    probed = model.record.member(member)
    if probed is not None and probed.role is Role.LEARNER:
        return now + settings.probe_interval_settling
    if model.phase != "bootstrapping":
        return now + settings.probe_interval
    states = {status.state for status in _statuses(model, member)}
    if member and TaskState.RUNNING not in states:
        return now + settings.probe_interval_joining
    return now + settings.probe_interval_settling
