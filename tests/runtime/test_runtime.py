"""The loop: save before commands, failures told first, timers, and a clean end.

The cores here are a few lines each and the stores are in memory; the loop is the real one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
from attrs import define, field, frozen

from etcdmesos.adapters.record_memory import MemoryPlace, MemoryStore
from etcdmesos.cluster.record import Record
from etcdmesos.errors import (
    IllegalEvent,
    RecordTooNew,
    RecordUnreadable,
    SaveConflict,
    SaveUnknown,
    StoreError,
    StoreUnavailable,
)
from etcdmesos.runtime import Runtime
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
from tests.cluster import make


@frozen(kw_only=True)
class Said(Event):
    word: str


@frozen(kw_only=True)
class Shout(Command):
    word: str


@frozen(kw_only=True)
class Whisper(Command):
    word: str


Model = tuple[str, ...]
Core = Callable[[Model, Event, float], Step[Model, str]]


@define
class Shelf:
    """A store that keeps text, and fails as it is told; writes down what happened to it."""

    log: list[str]
    text: str | None = None
    failures: list[StoreError] = field(factory=list)

    def load(self) -> str | None:
        self.log.append("load")
        self._fail()
        return self.text

    def save(self, record: str, /) -> None:
        self.log.append(f"save {record}")
        self._fail()
        self.text = record

    def close(self) -> None:
        self.log.append("store closed")

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@define
class Ear:
    """A port that writes down what it is asked for."""

    log: list[str]
    kinds: tuple[type, ...] = (Shout,)
    name: str = "ear"

    @property
    def carries_out(self) -> tuple[type, ...]:
        return self.kinds

    def submit(self, command: Command, /) -> None:
        self.log.append(f"{self.name} {getattr(command, 'word', '')}")

    def close(self) -> None:
        self.log.append(f"{self.name} closed")


def name_of(event: Event) -> str:
    """A short name for an event of these tests."""
    detail = getattr(event, "word", getattr(event, "reason", ""))
    command = getattr(event, "command", None)
    return " ".join(
        text for text in (type(event).__name__, getattr(command, "word", ""), str(detail)) if text
    )


def following(script: dict[str, Step[Model, str]], end_on: str) -> Core:
    """A core that answers events by `script` (model: the events seen), and exits on `end_on`."""

    def step(model: Model, event: Event, now: float) -> Step[Model, str]:
        seen = (*model, name_of(event))
        if name_of(event).startswith(end_on):
            return Step(model=seen, commands=(Exit(status=0),))
        answer = script.get(name_of(event), Step(model=()))
        wake_at = None if answer.wake_at is None else now + answer.wake_at
        return Step(model=seen, save=answer.save, commands=answer.commands, wake_at=wake_at)

    return step


def runtime(core: Core, shelf: Shelf, *ears: Ear) -> Runtime[Model, str]:
    made: Runtime[Model, str] = Runtime(core, (), shelf, time.monotonic)
    for ear in ears:
        made.attach(ear)
    return made


START = Said(word="start")


def test_the_save_is_confirmed_before_any_command_goes_out() -> None:
    """A step's record is durable before the first of its commands is released, in their order."""
    log: list[str] = []
    core = following(
        {
            "Said start": Step(
                model=(), save="one", commands=(Shout(word="a"), Shout(word="b"), LoadRecord())
            )
        },
        end_on="RecordLoaded",
    )
    made = runtime(core, Shelf(log), Ear(log))
    assert made.run(START) == 0
    assert log == ["save one", "ear a", "ear b", "load", "ear closed", "store closed"]


@pytest.mark.parametrize(
    ("error", "conflict"),
    [
        (SaveConflict("somebody wrote"), True),
        (SaveUnknown("no answer"), False),
        (StoreUnavailable("away"), False),
    ],
)
def test_a_save_that_fails_lets_nothing_out(error: StoreError, conflict: bool) -> None:
    """The core hears SaveFailed, then CommandFailed for each command, before anything queued."""
    log: list[str] = []
    heard: list[Event] = []
    queued = Said(word="queued before")

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        heard.append(event)
        if event == START:
            made.post(queued)
            return Step(model=model, save="one", commands=(Shout(word="a"), Shout(word="b")))
        return Step(model=model, commands=(Exit(status=0),) if event == queued else ())

    made = runtime(core, Shelf(log, failures=[error]), Ear(log))
    made.run(START)
    reason = "the record was not saved"
    assert heard == [
        START,
        SaveFailed(reason=str(error), conflict=conflict),
        CommandFailed(command=Shout(word="a"), reason=reason),
        CommandFailed(command=Shout(word="b"), reason=reason),
        queued,
    ]
    assert log == ["save one", "ear closed", "store closed"]


def test_nobody_is_shown_what_is_not_saved() -> None:
    """Not while the store is at it, and not if it fails: who acts on what is shown could find it
    undone by the next process."""
    shown: list[Model] = []

    class Watched(Shelf):
        def save(self, record: str, /) -> None:
            shown.append(made.model)
            super().save(record)

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        shown.append(made.model)
        seen = (*model, type(event).__name__)
        if len(seen) < 3:
            return Step(model=seen, save="one")
        return Step(model=seen, commands=(Exit(status=0),))

    made = runtime(core, shelf := Watched(log=[]))
    made.post(START)
    made.post(START)
    made.run(START)
    assert shown == [(), (), ("Said",), ("Said",), ("Said", "Said")]
    shown.clear()
    shelf.failures = [StoreUnavailable("full")]
    made = runtime(core, shelf)
    made.post(START)
    made.run(START)
    assert shown == [(), (), (), (), ("Said", "SaveFailed")]
    assert made.model == ("Said", "SaveFailed", "Said")


def test_an_exit_waits_for_its_save() -> None:
    """Not even an Exit is released when its step's save failed."""
    log: list[str] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        if event == START:
            return Step(model=model, save="one", commands=(Exit(status=3),))
        return Step(model=model, commands=(Exit(status=4),))

    assert runtime(core, Shelf(log, failures=[StoreUnavailable("x")])).run(START) == 4


def test_without_a_save_the_store_is_not_written() -> None:
    """A step that changed nothing worth keeping writes nothing."""
    log: list[str] = []
    core = following({"Said start": Step(model=(), commands=(LoadRecord(),))}, "RecordLoaded")
    runtime(core, Shelf(log)).run(START)
    assert log == ["load", "store closed"]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (None, RecordLoaded(record="text")),
        (StoreUnavailable("away"), RecordUnavailable(reason="away", unreadable=False)),
        (RecordUnreadable("damaged"), RecordUnavailable(reason="damaged", unreadable=True)),
        (RecordTooNew("new"), RecordUnavailable(reason="new", unreadable=True, too_new=True)),
    ],
)
def test_what_a_load_ends_in(failure: StoreError | None, expected: Event) -> None:
    """A record, an unavailable store, a damaged record and one of a newer version are different
    events."""
    heard: list[Event] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        heard.append(event)
        return Step(model=model, commands=(LoadRecord() if event == START else Exit(status=0),))

    shelf = Shelf([], text="text", failures=[failure] if failure else [])
    runtime(core, shelf).run(START)
    assert heard == [START, expected]


class ErasableShelf(Shelf):
    """A shelf from which the text can be taken away, or not, as its failures say."""

    def delete(self) -> None:
        self.log.append("delete")
        self._fail()

    def put_aside(self) -> str:
        self.log.append("put aside")
        self._fail()
        return "aside"


DELETE, ASIDE = DeleteRecord(), PutRecordAside()


@pytest.mark.parametrize(
    ("command", "failure", "expected"),
    [
        (DELETE, None, CommandDone(command=DELETE)),
        (DELETE, SaveConflict("x"), CommandFailed(command=DELETE, reason="x")),
        (DELETE, SaveUnknown("x"), CommandUnknown(command=DELETE, reason="x")),
        (ASIDE, None, RecordPutAside(name="aside")),
        (ASIDE, StoreUnavailable("x"), CommandFailed(command=ASIDE, reason="x")),
    ],
)
def test_what_taking_the_record_away_ends_in(
    command: Command, failure: StoreError | None, expected: Event
) -> None:
    """One event, as for every command; an answer that was lost is unknown."""
    heard: list[Event] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        heard.append(event)
        return Step(model=model, commands=(command if event == START else Exit(status=0),))

    runtime(core, ErasableShelf([], failures=[failure] if failure else [])).run(START)
    assert heard == [START, expected]


def test_a_store_that_keeps_what_it_has() -> None:
    """The executor's record is never taken away: the command fails, and nothing happens."""
    heard: list[Event] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        heard.append(event)
        return Step(model=model, commands=(DELETE if event == START else Exit(status=0),))

    log: list[str] = []
    runtime(core, Shelf(log)).run(START)
    assert log == ["store closed"]
    assert [type(event) for event in heard[1:]] == [CommandFailed]


def test_a_core_that_raises_does_not_end_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """The event is dropped with a log entry, the model stays, and the next event is taken."""

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        if event == Said(word="bad"):
            raise IllegalEvent("cannot be")
        if event == START:
            return Step(model=("kept",))
        return Step(model=(*model, name_of(event)), commands=(Exit(status=0),))

    made = runtime(core, Shelf([]))
    made.post(START)
    made.post(Said(word="bad"))
    with caplog.at_level(logging.ERROR, logger="etcdmesos.runtime"):
        assert made.run(Said(word="good")) == 0
    assert made.model == ("kept", "Said good")
    assert len(caplog.records) == 1
    assert all(record.exc_info for record in caplog.records)


def test_after_an_error_the_timer_still_comes() -> None:
    """A core that raised is asked again after a pause, even if nothing else happens."""
    times: list[float] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        times.append(now)
        if event == START:
            raise ValueError("a bug")
        assert event == TimerFired()
        return Step(model=model, commands=(Exit(status=0),))

    runtime(core, Shelf([])).run(START)
    assert times[1] - times[0] >= 0.5


def test_the_timer_fires_when_it_is_due() -> None:
    """TimerFired comes at the moment asked for, and not before it."""
    wait = 0.02
    times: list[float] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        times.append(now)
        if event == START:
            return Step(model=model, wake_at=now + wait)
        assert event == TimerFired()
        return Step(model=model, commands=(Exit(status=0),))

    runtime(core, Shelf([])).run(START)
    assert times[1] - times[0] >= wait


def test_a_timer_in_the_past_fires_at_once() -> None:
    """A moment that has passed is due."""
    core = following({"Said start": Step(model=(), wake_at=-5.0)}, end_on="TimerFired")
    assert runtime(core, Shelf([])).run(START) == 0


def test_only_the_last_wish_for_a_timer_counts() -> None:
    """Each step says anew when it wants to be woken; None takes the last wish back."""

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        assert not isinstance(event, TimerFired)
        if event == START:
            made.post(Said(word="never mind"))
            return Step(model=model, wake_at=now + 0.02)
        if event == Said(word="never mind"):
            threading.Timer(0.05, made.post, [Said(word="end")]).start()
            return Step(model=model)
        return Step(model=model, commands=(Exit(status=0),))

    made = runtime(core, Shelf([]))
    assert made.run(START) == 0


def test_events_from_other_threads_wake_the_loop() -> None:
    """`post` may be called from any thread, also while the loop waits for nothing else."""
    made = runtime(following({}, end_on="Said last"), Shelf([]))
    words = [f"word {n}" for n in range(50)]

    def post() -> None:
        for word in (*words, "last"):
            made.post(Said(word=word))

    thread = threading.Thread(target=post)
    thread.start()
    assert made.run(START) == 0
    thread.join()
    heard = [word for word in made.model if word != "Said start"]
    assert heard == [*(f"Said {word}" for word in words), "Said last"]


def test_the_exit_says_status_and_reason() -> None:
    """The status is what `run` returns; the reason is kept for whoever started it."""

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        return Step(model=model, commands=(Exit(status=7, reason="enough"),))

    made = runtime(core, Shelf([]))
    assert made.run(START) == 7
    assert made.exit_reason == "enough"


def test_every_port_is_closed_once() -> None:
    """On the way out each port is closed once, however many kinds it carries out, then the
    store."""
    log: list[str] = []
    core = following({}, end_on="Said start")
    made = runtime(core, Shelf(log), Ear(log, (Shout, Whisper)))
    made.run(START)
    assert log == ["ear closed", "store closed"]


def test_ports_are_closed_when_the_loop_breaks() -> None:
    """Whatever ends the loop, adapters are closed."""
    log: list[str] = []

    def watch(event: Event, before: Model, step: Step[Model, str]) -> None:
        raise KeyboardInterrupt

    made: Runtime[Model, str] = Runtime(
        following({}, "never"), (), Shelf(log), time.monotonic, on_step=watch
    )
    made.attach(Ear(log))
    with pytest.raises(KeyboardInterrupt):
        made.run(START)
    assert log == ["ear closed", "store closed"]


def test_two_ports_for_one_command_are_refused() -> None:
    """Each kind of command belongs to exactly one port."""
    with pytest.raises(ValueError, match="two ports carry out Shout"):
        runtime(following({}, ""), Shelf([]), Ear([]), Ear([], (Whisper, Shout)))


def test_a_command_nobody_carries_out_fails() -> None:
    """It ends in CommandFailed like any other, instead of never."""
    heard: list[Event] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, str]:
        heard.append(event)
        return Step(
            model=model, commands=(Whisper(word="x") if event == START else Exit(status=0),)
        )

    runtime(core, Shelf([]), Ear([])).run(START)
    assert heard[1] == CommandFailed(command=Whisper(word="x"), reason="no port carries this out")


def test_who_watches_sees_every_step() -> None:
    """`on_step` gets the event, the model before it and the step, after the commands went out."""
    log: list[str] = []

    def watch(event: Event, before: Model, step: Step[Model, str]) -> None:
        log.append(f"watched {name_of(event)} from {before} to {step.model}")

    core = following({"Said start": Step(model=(), commands=(Shout(word="a"),))}, "Said end")
    made: Runtime[Model, str] = Runtime(core, (), Shelf(log), time.monotonic, on_step=watch)
    made.attach(Ear(log))
    made.post(START)
    made.run(Said(word="end"))
    assert log == [
        "ear a",
        "watched Said start from () to ('Said start',)",
        "watched Said end from ('Said start',) to ('Said start', 'Said end')",
        "ear closed",
        "store closed",
    ]


def test_a_conflict_with_a_real_store() -> None:
    """Two runtimes on one place: the second to save hears of the conflict and wrote nothing."""
    place = MemoryPlace()
    other = MemoryStore(place)
    heard: list[Event] = []

    def core(model: Model, event: Event, now: float) -> Step[Model, Record]:
        heard.append(event)
        if isinstance(event, RecordLoaded):
            other.save(make.record(epoch=5))
            return Step(model=model, save=make.record(epoch=1))
        return Step(model=model, commands=(LoadRecord() if event == START else Exit(status=0),))

    made: Runtime[Model, Record] = Runtime(core, (), MemoryStore(place), time.monotonic)
    made.run(START)
    assert isinstance(heard[2], SaveFailed)
    assert heard[2].conflict
    stored = MemoryStore(place).load()
    assert stored is not None
    assert stored.epoch == 5
