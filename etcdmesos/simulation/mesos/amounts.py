"""Resources as the books keep them: exact, quick to add and compare.  Pure arithmetic.

An agent has one role, `*`; what schedulers see of it are `etcdmesos.mesos.resources` values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from etcdmesos.mesos.resources import PortRange, Resource
from etcdmesos.simulation.mesos.options import AgentSpec

__all__ = ["NOTHING", "Amount", "amount_of", "total_of"]

_TAGS: Mapping[str, Any] = {"role": "*"}
_LEAST_CPUS = 10
_LEAST_MEMORY = 32_000


@frozen
class Amount:
    """Thousandths of cores and MiB, and ports."""

    cpus: int = 0
    memory: int = 0
    disk: int = 0
    ports: frozenset[int] = frozenset()

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.cpus + other.cpus,
            self.memory + other.memory,
            self.disk + other.disk,
            self.ports | other.ports,
        )

    def __sub__(self, other: Amount) -> Amount:
        return Amount(
            self.cpus - other.cpus,
            self.memory - other.memory,
            self.disk - other.disk,
            self.ports - other.ports,
        )

    def contains(self, other: Amount) -> bool:
        return (
            self.cpus >= other.cpus
            and self.memory >= other.memory
            and self.disk >= other.disk
            and self.ports >= other.ports
        )

    @property
    def worth_offering(self) -> bool:
        """Mesos' --min_allocatable_resources=cpus:0.01|mem:32."""
        return self.cpus >= _LEAST_CPUS or self.memory >= _LEAST_MEMORY

    def share_of(self, whole: Amount) -> float:
        """The largest part of any one resource."""
        return max(
            self.cpus / (whole.cpus or 1),
            self.memory / (whole.memory or 1),
            self.disk / (whole.disk or 1),
        )

    def resources(self) -> tuple[Resource, ...]:
        """As an offer shows it."""
        scalars = (("cpus", self.cpus), ("mem", self.memory), ("disk", self.disk))
        shown = [
            Resource(name=name, amount=amount / 1000, tags=_TAGS)
            for name, amount in scalars
            if amount > 0
        ]
        if self.ports:
            shown.append(Resource(name="ports", ranges=_ranges(self.ports), tags=_TAGS))
        return tuple(shown)


NOTHING = Amount()


def _ranges(ports: frozenset[int]) -> tuple[PortRange, ...]:
    found: list[PortRange] = []
    first = last = -1
    for port in sorted(ports):
        if port != last + 1 or first < 0:
            if first >= 0:
                found.append(PortRange(first, last))
            first = port
        last = port
    found.append(PortRange(first, last))
    return tuple(found)


def amount_of(resources: Iterable[Resource]) -> Amount:
    """What a task or an executor asks for."""
    scalars = {"cpus": 0, "mem": 0, "disk": 0}
    ports: set[int] = set()
    for resource in resources:
        if resource.name == "ports":
            for rng in resource.ranges:
                ports.update(range(rng.begin, rng.end + 1))
        else:
            scalars[resource.name] = scalars.get(resource.name, 0) + round(resource.amount * 1000)
    return Amount(scalars["cpus"], scalars["mem"], scalars["disk"], frozenset(ports))


def total_of(spec: AgentSpec) -> Amount:
    """All that an agent has."""
    first, last = spec.ports
    return Amount(
        round(spec.cpus * 1000),
        round(spec.memory * 1000),
        round(spec.disk * 1000),
        frozenset(range(first, last + 1)),
    )
