"""Planted bugs: what one is, and how the real cores are put together with one in them.

A bug replaces an entry of a core's registries, rows of its chart, or what goes in or out of its
step: never a flag in the product.  The cores' own second line of defence (`promises.check`) is left
out with a bug in place, since what is to be proven is that the oracles find it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve, frozen

from etcdmesos.chart import Chart
from etcdmesos.chart_definition import Definition, read
from etcdmesos.cluster import actions as cluster_actions
from etcdmesos.cluster import controller as cluster
from etcdmesos.cluster import guards as cluster_guards
from etcdmesos.cluster.model import Draft, Model
from etcdmesos.cluster.record import Record
from etcdmesos.executor import actions as executor_actions
from etcdmesos.executor import controller as executor
from etcdmesos.executor import guards as executor_guards
from etcdmesos.executor.model import Draft as ExecutorDraft
from etcdmesos.executor.model import ExecutorRecord
from etcdmesos.executor.model import Model as ExecutorModel
from etcdmesos.simulation.options import Cores, real_cores
from etcdmesos.step import Event, Step

__all__ = ["PlantedBug", "executor_with", "planned_by", "planted", "registered", "scheduler_with"]

Action = Callable[[Draft], Draft]
Guard = Callable[[Draft], bool]
ExecutorAction = Callable[[ExecutorDraft], ExecutorDraft]
ExecutorGuard = Callable[[ExecutorDraft], bool]
ClusterStep = Callable[[Model, Event, float], Step[Model, Record]]


@frozen
class PlantedBug:
    """One realistic slip in a safety rule, and the oracles that have to find it."""

    name: str
    story: str
    oracles: tuple[str, ...]
    cores: Callable[[], Cores]


_registered: dict[str, PlantedBug] = {}


def planted(*oracles: str) -> Callable[[Callable[[], Cores]], Callable[[], Cores]]:
    """Register a function that returns cores with a bug; its docstring is the bug's story."""

    def register(function: Callable[[], Cores]) -> Callable[[], Cores]:
        name = function.__name__
        assert name not in _registered, f"two planted bugs called {name}"
        story = " ".join((function.__doc__ or "").split())
        _registered[name] = PlantedBug(name, story, oracles, function)
        return function

    return register


def registered() -> Mapping[str, PlantedBug]:
    """All planted bugs by name, in the order of their definitions."""
    return _registered


def _let_out(before: object, step: object) -> None:
    """In the place of the cores' own checks."""


class _Scheduler(cluster.Controller):
    """The controller with other registry entries."""

    check = staticmethod(_let_out)

    def __init__(
        self, actions: Mapping[str, Action], guards: Mapping[str, Guard], chart: Definition
    ) -> None:
        self.chart = Chart(
            chart,
            {**cluster_guards.GUARDS, **guards},
            {**cluster_actions.ACTIONS, **actions},
        )


class _Executor(executor.Controller):
    """The executor's core with other registry entries."""

    check = staticmethod(_let_out)

    def __init__(
        self, actions: Mapping[str, ExecutorAction], guards: Mapping[str, ExecutorGuard]
    ) -> None:
        self.chart = Chart(
            read(executor.CHART),
            {**executor_guards.GUARDS, **guards},
            {**executor_actions.ACTIONS, **actions},
        )


def scheduler_with(
    actions: Mapping[str, Action] | None = None,
    guards: Mapping[str, Guard] | None = None,
    chart: Callable[[Definition], Definition] | None = None,
    around: Callable[[ClusterStep], ClusterStep] | None = None,
) -> Cores:
    """The real cores, but the controller's actions, guards or chart replaced where given, or its
    step wrapped."""
    definition = read(cluster.CHART)
    if chart is not None:
        definition = chart(definition)
    core = _Scheduler(actions or {}, guards or {}, definition)
    step = core.step if around is None else around(core.step)
    return evolve(real_cores(), start=core.start, step=step)


def planned_by(plan: Action) -> Cores:
    """The real cores, but with this in the place of the plan for etcd's membership."""
    return scheduler_with(actions={"plan_membership": plan})


def executor_with(
    actions: Mapping[str, ExecutorAction] | None = None,
    guards: Mapping[str, ExecutorGuard] | None = None,
) -> Cores:
    """The real cores, but the executor's actions or guards replaced where given."""
    core = _Executor(actions or {}, guards or {})

    def step(model: ExecutorModel, event: Event, now: float) -> Step[ExecutorModel, ExecutorRecord]:
        return core.step(model, event, now)

    return evolve(real_cores(), executor_start=core.start, executor_step=step)
