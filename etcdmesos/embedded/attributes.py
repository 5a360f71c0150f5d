"""Attributes and fault domains of agents, from the text of their flags to the APIs' JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

_RANGES = re.compile(r"\[(\d+-\d+(?:,\s*\d+-\d+)*)\]")
_SET = re.compile(r"\{(.*)\}")


def parse(text: str) -> dict[str, str]:
    """`name:value;name:value`, as mesos-agent's --attributes. Raises ValueError."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, colon, value = part.partition(":")
        if not (name.strip() and colon and value.strip()):
            raise ValueError(f"attribute '{part}' must be name:value")
        found[name.strip()] = value.strip()
    return found


def render(attributes: dict[str, str]) -> list[Json]:
    """As in AgentInfo and in offers; Mesos guesses the type from the value."""
    return [{"name": name, **_typed(value)} for name, value in attributes.items()]


def _typed(value: str) -> Json:
    if match := _RANGES.fullmatch(value):
        pairs = [pair.strip().split("-") for pair in match[1].split(",")]
        shown = [{"begin": int(begin), "end": int(end)} for begin, end in pairs]
        return {"type": "RANGES", "ranges": {"range": shown}}
    if match := _SET.fullmatch(value):
        return {"type": "SET", "set": {"item": [item.strip() for item in match[1].split(",")]}}
    if re.fullmatch(r"[+-]?\d+(\.\d*)?", value):
        return {"type": "SCALAR", "scalar": {"value": float(value)}}
    return {"type": "TEXT", "text": {"value": value}}


def short(rendered: list[Json]) -> Json:
    """As the object that /state shows: numbers as such, all else as text."""
    return {one["name"]: _SHORT[one["type"]](one) for one in rendered}


def _short_ranges(one: Json) -> str:
    pairs = [f"{pair['begin']}-{pair['end']}" for pair in one["ranges"]["range"]]
    return f"[{', '.join(pairs)}]"


_SHORT: dict[str, Callable[[Json], Any]] = {
    "RANGES": _short_ranges,
    "SET": lambda one: "{" + ", ".join(one["set"]["item"]) + "}",
    "SCALAR": lambda one: one["scalar"]["value"],
    "TEXT": lambda one: one["text"]["value"],
}


def domain(text: str) -> Json:
    """A DomainInfo from `region/zone`. Raises ValueError."""
    region, slash, zone = text.partition("/")
    if not (region and slash and zone):
        raise ValueError(f"domain '{text}' must be region/zone")
    return {"fault_domain": {"region": {"name": region}, "zone": {"name": zone}}}


def region(info: Json) -> str:
    """The region of an agent or a master, by its info; "" if it names none."""
    named = info.get("domain", {}).get("fault_domain", {}).get("region", {})
    return str(named.get("name", ""))
