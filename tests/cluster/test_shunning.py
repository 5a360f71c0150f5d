"""Agents on which members fail are shunned, each time for longer, and avoided if nothing works."""

from __future__ import annotations

import pytest

from etcdmesos.cluster.shunning import Failure, Shunned, avoided_at, shun, shunned_at
from tests.cluster import make

SETTINGS = make.settings(shunned=300.0, shunned_most=1000.0)


def after(*failures: tuple[float, Failure]) -> dict[str, Shunned]:
    shunned: dict[str, Shunned] = {}
    for at, failure in failures:
        shunned = shun(shunned, {"a": frozenset()}, failure, SETTINGS, at)
    return shunned


@pytest.mark.parametrize(
    ("failures", "until", "avoided"),
    [
        ([(0.0, Failure.MEMBER)], 300.0, False),
        ([(0.0, Failure.LAUNCH)], 300.0, True),
        ([(0.0, Failure.ADDITION)], 300.0, False),
        # In a row: twice as long each time, up to the most.
        ([(0.0, Failure.MEMBER), (10.0, Failure.MEMBER)], 610.0, True),
        ([(0.0, Failure.LAUNCH), (10.0, Failure.MEMBER)], 610.0, True),
        ([(0.0, Failure.LAUNCH)] * 3, 1000.0, True),
        # What etcd would not take is not held against the agent.
        ([(0.0, Failure.MEMBER), (10.0, Failure.ADDITION)], 310.0, False),
        ([(0.0, Failure.ADDITION)] * 5, 300.0, False),
        # What was long ago is forgotten.
        ([(0.0, Failure.MEMBER), (1299.0, Failure.MEMBER)], 1899.0, True),
        ([(0.0, Failure.MEMBER), (1300.0, Failure.MEMBER)], 1600.0, False),
    ],
)
def test_how_long_and_how_strongly(
    failures: list[tuple[float, Failure]], until: float, avoided: bool
) -> None:
    shunned = after(*failures)
    for moment, still in ((until - 0.5, True), (until, False)):
        assert ("a" in shunned_at(shunned, moment)) is still
        assert ("a" in avoided_at(shunned, moment)) is (still and avoided)


def test_only_the_agents_that_failed() -> None:
    """Others keep what they have."""
    shunned = shun(after((0.0, Failure.MEMBER)), {"b": frozenset()}, Failure.LAUNCH, SETTINGS, 10.0)
    assert shunned_at(shunned, 20.0) == {"a", "b"}
    assert avoided_at(shunned, 20.0) == {"b"}
