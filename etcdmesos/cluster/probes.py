"""The plan for probes: which member is asked how it is, and through whom raft's progress is tried.

What they have shown is assessed in `health.py`.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.commands import ProbeMember, ProbeProgress
from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.health import leader_ended, serves, statuses, voters
from etcdmesos.cluster.model import Draft, MemberView, Model
from etcdmesos.cluster.quorum import tolerated
from etcdmesos.cluster.record import Member, Role
from etcdmesos.cluster.remembering import remembering
from etcdmesos.mesos.statuses import TaskState

ELECTION_WITHIN = 10.0
"""Seconds; who knows no leader for so long (ten election time-outs of etcd) waits for something
else than an election, and is probed no more often than everybody."""


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
