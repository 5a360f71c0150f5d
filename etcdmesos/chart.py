"""Statecharts that run.  The only file that imports `transitions`.

A chart says, for every phase and every event, what may happen: a row (guards, actions, perhaps
another phase), nothing, with the reason, or an error.  Names of guards and actions resolve to
Python callables when the chart loads, and a chart with a mistake does not load.  What the guards
and actions mean is not known here: they take and return a *draft*, whatever the core using the
chart makes of it.

`transitions` is held to what is safe in it: actions run as `before` callbacks, so that an error
leaves the phase as it was; nothing is queued, nothing is created by itself, nothing is resolved
from a string at run time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import transitions
from attrs import frozen

from etcdmesos.chart_definition import Definition, Row, Verdict
from etcdmesos.errors import BadChart, IllegalEvent

logging.getLogger("transitions").setLevel(logging.WARNING)  # it logs every callback at INFO

D = TypeVar("D")
Guard = Callable[[D], bool]
Action = Callable[[D], D]


@frozen(kw_only=True)
class Fired(Generic[D]):
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
        self._ignored = _cells(definition.ignored)
        self._impossible = _cells(definition.impossible)
        self._asked = {
            (phase, event): tuple(
                tuple(guards[name] for name in row.guards)
                for row in definition.rows_of(phase, event)
            )
            for phase in definition.phases
            for event in definition.reviews
        }
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
        for row in definition.rows:
            self._machine.add_transition(
                trigger=row.on,
                source=list(row.phases),
                dest=row.to,
                conditions=_asks(self._cursor, [guards[name] for name in row.guards]),
                before=_does(self._cursor, row, [actions[name] for name in row.actions]),
            )

    def fire(self, phase: str, event: str, draft: D) -> Fired[D]:
        """Let `event` happen in `phase`.

        Raises IllegalEvent when the chart calls that impossible, and whatever a guard or an action
        raises; the caller keeps its old phase and draft then.
        """
        if (phase, event) in self._ignored:
            return Fired(phase=phase, draft=draft, row=None)
        if (phase, event) in self._impossible:
            why = self._impossible[phase, event]
            raise IllegalEvent(f"{event} cannot happen while {phase}: {why}")
        if phase not in self.definition.phases or event not in self._machine.events:
            raise IllegalEvent(f"the chart knows no {event} while {phase}")
        asked = self._asked.get((phase, event))
        # Most reviews change nothing, which the guards say sooner than `transitions` does.
        if asked is not None and not any(_hold(row, draft) for row in asked):
            return Fired(phase=phase, draft=draft, row=None)
        cursor = self._cursor
        if cursor.busy:
            raise IllegalEvent(f"{event} fired from within another event's action")
        cursor.enter(phase, draft)
        try:
            self._machine.events[event].trigger(cursor)
        finally:
            cursor.busy = False
        return Fired(phase=cursor.phase, draft=cursor.draft, row=cursor.row)


class _Cursor(Generic[D]):
    """The scratch object `transitions` moves: the phase and the draft of the event under way."""

    draft: D

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self.row: Row | None = None
        self.busy = False

    def enter(self, phase: str, draft: D) -> None:
        self.phase, self.draft, self.row, self.busy = phase, draft, None, True


# One callback for a row's guards and one for its actions: `transitions` takes longer to call back
# than most of them take.


def _hold(guards: Iterable[Guard[D]], draft: D) -> bool:
    for guard in guards:  # noqa: SIM110 (`all` takes twice as long, and this is asked most)
        if not guard(draft):
            return False
    return True


def _asks(
    cursor: _Cursor[D], guards: list[Guard[D]]
) -> Callable[[transitions.EventData], bool] | None:
    return (lambda _: _hold(guards, cursor.draft)) if guards else None


def _does(
    cursor: _Cursor[D], row: Row, actions: list[Action[D]]
) -> Callable[[transitions.EventData], None]:
    def act(_: transitions.EventData) -> None:
        cursor.row = row
        for action in actions:
            cursor.draft = action(cursor.draft)

    return act


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


def _cells(verdicts: Iterable[Verdict]) -> Mapping[tuple[str, str], str]:
    return {(phase, verdict.on): verdict.why for verdict in verdicts for phase in verdict.phases}
