"""Arithmetic on Mesos resources: add, subtract, contain, print. Pure.

Amounts are thousandths held as integers, because that is the precision Mesos
itself keeps and because floats drift when tasks come and go for a week. Roles of
an allocation are not kept here: who got the resources is the allocator's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Range = tuple[int, int]

# The order in which Mesos' `mesos-agent --resources=ports;cpus;mem;disk` lists them.
_ORDER = ("ports", "cpus", "mem", "disk")


def _sorted_names(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else 9, name))


def _merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


def _without(ranges: tuple[Range, ...], taken: Range) -> tuple[Range, ...]:
    left: list[Range] = []
    for begin, end in ranges:
        if taken[1] < begin or taken[0] > end:
            left.append((begin, end))
            continue
        if begin < taken[0]:
            left.append((begin, taken[0] - 1))
        if end > taken[1]:
            left.append((taken[1] + 1, end))
    return tuple(left)


@dataclass(frozen=True)
class Resources:
    """Scalars in thousandths and ranges, by name; a reserved one is named `cpus(role)`."""

    scalars: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, tuple[Range, ...]] = field(default_factory=dict)

    def __add__(self, other: Resources) -> Resources:
        scalars = dict(self.scalars)
        for name, amount in other.scalars.items():
            scalars[name] = scalars.get(name, 0) + amount
        ranges = dict(self.ranges)
        for name, given in other.ranges.items():
            ranges[name] = _merge((*ranges.get(name, ()), *given))
        return Resources(scalars, ranges)

    def __sub__(self, other: Resources) -> Resources:
        """What is left; never below nothing."""
        scalars = dict(self.scalars)
        for name, amount in other.scalars.items():
            scalars[name] = max(0, scalars.get(name, 0) - amount)
        ranges = dict(self.ranges)
        for name, taken in other.ranges.items():
            left = ranges.get(name, ())
            for one in taken:
                left = _without(left, one)
            ranges[name] = left
        return Resources(
            {name: amount for name, amount in scalars.items() if amount},
            {name: left for name, left in ranges.items() if left},
        )

    def contains(self, other: Resources) -> bool:
        """Is all of `other` in here?"""
        for name, amount in other.scalars.items():
            if amount > self.scalars.get(name, 0):
                return False
        for name, wanted in other.ranges.items():
            have = self.ranges.get(name, ())
            if not all(any(b <= begin and end <= e for b, e in have) for begin, end in wanted):
                return False
        return True

    def empty(self) -> bool:
        """Nothing at all?"""
        return not any(self.scalars.values()) and not any(self.ranges.values())

    def scalar(self, name: str) -> float:
        """The amount of a scalar resource, 0.0 if there is none."""
        return self.scalars.get(name, 0) / 1000

    def names(self) -> list[str]:
        """The names present, in Mesos' order."""
        return _sorted_names([*self.scalars, *self.ranges])


NONE = Resources()


def total(parts: Iterable[Resources]) -> Resources:
    """The sum of all parts."""
    result = NONE
    for part in parts:
        result = result + part
    return result


def parse(resources: Iterable[Json]) -> Resources:
    """Read a repeated `Resource` in JSON; ValueError for what is neither scalar nor ranges."""
    result = NONE
    for resource in resources:
        name = str(resource.get("name", ""))
        role = resource.get("role", "*")
        for reservation in resource.get("reservations", []):
            role = reservation.get("role", role)
        if role != "*":
            name = f"{name}({role})"
        kind = resource.get("type")
        if kind == "SCALAR":
            amount = round(float(resource["scalar"]["value"]) * 1000)
            result = result + Resources({name: amount})
        elif kind == "RANGES":
            given = [(int(r["begin"]), int(r["end"])) for r in resource["ranges"].get("range", [])]
            result = result + Resources(ranges={name: _merge(given)})
        else:
            raise ValueError(f"Invalid resource type {kind}")
    return result


def render(resources: Resources, *, role: str | None = None, allocated: bool = False) -> list[Json]:
    """Write a repeated `Resource`; `role` adds it, `allocated` adds allocation_info as well."""
    rendered: list[Json] = []
    for name in resources.names():
        item: Json = {"name": name}
        if name in resources.ranges:
            item["type"] = "RANGES"
            pairs = [{"begin": begin, "end": end} for begin, end in resources.ranges[name]]
            item["ranges"] = {"range": pairs}
        else:
            item["type"] = "SCALAR"
            item["scalar"] = {"value": resources.scalar(name)}
        if role is not None:
            item["role"] = "*"
        if role is not None and allocated:
            item["allocation_info"] = {"role": role}
        rendered.append(item)
    return rendered


def number(value: float) -> str:
    """A scalar as Mesos prints it: no zeros at the end."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _range_text(ranges: tuple[Range, ...], separator: str) -> str:
    return "[" + separator.join(f"{begin}-{end}" for begin, end in ranges) + "]"


def describe(resources: Resources, role: str) -> str:
    """The text in Mesos' messages: `cpus(allocated: *):1; mem(allocated: *):1024`."""
    parts = []
    for name in resources.names():
        if name in resources.ranges:
            value = _range_text(resources.ranges[name], ", ")
        else:
            value = number(resources.scalar(name))
        parts.append(f"{name}(allocated: {role}):{value}")
    return "; ".join(parts)


def summary(resources: Resources) -> Json:
    """The short object of /state: `{"disk":0.0,"mem":0.0,"gpus":0.0,"cpus":0.0}` and more."""
    result: Json = {name: resources.scalar(name) for name in ("disk", "mem", "gpus", "cpus")}
    for name in resources.names():
        if name in resources.ranges:
            result[name] = _range_text(resources.ranges[name], ", ")
        else:
            result[name] = resources.scalar(name)
    return result


def allocated_to(resources: Iterable[Json], role: str) -> list[Json]:
    """The resources of a task or executor with the role they were allocated to filled in."""
    result: list[Json] = []
    for resource in resources:
        item = dict(resource)
        if item.get("type") == "SCALAR":
            item["scalar"] = {"value": float(item["scalar"]["value"])}
        item.setdefault("allocation_info", {"role": role})
        result.append(item)
    return result
