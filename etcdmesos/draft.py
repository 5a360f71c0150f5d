"""A step being written, and one event's way through a chart; shared by both cores.

An event is taken into the model by the chart's row for it; then the chart reviews whether the phase
still fits what is known; then the phase's plan is worked out from the whole model.  What any of it
means is the core's.
"""

from __future__ import annotations

import re
from typing import Any, Generic, Self, TypeVar

from attrs import evolve, frozen

from etcdmesos.chart import Chart
from etcdmesos.errors import BrokenPromise
from etcdmesos.step import Command, Event

REVIEWED = "reviewed"
PLANNED = "planned"

MOST_REVIEWS = 4
"""Phase changes one event may cause; more would be a loop in the chart."""


@frozen(kw_only=True)
class Phased:
    """What every model has: the phase it is in."""

    phase: str


M = TypeVar("M", bound=Phased)
D = TypeVar("D", bound="Draft[Any]")


@frozen(kw_only=True)
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
        return evolve(self, model=evolve(self.model, **changes))

    def asking(self, *commands: Command) -> Self:
        """With `commands` to be released."""
        return evolve(self, commands=(*self.commands, *commands))

    def waking(self, at: float) -> Self:
        """Woken at `at` at the latest."""
        return evolve(self, wake_at=at if self.wake_at is None else min(at, self.wake_at))

    def changing_course(self) -> Self:
        """With the phase reviewed once more when the plan is worked out."""
        return evolve(self, changed_course=True)

    def entering(self, phase: str) -> Self:
        """In another phase."""
        return self.having(phase=phase)


def event_name(kind: type[Event]) -> str:
    """The charts' name of an event class: TaskUpdated is task_updated."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


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
