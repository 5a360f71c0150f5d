"""Is the cluster well?  The assessment of what probes have shown; `probes.py` plans the next ones.

Three signals are kept apart: the task's state (Mesos), a member's own word (no quorum needed), and
a proposal that a quorum committed.  No one of them stands in for another, and no member for the
rest.
"""

from __future__ import annotations

from attrs import frozen

from etcdmesos.cluster.model import MemberView, Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Member, Record, Role, Step
from etcdmesos.cluster.remembering import remembering
from etcdmesos.etcd.member_health import Alarm, MemberHealth
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
