"""A chart with a mistake does not load, and the error says which file and which mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from etcdmesos.chart import Chart
from etcdmesos.chart_definition import parse
from etcdmesos.errors import BadChart

GOOD = """
name: lamp
about: A lamp.
initial: dark
promises: [It never burns.]
phases:
  dark: No light.
  bright: Light.
  broken: For good.
final: [broken]
events:
  pressed: The button was pressed.
  struck: A hammer came down.
  asked: Somebody asked.
reviews:
  reviewed: Does the phase still fit?
rows:
  - {event: pressed, in: dark, to: bright, if: has_power, do: count, why: that is its job}
  - {event: pressed, in: dark, do: count, why: no power no light}
  - {event: pressed, in: bright, to: dark, why: a switch has two ways}
  - {event: struck, in: [dark, bright], to: broken, why: glass}
  - {event: reviewed, in: [dark, bright], to: broken, if: [has_power, worn], why: all ends}
ignored:
  - {event: [asked], in: any, why: lamps do not talk}
impossible:
  - {event: [pressed, struck, reviewed], in: broken, why: it is gone}
"""

ORIGIN = "statecharts/lamp.yaml"
GUARDS: Mapping[str, Callable[[int], bool]] = {"has_power": bool, "worn": lambda d: d > 9}
ACTIONS: Mapping[str, Callable[[int], int]] = {"count": lambda draft: draft + 1}


def load(text: str) -> Chart[int]:
    return Chart(parse(text, ORIGIN), GUARDS, ACTIONS)


def test_the_good_chart_loads() -> None:
    """The chart that every case below breaks in one place has no mistake itself."""
    assert list(load(GOOD).definition.phases) == ["dark", "bright", "broken"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # shape
        ("name: lamp", "name: [", "not YAML"),
        ("name: lamp", "name: lamp\nname: light", "'name' twice"),
        ("  struck: A hammer came down.", "  struck: a\n  struck: b", "'struck' twice"),
        (GOOD, "- a list", "the chart is no mapping"),
        (GOOD, "", "the chart is no mapping"),
        ("initial: dark\n", "", "the chart lacks initial"),
        ("name: lamp", "nmae: lamp\nname: lamp", "unknown keys nmae"),
        ("  dark: No light.", "  dark: 5", "phases must map names to what they mean"),
        ("phases:\n", "phases: [dark]\nmore:\n", "unknown keys more"),
        ("final: [broken]", "final: 5", "final: expected a name or a list of names"),
        ("promises: [It never burns.]", "promises: 5", "promises: expected a name or a list"),
        ("impossible:\n", "impossible: {a: b}\nmore:\n", "unknown keys more"),
        ("promises: [It", "rows: 5\npromises: [It", "'rows' twice"),
        # entries
        ("event: pressed, in: bright", "evnet: pressed, in: bright", "row 3 lacks event"),
        ("to: dark, why", "too: dark, why", "row 3 has unknown keys too"),
        ("if: has_power", "if: {a: b}", "row 1: expected a name or a list of names"),
        ("event: [asked]", "event: 5", "ignored entry 1: expected a name or a list of names"),
        ("in: [dark, bright], to: broken, why", "in: [], to: broken, why", "row 4 names no phase"),
        (", why: glass", "", "row 4 lacks why"),
        ("why: glass", "why: ' '", "row 4 gives no reason (why)"),
        ("why: lamps do not talk", "why: ~", "ignored entry 1 gives no reason (why)"),
        ("why: it is gone", "why: ''", "impossible entry 1 gives no reason (why)"),
        # names
        ("initial: dark", "initial: drak", "the initial phase drak is not a phase"),
        ("final: [broken]", "final: [borken]", "the final phase borken is not a phase"),
        ("in: bright, to: dark", "in: birght, to: dark", "pressed: unknown phase birght"),
        ("in: bright, to: dark", "in: bright, to: drak", "pressed: unknown phase drak"),
        ("event: struck,", "event: strukc,", "unknown event strukc"),
        ("event: [asked]", "event: [asked, aksed]", "unknown event aksed"),
        ("if: has_power", "if: has_pwoer", "unknown guard has_pwoer"),
        ("do: count, why: no", "do: cuont, why: no", "unknown action cuont"),
        ("if: [has_power, worn]", "if: has_power", "guard worn is never used"),
        (", do: count", "", "action count is never used"),
        # cells
        ("in: any, why: lamps", "in: dark, why: lamps", "(bright, asked) is neither a row, nor"),
        ("event: [asked]", "event: [asked, struck]", "(dark, struck) is said twice"),
        ("[pressed, struck, reviewed]", "[pressed, struck, reviewed, asked]", "(broken, asked)"),
        (
            "to: bright, if: has_power, do",
            "to: bright, do",
            "(dark, pressed): a row behind an unguarded one is never reached",
        ),
        (
            "to: dark, why",
            "to: dark, if: worn, why",
            "(bright, pressed): the last row is guarded: what happens when no guard holds is not",
        ),
        (
            "do: count, why: no power",
            "do: count, if: has_power, why: no power",
            "(dark, pressed): the last row is guarded",
        ),
        (
            "if: [has_power, worn], why: all ends}",
            """if: [has_power, worn], why: all ends}
  - {event: reviewed, in: dark, to: bright, if: [has_power, worn], why: again}""",
            "(dark, reviewed): two rows with the same guards",
        ),
        # shape of the whole
        ("to: bright, if", "if", "phase bright is never reached"),
        ("final: [broken]\n", "", "phase broken has no way out"),
    ],
)
def test_a_bad_chart_is_refused(old: str, new: str, said: str) -> None:
    """Every mistake is refused when the chart loads, in one line with the file and the mistake."""
    assert old in GOOD
    with pytest.raises(BadChart) as caught:
        load(GOOD.replace(old, new))
    assert str(caught.value).startswith(f"{ORIGIN}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_final_phase_has_no_way_out() -> None:
    """A phase that the chart calls final cannot be left."""
    row = "  - {event: pressed, in: broken, to: dark, why: repaired}\nignored:"
    text = GOOD.replace("ignored:", row).replace(
        "[pressed, struck, reviewed]", "[struck, reviewed]"
    )
    with pytest.raises(BadChart, match="phase broken is final and has a way out"):
        load(text)


def test_only_a_review_may_end_in_a_guard() -> None:
    """For a review "no guard holds" means stay; for any other event it must be said."""
    assert load(GOOD).fire("dark", "reviewed", 3).phase == "dark"
    text = GOOD.replace("reviews:\n  reviewed", "  reviewed")
    with pytest.raises(BadChart, match=r"\(dark, reviewed\): the last row is guarded"):
        load(text)


@pytest.mark.parametrize("place", ["rows", "ignored", "impossible"])
def test_entries_are_lists(place: str) -> None:
    """Rows and verdicts are lists; anything else is refused by name, not by a traceback."""
    lines = GOOD.splitlines()
    start = lines.index(f"{place}:")
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), None)
    for other in ("5", "{a: b}", "text"):
        text = "\n".join([*lines[:start], f"{place}: {other}", *(lines[end:] if end else [])])
        with pytest.raises(BadChart, match=f"{place} is no list"):
            parse(text, ORIGIN)
