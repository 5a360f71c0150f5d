"""Actions that take an event into the model.  None of them asks for anything."""

from __future__ import annotations

from typing import TypeVar

from attrs import evolve

from etcdmesos.backoff import doubling
from etcdmesos.executor.crashes import crash_count, pause_before_restart
from etcdmesos.executor.events import (
    CommandFailed,
    Disconnected,
    EtcdExited,
    EtcdPrepared,
    EtcdStarted,
    MemberProbed,
    PeersAnswered,
    TaskLaunched,
    UpdateAcknowledged,
)
from etcdmesos.executor.model import Draft, Held, LogEnd, Model, Process, Restart, Task
from etcdmesos.executor.settings import (
    BACKOFF_FIRST,
    LONG_UNWELL,
    PROBE_PACE_LONG_UNWELL,
    PROBE_PACE_UNWELL,
    PROBE_PACES,
    RESTARTS_MAX,
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
    pause = doubling(BACKOFF_FIRST, draft.model.settings.backoff_max, link.attempts + 1)
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
    draft = draft.having(
        task=Task(id=event.task_id, info=event.task_info),
        spec=spec,
        record=record,
        remark=f"task {event.task_id} is to run member {spec.name}",
    )
    return _held_to_restore(draft, spec) if spec.restores else draft


def _held_to_restore(draft: Draft, spec: MemberSpec) -> Draft:
    """Held from the start, in the generation of the attempt to restore; there is no log to read."""
    held = Held(epoch=spec.epoch, generation=spec.generation)
    return draft.with_record(generation=spec.generation, held=held).with_reseed(log_end=LogEnd())


# etcd


def take_preparation(draft: Draft) -> Draft:
    """etcd can be started."""
    version = event_of(draft, EtcdPrepared).version
    return draft.having(etcd_version=version, remark=f"prepared to run etcd {version}")


def note_started(draft: Draft) -> Draft:
    """The process is there."""
    event = event_of(draft, EtcdStarted)
    draft = draft.with_etcd(
        process=Process.ALIVE, pid=event.pid, started_at=draft.now, probe_at=draft.now
    )
    return draft.with_reseed(seed_ran=draft.model.record.seeded != 0).having(
        remark=f"etcd runs as process {event.pid}"
    )


def note_exit(draft: Draft) -> Draft:
    """The process is gone; what it said about itself says nothing any more."""
    said = how_it_ended(event_of(draft, EtcdExited).wait_status)
    return no_process(draft).having(remark=f"etcd {said}")


def no_process(draft: Draft) -> Draft:
    """There is no etcd of ours."""
    return draft.with_etcd(
        process=Process.NONE,
        reaped=draft.model.etcd.run,
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
        draft = unwell(draft)
    return probed(draft.with_etcd(health=health))


def unwell(draft: Draft) -> Draft:
    """It is no serving voter, or does not say so."""
    etcd = draft.model.etcd
    since = draft.now if etcd.unwell_since is None else etcd.unwell_since
    return draft.with_etcd(serving_since=None, unwell_since=since)


def probed(draft: Draft) -> Draft:
    """A probe has ended; when the next one is due."""
    pace = _probe_pace(draft.model, draft.now)
    return draft.with_etcd(probing=False, probe_at=draft.now + pace)


def _probe_pace(model: Model, now: float) -> float:
    """A serving member is watched calmly, one that others wait for is not."""
    etcd = model.etcd
    if etcd.serving_since is not None:
        return model.settings.probe_interval
    if etcd.unwell_since is not None and now - etcd.unwell_since >= LONG_UNWELL:
        return PROBE_PACE_LONG_UNWELL
    age = now - etcd.started_at
    return next((pace for until, pace in PROBE_PACES if age < until), PROBE_PACE_UNWELL)


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
