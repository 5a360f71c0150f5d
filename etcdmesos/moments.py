"""Moments as people read them.  Pure: the standard library's `datetime` also knows the present."""

from __future__ import annotations

_DAY = 86400
_FROM_MARCH_0000 = 719468
"""Days from 0000-03-01 to 1970-01-01."""
_ERA = 146097
"""Days in 400 years."""


def iso(unix_time: float) -> str:
    """`unix_time` (seconds, 0 or more) as ISO 8601 in UTC, whole seconds: 2026-11-22T21:00:00Z."""
    days, seconds = divmod(int(unix_time), _DAY)
    year, month, day = _date(days)
    hours, rest = divmod(seconds, 3600)
    return f"{year:04}-{month:02}-{day:02}T{hours:02}:{rest // 60:02}:{rest % 60:02}Z"


def _date(days: int) -> tuple[int, int, int]:
    """The date that many days after 1970-01-01, counted in years that begin in March, so that the
    leap day is the last (H. Hinnant, chrono-Compatible Low-Level Date Algorithms)."""
    era, day_of_era = divmod(days + _FROM_MARCH_0000, _ERA)
    leaps = day_of_era // 1460 - day_of_era // 36524 + day_of_era // (_ERA - 1)
    year_of_era = (day_of_era - leaps) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return year_of_era + 400 * era + (month <= 2), month, day
