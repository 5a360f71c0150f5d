"""What a step came to, in the few lines that people ask for first: log, and GET /events.

Works on the model before and after the step; nothing is decided here, and nothing parses the texts.
Probes and timers are no happenings unless they change something of what is told below.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from attrs import frozen

from etcdmesos.cluster.backups.telling import news as backup_news
from etcdmesos.cluster.commands import Kill, Launch, ProbeMember, ProbeProgress, Shutdown
from etcdmesos.cluster.events import (
    CommandFailed,
    CommandUnknown,
    Disconnected,
    FrameworkRefused,
    LeaderSeen,
    LeadershipGained,
    LeadershipLost,
    LeadershipSuspended,
    RecordPutAside,
    RecordUnavailable,
    SaveFailed,
    Subscribed,
    TaskUpdated,
)
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Change, Record
from etcdmesos.cluster.reseed.telling import news
from etcdmesos.cluster.restore.telling import news as restore_news
from etcdmesos.cluster.why import why
from etcdmesos.step import Event, Step


class Kind(enum.Enum):
    """What a happening is about; the names never change."""

    PHASE = "phase"
    LEADERSHIP = "leadership"
    MASTER = "master"
    RECORD = "record"
    MEMBER = "member"
    CHANGE = "change"
    RESEED = "reseed"
    RESTORE = "restore"
    BACKUP = "backup"
    TASK = "task"
    LAUNCH = "launch"
    END = "end"
    FAILURE = "failure"


@frozen(kw_only=True)
class Happening:
    """One thing that happened."""

    kind: Kind
    text: str
    """One line."""
    warning: bool = False
    """Whether somebody should look."""


_LEADERSHIP = (LeadershipGained, LeadershipSuspended, LeadershipLost, LeaderSeen)
_MASTER = (Subscribed, Disconnected, FrameworkRefused)
_RECORD = (RecordUnavailable, RecordPutAside, SaveFailed)


def happenings(
    event: Event, before: Model, step: Step[Model, Record], now: float
) -> list[Happening]:
    """What `event`, coming at `now` upon `before`, came to."""
    return [
        *_heard(event, before),
        *_recorded(before.record, step.model.record),
        *_asked(step),
        *_backed_up(before, step.model),
        *_restored(event, before, step.model),
        *_phase(before, step.model, now),
    ]


def _backed_up(before: Model, after: Model) -> Iterator[Happening]:
    for text, warning in backup_news(before, after):
        yield Happening(kind=Kind.BACKUP, text=text, warning=warning)


def _restored(event: Event, before: Model, after: Model) -> Iterator[Happening]:
    for text, warning in restore_news(event, before, after):
        yield Happening(kind=Kind.RESTORE, text=text, warning=warning)


def _phase(before: Model, after: Model, now: float) -> Iterator[Happening]:
    if after.phase != before.phase:
        text = f"{before.phase} -> {after.phase}: {why(after, now)}"
        yield Happening(kind=Kind.PHASE, text=text)


def _heard(event: Event, before: Model) -> Iterator[Happening]:
    if isinstance(event, TaskUpdated):
        yield from _task(event, before)
    elif isinstance(event, _LEADERSHIP):
        gained = isinstance(event, LeadershipGained)
        yield Happening(kind=Kind.LEADERSHIP, text=_said(event), warning=not gained)
    elif isinstance(event, _MASTER):
        warning = not isinstance(event, Subscribed)
        yield Happening(kind=Kind.MASTER, text=_said(event), warning=warning)
    elif isinstance(event, _RECORD):
        yield Happening(kind=Kind.RECORD, text=_said(event), warning=True)
    elif isinstance(event, CommandFailed | CommandUnknown):
        command = event.command
        if not isinstance(command, ProbeMember | ProbeProgress):
            how = "failed" if isinstance(event, CommandFailed) else "may have been carried out"
            text = f"{type(command).__name__} {how}: {_line(event.reason)}"
            yield Happening(kind=Kind.FAILURE, text=text, warning=True)


def _task(event: TaskUpdated, before: Model) -> Iterator[Happening]:
    status = event.status
    known = before.tasks.get(status.task_id)
    # Reconciliation says again, every few minutes, what is known.
    if known is not None and (known.state, known.healthy) == (status.state, status.healthy):
        return
    health = "" if status.healthy is None else ", healthy" if status.healthy else ", unhealthy"
    said = f": {_line(status.message)}" if status.message else ""
    text = f"{status.task_id} is {status.state.value}{health}{said}"
    yield Happening(kind=Kind.TASK, text=text, warning=status.dead or status.healthy is False)


def _said(event: Event) -> str:
    """The event's name in words, and what it says of itself."""
    told = [
        str(value)
        for name in ("reason", "holder", "message", "master", "name")
        if (value := getattr(event, name, ""))
    ]
    words = _words(type(event).__name__)
    return f"{words}: {_line('; '.join(told))}" if told else words


def _words(name: str) -> str:
    """`LeadershipLost` as `leadership lost`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _line(text: str) -> str:
    return " ".join(text.split())


def _recorded(before: Record, after: Record) -> Iterator[Happening]:
    if before is after:
        return
    known = {member.name: member for member in before.members}
    for member in after.members:
        was = known.get(member.name)
        if was is None or was.step is not member.step:
            came = f" (was {was.step.value})" if was else f" on {member.hostname}"
            text = f"{member.name} is {member.step.value}{came}"
            yield Happening(kind=Kind.MEMBER, text=text)
    if before.change != after.change:
        yield from _change(before.change, after.change)
    for text, warning in news(before, after):
        yield Happening(kind=Kind.RESEED, text=text, warning=warning)


def _change(before: Change | None, after: Change | None) -> Iterator[Happening]:
    if before is not None and (after is None or _about(after) != _about(before)):
        yield Happening(kind=Kind.CHANGE, text=f"{_about(before)}: over")
    if after is not None and (before is None or _about(after) != _about(before)):
        yield Happening(kind=Kind.CHANGE, text=f"{_about(after)}: begun")


def _about(change: Change) -> str:
    return f"{change.kind.value} {change.member or change.id}"


def _asked(step: Step[Model, Record]) -> Iterator[Happening]:
    for command in step.commands:
        if isinstance(command, Launch):
            for task in command.tasks:
                text = f"{task.id} on agent {task.agent_id}"
                yield Happening(kind=Kind.LAUNCH, text=text)
        elif isinstance(command, Kill):
            yield Happening(kind=Kind.END, text=f"kills {command.task_id}", warning=True)
        elif isinstance(command, Shutdown):
            text = f"shuts executor {command.executor_id} down"
            yield Happening(kind=Kind.END, text=text, warning=True)
