"""Clients: they write unique keys through the members that the scheduler announces, and what was
acknowledged is remembered.

They trust `/members` alone, as real ones do, and keep its last answer while no scheduler gives one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.cluster import report
from etcdmesos.simulation.etcd import EtcdClient
from etcdmesos.simulation.facts import WriteAcknowledged

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["PARTY", "Workload"]

PARTY = "client"
TIMEOUT = 5.0


class Workload:
    """A client that writes now and then."""

    def __init__(self, world: World, pause: float) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._world = world
        self._pause = pause
        self._client = EtcdClient(world.network, PARTY, TIMEOUT)
        self._announced: tuple[str, ...] = ()
        world.network.add_party(PARTY)
        world.clock.call_after(pause, self._write)

    def _write(self) -> None:
        world = self._world
        world.clock.call_after(self._pause * (0.5 + world.random.random()), self._write)
        self._look()
        if not self._announced:
            return
        url = self._announced[world.random.randrange(len(self._announced))]
        self.sent += 1
        key, asked = f"key-{self.sent}", world.token_at(url)

        def answered(answer: Any) -> None:
            if not isinstance(answer, GatewayError):
                self.acknowledged += 1
                token = world.token_at(url) or asked
                world.see(WriteAcknowledged(key=key, token=token))

        self._client.put(url, key, answered)

    def _look(self) -> None:
        """Ask the scheduler for the members that serve, if one answers."""
        scheduler = self._world.scheduler
        model = scheduler.model
        if model is None or scheduler.paused or not model.record.served:
            return
        members = report.members(model, scheduler.now)
        self._announced = tuple(m["clientURL"] for m in members if m["serving"])
