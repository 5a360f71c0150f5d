"""Arithmetic of resources, as Mesos means them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.mesos.resources import (
    PortRange,
    Resource,
    lowest_ports,
    port_ranges,
    subtract_scalars,
    take_ports,
    take_scalar,
    total,
    without_ports,
)

PLAIN = {"role": "*"}
OURS = {"role": "etcd"}

tags = st.sampled_from([PLAIN, OURS, {"role": "*", "revocable": {}}, {"role": "*", "disk": {}}])
scalars = st.lists(
    st.builds(
        Resource,
        name=st.sampled_from(["cpus", "mem"]),
        amount=st.integers(0, 5000).map(lambda n: n / 1000),
        tags=tags,
    ),
    max_size=6,
)
port_lists = st.lists(
    st.builds(
        Resource,
        name=st.just("ports"),
        ranges=st.lists(
            st.tuples(st.integers(0, 30), st.integers(0, 5)).map(
                lambda pair: PortRange(pair[0], pair[0] + pair[1])
            ),
            min_size=1,
            max_size=4,
        ).map(tuple),
        tags=tags,
    ),
    max_size=4,
)


def thousandths(resources: tuple[Resource, ...] | list[Resource], name: str) -> int:
    return sum(round(r.amount * 1000) for r in resources if r.name == name)


def usable(resources: list[Resource]) -> set[int]:
    return {
        port
        for r in resources
        if r.plain
        for rng in r.ranges
        for port in range(max(1, rng.begin), rng.end + 1)
    }


@given(scalars, st.integers(0, 9000))
def test_taking_a_scalar(resources: list[Resource], wanted: int) -> None:
    """Exactly the amount is taken out of what is plain, or ValueError says it is not there."""
    plain = [r for r in resources if r.plain]
    if thousandths(plain, "cpus") < wanted:
        with pytest.raises(ValueError, match="cpus wanted"):
            take_scalar(resources, "cpus", wanted / 1000)
        return
    taken = take_scalar(resources, "cpus", wanted / 1000)
    assert thousandths(taken, "cpus") == wanted
    assert all(part.name == "cpus" and part.plain and part.amount > 0 for part in taken)
    left = subtract_scalars(resources, taken)
    assert thousandths(left, "cpus") == thousandths(resources, "cpus") - wanted
    assert thousandths(left, "mem") == thousandths(resources, "mem")
    assert all(r.amount >= 0 for r in left)
    assert [(r.name, r.tags) for r in left] == [(r.name, r.tags) for r in resources]


@given(scalars, st.lists(st.integers(1, 2000), max_size=4))
def test_taking_again_and_again_never_takes_too_much(
    resources: list[Resource], wants: list[int]
) -> None:
    """What is taken in several goes adds up to no more than there was."""
    left: tuple[Resource, ...] = tuple(resources)
    sum_taken = 0
    for wanted in wants:
        try:
            taken = take_scalar(left, "cpus", wanted / 1000)
        except ValueError:
            break
        left = subtract_scalars(left, taken)
        sum_taken += wanted
    assert sum_taken <= thousandths([r for r in resources if r.plain], "cpus")
    assert round(total(left, "cpus") * 1000) + sum_taken == round(total(resources, "cpus") * 1000)


@given(port_lists, st.integers(0, 12))
def test_the_lowest_ports(resources: list[Resource], count: int) -> None:
    """The lowest of all plain ranges, each once, never port 0, however the ranges lie."""
    assert list(lowest_ports(resources, count)) == sorted(usable(resources))[:count]


@given(port_lists, st.sets(st.integers(0, 30)))
def test_leaving_ports_out(resources: list[Resource], ports: set[int]) -> None:
    """What is left out is offered no more, all else as before, by the same resources."""
    left = without_ports(resources, ports)
    assert usable(list(left)) == usable(resources) - ports
    assert [r.tags for r in left if not r.ranges] == [r.tags for r in resources if not r.ranges]


@given(port_lists, st.integers(0, 6))
def test_taking_ports(resources: list[Resource], count: int) -> None:
    """Exactly the ports asked for are taken, each from a resource that offers it."""
    wanted = lowest_ports(resources, count)
    taken = take_ports(resources, wanted)
    assert sorted(p for r in taken for rng in r.ranges for p in range(rng.begin, rng.end + 1)) == (
        sorted(wanted)
    )
    for part in taken:
        offering = [r for r in resources if r.tags == part.tags and r.plain]
        for port in part.ranges:
            assert port.begin == port.end
            assert any(rng.begin <= port.begin <= rng.end for r in offering for rng in r.ranges)


def test_a_port_nobody_offers() -> None:
    """Ports that are not offered cannot be taken."""
    ports = Resource(name="ports", ranges=(PortRange(5, 6),), tags=PLAIN)
    with pytest.raises(ValueError, match="ports 7 are not offered"):
        take_ports([ports], [5, 7])


def test_ranges_are_sorted() -> None:
    """Ranges come in any order and from several resources."""
    one = Resource(name="ports", ranges=(PortRange(9, 9), PortRange(1, 2)), tags=PLAIN)
    other = Resource(name="ports", ranges=(PortRange(4, 5),), tags=OURS)
    assert port_ranges([one, other]) == (PortRange(1, 2), PortRange(4, 5), PortRange(9, 9))


def test_reserved_goes_first() -> None:
    """A role's own reservation is used before what everybody may use."""
    taken = take_scalar(
        [
            Resource(name="cpus", amount=1.0, tags=PLAIN),
            Resource(name="cpus", amount=0.3, tags=OURS),
        ],
        "cpus",
        0.5,
    )
    assert [(part.amount, part.tags) for part in taken] == [(0.3, OURS), (0.2, PLAIN)]


@pytest.mark.parametrize(
    "data",
    [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.5}, "role": "*"},
        {
            "name": "mem",
            "type": "SCALAR",
            "scalar": {"value": 2.0},
            "reservations": [{"type": "STATIC", "role": "etcd"}],
            "allocation_info": {"role": "etcd"},
        },
        {
            "name": "ports",
            "type": "RANGES",
            "ranges": {"range": [{"begin": 1, "end": 2}, {"begin": 4, "end": 4}]},
            "role": "*",
        },
    ],
)
def test_what_is_handed_back_is_what_came(data: dict[str, object]) -> None:
    """All fields survive: the master refuses a resource that is not the one it offered."""
    assert Resource.from_json(data).to_json() == data


def test_volumes_and_revocable_resources_are_not_plain() -> None:
    """A persistent volume, a mount or a revocable share is not for a member."""
    extras: list[dict[str, Any]] = [{"disk": {"source": {"type": "MOUNT"}}}, {"revocable": {}}]
    for extra in extras:
        resource = Resource.from_json(
            {"name": "disk", "type": "SCALAR", "scalar": {"value": 9}, **extra}
        )
        assert not resource.plain
        assert total([resource], "disk") == 0.0


def test_the_length_of_a_range() -> None:
    """Both ends belong to a range; one that ends before it begins is empty."""
    assert [len(PortRange(5, 5)), len(PortRange(5, 7)), len(PortRange(5, 4))] == [1, 3, 0]
