"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.moments import iso


@given(st.integers(0, int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())))
def test_it_is_what_the_standard_library_says(moment: int) -> None:
    """For every second until the year 10000."""
    expected = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert iso(moment) == expected.rjust(20, "0")
    assert iso(moment + 0.9) == iso(moment)
