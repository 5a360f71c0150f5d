"""Offers to places: where members could run, given what agents offer.  Pure; launches nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from attrs import define, frozen

from etcdmesos.cluster.settings import Settings
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import (
    Resource,
    lowest_ports,
    subtract_scalars,
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
    occupied: Collection[str] = (),
    shunned: Collection[str] = (),
) -> tuple[Place, ...]:
    """Up to `count` places, fewer when the offers hold fewer.

    With `settings.single_instance_per_agent`, at most one on an agent and none on `occupied`
    agents. Agents that are `shunned` are taken last; otherwise the order is by agent, so that the
    same offers always give the same places.
    """
    pools = _pools(offers)
    single = settings.single_instance_per_agent
    order = sorted(
        (agent for agent in pools if not (single and agent in occupied)),
        key=lambda agent: (agent in shunned, agent),
    )
    places: list[Place] = []
    # One round gives every agent at most one member, so members spread before they share.
    while len(places) < count:
        cut = [place for agent in order if (place := _cut(pools[agent], settings)) is not None]
        places += cut
        if single or not cut:
            break
    return tuple(places[:count])


def suitable(offer: Offer, settings: Settings) -> bool:
    """Whether a member would fit into this offer alone."""
    return _cut(_Pool([offer], offer.resources, set()), settings) is not None


def shortage(offers: Iterable[Offer], settings: Settings) -> str:
    """What the agents behind `offers` lack for a member each, in words; "" when nothing."""
    lacking: list[str] = []
    for pool in _pools(offers).values():
        wants = (("cpus", settings.cpus), ("mem", settings.memory), ("disk", settings.disk))
        short = [
            f"{name} {total(pool.resources, name):g} of {want:g}"
            for name, want in wants
            if total(pool.resources, name) < want
        ]
        if len(lowest_ports(pool.resources, PORTS)) < PORTS:
            short.append("ports")
        if short:
            lacking.append(f"{pool.offers[0].hostname} ({', '.join(short)})")
    return ", ".join(lacking)


def _pools(offers: Iterable[Offer]) -> dict[str, _Pool]:
    pools: dict[str, _Pool] = {}
    for offer in sorted(offers, key=lambda o: o.id):
        pool = pools.setdefault(offer.agent_id, _Pool([], (), set()))
        pool.offers.append(offer)
        pool.resources += offer.resources
    return pools


def _cut(pool: _Pool, settings: Settings) -> Place | None:
    """One member's share of `pool`, taken out of it; None when it does not fit."""
    # Ports already given to another member of this agent are asked for on top, then left out.
    ports = [
        port
        for port in lowest_ports(pool.resources, PORTS + len(pool.used_ports))
        if port not in pool.used_ports
    ]
    if len(ports) < PORTS:
        return None
    try:
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
    except ValueError:
        return None
    peer_port, client_port = ports[:PORTS]
    pool.resources = rest
    pool.used_ports |= {peer_port, client_port}
    offer = pool.offers[0]
    return Place(
        offer_ids=tuple(o.id for o in pool.offers),
        agent_id=offer.agent_id,
        hostname=offer.hostname,
        address=offer.address,
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
