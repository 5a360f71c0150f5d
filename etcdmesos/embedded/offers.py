"""Offers of the master: made, refused, taken back, spent.

The plan is the allocator's; here it becomes offers on streams and in the books.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from etcdmesos.embedded import allocator, attributes, resources
from etcdmesos.embedded.allocator import Demand, Grant
from etcdmesos.embedded.cluster import Cluster, Filter, Framework, Offer
from etcdmesos.embedded.link import Disturbances
from etcdmesos.embedded.resources import Resources

Json = dict[str, Any]

DEFAULT_REFUSE_SECONDS = 5.0
# Mesos' longest filter: a year.
_REFUSE_SECONDS_MAX = 31536000.0


class OfferDesk:
    """Offers of one master."""

    def __init__(
        self,
        cluster: Cluster,
        interval: float,
        disturbances: Disturbances,
        seed: int | None,
        region: str,
    ) -> None:
        self._cluster = cluster
        self._region = region
        self._interval = interval
        self._disturbances = disturbances
        # Mesos shuffles the agents; this decides nothing secret.
        self._random = random.Random(seed)  # noqa: S311
        self._due = False

    def soon(self) -> None:
        """Allocate at once, but only once however often it is asked for in this turn."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self.allocate)

    def allocate(self) -> None:
        """Offer what is free to whom wants it."""
        self._due = False
        cluster = self._cluster
        self._forget_old_filters()
        agents = [
            (agent.agent_id, cluster.available(agent))
            for agent in cluster.agents.values()
            if agent.connected
        ]
        self._random.shuffle(agents)
        demands = [
            Demand(framework.framework_id, role, self._held(framework))
            for framework in cluster.frameworks.values()
            if framework.active and framework.connected
            for role in framework.roles
            if role not in framework.suppressed
        ]
        total = resources.total(agent.total for agent in cluster.agents.values())
        grants = allocator.plan(agents, demands, total, self._refuses)
        for framework_id in dict.fromkeys(grant.framework_id for grant in grants):
            mine = [grant for grant in grants if grant.framework_id == framework_id]
            self._offer(cluster.frameworks[framework_id], mine)

    def _held(self, framework: Framework) -> Resources:
        used = [agent.used(framework.framework_id) for agent in self._cluster.agents.values()]
        offers = self._cluster.offers_of(framework_id=framework.framework_id)
        return resources.total([*used, *(offer.resources for offer in offers)])

    def _refuses(self, framework_id: str, role: str, agent_id: str, free: Resources) -> bool:
        framework = self._cluster.frameworks[framework_id]
        region = attributes.region(self._cluster.agents[agent_id].info)
        remote = bool(region and self._region) and region != self._region
        if remote and not framework.capable("REGION_AWARE"):
            return True
        filters = framework.filters.get((agent_id, role), [])
        return any(one.resources.contains(free) for one in filters)

    def _forget_old_filters(self) -> None:
        now = time.monotonic()
        for framework in self._cluster.frameworks.values():
            for key, filters in list(framework.filters.items()):
                framework.filters[key] = [one for one in filters if one.expires > now]

    def _offer(self, framework: Framework, grants: list[Grant]) -> None:
        cluster = self._cluster
        made = []
        for grant in grants:
            offer = Offer(
                cluster.new_offer_id(),
                framework.framework_id,
                grant.agent_id,
                grant.role,
                grant.resources,
            )
            cluster.offers[offer.offer_id] = offer
            made.append(offer)
        delay = self._disturbances.verdict("Offers", "to_scheduler", None)
        if delay is None:
            return
        if delay > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(delay, self._send, framework, made)
        else:
            self._send(framework, made)

    def _send(self, framework: Framework, offers: list[Offer]) -> None:
        rendered = [
            self.render(framework, offer)
            for offer in offers
            if offer.offer_id in self._cluster.offers
        ]
        if rendered:
            framework.send({"type": "OFFERS", "offers": {"offers": rendered}})

    def render(self, framework: Framework, offer: Offer) -> Json:
        """An offer as the scheduler gets it; the role only for MULTI_ROLE frameworks."""
        agent = self._cluster.agents[offer.agent_id]
        named = framework.capable("MULTI_ROLE")
        host, port = agent.hostname, agent.info["port"]
        address = {"hostname": host, "ip": host, "port": port}
        rendered: Json = {
            "id": {"value": offer.offer_id},
            "framework_id": {"value": offer.framework_id},
            "agent_id": {"value": offer.agent_id},
            "hostname": host,
            "url": {"scheme": "http", "address": address, "path": "/slave(1)"},
            "resources": resources.render(offer.resources, role=offer.role, allocated=named),
        }
        for name in ("attributes", "domain"):
            if name in agent.info:
                rendered[name] = agent.info[name]
        if named:
            rendered["allocation_info"] = {"role": offer.role}
        return rendered

    def take_back(self, offer: Offer, *, rescind: bool) -> None:
        """An offer is void; with `rescind` its framework is told."""
        if self._cluster.offers.pop(offer.offer_id, None) is None:
            return
        framework = self._cluster.frameworks.get(offer.framework_id)
        if rescind and framework is not None:
            body = {"offer_id": {"value": offer.offer_id}}
            framework.send({"type": "RESCIND", "rescind": body})

    def refuse(self, framework: Framework, offer: Offer, left: Resources, filters: Json) -> None:
        """What a framework leaves of an offer is not offered to it again for a while."""
        self._cluster.offers.pop(offer.offer_id, None)
        seconds = float(filters.get("refuse_seconds", DEFAULT_REFUSE_SECONDS))
        if seconds < 0:
            seconds = DEFAULT_REFUSE_SECONDS
        if seconds > 0 and not left.empty():
            # A shorter one would be over before the next allocation could respect it.
            wait = max(min(seconds, _REFUSE_SECONDS_MAX), self._interval)
            expires = time.monotonic() + wait
            key = (offer.agent_id, offer.role)
            framework.filters.setdefault(key, []).append(Filter(left, expires))

    def revive(self, framework: Framework, roles: list[str]) -> None:
        """Offers again, filters forgotten, in these roles (none named: all)."""
        chosen = set(roles) or set(framework.roles)
        framework.suppressed -= chosen
        framework.filters = {
            key: filters for key, filters in framework.filters.items() if key[1] not in chosen
        }
        self.soon()

    def suppress(self, framework: Framework, roles: list[str]) -> None:
        """No offers in these roles (none named: all)."""
        framework.suppressed |= set(roles) or set(framework.roles)
