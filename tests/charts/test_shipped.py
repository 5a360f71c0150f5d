"""The charts that ship: they load, and their pictures and tables are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etcdmesos.chart_definition import Definition, parse, read
from etcdmesos.chart_picture import markdown
from etcdmesos.chart_yaml import load
from etcdmesos.cluster import events
from etcdmesos.cluster.actions import ACTIONS
from etcdmesos.cluster.controller import CHART, Controller
from etcdmesos.cluster.guards import GUARDS
from etcdmesos.draft import event_name
from etcdmesos.errors import BadChart
from etcdmesos.step import Event

FOLDER = Path(__file__).resolve().parents[2] / "statecharts"
CHARTS = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", CHARTS)
def test_the_committed_picture_is_the_chart(name: str) -> None:
    """`statecharts/<name>.md` is exactly what the chart says now (`make statecharts`)."""
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == markdown(read(name))


@pytest.mark.parametrize("name", CHARTS)
def test_the_table_has_every_cell(name: str) -> None:
    """The table shows one cell for every (phase, event), and none of them is empty."""
    definition = read(name)
    lines = markdown(definition).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| event |"))
    header = [cell.strip() for cell in lines[start].strip("|").split("|")]
    assert header == ["event", *definition.phases]
    table = lines[start + 2 : start + 2 + len(definition.events)]
    for event, line in zip(definition.events, table, strict=True):
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert first == f"`{event}`"
        for phase, cell in zip(definition.phases, cells, strict=True):
            assert cell == _expected(definition, phase, event)


def _expected(definition: Definition, phase: str, event: str) -> str:
    """The cell worked out in another way than the picture's: from the verdicts first."""
    for sign, verdicts in (("-", definition.ignored), ("!", definition.impossible)):
        if any(v.on == event and phase in v.phases for v in verdicts):
            return sign
    said = []
    for row in definition.rows:
        if row.on == event and phase in row.phases:
            text = ", ".join(row.actions) or "look again"
            if row.guards:
                text = f"[{', '.join(row.guards)}] {text}"
            said.append(text + (f" → **{row.to}**" if row.to else ""))
    return "<br>".join(said)


@pytest.mark.parametrize("name", CHARTS)
def test_the_picture_has_every_arrow(name: str) -> None:
    """The diagram shows exactly the changes of phase that the rows allow."""
    definition = read(name)
    drawn = {
        (line.split("-->")[0].strip(), line.split("-->")[1].split(":")[0].strip())
        for line in markdown(definition).splitlines()
        if "-->" in line and not line.startswith("<!--")
    }
    allowed = {(p, row.to) for row in definition.rows if row.to for p in row.phases if p != row.to}
    ends = {(p, "[*]") for p in definition.final}
    assert drawn == allowed | ends | {("[*]", definition.initial)}


def test_the_cluster_chart_knows_every_event_class() -> None:
    """Every event class the outside may send is an event of the chart, and the other way round."""
    classes = {
        event_name(kind)
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and not kind.__subclasses__()
    }
    definition = read(CHART)
    assert classes == set(definition.events) - definition.reviews


def test_the_names_an_event_class_gets() -> None:
    """CamelCase becomes snake_case."""
    assert event_name(events.TaskUpdated) == "task_updated"
    assert event_name(events.MasterStateRead) == "master_state_read"


def test_every_guard_and_action_says_what_it_is() -> None:
    """The chart's words are looked up in Python: each has a sentence there."""
    assert Controller().chart.definition.name == CHART
    for word in (*GUARDS.values(), *ACTIONS.values()):
        assert (word.__doc__ or "").strip()


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_as_json_is_the_same(name: str) -> None:
    """The executables carry charts as JSON, which is read without a parser of YAML."""
    origin = f"statecharts/{name}.yaml"
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert parse(json.dumps(load(text, origin)), origin) == parse(text, origin)


@pytest.mark.parametrize(("text", "said"), [('{"a": 1, "a": 2}', "'a' twice"), ("{a", "not JSON")])
def test_a_chart_as_json_is_refused_as_yaml_is(text: str, said: str) -> None:
    """No key twice, and nothing that cannot be read."""
    with pytest.raises(BadChart, match=said):
        load(text, "statecharts/lamp.yaml")
