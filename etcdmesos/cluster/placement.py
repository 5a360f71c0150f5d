"""Offers to places: where members could run, given what agents offer.  Pure; launches nothing.

Whether a member fits on an agent is decided by sums alone.  Resources are cut out of offers only
once an agent was selected: this runs at every step while offers are held, and mostly to learn that
they do not suffice yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from attrs import define, frozen

from etcdmesos.cluster.constraints import refusal
from etcdmesos.cluster.selection import Candidate, Placed, select
from etcdmesos.cluster.settings import Settings
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import (
    Resource,
    lowest_ports,
    subtract_scalars,
    sums,
    take_ports,
    take_scalar,
    total,
)

PORTS = 2
"""Per member: one for peers, one for clients."""


@frozen(kw_only=True)
class Place:
    """Room for one member on one agent, cut out of that agent's offers."""

    offer_ids: tuple[str, ...]
    agent_id: str
    hostname: str
    address: str
    region: str = ""
    zone: str = ""
    attributes: Mapping[str, str] = {}
    peer_port: int
    client_port: int
    resources: tuple[Resource, ...]
    executor_resources: tuple[Resource, ...]


@define
class _Pool:
    """What is left of one agent's offers while places are being cut out of them."""

    offers: list[Offer]
    resources: tuple[Resource, ...]
    used_ports: set[int]


def choose(
    offers: Iterable[Offer],
    count: int,
    settings: Settings,
    placed: Sequence[Placed] = (),
    shunned: Collection[str] = (),
    avoided: Collection[str] = (),
    doubtful: Mapping[str, frozenset[int]] = {},
) -> tuple[Place, ...]:
    """Up to `count` places beside the members `placed`, fewer when the offers hold fewer.

    No place breaks one of `settings.constraints`, given the members placed and the places before
    it.  With `settings.single_instance_per_agent`, at most one is on an agent and none on that of
    a member.  Within that, `selection.select` says which agents are preferred; of an agent's ports
    the lowest are taken, those in `doubtful` last.  The same offers always give the same places.
    """
    pools = _pools(offers)
    chosen = _select(pools, count, settings, placed, shunned, avoided)
    return tuple(
        _cut(pools[one.agent_id], settings, doubtful.get(one.agent_id, frozenset()))
        for one in chosen
    )


def room(
    offers: Iterable[Offer],
    count: int,
    settings: Settings,
    placed: Sequence[Placed] = (),
) -> int:
    """For how many of `count` more members `choose` would find places."""
    return len(_select(_pools(offers), count, settings, placed))


def excluded(
    offers: Iterable[Offer],
    count: int,
    settings: Settings,
    placed: Sequence[Placed] = (),
) -> dict[str, str]:
    """The agents with room that constraints keep out while fewer than `count` have a place, and by
    which constraint each, in words."""
    pools = _pools(offers)
    chosen = _select(pools, count, settings, placed)
    if len(chosen) >= count:
        return {}
    beside = [*placed, *(pools[candidate.agent_id].offers[0] for candidate in chosen)]
    taken = {one.agent_id for one in beside} if settings.single_instance_per_agent else set()
    return {
        agent: str(constraint)
        for agent, pool in pools.items()
        if agent not in taken
        and _capacity(pool.resources, settings)
        and (constraint := refusal(settings.constraints, pool.offers[0], beside)) is not None
    }


def suitable(offer: Offer, settings: Settings) -> bool:
    """Whether a member would fit into this offer alone."""
    return _capacity(offer.resources, settings) > 0


def shortage(offers: Iterable[Offer], settings: Settings) -> str:
    """What the agents behind `offers` lack for a member each, in words; "" when nothing."""
    lacking: list[str] = []
    for pool in _pools(offers).values():
        if _capacity(pool.resources, settings):
            continue
        wants = (("cpus", settings.cpus), ("mem", settings.memory), ("disk", settings.disk))
        short = [
            f"{name} {total(pool.resources, name):g} of {want:g}"
            for name, want in wants
            if round(total(pool.resources, name) * 1000) < round(want * 1000)
        ]
        if len(lowest_ports(pool.resources, PORTS)) < PORTS:
            short.append("ports")
        lacking.append(f"{pool.offers[0].hostname} ({', '.join(short)})")
    return ", ".join(lacking)


def _select(
    pools: Mapping[str, _Pool],
    count: int,
    settings: Settings,
    placed: Sequence[Placed],
    shunned: Collection[str] = (),
    avoided: Collection[str] = (),
) -> tuple[Candidate, ...]:
    single = settings.single_instance_per_agent
    occupied = {member.agent_id for member in placed} if single else ()
    candidates = []
    for agent, pool in pools.items():
        if agent in occupied:
            continue
        capacity = _capacity(pool.resources, settings)
        if not capacity:
            continue
        offer = pool.offers[0]
        candidates.append(
            Candidate(
                agent_id=agent,
                zone=(offer.region, offer.zone),
                room=1 if single else capacity,
                values=tuple(constraint.value_of(offer) for constraint in settings.constraints),
                shunned=agent in shunned,
                avoided=agent in avoided,
            )
        )
    return select(candidates, count, settings.constraints, placed)


def _capacity(resources: tuple[Resource, ...], settings: Settings) -> int:
    """How many members fit into `resources`, whatever roles and pieces they come in."""
    held = sums(resources)
    wants = (
        (held.cpus, settings.cpus),
        (held.mem, settings.memory),
        (held.disk, settings.disk),
    )
    fits = [have // round(want * 1000) for have, want in wants if round(want * 1000) > 0]
    return min(held.ports // PORTS, *fits)


def _pools(offers: Iterable[Offer]) -> dict[str, _Pool]:
    """All that each agent offers."""
    pools: dict[str, _Pool] = {}
    for offer in sorted(offers, key=_offer_id):
        pool = pools.get(offer.agent_id)
        if pool is None:
            pools[offer.agent_id] = _Pool([offer], offer.resources, set())
        else:
            pool.offers.append(offer)
            pool.resources += offer.resources
    return pools


def _offer_id(offer: Offer) -> str:
    return offer.id


def _cut(pool: _Pool, settings: Settings, doubtful: frozenset[int]) -> Place:
    """One member's share of `pool`, taken out of it.  Raises ValueError when it does not fit."""
    # Ports already given to another member of this agent are asked for on top, then left out.
    many = lowest_ports(pool.resources, PORTS + len(pool.used_ports | doubtful))
    free = [port for port in many if port not in pool.used_ports]
    peer_port, client_port = sorted(free, key=lambda port: port in doubtful)[:PORTS]
    executor, rest = _take(
        pool.resources,
        (("cpus", settings.executor_cpus), ("mem", settings.executor_memory)),
    )
    task, rest = _take(
        rest,
        (
            ("cpus", settings.cpus - settings.executor_cpus),
            ("mem", settings.memory - settings.executor_memory),
            ("disk", settings.disk),
        ),
    )
    pool.resources = rest
    pool.used_ports |= {peer_port, client_port}
    offer = pool.offers[0]
    return Place(
        offer_ids=tuple(o.id for o in pool.offers),
        agent_id=offer.agent_id,
        hostname=offer.hostname,
        address=offer.address,
        region=offer.region,
        zone=offer.zone,
        attributes=offer.attributes,
        peer_port=peer_port,
        client_port=client_port,
        resources=(*task, *take_ports(pool.resources, (peer_port, client_port))),
        executor_resources=executor,
    )


def _take(
    resources: tuple[Resource, ...], wants: Iterable[tuple[str, float]]
) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    """(taken, left).  Raises ValueError when `resources` hold less than wanted."""
    taken: list[Resource] = []
    for name, amount in wants:
        part = take_scalar(resources, name, round(amount, 3))
        resources = subtract_scalars(resources, part)
        taken += part
    return tuple(taken), resources
