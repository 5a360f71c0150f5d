"""Resources as Mesos offers them: scalars and port ranges, each with its role.

Pure arithmetic: what an offer holds and which part of it a task takes.  Who gets what is decided in
`etcdmesos.cluster.placement`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from attrs import frozen

Json: TypeAlias = Mapping[str, Any]


@frozen
class PortRange:
    """Ports `begin` to `end`, both included (0-65535), as in Mesos' Value.Ranges."""

    begin: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.begin + 1)


@frozen(kw_only=True)
class Resource:
    """One resource of an offer.

    A scalar has `amount` (cpus in cores, mem and disk in MiB); `ports` has `ranges`.  `tags` are
    the fields that must be handed back unchanged for the master to take it (role, reservations,
    allocation_info, disk), as (key, value) pairs of the original JSON.
    """

    name: str
    amount: float = 0.0
    ranges: tuple[PortRange, ...] = ()
    tags: Json

    @classmethod
    def from_json(cls, data: Json) -> Resource:
        tags = {k: v for k, v in data.items() if k not in ("name", "type", "scalar", "ranges")}
        if data.get("type") == "RANGES":
            ranges = data.get("ranges", {}).get("range", [])
            return cls(
                name=data["name"],
                ranges=tuple(PortRange(int(r["begin"]), int(r["end"])) for r in ranges),
                tags=tags,
            )
        amount = float(data.get("scalar", {}).get("value", 0.0))
        return cls(name=data["name"], amount=amount, tags=tags)

    def to_json(self) -> dict[str, Any]:
        if self.ranges:
            value = {"range": [{"begin": r.begin, "end": r.end} for r in self.ranges]}
            return {"name": self.name, "type": "RANGES", "ranges": value, **self.tags}
        return {
            "name": self.name,
            "type": "SCALAR",
            "scalar": {"value": self.amount},
            **self.tags,
        }

    @property
    def plain(self) -> bool:
        """False for persistent volumes, mounts and revocable resources, which no task here may
        take."""
        return "revocable" not in self.tags and "disk" not in self.tags


def total(resources: Iterable[Resource], name: str) -> float:
    """The sum of the plain scalars called `name`, whatever their roles."""
    return sum(r.amount for r in resources if r.name == name and r.plain)


@frozen
class Sums:
    """What several resources hold together, as far as a task may take it.

    Scalars in thousandths, which is what Mesos keeps of them; ports without port 0.
    """

    cpus: int = 0
    mem: int = 0
    disk: int = 0
    ports: int = 0


def sums(resources: Iterable[Resource]) -> Sums:
    """The sums of the plain resources, whatever their roles."""
    held = {"cpus": 0, "mem": 0, "disk": 0}
    ranges: list[PortRange] = []
    for resource in resources:
        if not resource.plain:
            continue
        if resource.name in held:
            held[resource.name] += round(resource.amount * 1000)
        elif resource.name == "ports":
            ranges += resource.ranges
    return Sums(held["cpus"], held["mem"], held["disk"], _count_ports(ranges))


def _count_ports(ranges: list[PortRange]) -> int:
    """How many different ports `ranges` hold, port 0 apart; they may overlap."""
    count, last = 0, 0
    for rng in sorted(ranges, key=_begin) if len(ranges) > 1 else ranges:
        count += max(0, rng.end - max(last, rng.begin - 1))
        last = max(last, rng.end)
    return count


def _begin(rng: PortRange) -> int:
    return rng.begin


def port_ranges(resources: Iterable[Resource]) -> tuple[PortRange, ...]:
    """All offered port ranges, sorted; they need be neither contiguous nor of one role."""
    ranges = [rng for r in resources if r.name == "ports" and r.plain for rng in r.ranges]
    return tuple(sorted(ranges, key=lambda rng: (rng.begin, rng.end)))


def lowest_ports(resources: Iterable[Resource], count: int) -> tuple[int, ...]:
    """The `count` lowest offered ports; fewer when the offer holds fewer.

    Never port 0, which agents may offer and which means "any" to whoever listens on it.
    """
    ports: list[int] = []
    for rng in port_ranges(resources):
        for port in range(max(1, rng.begin), rng.end + 1):
            if len(ports) == count:
                return tuple(ports)
            if port not in ports:
                ports.append(port)
    return tuple(ports)


def without_ports(resources: Iterable[Resource], ports: Collection[int]) -> tuple[Resource, ...]:
    """`resources` as if `ports` were not offered."""
    left: list[Resource] = []
    for resource in resources:
        ranges = resource.ranges
        for port in ports:
            ranges = tuple(part for rng in ranges for part in _split(rng, port))
        if ranges is resource.ranges:
            left.append(resource)
        elif ranges:
            left.append(Resource(name=resource.name, ranges=ranges, tags=resource.tags))
    return tuple(left)


def _split(rng: PortRange, port: int) -> list[PortRange]:
    if not rng.begin <= port <= rng.end:
        return [rng]
    parts = [PortRange(rng.begin, port - 1), PortRange(port + 1, rng.end)]
    return [part for part in parts if part.begin <= part.end]


def take_scalar(resources: Iterable[Resource], name: str, amount: float) -> tuple[Resource, ...]:
    """`amount` of the scalar `name`, from as many of `resources` as it needs, reserved ones first.

    Raises ValueError when they hold less.
    """
    missing = amount
    taken: list[Resource] = []
    candidates = [r for r in resources if r.name == name and r.plain and r.amount > 0]
    for resource in sorted(candidates, key=lambda r: r.tags.get("role", "*") == "*"):
        if missing <= 0:
            break
        part = min(resource.amount, missing)
        taken.append(Resource(name=name, amount=part, tags=resource.tags))
        # Mesos keeps three decimals of a scalar; anything finer is float noise.
        missing = round(missing - part, 3)
    if missing > 0:
        raise ValueError(f"{amount} {name} wanted, {round(amount - missing, 3)} offered")
    return tuple(taken)


def take_ports(resources: Iterable[Resource], ports: Iterable[int]) -> tuple[Resource, ...]:
    """Exactly `ports`, each from the resource that offers it.  Raises ValueError if none does."""
    taken: list[Resource] = []
    wanted = sorted(set(ports))
    for resource in resources:
        if resource.name != "ports" or not resource.plain:
            continue
        here = [p for p in wanted if any(r.begin <= p <= r.end for r in resource.ranges)]
        if here:
            ranges = tuple(PortRange(p, p) for p in here)
            taken.append(Resource(name="ports", ranges=ranges, tags=resource.tags))
            wanted = [p for p in wanted if p not in here]
    if wanted:
        raise ValueError(f"ports {', '.join(map(str, wanted))} are not offered")
    return tuple(taken)


def subtract_scalars(
    resources: Iterable[Resource], taken: Iterable[Resource]
) -> tuple[Resource, ...]:
    """What is left of the scalars of `resources` once `taken` (a part of them) is gone."""
    left = list(resources)
    for part in taken:
        for index, resource in enumerate(left):
            same = resource.name == part.name and resource.tags == part.tags
            if same and not resource.ranges and resource.amount >= part.amount:
                rest = round(resource.amount - part.amount, 3)
                left[index] = Resource(name=resource.name, amount=rest, tags=resource.tags)
                break
    return tuple(left)
