"""Actions that take an event into the model: what was observed, and nothing else.

No action here asks for anything of the cluster (acknowledging an update is part of taking it in);
what follows from an observation is for the planners, which look at the whole model.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import TypeVar

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.health import next_probe_at
from etcdmesos.cluster.member_health import MemberHealth
from etcdmesos.cluster.model import (
    Draft,
    HeldOffer,
    KillAsked,
    MemberView,
    MesosLink,
    ProgressView,
    StoreLink,
    without,
)
from etcdmesos.cluster.record import Member, Record, Role, Step
from etcdmesos.mesos.statuses import ALIVE, TaskState, TaskStatus
from etcdmesos.step import Event

T = TypeVar("T", bound=Event)


def _event(draft: Draft, kind: type[T]) -> T:
    """The draft's event, which the chart promises is a `kind`."""
    assert isinstance(draft.event, kind)
    return draft.event


# The record store


def take_record(draft: Draft) -> Draft:
    """Hold the stored record, and raise its epoch: from here on it is ours."""
    loaded: Record | None = _event(draft, e.RecordLoaded).record
    settings = draft.model.settings
    ours = draft.model.record.epoch
    record = loaded or Record(
        cluster_name=settings.cluster_name,
        framework_name=settings.framework_name,
        target_size=settings.cluster_size,
    )
    if record.target_size != settings.cluster_size:
        return draft.asking(
            c.Exit(
                status=2,
                reason=f"-cluster-size={settings.cluster_size}, but the cluster on record has "
                f"{record.target_size}: resizing is not possible yet",
            )
        )
    if ours and record.epoch > ours:
        return draft.asking(
            c.Exit(status=1, reason="another scheduler has taken over this cluster")
        )
    if not ours:
        record = evolve(record, epoch=record.epoch + 1, sequence=0)
    return draft.having(record=record, store=StoreLink(loaded=True), attempt_since=draft.now)


def note_record_unavailable(draft: Draft) -> Draft:
    """The record could not be read; try again later, or ask the operator if it is damaged."""
    event = _event(draft, e.RecordUnavailable)
    if event.unreadable:
        return draft.asking(c.Exit(status=1, reason=event.reason))
    wait = draft.model.settings.subscribe_most
    return draft.having(store=StoreLink(reason=event.reason, load_at=draft.now + wait))


def note_save_failed(draft: Draft) -> Draft:
    """What is stored is not known: read it again before anything else."""
    return draft.having(store=StoreLink(reason=_event(draft, e.SaveFailed).reason))


# The subscription


def take_subscription(draft: Draft) -> Draft:
    """A new subscription: nothing of it is accounted for yet, and old offers are void."""
    event = _event(draft, e.Subscribed)
    recorded = frozenset(
        task.id
        for member in draft.model.record.members
        if member.step is not Step.GONE
        for task in member.tasks
        if not _known_dead(draft, task.id)
    )
    draft = draft.having(
        mesos=MesosLink(
            subscribed=True,
            master=event.master,
            unaccounted=recorded,
            reconcile_at=draft.now,
            reconcile_wait=draft.model.settings.reconcile_first,
            reconcile_all_at=draft.now,
            read_state_at=draft.now,
        ),
        offers={},
        gang_since=None,
    )
    if draft.model.record.framework_id != event.framework_id:
        draft = draft.recording(framework_id=event.framework_id)
    return draft


def _known_dead(draft: Draft, task_id: str) -> bool:
    status = draft.model.tasks.get(task_id)
    return status is not None and status.dead


def note_disconnected(draft: Draft) -> Draft:
    """The subscription is gone, or an attempt at one failed; try again with growing waits."""
    event, settings = _event(draft, e.Disconnected), draft.model.settings
    failures = 1 if draft.model.mesos.subscribed else draft.model.mesos.failures + 1
    wait = min(settings.subscribe_most, settings.subscribe_first * 2 ** min(failures - 1, 16))
    return draft.having(
        mesos=MesosLink(reason=event.reason, failures=failures, subscribe_at=draft.now + wait),
        offers={},
        gang_since=None,
    )


def give_up_framework(draft: Draft) -> Draft:
    """The master refuses this framework for good: end, and say what it said."""
    message = _event(draft, e.FrameworkRefused).message
    return draft.asking(c.Exit(status=1, reason=f"the Mesos master refused us: {message}"))


def stop(draft: Draft) -> Draft:
    """End this scheduler; tasks go on, and the framework waits for the next one."""
    return draft.asking(c.Exit(status=0))


def take_master_state(draft: Draft) -> Draft:
    """Keep what the master says of agents and of frameworks of our name."""
    state = _event(draft, e.MasterStateRead).state
    return draft.having(mesos=evolve(draft.model.mesos, state=state, reading_state=False))


# Offers


def take_offers(draft: Draft) -> Draft:
    """Hold new offers until the plan has looked at them."""
    offers = {
        o.id: HeldOffer(offer=o, since=draft.now) for o in _event(draft, e.OffersReceived).offers
    }
    return draft.having(offers={**draft.model.offers, **offers})


def drop_offer(draft: Draft) -> Draft:
    """A rescinded offer is never used."""
    return draft.having(
        offers=without(draft.model.offers, _event(draft, e.OfferRescinded).offer_id)
    )


def drop_offers_of_agent(draft: Draft) -> Draft:
    """An agent that is gone offers nothing; its tasks are told of one by one."""
    agent_id = _event(draft, e.AgentLost).agent_id
    offers = {i: held for i, held in draft.model.offers.items() if held.offer.agent_id != agent_id}
    return draft.having(offers=offers)


# Tasks


def take_task_update(draft: Draft) -> Draft:
    """Keep the task's last status, move its member's step along, and acknowledge."""
    status = _event(draft, e.TaskUpdated).status
    if status.uuid:
        draft = draft.asking(c.Acknowledge(status=status))
    if _known_dead(draft, status.task_id):
        return draft  # the first proof of death stands; a late word cannot raise the dead
    mesos = draft.model.mesos
    draft = draft.having(
        tasks={**draft.model.tasks, status.task_id: status},
        mesos=evolve(mesos, unaccounted=mesos.unaccounted - {status.task_id}),
    )
    member = draft.model.record.owner(status.task_id)
    if member is None:
        return _take_stray(draft, status)
    return _take_member_status(draft, member, status)


def _take_stray(draft: Draft, status: TaskStatus) -> Draft:
    """A task the record does not know: to be killed if anybody vouches for it, forgotten if dead."""
    if status.dead:
        return draft.having(
            kills=without(draft.model.kills, status.task_id),
            tasks=without(draft.model.tasks, status.task_id),
        )
    if status.state not in ALIVE or status.task_id in draft.model.kills:
        return draft
    kill = KillAsked(agent_id=status.agent_id, executor_id=status.executor_id or status.task_id)
    return draft.having(kills={**draft.model.kills, status.task_id: kill})


def _take_member_status(draft: Draft, member: Member, status: TaskStatus) -> Draft:
    counters = draft.model.counters
    if status.dead:
        return draft.having(
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
    return _with_member(draft, updated)


def _said_by_executor(status: TaskStatus) -> dict[str, str]:
    """The texts an executor attached to its status; whatever else it may hold is not ours to trust."""
    try:
        data = json.loads(base64.b64decode(status.data or "e30="))
    except (binascii.Error, ValueError):
        return {}
    return {k: v for k, v in data.items() if isinstance(v, str)} if isinstance(data, dict) else {}


def _with_member(draft: Draft, member: Member) -> Draft:
    record = draft.model.record
    if record.member(member.name) == member:
        return draft
    return draft.having(record=record.with_member(member))


# etcd


def take_health(draft: Draft) -> Draft:
    """Keep what a member says of itself; note what must not be forgotten in the record."""
    event = _event(draft, e.MemberProbed)
    member = draft.model.record.member(event.member)
    if member is None:
        return draft
    view = draft.model.view(event.member)
    seen = MemberView(
        latest=event.health,
        latest_at=draft.now,
        previous=view.latest,
        probe_at=next_probe_at(draft.model, event.member, draft.now),
    )
    draft = draft.having(views={**draft.model.views, event.member: seen})
    return _note_serving(draft, member, event.health)


def _note_serving(draft: Draft, member: Member, health: MemberHealth) -> Draft:
    """A serving voter makes the cluster one that has served: never to be bootstrapped empty again."""
    model = draft.model
    if health.serving_voter and member.step is not Step.REMOVING:
        updated = evolve(
            member,
            id=health.member_id,
            role=Role.VOTER,
            step=Step.VOTER,
            etcd_version=health.version,
        )
        draft = _with_member(draft, updated)
        cluster_id = model.record.cluster_id or health.cluster_id
        if not model.record.served or not model.record.cluster_id:
            draft = draft.recording(served=True, cluster_id=cluster_id)
    due = draft.now - model.revision_saved_at >= model.settings.revision_interval
    if due and health.revision > model.record.highest_revision:
        draft = draft.recording(highest_revision=health.revision)
        draft = draft.having(revision_saved_at=draft.now)
    return draft


def take_progress(draft: Draft) -> Draft:
    """A quorum committed a proposal."""
    at = next_probe_at(draft.model, "", draft.now)
    return draft.having(progress=ProgressView(made_at=draft.now, probe_at=at))


# Outcomes


def take_outcome(draft: Draft) -> Draft:
    """Note how a command ended that did not end in an observation."""
    event = draft.event
    assert isinstance(event, e.CommandDone | e.CommandFailed | e.CommandUnknown)
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
        probe_at=next_probe_at(draft.model, command.member, draft.now),
    )
    return draft.having(views={**draft.model.views, command.member: failed})


def _progress_probe_failed(draft: Draft, command: c.Command) -> Draft:
    progress = draft.model.progress
    since = draft.now if progress.failing_since is None else progress.failing_since
    failed = evolve(
        progress,
        probing=False,
        failing_since=since,
        failure=_reason(draft),
        probe_at=next_probe_at(draft.model, "", draft.now),
        tries=progress.tries + 1,
    )
    return draft.having(progress=failed)


def _state_not_read(draft: Draft, command: c.Command) -> Draft:
    mesos = evolve(
        draft.model.mesos,
        reading_state=False,
        read_state_at=draft.now + draft.model.settings.reconcile_first,
    )
    return draft.having(mesos=mesos)


def _launch_settled(draft: Draft, command: c.Command) -> Draft:
    """A launch that certainly did not happen is a dead task; an unknown one is for reconciliation."""
    assert isinstance(command, c.Launch)
    if isinstance(draft.event, e.CommandDone):
        return draft
    if isinstance(draft.event, e.CommandUnknown):
        mesos = draft.model.mesos
        ids = frozenset(task.id for task in command.tasks)
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
    return draft.having(tasks={**draft.model.tasks, **refused})


def _suppress_failed(draft: Draft, command: c.Command) -> Draft:
    if isinstance(draft.event, e.CommandDone):
        return draft
    suppressed = isinstance(command, c.Revive)
    return draft.having(mesos=evolve(draft.model.mesos, suppressed=suppressed))


def _subscribe_failed(draft: Draft, command: c.Command) -> Draft:
    if isinstance(draft.event, e.CommandDone) or draft.model.mesos.subscribed:
        return draft
    return draft.having(mesos=evolve(draft.model.mesos, subscribing=False))


_SETTLES: dict[type[c.Command], Callable[[Draft, c.Command], Draft]] = {
    c.ProbeMember: _member_probe_failed,
    c.ProbeProgress: _progress_probe_failed,
    c.ReadMasterState: _state_not_read,
    c.Launch: _launch_settled,
    c.Suppress: _suppress_failed,
    c.Revive: _suppress_failed,
    c.Subscribe: _subscribe_failed,
}
