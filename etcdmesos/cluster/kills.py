"""The plan for tasks that must end: of members being removed, and strays the record does not know.

A KILL is a request that nobody enforces.  Unanswered for the grace period and a little more, it is
followed by a SHUTDOWN of the executor, which agents do enforce; and so on, until the end is seen.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.commands import Kill, Shutdown
from etcdmesos.cluster.model import Draft, KillAsked
from etcdmesos.cluster.record import Step


def plan_kills(draft: Draft) -> Draft:
    """Ask for the end of every task that must end and is due to be asked."""
    if not draft.model.mesos.subscribed:
        return draft  # the framework is over, and its tasks with it
    kills = {**_of_removed_members(draft), **draft.model.kills}
    for task_id in sorted(kills):
        draft = _ask(draft, task_id, kills[task_id])
    return draft


def _of_removed_members(draft: Draft) -> dict[str, KillAsked]:
    """Tasks of an attempt being given up.

    One that is being taken off etcd's list is not among them: until it is off, its vote and its
    data may be needed still.  Afterwards it is a stray.
    """
    model, change = draft.model, draft.model.record.change
    return {
        task.id: KillAsked.of(task)
        for member in model.record.members
        if member.step is Step.REMOVING and (change is None or change.member != member.name)
        for task in member.tasks
        if not model.known_dead(task.id)
    }


def _ask(draft: Draft, task_id: str, kill: KillAsked) -> Draft:
    if kill.since is not None and draft.now < kill.again_at:
        return draft.waking(kill.again_at)
    settings = draft.model.settings
    # An executor has the grace period to stop etcd; asking again sooner would change nothing.
    again = draft.now + settings.grace + settings.kill_again
    asked = evolve(kill, since=draft.now if kill.since is None else kill.since, again_at=again)
    draft = draft.having(kills={**draft.model.kills, task_id: asked}).waking(again)
    draft = draft.asking(Kill(task_id=task_id, agent_id=kill.agent_id))
    if kill.since is not None:
        draft = draft.asking(Shutdown(executor_id=kill.executor_id, agent_id=kill.agent_id))
    return draft
