"""The virtual process keeps the real runtime's rules; it can be killed between any two commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve, frozen

from etcdmesos.errors import SaveConflict, SaveUnknown, StoreError
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.core_host import CoreHost
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
    RecordPutAside,
    SaveFailed,
    Step,
)


@frozen(kw_only=True)
class Say(Command):
    word: str


@frozen(kw_only=True)
class Heard(Event):
    commands: tuple[Command, ...] = ()
    save: str | None = None
    wake_at: float | None = None


@frozen(kw_only=True)
class Log:
    seen: tuple[tuple[str, float], ...] = ()


def step(model: Log, event: Event, now: float) -> Step[Log, str]:
    name = type(event).__name__
    after = evolve(model, seen=(*model.seen, (name, now)))
    if not isinstance(event, Heard):
        return Step(model=after)
    return Step(model=after, save=event.save, commands=event.commands, wake_at=event.wake_at)


class Voice:
    carries_out: tuple[type, ...] = (Say,)

    def __init__(self) -> None:
        self.said: list[str] = []
        self.closed = False

    def submit(self, command: Command, /) -> None:
        assert isinstance(command, Say)
        self.said.append(command.word)

    def close(self) -> None:
        self.closed = True


class SlowStore:
    """Answers a second later; `error` is the answer to a save."""

    def __init__(self, clock: Clock, error: StoreError | None = None) -> None:
        self.clock, self.error, self.saved, self.ended = clock, error, list[str](), ""

    def load(self, done: Callable[[Any], None], /) -> None:
        self.clock.call_after(1.0, done, self.saved[-1] if self.saved else None)

    def save(self, record: str, done: Callable[[StoreError | None], None], /) -> None:
        self.saved.append(record)
        self.clock.call_after(1.0, done, self.error)

    def close(self) -> None:
        self.ended = "closed"

    def abandon(self) -> None:
        self.ended = "abandoned"


def made(error: StoreError | None = None) -> tuple[Clock, CoreHost[Log, str], Voice, SlowStore]:
    clock, voice = Clock(), Voice()
    store = SlowStore(clock, error)
    host = CoreHost(clock, step, Log(), store)
    host.attach(voice)
    return clock, host, voice, store


AB = (Say(word="a"), Say(word="b"))


def test_no_command_is_released_before_its_save_is_confirmed() -> None:
    clock, host, voice, store = made()
    host.start(Heard(commands=AB, save="r"))
    host.post(Heard())
    clock.run_until(0.9)
    assert (store.saved, voice.said, len(host.model.seen)) == (["r"], [], 1)
    clock.run_until(1.1)
    assert voice.said == ["a", "b"]
    assert [t for _, t in host.model.seen] == [0.0, 1.0]


def test_a_save_that_fails_is_heard_of_before_anything_else_and_drops_the_commands() -> None:
    clock, host, voice, _ = made(SaveConflict("somebody else"))
    host.start(Heard(commands=AB, save="r"))
    host.post(Heard())
    clock.run_until(2.0)
    names = [name for name, _ in host.model.seen]
    assert names == ["Heard", SaveFailed.__name__, *[CommandFailed.__name__] * 2, "Heard"]
    assert voice.said == []


def test_a_process_can_be_killed_between_any_two_commands() -> None:
    clock, host, voice, store = made()
    host.before_command = lambda command: command != AB[1]
    host.start(Heard(commands=(*AB, Say(word="c"))))
    clock.run_until(1.0)
    host.post(Heard())
    clock.run_until(2.0)
    assert (voice.said, voice.closed, store.ended) == (["a"], True, "abandoned")
    assert len(host.model.seen) == 1


def test_the_timer_fires_once_at_its_moment_and_never_in_a_paused_process() -> None:
    clock, host, _, _ = made()
    host.start(Heard(wake_at=5.0))
    clock.run_until(6.0)
    host.post(Heard(wake_at=8.0))
    clock.run_until(7.0)
    host.pause()
    host.post(Heard(wake_at=9.0))
    clock.run_until(20.0)
    host.resume()
    clock.run_until(30.0)
    assert host.model.seen == (
        ("Heard", 0.0),
        ("TimerFired", 5.0),
        ("Heard", 6.0),
        ("Heard", 20.0),
        ("TimerFired", 20.0),
    )


def test_loading_blocks_and_exit_closes_after_the_steps_other_commands() -> None:
    clock, host, voice, store = made()
    ends: list[tuple[int, str]] = []
    host.on_exit = lambda status, reason: ends.append((status, reason))
    host.start(Heard(commands=(LoadRecord(), Exit(status=2, reason="enough"), Say(word="a"))))
    host.post(Heard())
    clock.run_until(0.5)
    assert voice.said == []
    clock.run_until(3.0)
    assert (voice.said, voice.closed, store.ended, ends) == (["a"], True, "closed", [(2, "enough")])
    assert not host.running


class ErasableSlowStore(SlowStore):
    """`error` is the answer to an erasure, too."""

    def delete(self, done: Callable[[StoreError | None], None], /) -> None:
        self.clock.call_after(1.0, done, self.error)

    def put_aside(self, done: Callable[[str | StoreError], None], /) -> None:
        self.clock.call_after(1.0, done, self.error or "aside")


ERASURES = {
    "gone": (DeleteRecord(), None, CommandDone),
    "not known": (DeleteRecord(), SaveUnknown("no answer"), CommandUnknown),
    "not gone": (PutRecordAside(), SaveConflict("another's"), CommandFailed),
    "aside": (PutRecordAside(), None, RecordPutAside),
}


@pytest.mark.parametrize("case", ERASURES.values(), ids=ERASURES)
def test_erasing_blocks_and_tells_how_it_ended(
    case: tuple[Command, StoreError | None, type[Event]],
) -> None:
    command, error, told = case
    clock = Clock()
    host = CoreHost(clock, step, Log(), ErasableSlowStore(clock, error))
    host.start(Heard(commands=(command,)))
    clock.run_until(0.5)
    host.post(Heard())
    clock.run_until(2.0)
    assert host.model.seen == (("Heard", 0.0), ("Heard", 1.0), (told.__name__, 1.0))


def test_a_store_that_cannot_erase_says_so() -> None:
    clock, host, _, _ = made()
    host.start(Heard(commands=(DeleteRecord(),)))
    clock.run_until(0.5)
    assert [name for name, _ in host.model.seen] == ["Heard", "CommandFailed"]


def test_a_process_can_be_killed_before_a_save() -> None:
    clock, host, voice, store = made()
    host.before_save = lambda: False
    host.start(Heard(commands=AB, save="r"))
    clock.run_until(2.0)
    assert (store.saved, voice.said, store.ended) == ([], [], "abandoned")


def test_a_process_clock_may_be_ahead_of_the_worlds() -> None:
    clock = Clock()
    host = CoreHost(clock, step, Log(), SlowStore(clock), offset=1234.1)
    host.start(Heard(wake_at=1234.1 + 0.3))
    clock.run_until(1.0)
    (_, (name, at)) = host.model.seen
    assert name == "TimerFired"
    assert at >= 1234.1 + 0.3
