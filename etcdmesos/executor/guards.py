"""Guards of `statecharts/executor.yaml`: predicates on what is known, one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcdmesos.executor.commands import Prepare
from etcdmesos.executor.crashes import crash_count, exhausted, says_removed
from etcdmesos.executor.endings import spec_problem
from etcdmesos.executor.events import CommandFailed, EtcdExited, KillAsked
from etcdmesos.executor.links import given_up
from etcdmesos.executor.model import Draft, Process
from etcdmesos.executor.observe import start_failed


def task_understood(draft: Draft) -> bool:
    """The task's data describes a member, of no older epoch than one seen before."""
    return not spec_problem(draft)


def our_task(draft: Draft) -> bool:
    """The KILL names our task."""
    task, event = draft.model.task, draft.event
    return isinstance(event, KillAsked) and task is not None and task.id == event.task_id


def preparation_failed(draft: Draft) -> bool:
    """What failed is the preparation."""
    event = draft.event
    return isinstance(event, CommandFailed) and isinstance(event.command, Prepare)


def said_removed(draft: Draft) -> bool:
    """etcd's last words were that it was removed from its cluster."""
    return isinstance(draft.event, EtcdExited) and says_removed(draft.event)


def data_gone(draft: Draft) -> bool:
    """The member has been up, and its data directory holds no write-ahead log any more."""
    event = draft.event
    return isinstance(event, EtcdExited) and not event.data_kept and draft.model.member_id != ""


def restarts_used_up(draft: Draft) -> bool:
    """This crash is one more than restarts are allowed for."""
    return exhausted(crash_count(draft.model, draft.now))


def serving(draft: Draft) -> bool:
    """etcd says of itself that it is a voter and knows a leader."""
    return draft.model.etcd.serving_since is not None


def removed_by_peers(draft: Draft) -> bool:
    """Peers answered, and none of them lists this member any more."""
    return draft.model.restart.removed


def restart_due(draft: Draft) -> bool:
    """The pause is over, and the peers were asked whether we are still a member."""
    restart = draft.model.restart
    return restart.asked and draft.now >= restart.at


def etcd_gone(draft: Draft) -> bool:
    """There is no etcd of ours: none was started, or it was reaped."""
    return draft.model.etcd.process is Process.NONE


def nothing_to_report(draft: Draft) -> bool:
    """There is no task to say anything about."""
    return draft.model.task is None


def agent_given_up(draft: Draft) -> bool:
    """The agent has been away for longer than it may, or nobody expects us back."""
    return given_up(draft.model, draft.now)


def last_word_heard(draft: Draft) -> bool:
    """The agent has acknowledged the last update, or waiting for that makes no sense any more."""
    model = draft.model
    if given_up(model, draft.now):
        return True
    if model.leave_at is None:
        return False
    return draft.now >= model.leave_at or not any(update.last for update in model.updates)


GUARDS: Mapping[str, Callable[[Draft], bool]] = {
    guard.__name__: guard
    for guard in (
        task_understood,
        our_task,
        preparation_failed,
        start_failed,
        said_removed,
        data_gone,
        restarts_used_up,
        serving,
        removed_by_peers,
        restart_due,
        etcd_gone,
        nothing_to_report,
        agent_given_up,
        last_word_heard,
    )
}
