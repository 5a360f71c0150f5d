"""For what the guards and plans of one step ask of the same value, many times over.

Only for pure functions of frozen values.  Nothing is remembered beyond the last question.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import TypeVar, TypeVarTuple

V = TypeVar("V")
Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def remembering(work_out: Callable[[V, *Ts], T]) -> Callable[[V, *Ts], T]:
    """`work_out`, which is not asked twice in a row for one and the same value."""
    last: tuple[V, tuple[*Ts], T] | None = None

    def remembered(value: V, *more: *Ts) -> T:
        nonlocal last
        known = last
        if known is None or known[0] is not value or known[1] != more:
            last = known = (value, more, work_out(value, *more))
        return known[2]

    return update_wrapper(remembered, work_out)
