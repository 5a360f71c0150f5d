"""What Mesos and executors say of tasks."""

from __future__ import annotations

import base64
import binascii
import json

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Draft, KillAsked, MesosLink, without
from etcdmesos.cluster.observe.event import event_of
from etcdmesos.cluster.record import Member, Step
from etcdmesos.mesos.statuses import ALIVE, REFUSED, TaskState, TaskStatus


def take_task_update(draft: Draft) -> Draft:
    """Keep the task's last status, move its member's step along, and acknowledge."""
    status = event_of(draft, e.TaskUpdated).status
    if status.uuid:
        draft = draft.asking(c.Acknowledge(status=status))
    mesos = draft.model.mesos
    heard = evolve(mesos, unaccounted=mesos.unaccounted - {status.task_id})
    if draft.model.known_dead(status.task_id):
        return _take_late_word(draft.having(mesos=heard), status)
    if _answers_an_accept(draft, status):
        return draft.having(mesos=_asking_for(heard, status.task_id, draft.now))
    draft = draft.having(tasks={**draft.model.tasks, status.task_id: status}, mesos=heard)
    draft = _note_reach(draft, status)
    member = draft.model.record.owner(status.task_id)
    if member is None:
        return _take_stray(draft, status)
    return _take_member_status(draft, member, status)


def _take_late_word(draft: Draft, status: TaskStatus) -> Draft:
    """The first proof of death stands; a late word cannot raise the dead.

    But the operator's word is no proof: what comes back in spite of it has to end.
    """
    known, kills = draft.model.tasks[status.task_id], draft.model.kills
    if status.dead:
        return draft.having(kills=without(kills, status.task_id))
    if known.state is TaskState.GONE_BY_OPERATOR and status.state in ALIVE:
        return _to_be_killed(draft, status)
    return draft


def _to_be_killed(draft: Draft, status: TaskStatus) -> Draft:
    if status.task_id in draft.model.kills:
        return draft
    kill = KillAsked(agent_id=status.agent_id, executor_id=status.executor_id or status.task_id)
    return draft.having(kills={**draft.model.kills, status.task_id: kill})


def _answers_an_accept(draft: Draft, status: TaskStatus) -> bool:
    """Whether this is the master's no to an ACCEPT for a task that already runs.

    Nothing is accepted twice, but if it was, the no would not mean the task.
    """
    known = draft.model.tasks.get(status.task_id)
    vouched_for = known is not None and known.state in (TaskState.STARTING, TaskState.RUNNING)
    return vouched_for and status.state in REFUSED and not status.uuid


def _asking_for(mesos: MesosLink, task_id: str, now: float) -> MesosLink:
    return evolve(mesos, unaccounted=mesos.unaccounted | {task_id}, reconcile_at=now)


def _note_reach(draft: Draft, status: TaskStatus) -> Draft:
    """Since when nobody vouches for the task; from now on it is asked for, soon and then seldom."""
    known, mesos = draft.model.out_of_reach, draft.model.mesos
    if not status.out_of_reach:
        return draft.having(out_of_reach=without(known, status.task_id))
    if status.task_id in known:
        return draft
    first = draft.model.settings.reconcile_first
    soon = evolve(mesos, reconcile_away_at=draft.now + first, reconcile_away_wait=first * 2)
    return draft.having(out_of_reach={**known, status.task_id: draft.now}, mesos=soon)


def _take_stray(draft: Draft, status: TaskStatus) -> Draft:
    """A task the record does not know: to be killed if anybody vouches for it, forgotten if
    dead."""
    if status.dead:
        return draft.having(
            kills=without(draft.model.kills, status.task_id),
            tasks=without(draft.model.tasks, status.task_id),
        )
    return _to_be_killed(draft, status) if status.state in ALIVE else draft


def _take_member_status(draft: Draft, member: Member, status: TaskStatus) -> Draft:
    counters = draft.model.counters
    if status.uuid:  # its agent's or executor's own word, not the answer to a question
        draft = draft.having(terms=draft.model.terms.explained())
    if status.dead:
        return draft.having(
            record=draft.model.record.with_end(status.task_id, status.state.value),
            counters=evolve(counters, failed=counters.failed + 1),
            kills=without(draft.model.kills, status.task_id),
        )
    if status.state is TaskState.RUNNING:
        # Its executor just saw it serve: look at once instead of at the next interval.
        view = evolve(draft.model.view(member.name), probe_at=draft.now)
        draft = draft.having(views={**draft.model.views, member.name: view})
    if status.state not in (TaskState.STARTING, TaskState.RUNNING):
        return draft
    said = _said_by_executor(status)
    updated = evolve(
        member,
        step=Step.JOINING if member.step is Step.LAUNCHING else member.step,
        sandbox=said.get("sandbox", member.sandbox),
        etcd_version=said.get("etcd_version", member.etcd_version),
    )
    return draft.recording_member(updated)


def _said_by_executor(status: TaskStatus) -> dict[str, str]:
    """The texts an executor attached to its status; whatever else it may hold is not ours to
    trust."""
    try:
        data = json.loads(base64.b64decode(status.data or "e30="))
    except (binascii.Error, ValueError):
        return {}
    return {k: v for k, v in data.items() if isinstance(v, str)} if isinstance(data, dict) else {}
