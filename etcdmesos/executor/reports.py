"""Plans for what Mesos is told: which update is due, and which is to be sent.

What to say follows from the model alone: after every event the state and health that hold now are
compared with those last said.
"""

from __future__ import annotations

import hashlib
import json

from attrs import evolve

from etcdmesos.executor.commands import SendUpdate
from etcdmesos.executor.model import Draft, Ending, Model, Process, Update
from etcdmesos.executor.settings import REPORT_WITHIN, UNHEALTHY_AFTER, UPDATE_AGAIN_AFTER

STARTING = "TASK_STARTING"
RUNNING = "TASK_RUNNING"


def plan_report(draft: Draft) -> Draft:
    """Say STARTING or RUNNING, and whether it is healthy, whenever that is news.

    A crash after RUNNING is RUNNING and unhealthy: Mesos knows no way back to STARTING, and this is
    how schedulers and operators hear of it by another path than the member itself.
    """
    model = draft.model
    state = RUNNING if model.served else STARTING
    healthy = _healthy(draft)
    if healthy and model.etcd.unwell_since is not None:
        draft = draft.waking(model.etcd.unwell_since + UNHEALTHY_AFTER)
    news = (state, healthy, model.record.held)
    if news == model.said:
        return draft
    message = _unhealthy_because(model) if healthy is False else ""
    draft = queue_update(draft, Ending(state=state, message=message), healthy=healthy)
    return draft.having(said=news)


def _healthy(draft: Draft) -> bool | None:
    """Whether it serves; None as long as it never did and nothing has gone wrong."""
    model, etcd = draft.model, draft.model.etcd
    if model.record.held is not None:
        return False
    if not model.served:
        return None if model.crashes == 0 else False
    if etcd.process is not Process.ALIVE:
        return False
    if etcd.serving_since is not None:
        return True
    # Summed as where the timer is set: a difference may fall short by a rounding, and for ever.
    if etcd.unwell_since is None or draft.now >= etcd.unwell_since + UNHEALTHY_AFTER:
        return False
    # A lost leader is usually replaced within an election or two: no news yet.
    return model.said[:2] != (RUNNING, False)


def _unhealthy_because(model: Model) -> str:
    etcd = model.etcd
    if model.record.held is not None:
        return str(model.record.held)
    if etcd.process is not Process.ALIVE:
        return model.remark or "etcd is being started again"
    if etcd.health is None:
        return "etcd has not answered yet"
    if etcd.health.learner:
        return "etcd is a learner"
    return "etcd does not answer" if etcd.health.leader else "etcd knows no leader"


def plan_last_word(draft: Draft) -> Draft:
    """Say how it ended, now that etcd is reaped, and wait for that to be acknowledged."""
    model = draft.model
    assert model.ending is not None
    leave_at = model.leave_at
    if leave_at is None:
        leave_at = draft.now + REPORT_WITHIN
        draft = queue_update(draft, model.ending, last=True).having(leave_at=leave_at)
    return draft.waking(leave_at)


def plan_sending(draft: Draft) -> Draft:
    """Send the oldest update that is due; a later one waits for it."""
    model = draft.model
    if not model.link.subscribed or model.sending:
        return draft
    for update in model.updates:
        due_at = update.again_at
        if update.taken_at is not None:
            due_at = update.taken_at + UPDATE_AGAIN_AFTER
        if draft.now >= due_at:
            return draft.having(sending=update.uuid).asking(SendUpdate(update=update))
        draft = draft.waking(due_at)
        if update.taken_at is None:
            return draft
    return draft


def queue_update(
    draft: Draft,
    what: Ending,
    task_id: str | None = None,
    *,
    healthy: bool | None = None,
    last: bool = False,
) -> Draft:
    """Make an update and keep it until it is acknowledged."""
    model = draft.model
    if task_id is None:
        assert model.task is not None
        task_id = model.task.id
    number = model.updates_made + 1
    update = Update(
        task_id=task_id,
        uuid=_uuid(model, task_id, number),
        state=what.state,
        message=what.message,
        reason=what.reason,
        healthy=healthy,
        data=_data(model),
        last=last,
    )
    # Among updates the agent has not taken, none waits behind one that failed a moment ago.
    updates = (*(evolve(u, again_at=0.0) for u in model.updates), update)
    return draft.having(updates=updates, updates_made=number)


def _uuid(model: Model, task_id: str, number: int) -> str:
    """A UUID that no other update has, without drawing one: a name-based one (RFC 9562, 5.8)."""
    text = f"{model.settings.identity}/{task_id}/{number}"
    digest = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return digest.hex()


def _data(model: Model) -> str:
    """What the scheduler learns about the member with every update; all values are texts."""
    known = {
        "member_id": model.member_id,
        "cluster_id": model.cluster_id,
        "etcd_version": model.etcd_version,
        "sandbox": model.settings.sandbox,
        "pid": str(model.etcd.pid or ""),
    }
    return json.dumps({key: value for key, value in known.items() if value}, sort_keys=True)
