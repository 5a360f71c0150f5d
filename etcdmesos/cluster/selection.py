"""Which agents get a member: the constraints are kept, and within them members are spread.

Pure and exact for clusters as they are: all ways to place up to seven members are tried, unless a
world is so large and so contrary that `STEPS_MOST` are not enough.  What fits where is worked out
in `placement.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import define, field, frozen

from etcdmesos.cluster.constraints import Agent, Constraint, Operator

STEPS_MOST = 2000
"""Placements that are extended before the search settles for the most it has found."""

Values = tuple[str | None, ...]
"""Of the field of each constraint, in their order; None where an agent has none."""


class Placed(Agent, Protocol):
    """A member that has its agent."""

    @property
    def agent_id(self) -> str: ...


@frozen(kw_only=True)
class Candidate:
    """An agent on which up to `room` more members fit."""

    agent_id: str
    zone: tuple[str, str]
    """Region and zone: zones of different regions may have the same name."""
    room: int
    values: Values
    shunned: bool
    """Something failed here: others of the zone are preferred."""
    avoided: bool
    """Nothing works here: all others are preferred."""


def select(
    candidates: Sequence[Candidate],
    count: int,
    constraints: Sequence[Constraint],
    placed: Sequence[Placed] = (),
) -> tuple[Candidate, ...]:
    """Agents for `count` more members beside those `placed`, one entry per member, in the order in
    which the constraints admit them; as many as can be placed when that is fewer.

    Preferred are, one member after the other, agents that are not avoided, in the zone with the
    fewest members, with the fewest members themselves, that are not shunned, of the lowest id.
    """
    taken = [[constraint.value_of(member) for member in placed] for constraint in constraints]
    possible = [
        candidate
        for candidate in candidates
        if candidate.room > 0
        and all(
            constraint.admits(value, values if constraint.lasting else ())
            for constraint, value, values in zip(constraints, candidate.values, taken, strict=True)
        )
    ]
    search = _Search(
        constraints=constraints,
        candidates=possible,
        kinds=_kinds(possible, constraints, taken),
        taken=taken,
        zones=Counter((member.region, member.zone) for member in placed),
        members=Counter(member.agent_id for member in placed),
    )
    search.reach(min(count, _most(possible, constraints, taken)))
    return search.best


@define(kw_only=True)
class _Search:
    """Depth first, the preferred agent first: what it finds first is what is preferred."""

    constraints: Sequence[Constraint]
    candidates: Sequence[Candidate]
    kinds: dict[str, Values]
    """By agent: those of one kind can stand in for each other."""
    taken: list[list[str | None]]
    """Per constraint, the values of all members placed so far."""
    zones: Counter[tuple[str, str]]
    members: Counter[str]
    """By agent."""
    chosen: list[Candidate] = field(factory=list)
    best: tuple[Candidate, ...] = ()
    used: Counter[str] = field(factory=Counter)
    """Members chosen so far, by agent."""
    hopeless: set[frozenset[tuple[Values, int]]] = field(factory=set)
    """How many of which kind were chosen where no way on was found."""
    steps: int = 0

    def reach(self, goal: int) -> bool:
        """Choose until there are `goal`; False if that cannot be from here."""
        if len(self.chosen) > len(self.best):
            self.best = tuple(self.chosen)
        if len(self.chosen) >= goal:
            return True
        here = frozenset(Counter(self.kinds[c.agent_id] for c in self.chosen).items())
        if here in self.hopeless or self.steps >= STEPS_MOST:
            return False
        self.steps += 1
        for candidate in self._preferred():
            self._take(candidate)
            if self.reach(goal):
                return True
            self._give_back()
        self.hopeless.add(here)
        return False

    def _preferred(self) -> Iterator[Candidate]:
        """The agents that may be next, the best of each kind, best first."""
        open_here = [c for c in self.candidates if self.used[c.agent_id] < c.room]
        tried: set[Values] = set()
        for candidate in sorted(open_here, key=self._rank):
            kind = self.kinds[candidate.agent_id]
            if kind not in tried:
                tried.add(kind)
                if self._admitted(candidate):
                    yield candidate

    def _rank(self, candidate: Candidate) -> tuple[bool, int, int, bool, str]:
        return (
            candidate.avoided,
            self.zones[candidate.zone],
            self.members[candidate.agent_id],
            candidate.shunned,
            candidate.agent_id,
        )

    def _admitted(self, candidate: Candidate) -> bool:
        together = zip(self.constraints, candidate.values, self.taken, strict=True)
        return all(constraint.admits(value, values) for constraint, value, values in together)

    def _take(self, candidate: Candidate) -> None:
        self.chosen.append(candidate)
        for value, values in zip(candidate.values, self.taken, strict=True):
            values.append(value)
        for counted in (self.members, self.used):
            counted[candidate.agent_id] += 1
        self.zones[candidate.zone] += 1

    def _give_back(self) -> None:
        candidate = self.chosen.pop()
        for values in self.taken:
            values.pop()
        for counted in (self.members, self.used):
            counted[candidate.agent_id] -= 1
        self.zones[candidate.zone] -= 1


def _kinds(
    candidates: Sequence[Candidate],
    constraints: Sequence[Constraint],
    taken: Sequence[Sequence[str | None]],
) -> dict[str, Values]:
    """What of each candidate's values can still make a difference; None stands for the rest.

    A hostname that must be unique makes none while only one member fits on that host: without this
    every agent would be of a kind of its own, and all orders of all agents would be tried.
    """
    differing = []
    for index, constraint in enumerate(constraints):
        room = _room_by_value(candidates, index)
        differing.append({v for v in room if not _free(constraint, v, room[v], taken[index])})
    return {
        candidate.agent_id: tuple(
            value if value in differing[index] else None
            for index, value in enumerate(candidate.values)
        )
        for candidate in candidates
    }


def _free(
    constraint: Constraint, value: str | None, room: int, taken: Sequence[str | None]
) -> bool:
    """Whether the constraint admits as many members with `value` as there is `room` for."""
    if constraint.operator in (Operator.UNIQUE, Operator.MAX_PER):
        return room <= constraint.number - taken.count(value)
    return constraint.operator in (Operator.LIKE, Operator.UNLIKE)


def _most(
    candidates: Sequence[Candidate],
    constraints: Sequence[Constraint],
    taken: Sequence[Sequence[str | None]],
) -> int:
    """No more members than this can be placed; perhaps fewer."""
    most = sum(candidate.room for candidate in candidates)
    for index, constraint in enumerate(constraints):
        room = _room_by_value(candidates, index)
        if constraint.operator in (Operator.UNIQUE, Operator.MAX_PER):
            left = {v: constraint.number - taken[index].count(v) for v in room}
            most = min(most, sum(min(room[v], left[v]) for v in room))
        elif constraint.operator is Operator.CLUSTER:
            most = min(most, max(room.values(), default=0))
    return most


def _room_by_value(candidates: Sequence[Candidate], index: int) -> Counter[str | None]:
    room: Counter[str | None] = Counter()
    for candidate in candidates:
        room[candidate.values[index]] += candidate.room
    return room
