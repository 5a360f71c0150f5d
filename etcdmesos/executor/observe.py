"""Actions that take an event into the model.  None of them asks for anything."""

from __future__ import annotations

import json
from typing import TypeVar

from attrs import evolve

from etcdmesos.executor.commands import AskPeers, ProbeMember, SendUpdate, SignalEtcd, StartEtcd
from etcdmesos.executor.crashes import crash_count, pause_before_restart
from etcdmesos.executor.events import (
    CommandDone,
    CommandFailed,
    CommandUnknown,
    Disconnected,
    EtcdExited,
    EtcdPrepared,
    EtcdStarted,
    MemberProbed,
    MessageReceived,
    PeersAnswered,
    TaskLaunched,
    UpdateAcknowledged,
)
from etcdmesos.executor.model import Draft, Model, Process, Restart, Task
from etcdmesos.executor.settings import (
    BACKOFF_FIRST,
    PROBE_PACE_RUNNING,
    PROBE_PACE_STARTING,
    PROBE_PACES,
    RESTARTS_MAX,
    UPDATE_RETRY_AFTER,
)
from etcdmesos.member_spec import MemberSpec
from etcdmesos.step import Event

E = TypeVar("E", bound=Event)


def event_of(draft: Draft, kind: type[E]) -> E:
    """The draft's event, which the chart only lets be of this kind here."""
    assert isinstance(draft.event, kind)
    return draft.event


# The agent


def take_subscription(draft: Draft) -> Draft:
    """We are subscribed; the updates we named have reached the agent."""
    link = draft.model.link
    updates = tuple(
        evolve(update, taken_at=draft.now) if update.uuid in link.listed else update
        for update in draft.model.updates
    )
    return draft.with_link(subscribed=True, asking=False, ever=True, attempts=0, listed=()).having(
        updates=updates
    )


def note_disconnected(draft: Draft) -> Draft:
    """Try again, first soon and then more slowly."""
    link = draft.model.link
    backoff_max = draft.model.settings.backoff_max
    pause = min(backoff_max, BACKOFF_FIRST * 2 ** min(link.attempts, 20))
    return draft.with_link(
        subscribed=False,
        asking=False,
        down_since=draft.now if link.subscribed else link.down_since,
        attempts=link.attempts + 1,
        again_at=draft.now + pause,
        listed=(),
    ).having(remark=f"not subscribed: {event_of(draft, Disconnected).reason}")


def take_acknowledgement(draft: Draft) -> Draft:
    """The agent has stored an update: it need not be kept here any more."""
    event, task = event_of(draft, UpdateAcknowledged), draft.model.task
    if task is not None and task.id == event.task_id:
        task = evolve(task, acknowledged=True)
    return draft.having(
        task=task,
        updates=tuple(u for u in draft.model.updates if u.uuid != event.uuid),
    )


def take_task(draft: Draft) -> Draft:
    """Take the task on, and keep its epoch."""
    event = event_of(draft, TaskLaunched)
    spec = MemberSpec.from_json(event.data)
    record = evolve(
        draft.model.record, epoch=max(spec.epoch, draft.model.record.epoch), task_id=event.task_id
    )
    return draft.having(
        task=Task(id=event.task_id, info=event.task_info),
        spec=spec,
        record=record,
        remark=f"task {event.task_id} is to run member {spec.name}",
    )


def take_message(draft: Draft) -> Draft:
    """Keep the epoch of a message if it is the highest so far; no message means anything yet."""
    data = event_of(draft, MessageReceived).data
    try:
        message = json.loads(data)
        epoch = message["epoch"]
        if type(epoch) is not int:
            raise ValueError("the epoch is no number")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return draft.having(remark=f"ignored a message that says nothing to us: {error!r}")
    record = draft.model.record
    if epoch < record.epoch:
        said = f"refused a message of epoch {epoch}: the highest seen is {record.epoch}"
        return draft.having(remark=said)
    kind = str(message.get("type", "")) or "none"
    return draft.having(
        record=evolve(record, epoch=epoch), remark=f"ignored a message of unknown type {kind!r}"
    )


# etcd


def take_preparation(draft: Draft) -> Draft:
    """etcd can be started."""
    version = event_of(draft, EtcdPrepared).version
    return draft.having(etcd_version=version, remark=f"prepared to run etcd {version}")


def note_started(draft: Draft) -> Draft:
    """The process is there."""
    event = event_of(draft, EtcdStarted)
    return draft.with_etcd(
        process=Process.ALIVE, pid=event.pid, started_at=draft.now, probe_at=draft.now
    ).having(remark=f"etcd runs as process {event.pid}")


def note_exit(draft: Draft) -> Draft:
    """The process is gone; what it said about itself says nothing any more."""
    said = how_it_ended(event_of(draft, EtcdExited).wait_status)
    return no_process(draft).having(remark=f"etcd {said}")


def no_process(draft: Draft) -> Draft:
    """There is no etcd of ours."""
    return draft.with_etcd(
        process=Process.NONE,
        pid=0,
        signalled=0,
        signalling=False,
        health=None,
        serving_since=None,
        unwell_since=None,
    )


def how_it_ended(wait_status: int) -> str:
    """An exit status in words."""
    if wait_status < 0:
        return f"was ended by signal {-wait_status}"
    return f"exited with status {wait_status}"


def schedule_restart(draft: Draft) -> Draft:
    """Start etcd again after a pause that grows with every crash."""
    crashes = crash_count(draft.model, draft.now)
    pause = pause_before_restart(crashes)
    said = f"{crash_of(draft)}; restart {crashes} of at most {RESTARTS_MAX} in {pause:g} s"
    return no_process(draft).having(
        crashes=crashes, restart=Restart(at=draft.now + pause), remark=said
    )


def crash_of(draft: Draft) -> str:
    """The crash this event tells of, in words."""
    if isinstance(draft.event, EtcdExited):
        return f"etcd {how_it_ended(draft.event.wait_status)}"
    return f"etcd could not be started: {event_of(draft, CommandFailed).reason}"


def note_serving(draft: Draft) -> Draft:
    """It is a voter that knows a leader."""
    health = draft.model.etcd.health
    leader = health.leader if health else ""
    return draft.having(served=True, remark=f"serves as a voter; the leader is {leader}")


def take_health(draft: Draft) -> Draft:
    """What our etcd says of itself; an earlier process' word is dropped."""
    event, etcd = event_of(draft, MemberProbed), draft.model.etcd
    if event.run != etcd.run or etcd.process is not Process.ALIVE:
        return draft.with_etcd(probing=False)
    health = event.health
    draft = draft.having(cluster_id=health.cluster_id, member_id=health.member_id)
    if health.serving_voter:
        since = draft.now if etcd.serving_since is None else etcd.serving_since
        draft = draft.with_etcd(serving_since=since, unwell_since=None)
    else:
        draft = _unwell(draft)
    return _probed(draft.with_etcd(health=health))


def _unwell(draft: Draft) -> Draft:
    etcd = draft.model.etcd
    since = draft.now if etcd.unwell_since is None else etcd.unwell_since
    return draft.with_etcd(serving_since=None, unwell_since=since)


def _probed(draft: Draft) -> Draft:
    etcd = draft.model.etcd
    age = draft.now - etcd.started_at
    # A running member is watched calmly, one that others wait for is not.
    settled = draft.model.served and etcd.serving_since is not None
    calm = PROBE_PACE_RUNNING if settled else PROBE_PACE_STARTING
    pace = calm
    if not settled:
        pace = next((pace for until, pace in PROBE_PACES if age < until), calm)
    return draft.with_etcd(probing=False, probe_at=draft.now + pace)


def take_peers(draft: Draft) -> Draft:
    """Whether the peers that answered still list us."""
    event, model = event_of(draft, PeersAnswered), draft.model
    if event.run != model.etcd.run:
        return draft
    # Somebody else's cluster may answer on a port that was a peer's.
    answers = [answer for answer in event.answers if answer.cluster_id == model.cluster_id]
    listed = [
        model.member_id in [member_id for member_id, _ in answer.members] for answer in answers
    ]
    return draft.having(
        restart=evolve(
            model.restart, asking=False, asked=True, removed=bool(listed) and not any(listed)
        )
    )


# Outcomes


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
    event = draft.event
    assert isinstance(event, CommandDone | CommandFailed | CommandUnknown)
    match event.command:
        case SendUpdate(update=update):
            return _sent(draft, update.uuid, done=isinstance(event, CommandDone))
        case SignalEtcd(signal=signal):
            # Failed means that the process is gone already, and EtcdExited is on its way.
            return draft.with_etcd(signalling=False, signalled=signal)
        case ProbeMember(run=run) if run == draft.model.etcd.run:
            return _probed(_unwell(draft))
        case ProbeMember():
            return draft.with_etcd(probing=False)
        case AskPeers(run=run) if run == draft.model.etcd.run:
            return draft.having(restart=evolve(draft.model.restart, asking=False, asked=True))
        case StartEtcd() if start_failed(draft):
            return no_process(draft)
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


def note_save_failed(draft: Draft) -> Draft:
    """Say so; what matters before etcd runs is dealt with where the task is taken on."""
    return draft.having(remark="the record could not be saved")
