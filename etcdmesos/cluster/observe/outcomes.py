"""How commands ended that did not end in an observation."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from etcdmesos.backoff import doubling
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.backups.observe import settle
from etcdmesos.cluster.model import Draft, StoreLink
from etcdmesos.cluster.observe.mesos import framework_removed, not_subscribed
from etcdmesos.cluster.observe.store import uninstalled
from etcdmesos.cluster.probes import next_probe_at
from etcdmesos.cluster.restore.observe import settle as restore_settled
from etcdmesos.mesos.statuses import TaskState, TaskStatus

OUTCOMES = (e.CommandDone, e.CommandFailed, e.CommandUnknown)


def take_outcome(draft: Draft) -> Draft:
    """Note how a command ended that did not end in an observation."""
    event = draft.event
    assert isinstance(event, OUTCOMES)
    settle = _SETTLES.get(type(event.command))
    return draft if settle is None else settle(draft, event.command)


def _reason(draft: Draft) -> str:
    return getattr(draft.event, "reason", "")


def _member_probe_failed(draft: Draft, command: c.Command) -> Draft:
    assert isinstance(command, c.ProbeMember)
    view = draft.model.view(command.member)
    since = draft.now if view.failing_since is None else view.failing_since
    failed = evolve(
        view,
        probing=False,
        failing_since=since,
        failure=_reason(draft),
        probe_at=next_probe_at(draft.model, command.member, draft.now, since),
    )
    return draft.having(views={**draft.model.views, command.member: failed})


def _progress_probe_failed(draft: Draft, _command: c.Command) -> Draft:
    progress = draft.model.progress
    since = draft.now if progress.failing_since is None else progress.failing_since
    failed = evolve(
        progress,
        probing=False,
        failing_since=since,
        failure=_reason(draft),
        probe_at=next_probe_at(draft.model, "", draft.now, since),
        tries=progress.tries + 1,
    )
    return draft.having(progress=failed)


def _state_not_read(draft: Draft, command: c.Command) -> Draft:
    assert isinstance(command, c.ReadMasterState)
    if command.subscription != draft.model.mesos.number:
        return draft  # this subscription has asked for itself
    new = not (draft.model.mesos.subscribed or draft.model.record.framework_id)
    if new and not draft.model.store.rebuilding:
        return not_subscribed(draft, _reason(draft))
    mesos = draft.model.mesos
    again = draft.now + mesos.state_wait
    return draft.having(mesos=evolve(mesos, reading_state=False, read_state_at=again))


def _launch_settled(draft: Draft, command: c.Command) -> Draft:
    """A launch that certainly did not happen is a dead task; an unknown one is for
    reconciliation."""
    assert isinstance(command, c.Launch)
    if isinstance(draft.event, e.CommandDone):
        return draft
    draft = _return_later(draft, command.offer_ids)
    if isinstance(draft.event, e.CommandUnknown):
        mesos = draft.model.mesos
        ids = frozenset(t.id for t in command.tasks if not draft.model.known_dead(t.id))
        mesos = evolve(mesos, unaccounted=mesos.unaccounted | ids, reconcile_at=draft.now)
        return draft.having(mesos=mesos)
    refused = {
        task.id: TaskStatus(
            task_id=task.id,
            agent_id=task.agent_id,
            state=TaskState.DROPPED,
            message=f"never launched: {_reason(draft)}",
        )
        for task in command.tasks
    }
    record = draft.model.record
    for status in refused.values():
        record = record.with_end(status.task_id, status.state.value)
    return draft.having(tasks={**draft.model.tasks, **refused}, record=record)


def _return_later(draft: Draft, offer_ids: tuple[str, ...]) -> Draft:
    """Offers that a call did not use or give back are held by us in the master's eyes, and would
    come to nobody any more.  To give back one that is void does no harm."""
    at = draft.now + draft.model.settings.reconcile_first
    return draft.having(unreturned={**draft.model.unreturned, **dict.fromkeys(offer_ids, at)})


def _decline_settled(draft: Draft, command: c.Command) -> Draft:
    assert isinstance(command, c.Decline)
    if isinstance(draft.event, e.CommandDone):
        return draft
    return _return_later(draft, command.offer_ids)


def _reconcile_settled(draft: Draft, command: c.Command) -> Draft:
    """Questions about recorded tasks are repeated anyway; the one for all tasks is asked again."""
    assert isinstance(command, c.Reconcile)
    if isinstance(draft.event, e.CommandDone) or command.tasks:
        return draft
    again = draft.now + draft.model.settings.reconcile_first
    return draft.having(mesos=evolve(draft.model.mesos, reconcile_all_at=again))


def _suppress_failed(draft: Draft, _command: c.Command) -> Draft:
    """What holds is not known: an earlier call of the other kind may have failed, too."""
    if isinstance(draft.event, e.CommandDone):
        return draft
    mesos = evolve(
        draft.model.mesos,
        suppressed=None,
        suppress_at=draft.now + draft.model.settings.reconcile_first,
    )
    return draft.having(mesos=mesos)


def _subscribe_failed(draft: Draft, _command: c.Command) -> Draft:
    if isinstance(draft.event, e.CommandDone) or draft.model.mesos.subscribed:
        return draft
    return not_subscribed(draft, _reason(draft))


def _listing_failed(draft: Draft, _command: c.Command) -> Draft:
    again = draft.now + draft.model.settings.change_first
    view = evolve(draft.model.membership, busy=False, ask_at=again, failure=_reason(draft))
    return draft.having(membership=view)


UNSETTLED = "unhealthy cluster"
"""etcd's words when its members have not been connected for long enough: it passes by itself."""


def _unsettled(draft: Draft) -> bool:
    """Whether etcd said that it is too early for this change; nothing else can have happened."""
    return isinstance(draft.event, e.CommandFailed) and UNSETTLED in _reason(draft)


def _change_settled(draft: Draft, _command: c.Command) -> Draft:
    """Whatever became of the request, the list is read again; after a failure, not at once."""
    view, settings = draft.model.membership, draft.model.settings
    if _unsettled(draft):
        since = draft.now if view.unsettled_since is None else view.unsettled_since
        if draft.now < since + settings.unsettled_limit:
            refused = evolve(
                view,
                busy=False,
                listing=None,
                failure=_reason(draft),
                unsettled_since=since,
                ask_at=draft.now + settings.unsettled_again,
            )
            return draft.having(membership=refused)
    done = isinstance(draft.event, e.CommandDone)
    failures = 0 if done else view.failures + 1
    wait = doubling(settings.change_first, settings.change_most, failures)
    settled = evolve(
        view,
        busy=False,
        listing=None,
        failures=failures,
        failure=_reason(draft),
        ask_at=draft.now + wait,
    )
    return draft.having(membership=settled)


def _teardown_settled(draft: Draft, _command: c.Command) -> Draft:
    """Done, there is no framework any more.  Otherwise the master says so, or it is asked again."""
    if isinstance(draft.event, e.CommandDone):
        return framework_removed(_errand_failed(draft, ""), "torn down")
    return _errand_failed(draft, _reason(draft))


def _deletion_settled(draft: Draft, command: c.Command) -> Draft:
    """Done, nothing is left to be done.  Otherwise the record is read again."""
    if isinstance(draft.event, e.CommandDone):
        return draft.asking(c.Exit(status=0, reason=uninstalled(draft.model.settings)))
    return _aside_failed(draft, command)


def _aside_failed(draft: Draft, _command: c.Command) -> Draft:
    reason = _reason(draft)
    draft = _errand_failed(draft, reason)
    return draft.having(store=StoreLink(reason=reason, load_at=draft.model.errand.again_at))


def _errand_failed(draft: Draft, reason: str) -> Draft:
    again = draft.now + draft.model.settings.subscribe_first if reason else 0.0
    view = evolve(draft.model.errand, busy=False, again_at=again, failure=reason)
    return draft.having(errand=view)


def _answer_lost(draft: Draft, command: c.Command) -> Draft:
    """ "Accepted" was not let out, as the record was not confirmed: the operator hears so."""
    assert isinstance(command, c.AnswerOperator)
    if not (isinstance(draft.event, e.CommandFailed) and command.accepted):
        return draft
    said = f"not known to be recorded: {_reason(draft)}; look at /stats, and ask again"
    return draft.asking(c.AnswerOperator(number=command.number, accepted=False, text=said))


_SETTLES: dict[type[c.Command], Callable[[Draft, c.Command], Draft]] = {
    c.ProbeMember: _member_probe_failed,
    c.ProbeProgress: _progress_probe_failed,
    c.ReadMasterState: _state_not_read,
    c.Launch: _launch_settled,
    c.Decline: _decline_settled,
    c.Reconcile: _reconcile_settled,
    c.Suppress: _suppress_failed,
    c.Revive: _suppress_failed,
    c.Subscribe: _subscribe_failed,
    c.Teardown: _teardown_settled,
    c.DeleteRecord: _deletion_settled,
    c.PutRecordAside: _aside_failed,
    **dict.fromkeys(
        (c.ReadCatalogue, c.OpenBackup, c.CountBackup, c.AbandonBackup, c.DeleteBackup), settle
    ),
    c.CheckBackup: restore_settled,
    c.LendBackup: restore_settled,
    c.ListMembers: _listing_failed,
    c.AddLearner: _change_settled,
    c.PromoteLearner: _change_settled,
    c.RemoveMember: _change_settled,
    c.AnswerOperator: _answer_lost,
}
