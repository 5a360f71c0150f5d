"""No seed may start while a second cluster could serve: exhaustively, against a dumb statement."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from attrs import evolve

from etcdmesos.cluster.record import Change, Kind, Member, Record, Role, Step
from etcdmesos.cluster.reseed.safety import configurations, doubtful, proven
from tests.cluster import make

DEAD, HELD, NEITHER = "dead", "held", "neither"


def could_serve(voting: frozenset[str], rest: frozenset[str]) -> bool:
    """Whether some of `rest`, all of whom may live, are more than half of `voting`."""
    return any(2 * taken > len(voting) for taken in range(len(voting & rest) + 1))


def members(size: int) -> tuple[Member, ...]:
    return tuple(make.member(number, f"agent-{number}") for number in range(1, size + 1))


def changes(size: int) -> Iterator[tuple[str, Record, list[set[str]]]]:
    """A record with each kind of change in flight, and the configurations that it may mean."""
    voters = members(size)
    names = {m.name for m in voters}
    plain = make.record(*voters, size=size)
    yield "none", plain, [names]
    joining = make.member(9, "agent-9", step=Step.JOINING, role=Role.LEARNER)
    added = make.record(*voters, joining, size=size + 1)
    yield "a learner on its way", added, [names]
    for kind in Kind:
        change = Change(kind=kind, member=joining.name, id="id-9", generation=1)
        both = [names, names | {joining.name}] if kind is Kind.PROMOTE else [names]
        yield f"{kind.value} the learner", evolve(added, change=change), both
    promoted = evolve(joining, role=Role.VOTER, step=Step.VOTER)
    seen = evolve(added, change=Change(kind=Kind.PROMOTE, member="etcd-9", generation=1))
    yield "promoted, as it says itself", seen.with_member(promoted), [names, names | {"etcd-9"}]
    if size > 1:
        removal = Change(kind=Kind.REMOVE, member="etcd-1", id="id-1", generation=1)
        leaving = plain.with_member(evolve(voters[0], step=Step.REMOVING))
        yield "remove a voter", evolve(leaving, change=removal), [names, names - {"etcd-1"}]
    foreign = evolve(plain, foreign_voters=("77",))
    yield "a voter of somebody else's", foreign, [names | {"member 77"}]
    ghost = Change(kind=Kind.REMOVE, member="", id="77", generation=1)
    yield "which is removed", evolve(foreign, change=ghost), [names, names | {"member 77"}]


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_proven_is_that_nobody_else_could_serve(size: int) -> None:
    """For every size and change in flight, and everything that members can be."""
    for what, record, meant in changes(size):
        possible = configurations(record)
        assert {frozenset(one) for one in meant} == set(possible), what
        names = sorted(frozenset().union(*possible))
        for states in product((DEAD, HELD, NEITHER), repeat=len(names)):
            by_state = {
                state: frozenset(n for n, s in zip(names, states, strict=True) if s == state)
                for state in (DEAD, HELD, NEITHER)
            }
            second = any(could_serve(one, by_state[NEITHER]) for one in possible)
            assert proven(possible, by_state[DEAD], by_state[HELD]) == (not second), what
            left = doubtful(possible, by_state[DEAD], by_state[HELD])
            assert set(left) == by_state[NEITHER]


def test_learners_and_members_that_are_not_listed_yet_do_not_count() -> None:
    """A member being added has no vote before it is promoted."""
    adding = make.member(4, "d", step=Step.ADDING, role=Role.LEARNER)
    record = make.record(*members(3), adding, size=4)
    assert configurations(record) == (frozenset({"etcd-1", "etcd-2", "etcd-3"}),)


def test_accounting_for_more_members_never_makes_it_less_safe() -> None:
    """Monotone: who dies or is held later breaks no proof."""
    for _, record, _ in changes(3):
        possible = configurations(record)
        names = sorted(frozenset().union(*possible))
        for states in product((False, True), repeat=len(names)):
            out = frozenset(n for n, gone in zip(names, states, strict=True) if gone)
            if proven(possible, out, frozenset()):
                assert all(proven(possible, out, frozenset({name})) for name in names)
