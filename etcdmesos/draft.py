"""A step being written, and one event's way through a chart; shared by both cores.

An event is taken into the model by the chart's row for it; then the chart reviews whether the phase
still fits what is known; then the phase's plan is worked out from the whole model.  What any of it
means is the core's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, Self, TypeVar

from attrs import frozen

from etcdmesos.chart import Chart
from etcdmesos.errors import BrokenPromise
from etcdmesos.step import Command, Event

REVIEWED = "reviewed"
PLANNED = "planned"

SOON = 0.001
"""Seconds to the next turn once something is on record: no step may wake itself at once."""

MOST_REVIEWS = 4
"""Phase changes one event may cause; more would be a loop in the chart."""


@frozen(kw_only=True, slots=False)
class Phased:
    """What every model has: the phase it is in.  Without slots, for `changed`."""

    phase: str


M = TypeVar("M", bound=Phased)
D = TypeVar("D", bound="Draft[Any]")
V = TypeVar("V")


def changed(value: V, changes: Mapping[str, object]) -> V:
    """A copy of `value`, a frozen attrs value without slots, with these fields replaced.

    `attrs.evolve` does the same at ten times the cost for a model of thirty fields, which was a
    sixth of every step.  Raises TypeError when there is no such field.
    """
    fields = {**vars(value), **changes}
    if len(fields) != len(vars(value)):
        unknown = sorted(set(changes) - set(vars(value)))
        raise TypeError(f"{type(value).__name__} has no {', '.join(unknown)}")
    copy = object.__new__(type(value))
    object.__setattr__(copy, "__dict__", fields)
    return copy


@frozen(kw_only=True, slots=False)
class Draft(Generic[M]):
    """A step being written: guards read it, actions return the next one."""

    model: M
    event: Event
    now: float
    commands: tuple[Command, ...] = ()
    wake_at: float | None = None
    changed_course: bool = False
    """A plan has recorded something that the phase depends on."""

    def having(self, **changes: Any) -> Self:
        """With these fields of the model replaced."""
        return changed(self, {"model": changed(self.model, changes)})

    def asking(self, *commands: Command) -> Self:
        """With `commands` to be released."""
        return changed(self, {"commands": (*self.commands, *commands)}) if commands else self

    def waking(self, at: float) -> Self:
        """Woken at `at` at the latest."""
        if self.wake_at is not None and self.wake_at <= at:
            return self
        return changed(self, {"wake_at": at})

    def changing_course(self) -> Self:
        """With the phase reviewed once more when the plan is worked out."""
        return changed(self, {"changed_course": True})

    def entering(self, phase: str) -> Self:
        """In another phase."""
        return self.having(phase=phase)


def event_name(kind: type[Event]) -> str:
    """The charts' name of an event class: TaskUpdated is task_updated."""
    return _in_snake_case(kind.__name__)


@cache
def _in_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def react(chart: Chart[D], draft: D) -> D:
    """The draft after its event was taken in, the phase reviewed and the plan worked out.

    Raises IllegalEvent when the chart calls the event impossible in the model's phase, and
    BrokenPromise when the phase does not settle.
    """
    draft = _fire(chart, event_name(type(draft.event)), draft)
    for _ in range(MOST_REVIEWS):
        phase = draft.model.phase
        draft = _fire(chart, REVIEWED, draft)
        if draft.model.phase == phase:
            planned = _fire(chart, PLANNED, draft)
            return _fire(chart, REVIEWED, planned) if planned.changed_course else planned
    raise BrokenPromise(f"the phase does not settle: {draft.model.phase} still changes")


def _fire(chart: Chart[D], event: str, draft: D) -> D:
    phase = draft.model.phase
    fired = chart.fire(phase, event, draft)
    return fired.draft if fired.phase == phase else fired.draft.entering(fired.phase)
