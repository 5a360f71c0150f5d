"""Guards of `statecharts/executor.yaml`: predicates on what is known, one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcdmesos.executor.commands import Prepare, RestoreSeed
from etcdmesos.executor.crashes import crash_count, exhausted, says_removed
from etcdmesos.executor.endings import spec_problem
from etcdmesos.executor.events import CommandFailed, EtcdExited, KillAsked
from etcdmesos.executor.holding import to_be_stopped
from etcdmesos.executor.links import given_up
from etcdmesos.executor.model import Draft, Process
from etcdmesos.executor.outcomes import start_failed


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
    """There is no etcd of ours: none was started, or all were reaped."""
    return draft.model.etcd.process is Process.NONE and not draft.model.reseed.working


def must_not_run(draft: Draft) -> bool:
    """The member is to be held, or a seed's data is to be set aside."""
    return to_be_stopped(draft.model)


def may_run(draft: Draft) -> bool:
    """Nothing holds the member; its own data is in its place, and no signal is on its way."""
    model, etcd = draft.model, draft.model.etcd
    if to_be_stopped(model) or model.reseed.working:
        return False
    return etcd.process is Process.NONE or not (etcd.signalling or etcd.signalled)


def held_fast(draft: Draft) -> bool:
    """etcd is reaped, the member's own data is in its place, and its log was read."""
    model, reseed = draft.model, draft.model.reseed
    ready = etcd_gone(draft) and not reseed.undo and reseed.log_end is not None
    return ready and model.record.held is not None


def copy_ordered(draft: Draft) -> bool:
    """A copy of the data is to be run, or a backup fetched."""
    return draft.model.reseed.measuring


def copy_over(draft: Draft) -> bool:
    """The copy or the fetching has ended, with or without a snapshot."""
    return not draft.model.reseed.measuring and not draft.model.reseed.working


def seed_ordered(draft: Draft) -> bool:
    """The snapshot is to be restored where the data is."""
    return draft.model.reseed.seed is not None


def seed_unwanted(draft: Draft) -> bool:
    """Another order came since the seed was."""
    return draft.model.reseed.seed is None


def restore_failed(draft: Draft) -> bool:
    """What failed is the restoring of the seed."""
    event = draft.event
    return isinstance(event, CommandFailed) and isinstance(event.command, RestoreSeed)


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
        must_not_run,
        may_run,
        held_fast,
        copy_ordered,
        copy_over,
        seed_ordered,
        seed_unwanted,
        restore_failed,
        nothing_to_report,
        agent_given_up,
        last_word_heard,
    )
}
