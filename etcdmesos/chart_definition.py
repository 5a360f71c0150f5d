"""A statechart as it is written: read from YAML, and refused with the place of its first mistake.

What its names of guards and actions mean is not known here; `chart.py` resolves and runs them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from etcdmesos.chart_yaml import load
from etcdmesos.errors import BadChart

ANY = "any"


@frozen(kw_only=True)
class Row:
    """What happens in each of `phases` on event `on`, if every guard holds."""

    on: str
    phases: tuple[str, ...]
    to: str | None
    """The next phase; None stays."""
    guards: tuple[str, ...]
    actions: tuple[str, ...]
    why: str


@frozen(kw_only=True)
class Verdict:
    """A (phase, event) cell without rows: nothing happens, or it is an error."""

    on: str
    phases: tuple[str, ...]
    why: str


@frozen(kw_only=True)
class Definition:
    """A chart as written, before any name in it is resolved."""

    name: str
    about: str
    initial: str
    """The phase a new core starts in."""
    promises: tuple[str, ...]
    phases: Mapping[str, str]
    """Phase to what it means, in the order written."""
    final: frozenset[str]
    events: Mapping[str, str]
    reviews: frozenset[str]
    """Events the core raises itself, for which "no guard holds" means: stay."""
    rows: tuple[Row, ...]
    ignored: tuple[Verdict, ...]
    impossible: tuple[Verdict, ...]

    def rows_of(self, phase: str, event: str) -> tuple[Row, ...]:
        """The rows of one cell, in the order they are tried."""
        return tuple(row for row in self.rows if row.on == event and phase in row.phases)


def read(name: str) -> Definition:
    """The definition of the chart shipped as `statecharts/<name>.yaml`.  Raises BadChart."""
    content = pkgutil.get_data("etcdmesos.statecharts", f"{name}.yaml") or b""
    return parse(content.decode(), f"statecharts/{name}.yaml")


def parse(text: str, origin: str) -> Definition:
    """The definition written in `text`; `origin` names it in errors.  Raises BadChart."""
    reader = _Reader(origin)
    top = reader.keys(
        load(text, origin),
        "the chart",
        required={"name", "about", "initial", "phases", "events", "rows"},
        optional={"promises", "final", "reviews", "ignored", "impossible"},
    )
    phases = reader.texts(top["phases"], "phases")
    definition = Definition(
        name=str(top["name"]),
        about=str(top["about"]).strip(),
        initial=str(top["initial"]),
        promises=reader.names(top.get("promises"), "promises"),
        phases=phases,
        final=frozenset(reader.names(top.get("final"), "final")),
        events={
            **reader.texts(top["events"], "events"),
            **reader.texts(top.get("reviews") or {}, "reviews"),
        },
        reviews=frozenset(top.get("reviews") or ()),
        rows=tuple(
            reader.row(r, n, phases) for n, r in enumerate(reader.entries(top["rows"], "rows"), 1)
        ),
        ignored=reader.verdicts(top.get("ignored"), "ignored", phases),
        impossible=reader.verdicts(top.get("impossible"), "impossible", phases),
    )
    _check(definition, origin)
    return definition


@frozen
class _Reader:
    """Reads the parts of a chart, naming the place in every complaint."""

    origin: str

    def keys(
        self, data: Any, place: str, required: set[str], optional: set[str]
    ) -> Mapping[str, Any]:
        if not isinstance(data, dict):
            raise BadChart(f"{self.origin}: {place} is no mapping")
        if missing := sorted(required - set(data)):
            raise BadChart(f"{self.origin}: {place} lacks {', '.join(missing)}")
        if unknown := sorted(str(k) for k in set(data) - required - optional):
            raise BadChart(f"{self.origin}: {place} has unknown keys {', '.join(unknown)}")
        return data

    def entries(self, data: Any, place: str) -> list[Any]:
        if data is not None and not isinstance(data, list):
            raise BadChart(f"{self.origin}: {place} is no list")
        return data or []

    def texts(self, data: Any, place: str) -> Mapping[str, str]:
        if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
            raise BadChart(f"{self.origin}: {place} must map names to what they mean")
        return {str(k): v.strip() for k, v in data.items()}

    def row(self, data: Any, number: int, phases: Iterable[str]) -> Row:
        place = f"row {number}"
        keys = self.keys(data, place, required={"event", "in", "why"}, optional={"to", "if", "do"})
        return Row(
            on=str(keys["event"]),
            phases=self._phases(keys["in"], place, phases),
            to=None if keys.get("to") is None else str(keys["to"]),
            guards=self.names(keys.get("if"), place),
            actions=self.names(keys.get("do"), place),
            why=self._why(keys["why"], place),
        )

    def verdicts(self, data: Any, place: str, phases: Iterable[str]) -> tuple[Verdict, ...]:
        verdicts: list[Verdict] = []
        for number, entry in enumerate(self.entries(data, place), 1):
            where = f"{place} entry {number}"
            keys = self.keys(entry, where, required={"event", "in", "why"}, optional=set())
            verdicts += [
                Verdict(
                    on=event,
                    phases=self._phases(keys["in"], where, phases),
                    why=self._why(keys["why"], where),
                )
                for event in self.names(keys["event"], where)
            ]
        return tuple(verdicts)

    def _phases(self, data: Any, place: str, phases: Iterable[str]) -> tuple[str, ...]:
        named = tuple(phases) if data == ANY else self.names(data, place)
        if not named:
            raise BadChart(f"{self.origin}: {place} names no phase")
        return named

    def names(self, data: Any, place: str) -> tuple[str, ...]:
        names = [data] if isinstance(data, str) else (data or [])
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise BadChart(f"{self.origin}: {place}: expected a name or a list of names")
        return tuple(names)

    def _why(self, data: Any, place: str) -> str:
        if not isinstance(data, str) or not data.strip():
            raise BadChart(f"{self.origin}: {place} gives no reason (why)")
        return data.strip()


def _check(definition: Definition, origin: str) -> None:
    """Everything about a chart that can be wrong without knowing any Python name."""
    for problem in (
        *_unknown_names(definition),
        *_cell_problems(definition),
        *_shape_problems(definition),
    ):
        raise BadChart(f"{origin}: {problem}")


def _unknown_names(definition: Definition) -> Iterable[str]:
    phases, events = set(definition.phases), set(definition.events)
    if definition.initial not in phases:
        yield f"the initial phase {definition.initial} is not a phase"
    yield from (f"the final phase {p} is not a phase" for p in definition.final - phases)
    entries: tuple[Row | Verdict, ...] = (
        *definition.rows,
        *definition.ignored,
        *definition.impossible,
    )
    for entry in entries:
        if entry.on not in events:
            yield f"unknown event {entry.on}"
        yield from (f"{entry.on}: unknown phase {p}" for p in entry.phases if p not in phases)
        if isinstance(entry, Row) and entry.to is not None and entry.to not in phases:
            yield f"{entry.on}: unknown phase {entry.to}"


def _cell_problems(definition: Definition) -> Iterable[str]:
    """Every (phase, event) must be exactly one of: rows, ignored, impossible."""
    verdicts = [
        (phase, v.on) for v in (*definition.ignored, *definition.impossible) for phase in v.phases
    ]
    for phase in definition.phases:
        for event in definition.events:
            cell = f"({phase}, {event})"
            rows = definition.rows_of(phase, event)
            said = verdicts.count((phase, event)) + bool(rows)
            if said == 0:
                yield f"{cell} is neither a row, nor ignored, nor impossible"
            elif said > 1:
                yield f"{cell} is said twice"
            elif rows:
                yield from (f"{cell}: {p}" for p in _row_order_problems(rows, event, definition))


def _row_order_problems(rows: tuple[Row, ...], event: str, definition: Definition) -> Iterable[str]:
    *first, last = rows
    if any(not row.guards for row in first):
        yield "a row behind an unguarded one is never reached"
    if last.guards and event not in definition.reviews:
        yield "the last row is guarded: what happens when no guard holds is not said"
    if len({row.guards for row in rows}) < len(rows):
        yield "two rows with the same guards"


def _shape_problems(definition: Definition) -> Iterable[str]:
    arrows = {(p, row.to) for row in definition.rows if row.to for p in row.phases if p != row.to}
    reached = {definition.initial}
    while more := {to for source, to in arrows if source in reached} - reached:
        reached |= more
    yield from (f"phase {p} is never reached" for p in definition.phases if p not in reached)
    ways_out = {source for source, _ in arrows}
    for phase in definition.phases:
        if (phase in definition.final) == (phase in ways_out):
            said = "is final and has a way out" if phase in ways_out else "has no way out"
            yield f"phase {phase} {said}"
