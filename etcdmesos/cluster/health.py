"""Is the cluster well?  The assessment of what probes have shown, and the plan for the next probes.

Three signals are kept apart: the task's state (Mesos), a member's own word (no quorum needed), and
a proposal that a quorum committed.  No one of them stands in for another, and no member for the
rest.
"""

from __future__ import annotations

from attrs import evolve, frozen

from etcdmesos.cluster.commands import ProbeMember, ProbeProgress
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.model import Draft, MemberView, Model
from etcdmesos.cluster.quorum import has_quorum, tolerated
from etcdmesos.cluster.record import Member, Record, Role, Step
from etcdmesos.cluster.remembering import remembering
from etcdmesos.etcd.member_health import Alarm, MemberHealth
from etcdmesos.mesos.statuses import TaskState, TaskStatus

FRESH_INTERVALS = 3
"""A probe's result counts for this many intervals; after that nobody knows."""

ELECTION_WITHIN = 10.0
"""Seconds; who knows no leader for so long (ten election time-outs of etcd) waits for something
else than an election, and is probed no more often than everybody."""


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
    alarms: tuple[Alarm, ...]
    """Those that serving voters named lately, sorted."""


@remembering
def voters(record: Record) -> tuple[Member, ...]:
    """The voters of the configuration in force, as recorded."""
    return tuple(
        m for m in record.members if m.role is Role.VOTER and m.step not in (Step.ADDING, Step.GONE)
    )


def serves(record: Record, health: MemberHealth) -> bool:
    """Whether this is the word of a serving voter of the recorded cluster, not of another one at
    the same address."""
    return health.serving_voter and record.cluster_id in ("", health.cluster_id)


@remembering
def assess(model: Model, now: float) -> Assessment:
    """How the cluster stands at `now`, from the probes that are still fresh."""
    record = model.record
    config = voters(record)
    fresh = {m.name: view for m in config if (view := fresh_view(model, m, now)) is not None}
    said = {
        name: latest
        for name, view in fresh.items()
        if (latest := view.latest) is not None and serves(record, latest)
    }
    words = {name: (word.cluster_id, word.leader, word.term) for name, word in said.items()}
    votes = list(words.values())
    # Sorted, so that a tie cannot depend on the order in which probes came back.
    common = max(sorted(set(votes)), key=votes.count, default=None)
    agreeing = tuple(name for name, word in words.items() if word == common)
    serving = bool(config) and has_quorum(len(agreeing), len(config)) and progressing(model, now)
    complete = len(agreeing) == len(config) == model.settings.cluster_size
    return Assessment(
        voters=len(config),
        leader=common[1] if serving and common is not None else "",
        agreeing=agreeing,
        serving=serving,
        healthy=serving and complete and all(_stable(fresh[name]) for name in agreeing),
        alarms=tuple(sorted({alarm for word in said.values() for alarm in word.alarms})),
    )


def fresh_view(model: Model, member: Member, now: float) -> MemberView | None:
    """What the probes of `member` have shown, if that still counts at `now`."""
    view, settings = model.view(member.name), model.settings
    if view.latest is None or now - view.latest_at > FRESH_INTERVALS * settings.probe_interval:
        return None
    since = view.failing_since
    failing = since is not None and now - since > settings.probe_patience
    return None if failing or model.ended(member) else view


def statuses(model: Model, member: Member) -> list[TaskStatus]:
    """What was last heard of the tasks of `member`, as far as anything was."""
    return [model.tasks[task.id] for task in member.tasks if task.id in model.tasks]


@remembering
def leader_ended(model: Model, leader: str) -> bool:
    """Whether the member with etcd's id `leader` is proven to have ended.

    Members name it until their election time-out has passed.  The operator's word is no proof.
    """
    return any(
        member.id == leader
        and model.ended(member)
        and all(s.state is not TaskState.GONE_BY_OPERATOR for s in statuses(model, member))
        for member in model.record.members
    )


def _stable(view: MemberView) -> bool:
    """Two readings in a row with the same leader and term."""
    latest, previous = view.latest, view.previous
    return (
        latest is not None
        and previous is not None
        and (latest.leader, latest.term) == (previous.leader, previous.term)
    )


def progressing(model: Model, now: float) -> bool:
    """Whether a quorum committed a proposal lately, and has not refused to ever since."""
    progress, settings = model.progress, model.settings
    if progress.made_at is None:
        return False
    if now - progress.made_at > FRESH_INTERVALS * settings.probe_interval:
        return False
    failing = progress.failing_since
    return failing is None or now - failing <= settings.probe_patience


def plan_probes(draft: Draft) -> Draft:
    """Probe every member that may run and is due, and raft's progress through one that serves."""
    for member in draft.model.record.members:
        if _worth_probing(draft.model, member):
            draft = _plan_member_probe(draft, member)
    return _plan_progress_probe(draft)


def _worth_probing(model: Model, member: Member) -> bool:
    ended = [status.dead for status in statuses(model, member)]
    return bool(ended) and not any(ended)


def _plan_member_probe(draft: Draft, member: Member) -> Draft:
    view = draft.model.view(member.name)
    if view.probing:
        return draft
    due = view.probe_at
    if (hurry := _between_leaders(draft.model, view, draft.now)) is not None:
        due = min(due, view.latest_at + hurry)
    if draft.now < due:
        return draft.waking(due)
    views = {**draft.model.views, member.name: evolve(view, probing=True)}
    return draft.having(views=views).asking(
        ProbeMember(member=member.name, client_url=member.client_url)
    )


def _between_leaders(model: Model, view: MemberView, now: float) -> float | None:
    """Seconds between two probes of a member that has known no leader for no longer than an
    election takes, or named one that has ended or that cannot lead for long, as too many have
    ended; None for any other."""
    latest, settings = view.latest, model.settings
    if latest is None or view.failing_since is not None:
        return None
    if view.leaderless_since is not None:
        waits = now - view.leaderless_since < ELECTION_WITHIN
        return settings.probe_interval_joining if waits else None
    if leader_ended(model, latest.leader):
        return settings.probe_interval_joining
    if not _too_many_ended(model):
        return None
    # It steps down within two election time-outs (raft's CheckQuorum), and a reseed waits for that.
    committed_at = model.progress.made_at
    steps_down = committed_at is not None and now - committed_at < ELECTION_WITHIN
    return settings.probe_interval_settling if steps_down else settings.probe_interval_joining


@remembering
def _too_many_ended(model: Model) -> bool:
    config = voters(model.record)
    return sum(model.ended(member) for member in config) > tolerated(len(config))


def _plan_progress_probe(draft: Draft) -> Draft:
    model, progress = draft.model, draft.model.progress
    if progress.probing:
        return draft
    asked = [m for m in voters(model.record) if _may_show_progress(model, m)]
    if not asked:
        return draft
    if draft.now < progress.probe_at:
        return draft.waking(progress.probe_at)
    member = asked[progress.tries % len(asked)]
    return draft.having(progress=evolve(progress, probing=True)).asking(
        ProbeProgress(member=member.name, client_url=member.client_url)
    )


def _may_show_progress(model: Model, member: Member) -> bool:
    """Whether a proposal made through `member` may be committed: one that goes to a
    member that is dead or silent, or follows a leader that is dead, would only be waited for."""
    view = model.view(member.name)
    latest = view.latest
    return (
        latest is not None
        and view.failing_since is None
        and serves(model.record, latest)
        and not model.ended(member)
        and not leader_ended(model, latest.leader)
    )


def next_probe_at(
    model: Model, member: str, now: float, failing_since: float | None = None
) -> float:
    """When to probe `member` (or, for "", raft's progress) again, `now` being this probe's end.

    Probes that are as frequent fall on the same moments: what members say at one time can be
    compared, and the scheduler wakes once for all of them.
    """
    interval = _probe_interval(model, member)
    if failing_since is not None and now - failing_since > model.settings.probe_patience:
        interval = max(interval, model.settings.probe_interval_joining)
    return next_moment(now, interval)


def next_moment(now: float, interval: float) -> float:
    """The next multiple of `interval` (seconds) after `now`."""
    at = (now // interval + 1) * interval
    return at if at > now else at + interval


def _probe_interval(model: Model, member: str) -> float:
    settings = model.settings
    probed, reseed = model.record.member(member), model.record.reseed
    if probed is not None and probed.role is Role.LEARNER:
        return settings.probe_interval_settling
    if reseed is not None and reseed.stage is Stage.SEEDING and member in ("", reseed.seed):
        return settings.probe_interval_settling
    if model.phase not in ("bootstrapping", "restoring"):
        return settings.probe_interval
    states = [status.state for status in statuses(model, probed)] if probed is not None else []
    if member and TaskState.RUNNING not in states:
        return settings.probe_interval_joining
    return settings.probe_interval_settling
