"""The one loop: takes an event, lets the core step, confirms the save, releases the commands.

One thread runs it.  Adapters post events from theirs and carry commands out on theirs; everything
that decides happens in the core, on this thread, in the order in which events came.
"""

from __future__ import annotations

import logging
import queue
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from etcdmesos.errors import RecordTooNew, RecordUnreadable, SaveConflict, SaveUnknown, StoreError
from etcdmesos.ports import Clock, CommandPort, ErasableStore, RecordStore
from etcdmesos.step import (
    Command,
    CommandDone,
    CommandFailed,
    CommandUnknown,
    DeleteRecord,
    Event,
    Exit,
    LoadRecord,
    PutRecordAside,
    RecordLoaded,
    RecordPutAside,
    RecordUnavailable,
    SaveFailed,
    Step,
    TimerFired,
)

M = TypeVar("M")
R = TypeVar("R")

log = logging.getLogger(__name__)

PAUSE_AFTER_ERROR = 1.0
"""Seconds before the timer may fire again after the core raised: a bug must not become a busy
loop."""


class Runtime(Generic[M, R]):
    """Drives one core.  `model` is its state as of the last step whose save was confirmed, for
    anybody to read: what is told of it is still true if this process ends now."""

    def __init__(
        self,
        step: Callable[[M, Event, float], Step[M, R]],
        model: M,
        store: RecordStore[R],
        clock: Clock,
        on_step: Callable[[Event, M, Step[M, R]], None] | None = None,
    ) -> None:
        """`on_step` sees every event with the model before it and the step it led to, after the
        commands went out; it must not block."""
        self.model = model
        self._ahead = model
        """The core's: what it decided may not be saved yet."""
        self.exit_reason = ""
        self._step = step
        self._store = store
        self._clock = clock
        self._on_step = on_step
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._next_up: deque[Event] = deque()
        self._ports: dict[type, CommandPort[Command]] = {}
        self._wake_at: float | None = None
        self._status: int | None = None

    def attach(self, port: CommandPort[Command]) -> None:
        """Give `port` the commands it carries out.  Raises ValueError if another has one of
        them."""
        for kind in port.carries_out:
            if kind in self._ports:
                raise ValueError(f"two ports carry out {kind.__name__}")
            self._ports[kind] = port

    def post(self, event: Event) -> None:
        """Queue `event`.  Callable from any thread; never blocks."""
        self._events.put(event)

    def run(self, first: Event) -> int:
        """Run until the core asks for Exit; returns its status.  Ports are closed on the way
        out."""
        self.post(first)
        try:
            while self._status is None:
                self._take(self._next())
            return self._status
        finally:
            # One port has several kinds, and need not be hashable.
            for port in {id(port): port for port in self._ports.values()}.values():
                port.close()
            self._store.close()

    def _next(self) -> Event:
        """The next event, or TimerFired when the core's moment comes first."""
        if self._next_up:
            return self._next_up.popleft()
        try:
            if self._wake_at is None:
                return self._events.get()
            return self._events.get(timeout=max(0.0, self._wake_at - self._clock()))
        except queue.Empty:
            return TimerFired()

    def _take(self, event: Event) -> None:
        now = self._clock()
        before = self._ahead
        try:
            step = self._step(before, event, now)
        except Exception:
            # The model stays as it was: an event that cannot be taken in must not end the loop.
            log.exception("the core failed", extra={"event": type(event).__name__})
            self._wake_at = now + PAUSE_AFTER_ERROR
            return
        self._ahead = step.model
        self._wake_at = step.wake_at
        if step.save is None or self._saved(step.save, step.commands):
            self.model = step.model
            for command in step.commands:
                self._release(command)
        self._show(event, before, step)

    def _show(self, event: Event, before: M, step: Step[M, R]) -> None:
        if self._on_step is None:
            return
        try:
            self._on_step(event, before, step)
        except Exception:
            log.exception("what watches the steps failed", extra={"event": type(event).__name__})

    def _saved(self, record: R, commands: tuple[Command, ...]) -> bool:
        """Whether the save was confirmed; if not, the core hears so and `commands` are dropped."""
        try:
            self._store.save(record)
        except StoreError as error:
            log.error("the record was not saved", extra={"reason": str(error)})
            # Ahead of the queue: nothing may be decided on a record that was not confirmed.
            self._next_up.append(
                SaveFailed(reason=str(error), conflict=isinstance(error, SaveConflict))
            )
            self._next_up.extend(
                CommandFailed(command=command, reason="the record was not saved")
                for command in commands
            )
            return False
        return True

    def _release(self, command: Command) -> None:
        if isinstance(command, LoadRecord):
            self._load()
        elif isinstance(command, DeleteRecord | PutRecordAside):
            self._erase(command)
        elif isinstance(command, Exit):
            self._status, self.exit_reason = command.status, command.reason
        elif (port := self._ports.get(type(command))) is not None:
            port.submit(command)
        else:
            self.post(CommandFailed(command=command, reason="no port carries this out"))

    def _erase(self, command: DeleteRecord | PutRecordAside) -> None:
        """As events like any other: the core may have to look at the record first."""
        store = self._store
        if not isinstance(store, ErasableStore):
            self.post(CommandFailed(command=command, reason="this record cannot be taken away"))
            return
        try:
            if isinstance(command, PutRecordAside):
                self.post(RecordPutAside(name=store.put_aside()))
                return
            store.delete()
        except SaveUnknown as error:
            self.post(CommandUnknown(command=command, reason=str(error)))
        except StoreError as error:
            self.post(CommandFailed(command=command, reason=str(error)))
        else:
            self.post(CommandDone(command=command))

    def _load(self) -> None:
        try:
            self.post(RecordLoaded(record=self._store.load()))
        except StoreError as error:
            self.post(
                RecordUnavailable(
                    reason=str(error),
                    unreadable=isinstance(error, RecordUnreadable),
                    too_new=isinstance(error, RecordTooNew),
                )
            )
