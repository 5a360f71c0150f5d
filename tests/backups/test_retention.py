"""Which backups may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import name_of, origin_of
from etcdmesos.backups.retention import YOUNG, Catalogue, Keep, expired

NOW = 1_795_000_000.0
OURS, OTHERS = origin_of("ours"), origin_of("others")
DAY = 86400.0


def manifest(
    age: float, origin: str = OURS, number: int = 0, *, survivor: bool = False
) -> Manifest:
    return Manifest(
        name=name_of("20261122T204500Z", origin, number, 1),
        cluster="demo",
        cluster_id="",
        generation=number,
        member="etcd-1",
        taken_at=NOW - age,
        revision=1,
        term=1,
        etcd_version="3.5.30",
        size=1,
        sha256="",
        tool="test",
        survivor=survivor,
    )


def catalogue(*backups: Manifest, unfinished: tuple[tuple[str, float], ...] = ()) -> Catalogue:
    newest_first = sorted(backups, key=lambda m: m.taken_at, reverse=True)
    return Catalogue(backups=tuple(newest_first), unfinished=unfinished, read_at=NOW)


def test_those_beyond_the_count_go_oldest_first() -> None:
    made = [manifest(DAY * (n + 1), number=n) for n in range(5)]
    gone = expired(catalogue(*made), Keep(count=2), OURS)
    assert gone == (made[4].name, made[3].name, made[2].name)


def test_those_beyond_the_age_go() -> None:
    made = [manifest(DAY * (n + 1), number=n) for n in range(5)]
    assert expired(catalogue(*made), Keep(seconds=3.5 * DAY), OURS) == (
        made[4].name,
        made[3].name,
    )


def test_one_stays_as_long_as_count_or_age_wants_it() -> None:
    made = [manifest(DAY * (n + 1), number=n) for n in range(5)]
    keep = Keep(count=1, seconds=3.5 * DAY)
    assert expired(catalogue(*made), keep, OURS) == (made[4].name, made[3].name)
    assert expired(catalogue(*made), Keep(count=4, seconds=DAY), OURS) == (made[4].name,)


def test_what_was_left_unfinished_goes_once_a_newer_one_counts() -> None:
    left = name_of("20261122T204500Z", OURS, 9, 9)
    old = ((left, NOW - 2 * YOUNG),)
    assert expired(catalogue(manifest(YOUNG), unfinished=old), Keep(count=9), OURS) == (left,)
    assert expired(catalogue(manifest(3 * YOUNG), unfinished=old), Keep(count=9), OURS) == ()
    assert expired(catalogue(unfinished=old), Keep(count=9), OURS) == ()
    young = ((left, NOW - YOUNG / 2),)
    assert expired(catalogue(manifest(60.0), unfinished=young), Keep(count=9), OURS) == ()


def test_the_newest_before_a_reseed_stays_beside_what_survived() -> None:
    """A survivor's may lack writes that the one before it has."""
    whole = manifest(DAY * 2, number=1)
    survivors = [manifest(DAY * 1, number=n, survivor=True) for n in (2, 3)]
    gone = expired(catalogue(manifest(DAY * 3), whole, *survivors), Keep(count=1), OURS)
    assert whole.name not in gone
    assert len(gone) == 2


AGES = st.floats(min_value=-DAY, max_value=30 * DAY)
KEEPS = st.builds(
    Keep, count=st.integers(1, 6) | st.none(), seconds=st.floats(60, 20 * DAY) | st.none()
).filter(lambda keep: keep.count is not None or keep.seconds is not None)


@given(st.lists(AGES, max_size=12), st.lists(AGES, max_size=4), KEEPS)
def test_whatever_lies_there_the_newest_the_young_and_others_stay(
    ages: list[float], others: list[float], keep: Keep
) -> None:
    ours = [manifest(age, number=n) for n, age in enumerate(ages)]
    theirs = [manifest(age, OTHERS, n) for n, age in enumerate(others)]
    gone = set(expired(catalogue(*ours, *theirs), keep, OURS))
    assert gone <= {m.name for m in ours}
    by_age = sorted(ours, key=lambda m: (m.taken_at, m.name), reverse=True)
    if by_age:
        assert by_age[0].name not in gone
    for number, one in enumerate(by_age):
        age = NOW - one.taken_at
        if age <= YOUNG or (keep.count and number < keep.count):
            assert one.name not in gone
        if keep.seconds is not None and age <= keep.seconds:
            assert one.name not in gone


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("48", Keep(count=48)),
        ("7d", Keep(seconds=7 * DAY)),
        ("48,7d", Keep(count=48, seconds=7 * DAY)),
        ("90m,3", Keep(count=3, seconds=5400.0)),
        ("4w", Keep(seconds=28 * DAY)),
    ],
)
def test_how_it_is_said(text: str, keep: Keep) -> None:
    assert Keep.parse(text) == keep


@pytest.mark.parametrize("text", ["", "0", "x", "-1", "0d", "1,2", "1d,2d", "1y", "1,"])
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        Keep.parse(text)
