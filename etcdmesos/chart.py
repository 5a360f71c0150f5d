"""Statecharts that run.  The only file that imports `transitions`.

A chart says, for every phase and every event, what may happen: a row (guards, actions, perhaps
another phase), nothing, with the reason, or an error.  Names of guards and actions resolve to
Python callables when the chart loads, and a chart with a mistake does not load.  What the guards
and actions mean is not known here: they take and return a *draft*, whatever the core using the
chart makes of it.

`transitions` is held to what is safe in it: actions run as `before` callbacks, so that an error
leaves the phase as it was; nothing is queued, nothing is created by itself, nothing is resolved
from a string at run time.  It makes every change of phase; the actions of a row that stays, as
nearly all do, are run without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import transitions
from attrs import frozen

from etcdmesos.chart_definition import Definition, Row, Verdict
from etcdmesos.errors import BadChart, IllegalEvent

logging.getLogger("transitions").setLevel(logging.WARNING)  # it logs every callback at INFO

D = TypeVar("D")
Guard = Callable[[D], bool]
Action = Callable[[D], D]


class Fired(NamedTuple, Generic[D]):
    """The outcome of one event: the phase after it, the draft, and the row taken, if any."""

    phase: str
    draft: D
    row: Row | None


class Chart(Generic[D]):
    """A validated chart with its guards and actions, ready to run.

    Holds no state of its own: the phase is an argument.  Not for use by two threads at once.
    """

    def __init__(
        self,
        definition: Definition,
        guards: Mapping[str, Guard[D]],
        actions: Mapping[str, Action[D]],
    ) -> None:
        """Raises BadChart when a name does not resolve, or a guard or an action is never used."""
        _check_names(definition, guards, actions)
        self.definition = definition
        self._cursor: _Cursor[D] = _Cursor(definition.initial)
        self._ignored = _verdicts(definition.ignored)
        self._impossible = _verdicts(definition.impossible)
        rows = [
            _Runnable(row, [guards[g] for g in row.guards], [actions[a] for a in row.actions])
            for row in definition.rows
        ]
        self._cells: dict[tuple[str, str], list[_Runnable[D]]] = {}
        for one in rows:
            for phase in one.row.phases:
                self._cells.setdefault((phase, one.row.on), []).append(one)
        self._machine = transitions.Machine(
            model=self._cursor,
            states=list(definition.phases),
            initial=definition.initial,
            model_attribute="phase",
            auto_transitions=False,
            send_event=True,
            queued=False,
            ignore_invalid_triggers=False,
        )
        for one in rows:
            self._machine.add_transition(
                trigger=one.row.on,
                source=list(one.row.phases),
                dest=one.row.to,
                conditions=partial(_asked, self._cursor, one),
                before=partial(_acted, self._cursor, one),
            )

    def fire(self, phase: str, event: str, draft: D) -> Fired[D]:
        """Let `event` happen in `phase`.

        Raises IllegalEvent when the chart calls that impossible, and whatever a guard or an action
        raises; the caller keeps its old phase and draft then.
        """
        cell = self._cells.get((phase, event))
        if cell is None:
            if (phase, event) in self._ignored:
                return Fired(phase, draft, None)
            why = self._impossible.get((phase, event), "the chart does not know it")
            raise IllegalEvent(f"{event} cannot happen while {phase}: {why}")
        cursor = self._cursor
        if cursor.busy:
            raise IllegalEvent(f"{event} fired from within another event's action")
        for one in cell:
            if one.holds(draft):
                break
        else:
            return Fired(phase, draft, None)
        cursor.phase, cursor.draft, cursor.row, cursor.busy = phase, draft, None, True
        try:
            if one.row.to is None:
                return Fired(phase, one.act(draft), one.row)
            self._machine.events[event].trigger(cursor)
        finally:
            cursor.busy = False
        return Fired(cursor.phase, cursor.draft, cursor.row)


@frozen
class _Runnable(Generic[D]):
    """A row with its names resolved."""

    row: Row
    guards: list[Guard[D]]
    actions: list[Action[D]]

    def holds(self, draft: D) -> bool:
        for guard in self.guards:  # noqa: SIM110 (`all` takes twice as long; this is asked most)
            if not guard(draft):
                return False
        return True

    def act(self, draft: D) -> D:
        for action in self.actions:
            draft = action(draft)
        return draft


class _Cursor(Generic[D]):
    """The scratch object `transitions` moves: the phase and the draft of the event under way."""

    draft: D

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self.row: Row | None = None
        self.busy = False


def _asked(cursor: _Cursor[D], one: _Runnable[D], _: transitions.EventData) -> bool:
    return one.holds(cursor.draft)


def _acted(cursor: _Cursor[D], one: _Runnable[D], _: transitions.EventData) -> None:
    cursor.row, cursor.draft = one.row, one.act(cursor.draft)


def _check_names(
    definition: Definition, guards: Mapping[str, object], actions: Mapping[str, object]
) -> None:
    origin = f"statecharts/{definition.name}.yaml"
    for kind, known, used in (
        ("guard", guards, {g for row in definition.rows for g in row.guards}),
        ("action", actions, {a for row in definition.rows for a in row.actions}),
    ):
        if unknown := sorted(used - set(known)):
            raise BadChart(f"{origin}: unknown {kind} {', '.join(unknown)}")
        if unused := sorted(set(known) - used):
            raise BadChart(f"{origin}: {kind} {', '.join(unused)} is never used")


def _verdicts(verdicts: Iterable[Verdict]) -> Mapping[tuple[str, str], str]:
    return {(phase, verdict.on): verdict.why for verdict in verdicts for phase in verdict.phases}
