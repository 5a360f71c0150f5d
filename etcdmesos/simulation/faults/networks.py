"""Faults of the network: between any two parties, one way or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault, chosen
from etcdmesos.simulation.network import Message

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class WayCut(Fault):
    """Nothing passes between two parties, or only one way."""

    def available(self, world: World) -> bool:
        return len(world.network.parties) > 1

    def inject(self, world: World) -> None:
        network = world.network
        a, b = _two(network.parties, self.pick)
        one_way = self.pick % 3 == 0
        network.cut(a, b, one_way=one_way)
        world.undo_after(self.seconds, lambda: network.heal(a, b, one_way=one_way))


@frozen(kw_only=True)
class PartyIsolated(Fault):
    """One party is cut off from all others."""

    def available(self, world: World) -> bool:
        return len(world.network.parties) > 1

    def inject(self, world: World) -> None:
        network = world.network
        party = chosen(network.parties, self.pick)
        network.isolate(party)
        world.undo_after(self.seconds, lambda: _rejoin(world, (party,)))


@frozen(kw_only=True)
class AgentCutOff(Fault):
    """An agent's host can't reach the master, and reaches all others: etcd goes on unseen."""

    def available(self, world: World) -> bool:
        return bool(world.mesos.agents)

    def inject(self, world: World) -> None:
        _cut_from_master(world, self.pick, self.seconds)


@frozen(kw_only=True)
class AgentUnreachable(Fault):
    """The same for so long that the master gives the agent up; it comes back before its member is
    replaced, or after that."""

    def available(self, world: World) -> bool:
        return bool(world.mesos.agents)

    def inject(self, world: World) -> None:
        given_up = 5 * world.options.ping_timeout
        _cut_from_master(world, self.pick, given_up + self.pick % 120 + self.seconds)


@frozen(kw_only=True)
class AgentsSplit(Fault):
    """The agents' hosts fall into two groups that don't reach each other."""

    def available(self, world: World) -> bool:
        return len(world.mesos.agents) > 1

    def inject(self, world: World) -> None:
        agents = world.mesos.agents
        first = tuple(a for n, a in enumerate(agents) if self.pick >> n & 1)
        second = tuple(a for a in agents if a not in first)
        world.network.partition(first, second)
        world.undo_after(self.seconds, lambda: _rejoin(world, first, second))


@frozen(kw_only=True)
class LinkSlow(Fault):
    """Messages between two parties take a second longer."""

    def available(self, world: World) -> bool:
        return len(world.network.parties) > 1

    def inject(self, world: World) -> None:
        network = world.network
        a, b = _two(network.parties, self.pick)
        network.slow(a, b, 0.1 + self.pick % 20 / 10)
        world.undo_after(self.seconds, lambda: network.slow(a, b, 0.0))


@frozen(kw_only=True)
class MessagesLost(Fault):
    """Some messages get lost or come late, everywhere; connections break with them."""

    def available(self, world: World) -> bool:
        return world.network.fate is None

    def inject(self, world: World) -> None:
        random = world.random

        def fate(message: Message, source: str, target: str) -> float | None:
            if source == target:
                return 0.0
            drawn = random.random()
            # A stream of raft messages loses none without being cut: see the cuts for that.
            if drawn < 0.03 and not (message is Message.PEER and _agents(world, source, target)):
                return None
            return random.uniform(0.0, 3.0) if drawn < 0.1 else 0.0

        def undo() -> None:
            world.network.fate = None

        world.network.fate = fate
        world.undo_after(self.seconds, undo)


@frozen(kw_only=True)
class LateAfterCuts(Fault):
    """What a cut holds back arrives after it, as TCP does it; for as long as it lasts."""

    def available(self, world: World) -> bool:
        return not world.network.late_probability

    def inject(self, world: World) -> None:
        network = world.network
        network.late_probability = 0.5

        def undo() -> None:
            network.late_probability = 0.0

        world.undo_after(self.seconds * 4, undo)


def _agents(world: World, *parties: str) -> bool:
    return all(party in world.mesos.agents for party in parties)


def _two(parties: Sequence[str], pick: int) -> tuple[str, str]:
    a = chosen(parties, pick)
    return a, chosen([p for p in parties if p != a], pick // len(parties))


def _cut_from_master(world: World, pick: int, seconds: float) -> None:
    network, agent = world.network, chosen(world.mesos.agents, pick)
    network.cut(agent, "master")
    world.undo_after(seconds, lambda: network.heal(agent, "master"))


def _rejoin(world: World, *groups: tuple[str, ...]) -> None:
    """Undo what was cut around these groups."""
    for group in groups:
        for party in group:
            for other in world.network.parties:
                if other != party and other not in group:
                    world.network.heal(party, other)
