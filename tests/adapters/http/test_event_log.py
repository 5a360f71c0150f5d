"""What GET /events remembers, and what it leaves out."""

from __future__ import annotations

from etcdmesos.adapters.event_log import SAID_AGAIN, EventLog
from etcdmesos.cluster.happenings import Happening, Kind

DOWN = Happening(kind=Kind.MASTER, text="disconnected: refused", warning=True)
UP = Happening(kind=Kind.MASTER, text="subscribed: 10.0.0.1:5050")


def texts(events: EventLog) -> list[str]:
    return [entry.happening.text for entry in events.after(0)]


def test_what_is_down_for_hours_does_not_push_out_how_it_began() -> None:
    """Tried again every few seconds, it is told every ten minutes, and counted each time."""
    events = EventLog()
    noted = [events.add(DOWN, now) for now in (0.0, 15.0, SAID_AGAIN - 1, SAID_AGAIN, 605.0)]
    assert noted == [True, False, False, True, False]
    assert texts(events) == [DOWN.text] * 2
    assert events.counts()[Kind.MASTER] == 5


def test_what_came_in_between_makes_it_news_again() -> None:
    """Down, up and down are three things, however quickly they come."""
    events = EventLog()
    assert [events.add(one, 1.0) for one in (DOWN, UP, DOWN)] == [True, True, True]
    record = Happening(kind=Kind.RECORD, text="record unavailable: refused", warning=True)
    assert [events.add(one, 1.0) for one in (record, DOWN, record)] == [True, False, False]


def test_what_is_no_warning_is_always_told() -> None:
    events = EventLog()
    assert [events.add(UP, 1.0) for _ in range(3)] == [True] * 3
    assert [entry.id for entry in events.after(1)] == [2, 3]
