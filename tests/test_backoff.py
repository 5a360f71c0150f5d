"""Waits grow from the first to the most, whatever fails for however long."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.backoff import doubling

seconds = st.floats(0.001, 1e9)


@given(seconds, seconds, st.integers(-1, 10**9))
def test_a_wait_is_between_nothing_and_the_most(first: float, most: float, failures: int) -> None:
    wait = doubling(first, most, failures)
    assert math.isfinite(wait)
    assert 0.0 <= wait <= most
    assert (wait == 0.0) == (failures < 1)


@given(seconds, st.integers(1, 60))
def test_each_failure_doubles_it_until_it_is_the_most(first: float, failures: int) -> None:
    assert doubling(first, math.inf, 1) == first
    assert doubling(first, math.inf, failures + 1) == 2 * doubling(first, math.inf, failures)
    assert doubling(first, first * 3, failures + 2) == first * 3
