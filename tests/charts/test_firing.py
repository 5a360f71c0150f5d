"""What firing an event does, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from etcdmesos.chart import Chart, Fired
from etcdmesos.chart_definition import Definition, parse
from etcdmesos.errors import IllegalEvent

TEXT = """
name: door
about: A door.
initial: shut
phases:
  shut: Nobody gets in.
  open: Anybody gets in.
events:
  pushed: Somebody pushes.
  rung: The bell.
  painted: Fresh paint.
rows:
  - {event: pushed, in: shut, to: open, if: unlocked, do: [note, greet], why: it gives way}
  - {event: pushed, in: shut, do: note, why: it is locked}
  - {event: pushed, in: open, to: shut, do: note, why: it swings}
  - {event: painted, in: open, to: open, do: note, why: it is the same door}
ignored:
  - {event: rung, in: any, why: nobody is at home}
impossible:
  - {event: painted, in: shut, why: the painter paints open doors}
"""

Draft = tuple[str, ...]


def definition() -> Definition:
    return parse(TEXT, "door.yaml")


def chart(note: Callable[[Draft], Draft] = lambda d: (*d, "note")) -> Chart[Draft]:
    return Chart(
        definition(),
        {"unlocked": lambda d: "locked" not in d},
        {"note": note, "greet": lambda d: (*d, "greet")},
    )


def test_the_first_row_whose_guards_hold_is_taken() -> None:
    """Rows of one cell are tried in the order written; actions run in the order written."""
    rows = definition().rows
    assert chart().fire("shut", "pushed", ()) == Fired(
        phase="open", draft=("note", "greet"), row=rows[0]
    )
    assert chart().fire("shut", "pushed", ("locked",)) == Fired(
        phase="shut", draft=("locked", "note"), row=rows[1]
    )


def test_an_ignored_event_changes_nothing() -> None:
    """In an ignored cell neither phase nor draft changes, and no row is named."""
    for phase in ("shut", "open"):
        assert chart().fire(phase, "rung", ("x",)) == Fired(phase=phase, draft=("x",), row=None)


def test_a_row_to_its_own_phase_stays() -> None:
    """A row may lead back to the phase it starts in."""
    assert chart().fire("open", "painted", ()).phase == "open"


def test_an_impossible_event_is_an_error_that_says_why() -> None:
    """IllegalEvent names the event, the phase and the chart's reason."""
    with pytest.raises(IllegalEvent) as caught:
        chart().fire("shut", "painted", ())
    assert str(caught.value) == ("painted cannot happen while shut: the painter paints open doors")


@pytest.mark.parametrize(("phase", "event"), [("shut", "kicked"), ("ajar", "pushed")])
def test_a_word_the_chart_does_not_know_is_illegal(phase: str, event: str) -> None:
    """An event or a phase outside the chart is an IllegalEvent, never a silent nothing."""
    with pytest.raises(IllegalEvent):
        chart().fire(phase, event, ())


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("x"), ValueError("x")])
def test_an_action_that_raises_leaves_no_trace(error: Exception) -> None:
    """The action's own error comes out as it is, and the next event starts afresh."""
    failing = [True]

    def note(draft: Draft) -> Draft:
        if failing:
            raise error
        return (*draft, "note")

    tried = chart(note)
    with pytest.raises(type(error)) as caught:
        tried.fire("shut", "pushed", ())
    assert caught.value is error
    failing.clear()
    assert tried.fire("shut", "pushed", ()).draft == ("note", "greet")


def test_a_late_action_that_raises_leaves_the_phase() -> None:
    """Not even the last action's failure leaves a half-made change of phase behind."""

    def greet(draft: Draft) -> Draft:
        raise RuntimeError("nobody there")

    tried: Chart[Draft] = Chart(
        definition(), {"unlocked": bool}, {"note": lambda d: (*d, "note"), "greet": greet}
    )
    with pytest.raises(RuntimeError):
        tried.fire("shut", "pushed", ("x",))
    assert tried.fire("open", "pushed", ()).phase == "shut"


def test_an_action_cannot_fire_another_event() -> None:
    """One event at a time: firing from within an action is refused, and the chart still works."""
    tried: list[Chart[Draft]] = []
    nested: list[str] = []

    def note(draft: Draft) -> Draft:
        with pytest.raises(IllegalEvent, match="from within another event's action"):
            tried[0].fire("open", "pushed", draft)
        nested.append("refused")
        return draft

    tried.append(chart(note))
    assert tried[0].fire("shut", "pushed", ()).phase == "open"
    assert nested == ["refused"]


def test_a_guard_may_return_anything_with_a_truth() -> None:
    """`transitions` compares guards to True; here a guard's truth counts, whatever its type."""
    truthy: Any = lambda d: list(d)  # noqa: E731
    tried: Chart[Draft] = Chart(
        definition(), {"unlocked": truthy}, {"note": lambda d: d, "greet": lambda d: d}
    )
    assert tried.fire("shut", "pushed", ("key",)).phase == "open"
    assert tried.fire("shut", "pushed", ()).phase == "shut"


def test_firing_keeps_nothing_between_events() -> None:
    """The phase is an argument: one chart serves any number of models in turn."""
    one = chart()
    assert [one.fire(p, "pushed", ()).phase for p in ("shut", "open", "shut", "shut")] == [
        "open",
        "shut",
        "open",
        "open",
    ]
