"""The one door into the core: `Controller.step(model, event, now)`.

Nothing else changes a model.  How an event makes its way through the chart is in `draft.react`.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.chart import Chart
from etcdmesos.chart_definition import Definition, read
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.guards import GUARDS
from etcdmesos.cluster.model import Draft, Leadership, Model
from etcdmesos.cluster.promises import RECONFIGURES, check
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.settings import Settings
from etcdmesos.draft import react
from etcdmesos.step import Event, Exit, RecordLoaded, Step

CHART = "cluster"


class Controller:
    """The cluster's chart and the step function on it.  Holds no state of the cluster."""

    check = staticmethod(check)
    """The second line of defence; a subclass in the simulation does without it."""

    def __init__(self, definition: Definition | None = None) -> None:
        """Raises BadChart when the chart (the shipped one by default) must not run."""
        self.chart: Chart[Draft] = Chart(definition or read(CHART), GUARDS, ACTIONS)

    def start(self, settings: Settings, now: float = 0.0) -> Model:
        """The model of a scheduler that begins at `now` and knows nothing yet."""
        record = Record(
            cluster_name=settings.cluster_name,
            framework_name=settings.framework_name,
            target_size=settings.cluster_size,
        )
        return Model(
            settings=settings,
            phase=self.chart.definition.initial,
            phase_since=now,
            record=record,
            leadership=Leadership(held=not settings.elected),
        )

    def step(self, model: Model, event: Event, now: float) -> Step[Model, Record]:
        """What `event`, coming at `now` (seconds, never going back), leads to.

        Raises IllegalEvent when the chart calls the event impossible in this phase, BrokenPromise
        when the outcome would break an invariant; `model` still stands then.
        """
        draft = react(self.chart, Draft(model=model, event=event, now=now))
        return self._finish(model, draft)

    def _finish(self, before: Model, draft: Draft) -> Step[Model, Record]:
        """Number the save, check the promises, and let the step out."""
        record, save = draft.model.record, None
        exits = tuple(c for c in draft.commands if isinstance(c, Exit))
        if exits:
            # The last word: whatever else the step holds is left to the next scheduler.
            return Step(model=draft.model, commands=exits)
        stored = draft.event.record if isinstance(draft.event, RecordLoaded) else before.record
        # A change of etcd's list is fenced by nothing but this: right after a confirmed write of
        # the record, nobody else has taken over.
        fenced = any(isinstance(command, RECONFIGURES) for command in draft.commands)
        written = record is not stored and record != stored
        if draft.model.store.loaded and (written or fenced):
            save = evolve(record, sequence=record.sequence + 1)
            draft = draft.having(record=save)
        step = Step(model=draft.model, save=save, commands=draft.commands, wake_at=draft.wake_at)
        self.check(before, step)
        return step
