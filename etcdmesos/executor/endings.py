"""Actions that decide how it ends: what the last update will say, and how long etcd may take.

The last update itself is `reports`' to make, once etcd has been reaped.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.errors import EtcdMesosError
from etcdmesos.executor.events import (
    CommandFailed,
    EtcdExited,
    KillAsked,
    ShutdownAsked,
    TaskLaunched,
)
from etcdmesos.executor.model import Draft, Ending, Task
from etcdmesos.executor.observe import crash_of, event_of, how_it_ended, no_process
from etcdmesos.executor.reports import queue_update
from etcdmesos.executor.settings import RESTARTS_MAX
from etcdmesos.member_spec import MemberSpec

FAILED = "TASK_FAILED"
KILLED = "TASK_KILLED"
INVALID = "REASON_TASK_INVALID"


def spec_problem(draft: Draft) -> str:
    """What is wrong with the member description of a task just launched, "" if nothing is."""
    try:
        spec = MemberSpec.from_json(event_of(draft, TaskLaunched).data)
    except EtcdMesosError as error:
        return str(error)
    if spec.epoch < draft.model.record.epoch:
        return f"launched by epoch {spec.epoch}, but {draft.model.record.epoch} was seen here"
    return ""


def refuse_task(draft: Draft) -> Draft:
    """Fail a task that says nothing we could run."""
    event = event_of(draft, TaskLaunched)
    return _fail(
        draft.having(task=Task(id=event.task_id, info=event.task_info)),
        spec_problem(draft),
        INVALID,
    )


def refuse_second_task(draft: Draft) -> Draft:
    """Fail a second task and go on with the first: its member must not suffer for it."""
    event, task = event_of(draft, TaskLaunched), draft.model.task
    if task is not None and task.id == event.task_id:
        return draft.having(remark="the agent handed us our task again")
    message = "an executor runs one member, and this one has its task already"
    if task is not None:
        message += f": {task.id}"
    draft = draft.having(remark=f"refused task {event.task_id}: {message}")
    return queue_update(
        draft, Ending(state=FAILED, message=message, reason=INVALID), event.task_id, last=False
    )


def fail_preparation(draft: Draft) -> Draft:
    """etcd cannot be started here."""
    reason = event_of(draft, CommandFailed).reason
    return _fail(draft.having(preparing=False), f"etcd cannot be started here: {reason}")


def fail_unsaved(draft: Draft) -> Draft:
    """Without a durable epoch no etcd is started."""
    return _fail(draft, "the executor's record could not be saved in the sandbox")


def fail_removed(draft: Draft) -> Draft:
    """A removed member never comes back."""
    return _fail(no_process(draft), "the member was removed from its cluster")


def fail_data_gone(draft: Draft) -> Draft:
    """A member never starts anew under its old name: it would have forgotten its votes."""
    return _fail(no_process(draft), "the member's data is gone")


def fail_crashes(draft: Draft) -> Draft:
    """Starting it again has not helped."""
    message = f"{crash_of(draft)}; given up after {RESTARTS_MAX} restarts"
    return _fail(no_process(draft), message)


def stop_for_kill(draft: Draft) -> Draft:
    """End etcd because the scheduler wants it so."""
    event = event_of(draft, KillAsked)
    spec = draft.model.spec
    assert spec is not None
    asked = spec.grace_seconds if event.grace_seconds is None else event.grace_seconds
    return _stop(draft, "killed", asked)


def stop_for_shutdown(draft: Draft) -> Draft:
    """End etcd before the agent, or whoever sent the signal, ends us."""
    by = event_of(draft, ShutdownAsked).by
    return _stop(draft, f"shut down: {by}", draft.model.settings.stop_within)


def stop_without_agent(draft: Draft) -> Draft:
    """End etcd because the agent does not come back; nobody could look after it any more."""
    return _stop(draft, "the agent is gone for good", draft.model.settings.stop_within)


def hasten_kill(draft: Draft) -> Draft:
    """A further KILL may shorten the time etcd has left, never prolong it."""
    grace = event_of(draft, KillAsked).grace_seconds
    return draft if grace is None else _hasten(draft, grace)


def hasten_shutdown(draft: Draft) -> Draft:
    """The agent ends us after its grace period, whatever the kill allowed."""
    return _hasten(draft, draft.model.settings.stop_within)


def unknown_kill(draft: Draft) -> Draft:
    """Say that a KILL named another task."""
    return draft.having(remark=f"ignored a KILL of {event_of(draft, KillAsked).task_id}, not ours")


def _fail(draft: Draft, message: str, reason: str = "") -> Draft:
    ending = Ending(state=FAILED, message=message, reason=reason)
    return draft.having(ending=ending, remark=message)


def _stop(draft: Draft, message: str, grace: float) -> Draft:
    grace = max(0.0, min(grace, draft.model.settings.stop_within))
    return draft.having(
        ending=Ending(state=KILLED, message=message),
        kill_at=draft.now + grace,
        remark=f"stopping: {message}",
    )


def _hasten(draft: Draft, grace: float) -> Draft:
    return draft.having(kill_at=min(draft.model.kill_at, draft.now + max(0.0, grace)))


def add_how_it_ended(draft: Draft) -> Draft:
    """Add to the last word how etcd ended."""
    ending = draft.model.ending
    assert ending is not None
    how = how_it_ended(event_of(draft, EtcdExited).wait_status)
    return draft.having(ending=evolve(ending, message=f"{ending.message}; etcd {how}"))
