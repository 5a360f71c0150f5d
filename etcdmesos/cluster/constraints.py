"""Placement constraints in Marathon's vocabulary: on which agents members may run.

Source of the rules: Marathon's documentation ("Constraints") and its `Constraints.scala`; of the
short form `field:OPERATOR:value,…`: DC/OS commons' parser of "Marathon-style" constraints.  Which
agents are taken within the rules is decided in `selection.py`.
"""

from __future__ import annotations

import enum
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import attrs
from attrs import frozen


class Operator(enum.Enum):
    """What is asked of a field's value."""

    UNIQUE = "UNIQUE"
    """No two members have the same."""
    CLUSTER = "CLUSTER"
    """All members have the one given; without one, that of the first member."""
    GROUP_BY = "GROUP_BY"
    """Members are spread evenly, over at least as many values as the number given."""
    LIKE = "LIKE"
    """It matches the regular expression as a whole."""
    UNLIKE = "UNLIKE"
    """It does not, or the agent has none."""
    MAX_PER = "MAX_PER"
    """No more members than the number given have the same."""


class Agent(Protocol):
    """What constraints can be about: an agent by its offer, by a place on it, or as recorded for a
    member that is there."""

    @property
    def hostname(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...


_PROPERTIES: Mapping[str, Callable[[Agent], str]] = {
    "hostname": lambda agent: agent.hostname,
    "@hostname": lambda agent: agent.hostname,
    "@region": lambda agent: agent.region,
    "@zone": lambda agent: agent.zone,
}
_NUMBERED = (Operator.GROUP_BY, Operator.MAX_PER)
_MATCHING = (Operator.LIKE, Operator.UNLIKE)


@frozen
class Constraint:
    """One constraint.  `field` is hostname, @hostname, @region, @zone or an attribute's name.

    Raises ValueError, in one line, for what Marathon would refuse.
    """

    field: str
    operator: Operator
    value: str = ""
    number: int = attrs.field(init=False, repr=False, eq=False)
    """Of UNIQUE and MAX_PER the members that may share a value (1 or more), of GROUP_BY the least
    number of values (0 or more)."""
    pattern: re.Pattern[str] | None = attrs.field(init=False, repr=False, eq=False)

    @number.default
    def _number(self) -> int:
        _check(self)
        if self.operator in _NUMBERED and self.value:
            return int(self.value)
        return 1 if self.operator is Operator.UNIQUE else 0

    @pattern.default
    def _pattern(self) -> re.Pattern[str] | None:
        if self.operator not in _MATCHING:
            return None
        try:
            return re.compile(self.value)
        except (re.error, OverflowError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{self}: is no regular expression: {reason}") from None

    def __str__(self) -> str:
        shown = f"{self.field}:{self.operator.value}" + (f":{self.value}" if self.value else "")
        return " ".join(shown.split())

    def value_of(self, agent: Agent) -> str | None:
        """The value of the field there; None when the agent has none."""
        read = _PROPERTIES.get(self.field)
        return agent.attributes.get(self.field) if read is None else read(agent) or None

    @property
    def lasting(self) -> bool:
        """Whether an agent that was refused stays refused however many members are added."""
        return self.operator is not Operator.GROUP_BY

    def admits(self, value: str | None, placed: Sequence[str | None]) -> bool:
        """Whether one more member may run where the field is `value`, beside members where it is
        `placed`, in the order in which they were placed."""
        if value is None:
            return self.operator is Operator.UNLIKE
        return _ADMITS[self.operator](self, value, placed)


def _check(constraint: Constraint) -> None:
    name, operator, value = constraint.field, constraint.operator, constraint.value
    if not name:
        raise ValueError(f"{constraint}: names no field")
    if name.startswith("@") and name not in _PROPERTIES:
        raise ValueError(f"{constraint}: agents have no {name}, only @hostname, @region and @zone")
    if operator is Operator.UNIQUE and value:
        raise ValueError(f"{constraint}: UNIQUE takes no value")
    if operator in _MATCHING and not value:
        raise ValueError(f"{constraint}: {operator.value} needs a regular expression")
    number = value.isascii() and value.isdecimal() and int(value) > 0
    if operator is Operator.MAX_PER and not number:
        raise ValueError(f"{constraint}: MAX_PER needs a whole number of 1 or more")
    if operator is Operator.GROUP_BY and value and not number:
        raise ValueError(f"{constraint}: GROUP_BY takes a whole number of 1 or more, or nothing")


def _fewer(constraint: Constraint, value: str, placed: Sequence[str | None]) -> bool:
    return placed.count(value) < constraint.number


def _together(constraint: Constraint, value: str, placed: Sequence[str | None]) -> bool:
    if constraint.value:
        return value == constraint.value
    return not placed or placed[0] == value


def _evenly(constraint: Constraint, value: str, placed: Sequence[str | None]) -> bool:
    groups = Counter(placed)
    if value not in groups:
        return True
    return len(groups) >= constraint.number and groups[value] == min(groups.values())


def _matches(constraint: Constraint, value: str, _placed: Sequence[str | None]) -> bool:
    assert constraint.pattern is not None
    matched = constraint.pattern.fullmatch(value) is not None
    return matched is (constraint.operator is Operator.LIKE)


_ADMITS: Mapping[Operator, Callable[[Constraint, str, Sequence[str | None]], bool]] = {
    Operator.UNIQUE: _fewer,
    Operator.MAX_PER: _fewer,
    Operator.CLUSTER: _together,
    Operator.GROUP_BY: _evenly,
    Operator.LIKE: _matches,
    Operator.UNLIKE: _matches,
}


def refusal(
    constraints: Iterable[Constraint],
    agent: Agent,
    placed: Sequence[Agent],
    *,
    more_to_come: bool = False,
) -> Constraint | None:
    """The first of `constraints` that keeps one more member off `agent` beside those `placed`.

    With `more_to_come`, only one that would still do so when others were placed before it.
    """
    for constraint in constraints:
        if more_to_come and not constraint.lasting:
            placed_values: Sequence[str | None] = ()
        else:
            placed_values = [constraint.value_of(one) for one in placed]
        if not constraint.admits(constraint.value_of(agent), placed_values):
            return constraint
    return None


def tally(by_agent: Mapping[str, str]) -> str:
    """How many agents each constraint excludes, in words, given the one for each; "" for none."""
    counts = sorted(Counter(by_agent.values()).items())
    said = [f"{count} by {constraint}" for constraint, count in counts]
    if said:
        noun = "agent" if counts[0][1] == 1 else "agents"
        said[0] = said[0].replace(" by ", f" {noun} excluded by ", 1)
    return ", ".join(said)


def parse(text: str) -> tuple[Constraint, ...]:
    """The constraints of `text`, in one of two forms.

    Marathon's JSON, `[["hostname", "UNIQUE"], ["@zone", "GROUP_BY", "3"]]` (one alone needs no
    outer brackets), or the short one, `hostname:UNIQUE,@zone:GROUP_BY:3`, where a backslash before
    a comma or a colon makes it part of the value.  Raises ValueError, in one line.
    """
    text = text.strip()
    if not text:
        return ()
    rows = _json_rows(text) if text.startswith("[") else _short_rows(text)
    return tuple(_constraint(row) for row in rows)


def _json_rows(text: str) -> list[list[str]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON: {error}") from None
    if rows and all(isinstance(part, str) for part in rows):
        rows = [rows]
    for row in rows:
        if not isinstance(row, list) or not all(type(part) in (str, int) for part in row):
            raise ValueError(f"{json.dumps(row)}: must be a list such as {_EXAMPLE}")
    return [[str(part) for part in row] for row in rows]


_EXAMPLE = '["@zone", "GROUP_BY", "3"]'


def _short_rows(text: str) -> list[list[str]]:
    return [_split(row, ":", 2) for row in _split(text, ",")]


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    """`text` split at each `separator`, or the first `most`, that no backslash stands before."""
    parts, begin = [""], 0
    for match in re.finditer(rf"\\?{separator}", text):
        parts[-1] += text[begin : match.start()]
        begin = match.end()
        if match[0] == separator and most != len(parts) - 1:
            parts.append("")
        else:
            parts[-1] += separator
    parts[-1] += text[begin:]
    return [part.strip() for part in parts]


def _constraint(row: Sequence[str]) -> Constraint:
    said = " ".join(":".join(row).split())
    if not 2 <= len(row) <= 3:
        raise ValueError(
            f"'{said}': must be FIELD:OPERATOR or FIELD:OPERATOR:VALUE, where a comma in a value "
            r"is written \,"
        )
    try:
        operator = Operator(row[1])
    except ValueError:
        known = ", ".join(operator.value for operator in Operator)
        raise ValueError(f"'{said}': {row[1]!r} is no operator, those are {known}") from None
    return Constraint(row[0], operator, row[2] if len(row) == 3 else "")
