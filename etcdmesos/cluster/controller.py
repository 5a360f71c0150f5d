"""The one door into the core: `Controller.step(model, event, now)`.

An event is taken into the model by the chart's row for it; then the chart reviews whether the phase
still fits what is known; then the phase's plan is worked out from the whole model.  Nothing else
changes a model.
"""

from __future__ import annotations

import re

from attrs import evolve

from etcdmesos.chart import Chart, Definition, read
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.guards import GUARDS
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.promises import check
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.settings import Settings
from etcdmesos.errors import BrokenPromise
from etcdmesos.step import Event, Exit, Step

CHART = "cluster"
REVIEWED = "reviewed"
PLANNED = "planned"

MOST_REVIEWS = 4
"""Phase changes one event may cause; more would be a loop in the chart."""


def event_name(kind: type[Event]) -> str:
    """The chart's name of an event class: TaskUpdated is task_updated."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


class Controller:
    """The cluster's chart and the step function on it.  Holds no state of the cluster."""

    def __init__(self, definition: Definition | None = None) -> None:
        """Raises BadChart when the chart (the shipped one by default) must not run."""
        self.chart: Chart[Draft] = Chart(definition or read(CHART), GUARDS, ACTIONS)

    def start(self, settings: Settings) -> Model:
        """The model of a scheduler that knows nothing yet."""
        record = Record(
            cluster_name=settings.cluster_name,
            framework_name=settings.framework_name,
            target_size=settings.cluster_size,
        )
        return Model(settings=settings, phase=self.chart.definition.initial, record=record)

    def step(self, model: Model, event: Event, now: float) -> Step[Model, Record]:
        """What `event`, coming at `now` (seconds, never going back), leads to.

        Raises IllegalEvent when the chart calls the event impossible in this phase, BrokenPromise
        when the outcome would break an invariant; `model` still stands then.
        """
        draft = Draft(model=model, event=event, now=now)
        draft = self.chart.fire(model.phase, event_name(type(event)), draft).draft
        draft = self._review(draft)
        draft = self.chart.fire(draft.model.phase, PLANNED, draft).draft
        return self._finish(model, draft)

    def _review(self, draft: Draft) -> Draft:
        for _ in range(MOST_REVIEWS):
            phase = draft.model.phase
            fired = self.chart.fire(phase, REVIEWED, draft)
            if fired.phase == phase:
                return fired.draft
            draft = fired.draft.having(phase=fired.phase, phase_since=draft.now)
        raise BrokenPromise(f"the phase does not settle: {draft.model.phase} still changes")

    def _finish(self, before: Model, draft: Draft) -> Step[Model, Record]:
        """Number the save, check the promises, and let the step out."""
        record, save = draft.model.record, None
        if any(isinstance(command, Exit) for command in draft.commands):
            # The last word: whatever else the step holds is left to the next scheduler.
            exits = tuple(c for c in draft.commands if isinstance(c, Exit))
            return Step(model=draft.model, commands=exits)
        if draft.model.store.loaded and record != before.record:
            save = evolve(record, sequence=record.sequence + 1)
            draft = draft.having(record=save)
        step = Step(model=draft.model, save=save, commands=draft.commands, wake_at=draft.wake_at)
        check(before, step)
        return step
