"""New members that fail one after the other are tried ever more slowly, and never given up."""

from __future__ import annotations

from etcdmesos.cluster.attempts import Attempts
from tests.cluster import make

SETTINGS = make.settings(retry_first=2.0, retry_most=100.0)


def waits(count: int, lasting: float) -> list[float]:
    """How long is waited after each of `count` failures, of attempts that last so long."""
    attempts, now, found = Attempts(), 1000.0, []
    for _ in range(count):
        attempts = attempts.failing(SETTINGS, now)
        found.append(attempts.until - now)
        now = attempts.until + lasting
    return found


def test_the_waits_grow_up_to_the_most() -> None:
    """One failure says little: the attempt after it is made at once."""
    assert waits(9, lasting=1.0) == [0, 2, 4, 8, 16, 32, 64, 100, 100]


def test_they_do_not_end() -> None:
    """Also after years of failures."""
    assert waits(2000, lasting=1.0)[-1] == 100


def test_what_was_long_ago_does_not_count() -> None:
    """Failures are in a row when one follows soon after the wait for the last."""
    assert waits(3, lasting=99.0) == [0, 2, 4]
    assert waits(3, lasting=100.0) == [0, 0, 0]
