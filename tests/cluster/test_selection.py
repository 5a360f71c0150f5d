"""Agents are selected as a dumb search of everything would: no constraint broken, none missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations

from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from etcdmesos.cluster.constraints import Constraint, Operator, parse
from etcdmesos.cluster.placement import choose, excluded, room
from etcdmesos.cluster.record import Member
from etcdmesos.mesos.offers import Offer
from tests.cluster import make

FIELDS = ("hostname", "@zone", "rack")


def allowed(constraint: Constraint, one: Offer | Member, placed: Sequence[Offer | Member]) -> bool:
    """The dumb oracle, from Marathon's documentation: may one more member run there?"""

    def read(agent: Offer | Member) -> str | None:
        if constraint.field == "hostname":
            return agent.hostname
        if constraint.field == "@zone":
            return agent.zone or None
        return agent.attributes.get(constraint.field)

    mine, theirs = read(one), [read(other) for other in placed]
    sizes = Counter(theirs)
    match constraint.operator, constraint.value:
        case Operator.UNLIKE, expression:
            return mine is None or mine not in expression.split("|")
        case _ if mine is None:
            return False
        case Operator.LIKE, expression:
            return mine in expression.split("|")
        case Operator.UNIQUE, _:
            return mine not in theirs
        case Operator.MAX_PER, number:
            return sizes[mine] < int(number)
        case Operator.CLUSTER, "":
            return all(other == mine for other in theirs[:1])
        case Operator.CLUSTER, value:
            return mine == value
        case Operator.GROUP_BY, number:
            enough = len(sizes) >= int(number or 0)
            return mine not in sizes or (enough and sizes[mine] == min(sizes.values()))
    raise AssertionError(constraint)


def kept(
    chosen: Sequence[Offer | Member], constraints: Sequence[Constraint], placed: Sequence[Member]
) -> bool:
    """Whether the agents may get their members one after the other in this order."""
    beside: list[Offer | Member] = list(placed)
    for one in chosen:
        if not all(allowed(constraint, one, beside) for constraint in constraints):
            return False
        beside.append(one)
    return True


def most(
    offers: Sequence[Offer],
    count: int,
    constraints: Sequence[Constraint],
    placed: Sequence[Member],
    copies: int,
) -> int:
    """By trying all orders: how many of `count` members can be placed, `copies` on an agent."""
    busy = {member.agent_id for member in placed} if copies == 1 else set()
    free = [offer for offer in offers if offer.agent_id not in busy for _ in range(copies)]
    for number in range(min(count, len(free)), 0, -1):
        if any(kept(order, constraints, placed) for order in permutations(free, number)):
            return number
    return 0


@st.composite
def constraints_of(draw: st.DrawFn) -> Constraint:
    operator = draw(st.sampled_from(Operator))
    values = {
        Operator.UNIQUE: st.just(""),
        Operator.CLUSTER: st.sampled_from(["", "a", "b"]),
        Operator.GROUP_BY: st.sampled_from(["", "2", "3"]),
        Operator.MAX_PER: st.sampled_from(["1", "2"]),
        Operator.LIKE: st.sampled_from(["a", "a|b", "b|c", "host-p|host-q|host-r"]),
        Operator.UNLIKE: st.sampled_from(["a", "b|c", "host-p"]),
    }
    return Constraint(draw(st.sampled_from(FIELDS)), operator, draw(values[operator]))


wherever = st.sampled_from(["a", "a", "b", "b", "c", ""])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Offer], list[Member]]:
    """Up to five agents that offer, some members that are placed already, here and elsewhere."""
    offers = []
    for agent in "pqrst"[: draw(st.integers(0, 5))]:
        rack, zone = draw(wherever), draw(wherever)
        attributes = {"rack": rack} if rack else {}
        offers.append(evolve(make.offer(f"{agent}-1", cpus=2.0), zone=zone, attributes=attributes))
    placed = []
    for number, agent in enumerate(draw(st.sets(st.sampled_from("pxyz"), max_size=3)), 1):
        rack, zone = draw(wherever), draw(wherever)
        there = make.member(number, agent)
        attributes = {"rack": rack} if rack else {}
        placed.append(evolve(there, zone=zone, attributes=attributes))
    return offers, placed


wanted = st.lists(constraints_of(), max_size=3).map(tuple)


@given(worlds(), wanted, st.integers(1, 4))
def test_every_constraint_is_kept_and_no_place_is_missed(
    world: tuple[list[Offer], list[Member]], constraints: tuple[Constraint, ...], count: int
) -> None:
    """As many members get a place as trying everything would place, each within every rule."""
    offers, placed = world
    settings = make.settings(constraints=constraints)
    places = choose(offers, count, settings, placed)
    chosen = [next(o for o in offers if o.agent_id == place.agent_id) for place in places]
    assert kept(chosen, constraints, placed)
    assert len(places) == most(offers, count, constraints, placed, 1)
    assert room(offers, count, settings, placed) == len(places)
    for place, offer in zip(places, chosen, strict=True):
        assert (place.hostname, place.zone) == (offer.hostname, offer.zone)
        assert place.attributes == offer.attributes


@given(worlds(), wanted, st.integers(1, 3))
def test_the_same_when_members_may_share_an_agent(
    world: tuple[list[Offer], list[Member]], constraints: tuple[Constraint, ...], count: int
) -> None:
    """With room for two on each agent."""
    offers, placed = world
    settings = make.settings(constraints=constraints, single_instance_per_agent=False)
    places = choose(offers[:4], count, settings, placed)
    chosen = [next(o for o in offers if o.agent_id == place.agent_id) for place in places]
    assert kept(chosen, constraints, placed)
    assert len(places) == most(offers[:4], count, constraints, placed, 2)


@given(worlds(), wanted, st.integers(1, 4))
def test_what_is_excluded_is_said(
    world: tuple[list[Offer], list[Member]], constraints: tuple[Constraint, ...], count: int
) -> None:
    """While members lack a place, every agent that gets none is excluded by one of the rules."""
    offers, placed = world
    settings = make.settings(constraints=constraints)
    places = choose(offers, count, settings, placed)
    said = excluded(offers, count, settings, placed)
    used = {place.agent_id for place in places} | {member.agent_id for member in placed}
    if len(places) == count:
        assert said == {}
    else:
        assert set(said) == {offer.agent_id for offer in offers} - used
    assert set(said.values()) <= {str(constraint) for constraint in constraints}


@given(worlds(), st.integers(1, 4), st.sets(st.sampled_from("pqrst")))
@example(([], []), 3, set())
def test_zones_are_spread_over(
    world: tuple[list[Offer], list[Member]], count: int, shunned: set[str]
) -> None:
    """Without any rule, each member goes to a zone with the fewest members that still has room,
    and there to an agent that is not shunned before one that is."""
    offers, placed = world
    members = Counter(member.zone for member in placed)
    left = {o.agent_id: o for o in offers if o.agent_id not in {m.agent_id for m in placed}}
    for place in choose(offers, count, make.settings(), placed, shunned=shunned):
        fewest = min(members[offer.zone] for offer in left.values())
        assert members[place.zone] == fewest
        others = [o.agent_id for o in left.values() if members[o.zone] == fewest]
        assert place.agent_id not in shunned or shunned >= set(others)
        members[place.zone] += 1
        del left[place.agent_id]


def test_agents_where_nothing_works_are_the_last_choice() -> None:
    """They are taken after those of any other zone; shunned ones only after those of their own."""
    offers = [evolve(make.offer(f"{agent}-1"), zone=zone) for agent, zone in ("pa", "qb", "rb")]
    there = [evolve(make.member(1, "x"), zone="b")]
    one = make.settings(1)
    assert [p.agent_id for p in choose(offers, 1, one, there)] == ["p"]
    assert [p.agent_id for p in choose(offers, 1, one, there, shunned={"p"})] == ["p"]
    assert [p.agent_id for p in choose(offers, 1, one, there, avoided={"p"})] == ["q"]
    assert [p.agent_id for p in choose(offers, 3, one, there, avoided={"p"})] == ["q", "r", "p"]


def test_zones_of_different_regions_are_different() -> None:
    """A zone's name means something within its region only."""
    offers = [
        evolve(make.offer(f"{agent}-1"), zone="1", region=region)
        for agent, region in (("p", "x"), ("q", "x"), ("r", "y"))
    ]
    assert [p.agent_id for p in choose(offers, 2, make.settings())] == ["p", "r"]


def test_the_preferred_agent_is_given_up_for_the_gang() -> None:
    """Where the obvious choice leaves others without a place, another one is found."""
    racks = {"p": ("r1", "a"), "q": ("r1", "b"), "r": ("r2", "a")}
    offers = [
        evolve(make.offer(f"{agent}-1"), zone=zone, attributes={"rack": rack})
        for agent, (rack, zone) in racks.items()
    ]
    settings = make.settings(constraints=parse("rack:UNIQUE,@zone:UNIQUE"))
    assert [place.agent_id for place in choose(offers, 2, settings)] == ["q", "r"]


def test_a_large_contrary_world_takes_few_steps() -> None:
    """Where a hundred agents cannot hold the gang, that is found out without trying them all."""
    offers = [
        evolve(
            make.offer(f"{number:03}-1"),
            hostname=f"host-{number}",
            zone="ab"[number % 2],
            attributes={"rack": f"rack-{number // 5}"},
        )
        for number in range(100)
    ]
    for text, found in (
        ("hostname:UNIQUE,rack:UNIQUE,@zone:GROUP_BY:3", 2),
        ("hostname:UNIQUE,rack:UNIQUE,@zone:MAX_PER:3", 6),
        ("hostname:GROUP_BY,@zone:UNIQUE", 2),
    ):
        constraints = parse(text)
        assert room(offers, 7, make.settings(7, constraints=constraints)) == found
