"""What etcd members say of themselves, and quorums of what they commit."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import events as e
from etcdmesos.cluster.health import serves
from etcdmesos.cluster.model import Draft, MemberView, ProgressView
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.probes import next_moment, next_probe_at
from etcdmesos.cluster.record import Member, Role, Step
from etcdmesos.cluster.repairs import strangers
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.etcd.member_list import MemberList


def take_health(draft: Draft) -> Draft:
    """Keep what a member says of itself; note what must not be forgotten in the record."""
    event = event_of(draft, e.MemberProbed)
    member = draft.model.record.member(event.member)
    if member is None:
        return draft
    view = draft.model.view(event.member)
    seen = MemberView(
        latest=event.health,
        latest_at=draft.now,
        moved_at=draft.now if _moved(view, event.health) else view.moved_at,
        leaderless_since=_leaderless_since(view, event.health, draft.now),
        previous=view.latest,
        probe_at=next_probe_at(draft.model, event.member, draft.now),
    )
    draft = draft.having(views={**draft.model.views, event.member: seen})
    if serves(draft.model.record, event.health):
        terms = draft.model.terms.seeing(event.health.term, draft.now)
        draft = draft.having(terms=terms)
    return _note_serving(draft, member, event.health)


def _moved(view: MemberView, health: MemberHealth) -> bool:
    """Whether it applies what is committed; one that was silent is given a new start."""
    latest = view.latest
    return (
        latest is None
        or view.failing_since is not None
        or health.applied_index != latest.applied_index
    )


def _leaderless_since(view: MemberView, health: MemberHealth, now: float) -> float | None:
    if health.leader:
        return None
    return now if view.leaderless_since is None else view.leaderless_since


def _note_serving(draft: Draft, member: Member, health: MemberHealth) -> Draft:
    """A serving voter makes the cluster one that has served: never to be bootstrapped empty
    again."""
    model = draft.model
    if model.record.cluster_id not in ("", health.cluster_id):
        return draft
    if model.record.restore is not None:
        return draft  # announced once it is verified
    if health.serving_voter and member.step is not Step.REMOVING:
        known = (member.id, member.role, member.step, member.etcd_version)
        if known != (health.member_id, Role.VOTER, Step.VOTER, health.version):
            updated = evolve(
                member,
                id=health.member_id,
                role=Role.VOTER,
                step=Step.VOTER,
                etcd_version=health.version,
            )
            draft = draft.recording_member(updated)
        cluster_id = model.record.cluster_id or health.cluster_id
        if not model.record.served or not model.record.cluster_id:
            draft = draft.recording(served=True, cluster_id=cluster_id)
    due = draft.now - model.revision_saved_at >= model.settings.revision_interval
    if due and health.revision > model.record.highest_revision:
        draft = draft.recording(highest_revision=health.revision)
        draft = draft.having(revision_saved_at=draft.now)
    return draft


def take_progress(draft: Draft) -> Draft:
    """A quorum committed a proposal."""
    member = event_of(draft, e.ProgressMade).member
    at = next_probe_at(draft.model, "", draft.now)
    return draft.having(progress=ProgressView(made_at=draft.now, probe_at=at, made_by=member))


def _note_foreign_voters(draft: Draft, members: MemberList) -> Draft:
    """Voters that are none of ours take part in every quorum, also when nobody can ask any more."""
    record = draft.model.record
    foreign = tuple(entry.id for entry in strangers(record, members) if not entry.learner)
    if members.cluster_id != record.cluster_id or foreign == record.foreign_voters:
        return draft
    return draft.recording(foreign_voters=foreign)


def take_listing(draft: Draft) -> Draft:
    """Keep etcd's member list, as a quorum has it."""
    members = event_of(draft, e.MembersListed).members
    draft = _note_foreign_voters(draft, members)
    known = draft.model.membership
    view = evolve(
        known,
        listing=members,
        look_at=next_moment(draft.now, draft.model.settings.membership_interval),
        busy=False,
        failure=known.failure if known.failures or known.unsettled_since is not None else "",
    )
    return draft.having(membership=view)
