"""Commands that have ended without an event of their own: what that says.  Asks for nothing."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.executor.backing_up import backup_not_sent
from etcdmesos.executor.commands import (
    AskPeers,
    FetchSnapshot,
    ProbeMember,
    PutBack,
    ReadLog,
    RemoveKept,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
    SendBackup,
    SendUpdate,
    SignalEtcd,
    StartEtcd,
)
from etcdmesos.executor.events import CommandDone, CommandFailed, CommandUnknown
from etcdmesos.executor.holding import data_put_back, log_unread, not_put_back
from etcdmesos.executor.measuring import copy_failed, fetch_failed, snapshot_failed
from etcdmesos.executor.model import Draft, Model, Process
from etcdmesos.executor.observe import no_process, probed, unwell
from etcdmesos.executor.retention import kept_removed
from etcdmesos.executor.settings import UPDATE_RETRY_AFTER
from etcdmesos.step import Command

OUTCOMES = (CommandDone, CommandFailed, CommandUnknown)


def start_failed(draft: Draft) -> bool:
    """What failed is the start of etcd."""
    event, etcd = draft.event, draft.model.etcd
    return (
        isinstance(event, CommandFailed)
        and isinstance(event.command, StartEtcd)
        and event.command.run == etcd.run
        and etcd.process is Process.ASKED
    )


def take_outcome(draft: Draft) -> Draft:
    """A command under way has ended, with or without what it was for."""
    event, etcd = draft.event, draft.model.etcd
    assert isinstance(event, OUTCOMES)
    match event.command:
        case SendUpdate(update=update):
            return _sent(draft, update.uuid, done=isinstance(event, CommandDone))
        case SignalEtcd(signal=signal) if etcd.signalling:
            # Failed means that the process is gone already, and EtcdExited is on its way.
            return draft.with_etcd(signalling=False, signalled=signal)
        case ProbeMember(run=run) if run == etcd.run:
            return probed(unwell(draft))
        case ProbeMember():
            return draft.with_etcd(probing=False)
        case AskPeers(run=run) if run == etcd.run:
            return draft.having(restart=evolve(draft.model.restart, asking=False, asked=True))
        case StartEtcd() if start_failed(draft):
            return no_process(draft)
        case SaveSnapshot() | ReadLog() | RunCopy() | FetchSnapshot() | RestoreSeed() | PutBack():
            return _worked(draft, event.command, event)
        case RemoveKept() as command:
            return kept_removed(draft, command, getattr(event, "reason", ""))
        case SendBackup(name=name):
            reason = getattr(event, "reason", "")
            return backup_not_sent(draft, name, reason)
        case _:
            return draft


def _worked(
    draft: Draft, command: Command, event: CommandDone | CommandFailed | CommandUnknown
) -> Draft:
    reason = "" if isinstance(event, CommandDone) else event.reason
    if isinstance(command, SaveSnapshot):
        return snapshot_failed(draft, command.generation, reason)
    draft = draft.with_reseed(working=False, cancelling=False)
    match command:
        case ReadLog():
            return log_unread(draft, reason)
        case RunCopy():
            return copy_failed(draft, reason)
        case FetchSnapshot(url=url):
            return fetch_failed(draft, url, reason)
        case PutBack() if isinstance(event, CommandDone):
            return data_put_back(draft, command)
        case PutBack():
            return not_put_back(draft, reason)
        case _:
            return draft


def _sent(draft: Draft, uuid: str, *, done: bool) -> Draft:
    model: Model = draft.model
    updates = tuple(
        update
        if update.uuid != uuid
        else evolve(update, taken_at=draft.now)
        if done
        else evolve(update, again_at=draft.now + UPDATE_RETRY_AFTER)
        for update in model.updates
    )
    return draft.having(sending="", updates=updates)


def save_failed(draft: Draft) -> Draft:
    """What is not durable was not ordered: the record stands as it was, and so does etcd."""
    before, record = draft.model.record_before, draft.model.record
    # How far orders have come still counts for as long as this process lives.
    stands = evolve(before, epoch=record.epoch, generation=record.generation)
    draft = draft.having(record=stands, remark="the record could not be saved")
    if record.held is None or before.held is not None:
        return draft
    # The signal was in the same step: it was dropped.
    return draft.with_etcd(signalling=False).with_reseed(
        failed="hold", reason="the record could not be saved"
    )
