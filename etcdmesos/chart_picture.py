"""A chart as people read it: the picture (Mermaid) and the full (phase, event) table, as Markdown.

Made from the definition alone, so that it cannot say anything else than what runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from etcdmesos.chart_definition import Definition, Row


def markdown(definition: Definition) -> str:
    """The whole document of `definition`."""
    return "\n".join(
        [
            f"# The {definition.name} chart",
            "",
            "<!-- Made from the chart by `make statecharts`; edits here are lost. -->",
            "",
            definition.about,
            "",
            *_picture(definition),
            "",
            "## Phases",
            "",
            *(f"- **{phase}**: {meaning}" for phase, meaning in definition.phases.items()),
            "",
            *_promises(definition),
            "## Every phase and event",
            "",
            *_table(definition),
            "",
            *_details(definition),
        ]
    )


def _picture(definition: Definition) -> Iterable[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {definition.initial}"
    for phase in definition.phases:
        for row in definition.rows:
            if phase in row.phases and row.to not in (None, phase):
                condition = f" [{', '.join(row.guards)}]" if row.guards else ""
                yield f"    {phase} --> {row.to}: {row.on}{condition}"
    yield from (f"    {phase} --> [*]" for phase in definition.phases if phase in definition.final)
    yield "```"


def _promises(definition: Definition) -> Iterable[str]:
    if definition.promises:
        yield from ("## Promises", "")
        yield from (f"- {promise}" for promise in definition.promises)
        yield ""


def _table(definition: Definition) -> Iterable[str]:
    phases = list(definition.phases)
    yield f"| event | {' | '.join(phases)} |"
    yield "|---" * (len(phases) + 1) + "|"
    for event in definition.events:
        cells = [_cell(definition, phase, event) for phase in phases]
        yield f"| `{event}` | {' | '.join(cells)} |"
    yield ""
    yield "`-`: ignored; `!`: impossible; anything else: what is done, and the next phase."


def _cell(definition: Definition, phase: str, event: str) -> str:
    rows = definition.rows_of(phase, event)
    if rows:
        return "<br>".join(_said(row) for row in rows)
    ignored = any(v.on == event and phase in v.phases for v in definition.ignored)
    return "-" if ignored else "!"


def _said(row: Row) -> str:
    guards = f"[{', '.join(row.guards)}] " if row.guards else ""
    arrow = f" → **{row.to}**" if row.to else ""
    return f"{guards}{', '.join(row.actions) or 'look again'}{arrow}"


def _details(definition: Definition) -> Iterable[str]:
    yield from ("## Events", "")
    yield from (f"- `{event}`: {meaning}" for event, meaning in definition.events.items())
    yield from ("", "## Why", "")
    for row in definition.rows:
        arrow = f" → {row.to}" if row.to else ""
        yield f"- `{row.on}` in {_phases(definition, row.phases)}{arrow}: {row.why}"
    for word, verdicts in (("ignored", definition.ignored), ("impossible", definition.impossible)):
        for verdict in verdicts:
            phases = _phases(definition, verdict.phases)
            yield f"- `{verdict.on}` in {phases} is {word}: {verdict.why}"
    yield ""


def _phases(definition: Definition, phases: tuple[str, ...]) -> str:
    return "any phase" if phases == tuple(definition.phases) else ", ".join(phases)
