"""A process around a core, in virtual time: what `etcdmesos.runtime` is to the real daemons.

Takes an event, lets the core step, confirms the save, releases the commands, in that order and
with the same rules; the difference is that it can be killed between any two commands, stopped and
continued, and that a save takes virtual time.  Nothing here knows which core it runs, and no fault
is drawn here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeVar, runtime_checkable

from etcdmesos.errors import RecordUnreadable, SaveConflict, SaveUnknown, StoreError
from etcdmesos.ports import CommandPort, RecordStore
from etcdmesos.simulation.clock import Clock, Timer
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

__all__ = ["CoreHost", "ErasableStore", "Immediate", "Store"]

M = TypeVar("M")
R = TypeVar("R")


class Store(Protocol[R]):
    """A record store whose answers take virtual time: `done` is called once, now or later."""

    def load(self, done: Callable[[R | StoreError | None], None], /) -> None:
        """Read; `done` gets the record, None if there never was one, or what went wrong."""
        ...

    def save(self, record: R, done: Callable[[StoreError | None], None], /) -> None:
        """Write over the version last seen; `done` gets None once it is durable."""
        ...

    def close(self) -> None:
        """The process ends in order and gives up its session."""
        ...

    def abandon(self) -> None:
        """The process was killed: nothing is given up, and no `done` is waited for."""
        ...


@runtime_checkable
class ErasableStore(Store[R], Protocol[R]):
    """A Store whose record can be taken away."""

    def delete(self, done: Callable[[StoreError | None], None], /) -> None:
        """Remove the version last seen; `done` gets None once it is gone."""
        ...

    def put_aside(self, done: Callable[[str | StoreError], None], /) -> None:
        """Keep what is stored under another name, which `done` gets."""
        ...


class Immediate(Generic[R]):
    """An ordinary RecordStore, which answers in no virtual time, as a Store."""

    def __init__(self, store: RecordStore[R]) -> None:
        self._store = store

    def load(self, done: Callable[[R | StoreError | None], None], /) -> None:
        try:
            answer: R | StoreError | None = self._store.load()
        except StoreError as error:
            answer = error
        done(answer)

    def save(self, record: R, done: Callable[[StoreError | None], None], /) -> None:
        try:
            self._store.save(record)
        except StoreError as error:
            done(error)
        else:
            done(None)

    def close(self) -> None:
        self._store.close()

    def abandon(self) -> None:
        self._store.close()


class CoreHost(Generic[M, R]):
    """Runs one core once: from `start` until Exit or `kill`.

    An exception out of the core goes to `on_error`, and without one to whoever moves the clock.
    """

    def __init__(
        self,
        clock: Clock,
        step: Callable[[M, Event, float], Step[M, R]],
        model: M,
        store: Store[R],
        on_step: Callable[[Event, M, Step[M, R]], None] | None = None,
        *,
        offset: float = 0.0,
    ) -> None:
        """`offset`: how far this process' monotonic clock is ahead of the world's."""
        self.model = model
        self.exit_status: int | None = None
        self.exit_reason = ""
        self.steps = 0
        self.before_command: Callable[[Command], bool] | None = None
        """Asked before each command is released; False kills the process instead."""
        self.before_save: Callable[[], bool] | None = None
        """Asked before each save is begun; False kills the process instead."""
        self.on_exit: Callable[[int, str], None] | None = None
        """Told after an orderly end, when the ports are closed; not after `kill`."""
        self.on_error: Callable[[Event, Exception], None] | None = None
        """Told of an exception out of the core; the model stands, as in the real runtime."""
        self._clock = clock
        self._step = step
        self._store = store
        self._on_step = on_step
        self._offset = offset
        self._events: deque[Event] = deque()
        self._next_up: deque[Event] = deque()
        self._ports: dict[type, CommandPort[Command]] = {}
        self._alive = False
        self._paused = False
        self._blocked = False
        self._looping = False
        self._wake_at: float | None = None
        self._timer: Timer | None = None
        self._woken: Timer | None = None
        # The step under way: what was asked, what is left to release.
        self._under_way: tuple[Event, M, Step[M, R]] | None = None
        self._to_release: deque[Command] = deque()

    # Its life

    @property
    def now(self) -> float:
        """What this process' monotonic clock says."""
        return self._clock.now + self._offset

    @property
    def running(self) -> bool:
        """From `start` until the end; also while paused."""
        return self._alive

    @property
    def paused(self) -> bool:
        return self._paused

    def attach(self, port: CommandPort[Command]) -> None:
        """Give `port` the commands it carries out.  Raises ValueError if another has one."""
        for kind in port.carries_out:
            if kind in self._ports:
                raise ValueError(f"two ports carry out {kind.__name__}")
            self._ports[kind] = port

    def start(self, first: Event) -> None:
        """Begin, with this event."""
        self._alive = True
        self.post(first)

    def post(self, event: Event) -> None:
        """Queue an event; nothing happens before the caller has returned."""
        if self._alive:
            self._events.append(event)
            self._wake()

    def kill(self) -> None:
        """End at once, as by SIGKILL: what was not released never is, what was stays under way."""
        if self._alive:
            self._end()
            self._store.abandon()

    def pause(self) -> None:
        """Stop, as by SIGSTOP: connections stay up, what comes is kept, no timer fires."""
        self._paused = True

    def resume(self) -> None:
        """Go on, as by SIGCONT."""
        self._paused = False
        self._wake()

    def _end(self) -> None:
        self._alive = False
        self._events.clear()
        self._next_up.clear()
        self._to_release.clear()
        self._under_way = None
        for timer in (self._timer, self._woken):
            if timer is not None:
                timer.cancel()
        for port in {id(port): port for port in self._ports.values()}.values():
            port.close()

    # The loop

    def _wake(self) -> None:
        if self._alive and not self._looping and (self._woken is None or not self._woken.pending):
            self._woken = self._clock.call_after(0.0, self._loop)

    @property
    def _can_go_on(self) -> bool:
        return self._alive and not self._paused and not self._blocked

    def _loop(self) -> None:
        """Do all there is to do until something must be waited for."""
        self._looping = True
        try:
            while self._can_go_on:
                if self._under_way is not None:
                    self._release_next()
                elif self._next_up:
                    self._take(self._next_up.popleft(), self.now)
                elif self._events:
                    self._take(self._events.popleft(), self.now)
                else:
                    break
        finally:
            self._looping = False
        if self._can_go_on:
            self._set_timer()

    def _set_timer(self) -> None:
        timer, wake_at = self._timer, self._wake_at
        due = None if wake_at is None else max(self._clock.now, wake_at - self._offset)
        if timer is not None and timer.pending:
            if timer.time == due:
                return
            timer.cancel()
        self._timer = None if due is None else self._clock.call_at(due, self._time)

    def _time(self) -> None:
        if not self._can_go_on or self._wake_at is None:
            return  # set again when the process goes on
        if not self._events and not self._next_up:
            # Not before the moment that was asked for, whatever became of it in subtractions.
            self._take(TimerFired(), max(self.now, self._wake_at))
        self._loop()

    def _take(self, event: Event, now: float) -> None:
        before = self.model
        self.steps += 1
        try:
            step = self._step(before, event, now)
        except Exception as error:
            if self.on_error is None:
                raise
            self._wake_at = now + 1.0
            self.on_error(event, error)
            return
        self.model = step.model
        self._wake_at = step.wake_at
        self._under_way = (event, before, step)
        if step.save is None:
            self._to_release.extend(step.commands)
        elif self.before_save is not None and not self.before_save():
            self.kill()
        else:
            self._blocked = True
            self._store.save(step.save, self._save_ended)

    def _save_ended(self, error: StoreError | None) -> None:
        if not self._alive or self._under_way is None:
            return
        commands = self._under_way[2].commands
        if error is None:
            self._to_release.extend(commands)
        else:
            # Ahead of the queue: nothing may be decided on a record that was not confirmed.
            conflict = isinstance(error, SaveConflict)
            self._next_up.append(SaveFailed(reason=str(error), conflict=conflict))
            self._next_up.extend(
                CommandFailed(command=command, reason="the record was not saved")
                for command in commands
            )
        self._unblock()

    def _unblock(self) -> None:
        self._blocked = False
        self._wake()

    # Commands

    def _release_next(self) -> None:
        """Release the next command of the step, or end the step when there is none."""
        if self._to_release:
            command = self._to_release.popleft()
            if self.before_command is not None and not self.before_command(command):
                self.kill()
            if self._alive:
                self._release(command)
            return
        assert self._under_way is not None
        event, before, step = self._under_way
        self._under_way = None
        if self._on_step is not None:
            self._on_step(event, before, step)
        if self.exit_status is not None and self._alive:
            self._leave(self.exit_status)

    def _release(self, command: Command) -> None:
        if isinstance(command, LoadRecord):
            self._blocked = True
            self._store.load(self._load_ended)
        elif (port := self._ports.get(type(command))) is not None:
            port.submit(command)
        elif isinstance(command, DeleteRecord | PutRecordAside):
            self._erase(command)
        elif isinstance(command, Exit):
            self.exit_status, self.exit_reason = command.status, command.reason
        else:
            self.post(CommandFailed(command=command, reason="no port carries this out"))

    def _load_ended(self, answer: R | StoreError | None) -> None:
        if not self._alive:
            return
        if isinstance(answer, StoreError):
            unreadable = isinstance(answer, RecordUnreadable)
            self.post(RecordUnavailable(reason=str(answer), unreadable=unreadable))
        else:
            self.post(RecordLoaded(record=answer))
        self._unblock()

    def _erase(self, command: DeleteRecord | PutRecordAside) -> None:
        store = self._store
        if not isinstance(store, ErasableStore):
            self.post(CommandFailed(command=command, reason="this record cannot be taken away"))
            return
        self._blocked = True
        erase = store.delete if isinstance(command, DeleteRecord) else store.put_aside
        erase(partial(self._erase_ended, command))

    def _erase_ended(self, command: Command, answer: str | StoreError | None) -> None:
        if not self._alive:
            return
        if isinstance(answer, SaveUnknown):
            self.post(CommandUnknown(command=command, reason=str(answer)))
        elif isinstance(answer, StoreError):
            self.post(CommandFailed(command=command, reason=str(answer)))
        elif answer is None:
            self.post(CommandDone(command=command))
        else:
            self.post(RecordPutAside(name=answer))
        self._unblock()

    def _leave(self, status: int) -> None:
        self._end()
        self._store.close()
        if self.on_exit is not None:
            self.on_exit(status, self.exit_reason)
