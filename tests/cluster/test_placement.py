"""Places cut out of offers: never more than was offered, and as many as there could be."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.cluster.placement import Place, choose, shortage, suitable
from etcdmesos.cluster.settings import Settings
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import Json, PortRange, Resource
from tests.cluster import make

RESERVED: Json = {"role": "etcd", "reservations": [{"role": "etcd", "type": "STATIC"}]}
REVOCABLE: Json = {"role": "*", "revocable": {}}
VOLUME: Json = {"role": "etcd", "disk": {"persistence": {"id": "v"}}}
TAGS: tuple[Json, ...] = (make.PLAIN, make.PLAIN, RESERVED, REVOCABLE, VOLUME)

amounts = {
    "cpus": st.sampled_from([0.1, 0.4, 0.5, 1.0, 1.5, 2.0, 4.0]),
    "mem": st.sampled_from([64.0, 1024.0, 2048.0, 5000.0]),
    "disk": st.sampled_from([1.0, 2048.0, 4096.0, 10000.0]),
}
ranges = st.lists(
    st.tuples(st.integers(0, 65535), st.integers(0, 3)).map(
        lambda pair: PortRange(pair[0], min(65535, pair[0] + pair[1]))
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@st.composite
def resources(draw: st.DrawFn) -> tuple[Resource, ...]:
    """Resources of one offer: several of a kind, reserved and unusable ones among them."""
    made: list[Resource] = []
    for kind in draw(st.lists(st.sampled_from(["cpus", "mem", "disk", "ports"]), max_size=7)):
        tags = draw(st.sampled_from(TAGS))
        if kind == "ports":
            made.append(Resource(name=kind, ranges=draw(ranges), tags=tags))
        else:
            made.append(Resource(name=kind, amount=draw(amounts[kind]), tags=tags))
    return tuple(made)


@st.composite
def many_offers(draw: st.DrawFn) -> list[Offer]:
    """Offers of up to four agents; often roomy, so that something fits."""
    made: list[Offer] = []
    for number in range(draw(st.integers(0, 6))):
        agent = draw(st.sampled_from("abcd"))
        offer = make.offer(
            f"{agent}-{number}", agent, ports=((31000 + 50 * number, 31020 + 50 * number),)
        )
        held: tuple[Resource, ...] = draw(
            st.one_of(resources(), st.just(offer.resources), resources().map(lambda r: r * 2))
        )
        made.append(
            Offer(
                id=offer.id,
                agent_id=agent,
                hostname=offer.hostname,
                address=offer.address,
                resources=held,
                attributes={},
            )
        )
    return made


settings_of = st.builds(
    make.settings,
    st.sampled_from([1, 3, 5]),
    single_instance_per_agent=st.booleans(),
    cpus=st.sampled_from([0.1, 0.5, 1.0]),
    memory=st.sampled_from([64.0, 2048.0]),
    disk=st.sampled_from([1.0, 4096.0]),
)


def key(resource: Resource) -> tuple[str, str]:
    return resource.name, repr(sorted(resource.tags.items()))


def scalars(parts: Any) -> Counter[tuple[str, str]]:
    """Thousandths of every scalar, by name and tags: exact sums."""
    counted: Counter[tuple[str, str]] = Counter()
    for part in parts:
        if part.name != "ports":
            counted[key(part)] += round(part.amount * 1000)
    return counted


def ports(parts: Any) -> list[int]:
    return [p for part in parts for rng in part.ranges for p in range(rng.begin, rng.end + 1)]


def by_agent(places: tuple[Place, ...]) -> dict[str, list[Place]]:
    grouped: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        grouped[place.agent_id].append(place)
    return grouped


@given(many_offers(), settings_of, st.integers(1, 6))
def test_never_more_is_taken_than_was_offered(
    offers: list[Offer], settings: Settings, count: int
) -> None:
    """Added up again per agent, the places hold no more of any resource than its offers do."""
    places = choose(offers, count, settings)
    assert len(places) <= count
    for agent, cut in by_agent(places).items():
        theirs = [offer for offer in offers if offer.agent_id == agent]
        offered = [r for offer in theirs for r in offer.resources if r.plain]
        taken = [r for p in cut for r in (*p.resources, *p.executor_resources)]
        held = scalars(offered)
        assert all(amount <= held[name] for name, amount in scalars(taken).items())
        assert set(ports(taken)) <= set(ports(offered))
        assert all({*p.offer_ids} == {o.id for o in theirs} for p in cut)


@given(many_offers(), settings_of, st.integers(1, 6))
def test_a_place_holds_a_member(offers: list[Offer], settings: Settings, count: int) -> None:
    """Each place has what the settings ask for, and two ports that nobody else has."""
    places = choose(offers, count, settings)
    for place in places:
        total = scalars((*place.resources, *place.executor_resources))
        for name, wanted in (
            ("cpus", settings.cpus),
            ("mem", settings.memory),
            ("disk", settings.disk),
        ):
            held = sum(amount for (kind, _), amount in total.items() if kind == name)
            assert held >= round(wanted * 1000)
        assert sorted(ports(place.resources)) == sorted([place.peer_port, place.client_port])
        assert 0 < place.peer_port != place.client_port > 0
    used = [(p.agent_id, port) for p in places for port in (p.peer_port, p.client_port)]
    assert len(set(used)) == len(used)


@given(many_offers(), settings_of, st.integers(1, 6), st.sets(st.sampled_from("abcd")))
def test_one_member_on_an_agent(
    offers: list[Offer], settings: Settings, count: int, occupied: set[str]
) -> None:
    """Unless it is allowed, no agent gets two, and one that has a member gets none."""
    placed = [make.member(number, agent) for number, agent in enumerate(sorted(occupied), 1)]
    places = choose(offers, count, settings, placed)
    agents = [place.agent_id for place in places]
    if settings.single_instance_per_agent:
        assert len(set(agents)) == len(agents)
        assert not occupied & set(agents)


@given(many_offers(), settings_of, st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_order_of_offers_does_not_matter(
    offers: list[Offer], settings: Settings, count: int, shuffler: random.Random
) -> None:
    """The same offers give the same places, however they came."""
    shuffled = list(offers)
    shuffler.shuffle(shuffled)
    assert choose(shuffled, count, settings) == choose(offers, count, settings)


@given(many_offers(), settings_of, st.integers(1, 4), st.sets(st.sampled_from("abcd")))
def test_shunned_agents_are_taken_last(
    offers: list[Offer], settings: Settings, count: int, shunned: set[str]
) -> None:
    """A shunned agent gets a member only if every other agent with room has one, too."""
    places = choose(offers, count, settings, shunned=shunned)
    agents = {place.agent_id for place in places}
    with_room = {place.agent_id for place in choose(offers, 9, settings)}
    if agents & shunned:
        assert with_room - shunned <= agents
    assert len(places) == len(choose(offers, count, settings))


def fits(offers: list[Offer], settings: Settings) -> bool:
    """The dumb oracle: does one member fit on the agent of `offers`, tried by hand?"""
    plain = [r for offer in offers for r in offer.resources if r.plain]
    for name, wanted in (
        ("cpus", settings.cpus),
        ("mem", settings.memory),
        ("disk", settings.disk),
    ):
        if sum(round(r.amount * 1000) for r in plain if r.name == name) < round(wanted * 1000):
            return False
    return any(
        one != other and one > 0 and other > 0
        for one, other in combinations(sorted({*ports(plain)}), 2)
    )


@given(many_offers(), settings_of, st.integers(1, 6))
def test_what_fits_is_found(offers: list[Offer], settings: Settings, count: int) -> None:
    """With one member per agent, as many places are found as agents have room."""
    agents = {offer.agent_id for offer in offers}
    with_room = sum(fits([o for o in offers if o.agent_id == a], settings) for a in agents)
    places = choose(offers, count, settings)
    if settings.single_instance_per_agent:
        assert len(places) == min(count, with_room)
    else:
        assert len(places) >= min(count, with_room)
    assert [suitable(offer, settings) for offer in offers] == [
        fits([offer], settings) for offer in offers
    ]


@given(many_offers(), settings_of)
def test_what_is_lacking_is_said(offers: list[Offer], settings: Settings) -> None:
    """`shortage` names exactly the hosts on which no member fits."""
    said = shortage(offers, settings)
    for agent in {offer.agent_id for offer in offers}:
        theirs = [offer for offer in offers if offer.agent_id == agent]
        assert (f"{theirs[0].hostname} (" in said) is not fits(theirs, settings)


def test_sharing_spreads_first() -> None:
    """When members may share agents, every agent gets one before any gets a second."""
    offers = [make.offer("a-1"), make.offer("b-1")]
    places = choose(offers, 3, make.settings(single_instance_per_agent=False))
    assert [place.agent_id for place in places] == ["a", "b", "a"]


def test_reserved_resources_are_taken_first() -> None:
    """What is reserved for our role is of no use to others, so it goes first."""
    offer = make.offer("a-1")
    reserved = Resource(name="cpus", amount=0.4, tags=RESERVED)
    roomy = Offer(
        id="a-1",
        agent_id="a",
        hostname="h",
        address="x",
        resources=(*offer.resources, reserved),
        attributes={},
    )
    (place,) = choose([roomy], 1, make.settings())
    taken = scalars((*place.resources, *place.executor_resources))
    assert taken[key(reserved)] == 400
    assert taken["cpus", repr(sorted(make.PLAIN.items()))] == 600


@pytest.mark.parametrize(
    ("offered", "doubtful", "taken"),
    [
        (((31000, 31009),), (), (31000, 31001)),
        (((31000, 31009),), (31000,), (31001, 31002)),
        (((31000, 31009),), (31000, 31001, 31003), (31002, 31004)),
        # Rather a port that failed than none.
        (((31000, 31002),), (31000, 31001), (31002, 31000)),
        (((31000, 31001),), (31000, 31001), (31000, 31001)),
        (((31000, 31001),), (40000,), (31000, 31001)),
    ],
)
def test_ports_on_which_something_failed_are_taken_last(
    offered: tuple[tuple[int, int], ...], doubtful: tuple[int, ...], taken: tuple[int, int]
) -> None:
    """Somebody else may listen on them."""
    known = {"a": frozenset(doubtful), "b": frozenset((31002, 31004))}
    (place,) = choose([make.offer("a-1", ports=offered)], 1, make.settings(), doubtful=known)
    assert (place.peer_port, place.client_port) == taken
