"""Quorum arithmetic against its definition, by enumeration."""

from __future__ import annotations

from itertools import combinations

import pytest

from etcdmesos.cluster.quorum import has_quorum, quorum, tolerated

SIZES = range(1, 10)


def smallest_intersecting(voters: int) -> int:
    """The dumb way: the smallest size at which any two sets of voters have a voter in common."""
    names = range(voters)
    for size in range(1, voters + 1):
        sets = [set(some) for some in combinations(names, size)]
        if all(one & other for one in sets for other in sets):
            return size
    raise AssertionError("all voters together intersect")


@pytest.mark.parametrize("voters", SIZES)
def test_a_quorum_is_the_smallest_set_that_meets_every_other(voters: int) -> None:
    """Any two majorities intersect, and nothing smaller than a majority does."""
    assert quorum(voters) == smallest_intersecting(voters)


@pytest.mark.parametrize("voters", SIZES)
def test_what_is_tolerated_leaves_a_quorum(voters: int) -> None:
    """As many may fail as leave a quorum, and not one more."""
    assert has_quorum(voters - tolerated(voters), voters)
    assert not has_quorum(voters - tolerated(voters) - 1, voters)


@pytest.mark.parametrize("voters", range(2, 9, 2))
def test_an_even_size_tolerates_no_more_than_the_odd_one_below(voters: int) -> None:
    """That is why the scheduler warns of even sizes."""
    assert tolerated(voters) == tolerated(voters - 1)


def test_nobody_is_no_quorum() -> None:
    """A set of nobody decides nothing, not even of no voters."""
    assert not has_quorum(0, 0)
    assert tolerated(0) == 0
