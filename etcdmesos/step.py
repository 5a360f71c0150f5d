"""The contract between a pure core and the runtime that drives it.

A core is one function, `step(model, event, now) -> Step`.  The cluster's controller and the
executor's machine are both of this kind, and share the words below.  Nothing here decides.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

M = TypeVar("M")
R = TypeVar("R")


@frozen(kw_only=True)
class Event:
    """Base of everything the runtime may feed to a core: an observation, never a decision."""


@frozen(kw_only=True)
class Command:
    """Base of everything a core may ask for.

    The commands of one step are released together, after the step's save is confirmed, and none
    waits for another.  Every command ends in an event: an observation, or an outcome below.
    """


@frozen(kw_only=True)
class Step(Generic[M, R]):
    """What one event led to."""

    model: M
    save: R | None = None
    """To be durable before any of `commands` is released; None when nothing changed."""
    commands: tuple[Command, ...] = ()
    wake_at: float | None = None
    """When TimerFired is wanted, unless another event comes first; None: only on an event."""


# Asked of the runtime itself


@frozen(kw_only=True)
class LoadRecord(Command):
    """Read the record.  Ends in RecordLoaded or RecordUnavailable."""


@frozen(kw_only=True)
class DeleteRecord(Command):
    """Remove the record for good.  Only on the operator's word."""


@frozen(kw_only=True)
class PutRecordAside(Command):
    """Keep what is stored under another name, and have no record.  Only on the operator's word.

    Ends in RecordPutAside or a failure.
    """


@frozen(kw_only=True)
class Exit(Command):
    """End the process with `status`; `reason` is one line for whoever started it, "" for none."""

    status: int
    reason: str = ""


# Said by the clock


@frozen(kw_only=True)
class TimerFired(Event):
    """The moment asked for by `wake_at` has come, or the runtime just started."""


# Said by the record store


@frozen(kw_only=True)
class RecordLoaded(Event, Generic[R]):
    """The record as stored; None when nothing was ever stored."""

    record: R | None


@frozen(kw_only=True)
class RecordUnavailable(Event):
    """The record could not be read, or holds nothing we understand.  Not the same as no record."""

    reason: str
    unreadable: bool
    too_new: bool = False
    """Unreadable to us alone: a newer version wrote it."""


@frozen(kw_only=True)
class RecordPutAside(Event):
    """The answer to PutRecordAside: what was stored is now kept under this name."""

    name: str


@frozen(kw_only=True)
class SaveFailed(Event):
    """A save was not confirmed.  Its commands are dropped (each ends in CommandFailed, after this
    event), and what is stored is not known until the record is read again."""

    reason: str
    conflict: bool
    """True when somebody else has written."""


# Outcomes of commands


@frozen(kw_only=True)
class CommandDone(Event):
    """Carried out."""

    command: Command


@frozen(kw_only=True)
class CommandFailed(Event):
    """Certainly not carried out."""

    command: Command
    reason: str


@frozen(kw_only=True)
class CommandUnknown(Event):
    """Carried out or not: the answer was lost.  Look again, never guess."""

    command: Command
    reason: str
