"""Which membership change is due next, and whether it is safe.  Pure arithmetic; asks for nothing.

The order is etcd's own advice and the original's bitter lesson: what was never started goes first,
then dead voters, one by one, each only while the healthy ones remain a quorum of what remains; only
then is a learner added, and promoted once it has caught up (etcd.io: FAQ, runtime configuration).
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from etcdmesos.cluster.alarms import corrupt
from etcdmesos.cluster.health import Assessment
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Kind, Member, Record, Role, Step
from etcdmesos.cluster.remembering import remembering
from etcdmesos.etcd.member_list import ListedMember, MemberList

CAUGHT_UP = 0.9
"""Part of the leader's log a learner must have; etcd's own threshold (readyPercent)."""


@frozen(kw_only=True)
class Repair:
    """One change that is due.  `member` is None for an entry of the list that we never knew."""

    kind: Kind
    member: Member | None
    id: str
    why: str


def next_repair(model: Model, listing: MemberList, state: Assessment, now: float) -> Repair | None:
    """The change of the present members that is due; None when nothing is, or none is safe.

    Adding is not among them: it needs a place, which only offers give.
    """
    return (
        _ghost(model.record, listing)
        or vanished(model.record, listing)
        or _of_the_learner(model, state, now)
        or _dead_voter(model, listing, state, now)
    )


def learner(record: Record) -> Member | None:
    """The member on its way to becoming a voter; there is one at most."""
    for member in record.members:  # a loop: asked many times a step
        if member.role is Role.LEARNER:
            return member
    return None


def ailing(model: Model, member: Member, now: float) -> str:
    """Why `member` is to be replaced, as the rest of a clause; "" when it is not."""
    settings = model.settings
    if model.ended(member):
        return "is dead"
    if member.id in corrupt(model, now):
        return "holds other data than the others"
    for task in member.tasks:
        since = model.out_of_reach.get(task.id)
        if since is not None and now - since >= settings.member_timeout:
            return f"was out of reach for {settings.member_timeout:g} s"
    late = now >= model.attempt_since + settings.bootstrap_limit
    if late and member.role is Role.VOTER and member.step in (Step.LAUNCHING, Step.JOINING):
        return f"did not serve within {settings.bootstrap_limit:g} s"
    failing = model.view(member.name).failing_since
    if (
        member.step is Step.VOTER
        and failing is not None
        and now - failing >= settings.member_timeout
    ):
        return f"answered nothing for {settings.member_timeout:g} s"
    apart = model.apart_since.get(member.name, now)
    if member.step is Step.VOTER and now - apart >= settings.member_timeout:
        return f"did not agree with the others for {settings.member_timeout:g} s"
    return ""


@remembering
def ailments(model: Model, now: float) -> Mapping[str, str]:
    """By name, the members that are to be replaced, and why."""
    found = {member.name: ailing(model, member, now) for member in model.record.members}
    return {name: why for name, why in found.items() if why}


def may_remove(entry: ListedMember, listing: MemberList, serving: frozenset[str]) -> bool:
    """Whether `entry` may leave the list: the healthy voters among the rest are a quorum of it.

    `serving` holds the ids of healthy voters.  A learner takes no part in any quorum.
    """
    if entry.learner:
        return True
    rest = [e for e in listing.members if not e.learner and e.id != entry.id]
    return bool(rest) and has_quorum(sum(e.id in serving for e in rest), len(rest))


def serving_ids(model: Model, state: Assessment, now: float) -> frozenset[str]:
    """etcd's ids of the voters that serve, and whose data nobody doubts."""
    return frozenset(
        m.id
        for m in model.record.members
        if m.name in state.agreeing and m.id and m.id not in corrupt(model, now)
    )


def entry_of(member: Member, listing: MemberList) -> ListedMember | None:
    """The entry of `member`, by its id or, before that is known, by its peer URL."""
    return listing.entry(member.id) if member.id else listing.at(member.peer_url)


def strangers(record: Record, listing: MemberList) -> tuple[ListedMember, ...]:
    """Entries that are none of ours: unstarted ghosts, and members that somebody else runs."""
    known = {e.id for m in record.members if (e := entry_of(m, listing)) is not None}
    return tuple(entry for entry in listing.members if entry.id not in known)


def _ghost(record: Record, listing: MemberList) -> Repair | None:
    """An entry that is none of ours and never started: added by a lost request, or by hand."""
    for entry in strangers(record, listing):
        if not entry.name:
            return Repair(
                kind=Kind.REMOVE, member=None, id=entry.id, why="was added and never started"
            )
    return None


def vanished(record: Record, listing: MemberList) -> Repair | None:
    """A member that the list lacks: somebody else removed it, and it never comes back."""
    for member in record.members:
        if member.step is not Step.ADDING and entry_of(member, listing) is None:
            return Repair(
                kind=Kind.REMOVE, member=member, id=member.id, why="was removed by somebody else"
            )
    return None


def _of_the_learner(model: Model, state: Assessment, now: float) -> Repair | None:
    member = learner(model.record)
    if member is None or member.step is Step.ADDING:
        return None
    trouble = ailing(model, member, now)
    since = model.joining_since.get(member.name, now)
    if not trouble and now - since >= model.settings.learner_limit:
        trouble = f"did not catch up within {model.settings.learner_limit:g} s"
    if trouble:
        return Repair(kind=Kind.REMOVE, member=member, id=member.id, why=trouble)
    if _caught_up(model, member, state):
        return Repair(kind=Kind.PROMOTE, member=member, id=member.id, why="has caught up")
    return None


def _caught_up(model: Model, member: Member, state: Assessment) -> bool:
    health = model.view(member.name).latest
    indexes = [
        latest.commit_index
        for m in model.record.members
        if m.name in state.agreeing and (latest := model.view(m.name).latest) is not None
    ]
    return (
        health is not None
        and health.learner
        and health.member_id == member.id
        and bool(indexes)
        and health.applied_index >= CAUGHT_UP * max(indexes)
    )


def _started(model: Model, member: Member, listing: MemberList) -> bool:
    """Whether `member` told its name to the list, or has answered since that was read."""
    if member.step is not Step.JOINING:
        return False
    entry, health = entry_of(member, listing), model.view(member.name).latest
    answered = health is not None and health.member_id == member.id
    return answered or (entry is not None and entry.name != "")


def _dead_voter(model: Model, listing: MemberList, state: Assessment, now: float) -> Repair | None:
    """The first voter to be replaced whose removal is safe.  Not while a member is unstarted."""
    joining = learner(model.record)
    if joining is not None and not _started(model, joining, listing):
        return None
    for member in model.record.members:
        trouble = ailments(model, now).get(member.name, "") if member.role is Role.VOTER else ""
        entry = entry_of(member, listing) if trouble else None
        if entry is not None:
            others = serving_ids(model, state, now) - {entry.id}
            if may_remove(entry, listing, others):
                return Repair(kind=Kind.REMOVE, member=member, id=entry.id, why=trouble)
    return None
