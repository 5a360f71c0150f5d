"""A member that has left etcd's list: off the record, and what its end says about its agent.

Asks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from etcdmesos.cluster.model import Draft, KillAsked, Model, without
from etcdmesos.cluster.record import Member, Role
from etcdmesos.cluster.shunning import Failure, shun
from etcdmesos.mesos.statuses import ALIVE


def tasks_to_end(model: Model, members: Iterable[Member]) -> dict[str, KillAsked]:
    """By id, those tasks of `members`, who are of the past, that may run; others are strays when
    they return."""
    return {
        task.id: KillAsked.of(task)
        for member in members
        for task in member.tasks
        # One that nobody has spoken of yet was launched all the same.
        if (status := model.tasks.get(task.id)) is None or status.state in ALIVE
    }


def forget(draft: Draft, member: Member) -> Draft:
    """Off the record; whatever still runs of it is a stray, to be killed."""
    model = draft.model
    record = model.record
    members = tuple(m for m in record.members if m.name != member.name)
    failure = _failure(member)
    ports = frozenset[int]() if failure is Failure.ADDITION else member.ports
    shunned = shun(model.shunned, {member.agent_id: ports}, failure, model.settings, draft.now)
    ids = [task.id for task in member.tasks]
    draft = _count_attempt(draft, member)
    return draft.recording(members=members, change=None).having(
        kills={**model.kills, **tasks_to_end(model, [member])},
        shunned=shunned,
        views=without(model.views, member.name),
        joining_since=without(model.joining_since, member.name),
        out_of_reach=without(model.out_of_reach, *ids),
    )


def _count_attempt(draft: Draft, member: Member) -> Draft:
    """If `member` was launched not long ago: another one that came to nothing."""
    model, settings = draft.model, draft.model.settings
    since = model.joining_since.get(member.name)
    if since is None or not member.tasks:
        return draft
    if member.role is Role.VOTER and draft.now - since >= settings.retry_most:
        return draft
    ends = [
        status.summary
        for task in member.tasks
        if (status := model.tasks.get(task.id)) is not None and status.dead
    ]
    setback = ends[-1] if ends else f"{member.name} on {member.hostname} did not come to serve"
    return draft.having(attempts=model.attempts.failing(settings, draft.now), setback=setback)


def _failure(member: Member) -> Failure:
    """What has failed on the agent of a member that is forgotten."""
    if not member.tasks:
        return Failure.ADDITION
    return Failure.LAUNCH if member.role is Role.LEARNER else Failure.MEMBER
