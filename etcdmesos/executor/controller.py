"""The one door into the executor's core: `Controller.step(model, event, now)`.

Nothing else changes a model.  How an event makes its way through the chart is in `draft.react`.
"""

from __future__ import annotations

from etcdmesos.chart import Chart
from etcdmesos.chart_definition import Definition, read
from etcdmesos.draft import react
from etcdmesos.errors import BrokenPromise
from etcdmesos.executor.actions import ACTIONS
from etcdmesos.executor.commands import (
    FetchSnapshot,
    PutBack,
    ReadLog,
    RestoreSeed,
    RunCopy,
    StartEtcd,
)
from etcdmesos.executor.guards import GUARDS
from etcdmesos.executor.model import Draft, ExecutorRecord, Link, Model, Process
from etcdmesos.executor.settings import Settings
from etcdmesos.step import Event, Step

CHART = "executor"
WORKS = (ReadLog, RunCopy, FetchSnapshot, RestoreSeed, PutBack)
"""Commands that work on a member's data."""


def check(before: Model, step: Step[Model, ExecutorRecord]) -> None:
    """Raises BrokenPromise when `step` must not be let out.

    A second line of defence, written from the chart's promises and not from the plans.
    """
    model = step.model
    starts = [command for command in step.commands if isinstance(command, StartEtcd)]
    if starts and (starts[0].run != model.etcd.reaped + 1 or len(starts) > 1):
        raise BrokenPromise("a second etcd would be started beside the first")
    if starts and (before.restart.removed or model.ending is not None):
        raise BrokenPromise("an etcd that was removed or is to end would be started again")
    running = model.etcd.process is not Process.NONE or model.reseed.working
    if running and any(update.last for update in model.updates):
        raise BrokenPromise("the end would be reported before etcd was reaped")
    if model.record.epoch < before.record.epoch:
        raise BrokenPromise("the epoch would go back")
    _check_hold(step, bool(starts))
    for command in step.commands:
        if isinstance(command, RestoreSeed):
            _check_seed(model, command)


def _check_hold(step: Step[Model, ExecutorRecord], starts: bool) -> None:
    model = step.model
    if starts and model.record.held is not None:
        raise BrokenPromise("etcd would be started while the member is held")
    if starts and (model.reseed.undo or model.reseed.working):
        raise BrokenPromise("etcd would be started on data that is being worked on")
    if starts and model.spec is not None and model.spec.restores:
        raise BrokenPromise("etcd would be started empty where a backup is to be restored")
    work = [command for command in step.commands if isinstance(command, WORKS)]
    if len(work) > 1 or (work and model.etcd.process is not Process.NONE):
        raise BrokenPromise("data would be worked on that is in use")
    copies = [command for command in work if isinstance(command, RunCopy | FetchSnapshot)]
    if copies and model.record.held is None:
        raise BrokenPromise("a copy would be run of a member that is not held")


def _check_seed(model: Model, command: RestoreSeed) -> None:
    record, chosen = model.record, model.reseed.snapshot
    if record.held is None or record.seeded != command.generation:
        raise BrokenPromise("a seed would be restored without being held or without a record of it")
    if chosen is None or (chosen.path, chosen.sha256) != (command.snapshot, command.sha256):
        raise BrokenPromise("a seed would be restored from another snapshot than the chosen one")
    if model.reseed.seed_taken != command.generation:
        raise BrokenPromise("a seed would be restored that was not ordered")


class Controller:
    """The executor's chart and the step function on it.  Holds no state of the executor."""

    check = staticmethod(check)
    """The second line of defence; a subclass in the simulation does without it."""

    def __init__(self, definition: Definition | None = None) -> None:
        """Raises BadChart when the chart (the shipped one by default) must not run."""
        self.chart: Chart[Draft] = Chart(definition or read(CHART), GUARDS, ACTIONS)

    def start(self, settings: Settings, now: float, record: ExecutorRecord | None = None) -> Model:
        """The model of an executor that knows nothing but what it kept on disk."""
        return Model(
            settings=settings,
            phase=self.chart.definition.initial,
            record=record or ExecutorRecord(),
            link=Link(down_since=now),
        )

    def step(self, model: Model, event: Event, now: float) -> Step[Model, ExecutorRecord]:
        """What `event`, coming at `now` (seconds, never going back), leads to.

        Raises IllegalEvent when the chart calls the event impossible in this phase, BrokenPromise
        when the outcome would break an invariant; `model` still stands then.
        """
        draft = Draft(model=model, event=event, now=now).having(remark="")
        draft = react(self.chart, draft)
        record = draft.model.record
        save = record if record != model.record else None
        if save is not None:
            draft = draft.having(record_before=model.record)
        step = Step(
            model=draft.model,
            save=save,
            commands=draft.commands,
            wake_at=draft.wake_at,
        )
        self.check(model, step)
        return step
