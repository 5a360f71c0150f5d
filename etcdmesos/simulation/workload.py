"""Clients: they write unique keys through the members that the scheduler announces, and what was
acknowledged is remembered.

They trust `/members` alone, as real ones do, and keep its last answer while no scheduler gives one.
Some are behind, and write through members that are announced no more.
"""

from __future__ import annotations

from random import Random
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
BEHIND = 0.2
"""How many writes go through members of the past, where there are any."""


class Workload:
    """A client that writes now and then."""

    def __init__(self, world: World, pause: float) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._world = world
        self._pause = pause
        self._client = EtcdClient(world.network, PARTY, TIMEOUT)
        self._announced: tuple[str, ...] = ()
        self._known: dict[str, None] = {}
        """All that were ever announced."""
        # Of its own, so that a client that is behind shifts nothing else.
        self._random = Random(f"clients {world.options.seed}")  # noqa: S311 (nothing secret)
        world.network.add_party(PARTY)
        world.clock.call_after(pause, self._write)

    def _write(self) -> None:
        world = self._world
        world.clock.call_after(self._pause * (0.5 + world.random.random()), self._write)
        self._look()
        if not self._announced:
            return
        url = self._announced[world.random.randrange(len(self._announced))]
        gone = [known for known in self._known if known not in self._announced]
        if gone and self._random.random() < BEHIND:
            url = self._random.choice(gone)
        self.sent += 1
        key = f"key-{self.sent}"

        def answered(answer: Any) -> None:
            if not isinstance(answer, GatewayError):
                self.acknowledged += 1
                token, index = world.observer.entry_of(key)
                world.see(WriteAcknowledged(key=key, token=token, revision=answer, index=index))

        self._client.put(url, key, answered)

    def _look(self) -> None:
        """Ask the scheduler for the members that serve, if one answers."""
        scheduler = self._world.scheduler
        model = scheduler.model
        if model is None or scheduler.paused or not model.record.served:
            return
        members = report.members(model, scheduler.now)
        self._announced = tuple(m["clientURL"] for m in members if m["serving"])
        self._known.update(dict.fromkeys(self._announced))
