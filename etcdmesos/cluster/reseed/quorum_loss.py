"""Is quorum gone?  A condition of its own, apart from "degraded", and for how long it has held.

Three signals have to agree: no survivor reports a leader, no proposal is committed, and Mesos or
the executors say by another path than the probes that no quorum of voters is well.  So a scheduler
that is alone cut off sees no loss of quorum.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from etcdmesos.cluster.health import fresh_view, leader_ended, progressing, statuses
from etcdmesos.cluster.model import Draft, MemberView, Model, QuorumWatch
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Member
from etcdmesos.cluster.reseed.safety import configurations, proven
from etcdmesos.cluster.reseed.standing import dead
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.mesos.statuses import TaskState


def quorum_gone(model: Model, now: float) -> bool:
    """Whether the cluster has served, and nothing says that any quorum of it still does."""
    record = model.record
    if not record.served or not record.cluster_id or _leader_reported(model, now):
        return False
    # Enough are proven to have ended: what was committed before that says nothing.
    if proven(configurations(record), dead(model), frozenset()):
        return True
    committed = progressing(model, now) or _learner_follows(model, now)
    return not committed and not _well_by_mesos(model)


def _leader_reported(model: Model, now: float) -> bool:
    """Whether a survivor names a leader that may live.

    Not a learner: it never campaigns, so it names the last leader for ever (raft's promotable()).
    """
    return any(
        word.leader and not word.learner and not leader_ended(model, word.leader)
        for _, word in _reports(model, now)
    )


def _learner_follows(model: Model, now: float) -> bool:
    """Whether a learner was told of further commits between its last two probes: somebody leads."""
    return any(
        word.learner and view.previous and word.commit_index > view.previous.commit_index
        for view, word in _reports(model, now)
    )


def _reports(model: Model, now: float) -> Iterator[tuple[MemberView, MemberHealth]]:
    """What members of this cluster say that answer; what one said before it fell silent is none."""
    for member in model.record.members:
        view = fresh_view(model, member, now)
        if view is None or view.latest is None or view.failing_since is not None:
            continue
        if view.latest.cluster_id == model.record.cluster_id:
            yield view, view.latest


def _well_by_mesos(model: Model) -> bool:
    """Whether a quorum of some configuration is running and, as far as executors say, healthy."""
    unwell = frozenset(m.name for m in model.record.members if not _runs_well(model, m))
    return any(has_quorum(len(one - unwell), len(one)) for one in configurations(model.record))


def _runs_well(model: Model, member: Member) -> bool:
    return any(
        status.state is TaskState.RUNNING and status.healthy is not False
        for status in statuses(model, member)
    )


def watch(draft: Draft) -> Draft:
    """Keep the time for which quorum has been gone without a break, as far as it was watched.

    Time during which this process did not look (it was stopped, say) begins it anew.
    """
    model, now = draft.model, draft.now
    if not quorum_gone(model, now):
        return quorum_is_back(stop_watching(draft))
    known = model.quorum_watch
    if known is None or now - known.seen_at > model.settings.watch_gap:
        known = QuorumWatch(since=now, seen_at=now)
    record = model.record
    if not record.quorum_lost_at:
        draft = draft.recording(
            quorum_lost_at=model.unix_time(now), quorum_losses=record.quorum_losses + 1
        )
    draft = draft.having(quorum_watch=evolve(known, seen_at=now))
    return draft.waking(now + min(model.settings.probe_interval, model.settings.watch_gap / 2))


def quorum_is_back(draft: Draft) -> Draft:
    """A loss that was on record is over."""
    record = draft.model.record
    if not record.quorum_lost_at and not record.reseed_failures:
        return draft
    return draft.recording(quorum_lost_at=0.0, reseed_failures=0, reseed_setback="")


def stop_watching(draft: Draft) -> Draft:
    """Whatever comes next, the time begins anew."""
    return draft if draft.model.quorum_watch is None else draft.having(quorum_watch=None)


def watched(model: Model, now: float) -> float:
    """For how many seconds quorum has been seen to be gone."""
    return now - model.quorum_watch.since if model.quorum_watch is not None else 0.0
