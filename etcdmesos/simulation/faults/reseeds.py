"""Faults that meet a reseed while it is under way, and the operator who asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos import orders
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.simulation.faults.base import Fault, chosen
from etcdmesos.simulation.faults.hits import HITS, at_order, hit
from etcdmesos.simulation.faults.majorities import hosts, kill_a_majority, long_enough, majority
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

A_MOMENT = 0.05
"""Seconds in which what is let go of arrives at the master."""
ORDERS = (orders.TakeSnapshot, orders.Hold, orders.MeasureCopy, orders.Seed, orders.Release)


@frozen(kw_only=True)
class HitAtOrder(Fault):
    """A majority is killed; when an order of a reseed goes out, whom it is for dies, or its etcd,
    or its agent, or the scheduler; or its disk is full from then on."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        kind, delay = ORDERS[self.pick % len(ORDERS)], self.pick // 5 % 8 / 10
        what = HITS[self.pick // 40 % len(HITS)]
        kill_a_majority(world, self.pick, 0.0, leave=2)

        def happen(order: orders.Order) -> None:
            world.clock.call_after(delay, hit, world, what, order.task_id, self.seconds)

        at_order(world, kind, happen)


@frozen(kw_only=True)
class OldQuorumReturns(Fault):
    """Members of a majority can't be reached until an order of a reseed goes out; then they can."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and len(hosts(world)) > 2

    def inject(self, world: World) -> None:
        network = world.network
        away = majority(hosts(world), self.pick)
        others = [p for p in network.parties if p not in away]
        apart = self.pick % 2 == 0
        pairs = [(one, other) for one in away for other in others]
        pairs += [(a, b) for a in away for b in away if a < b] if apart else []
        for pair in pairs:
            network.cut(*pair)

        def undo() -> None:
            for pair in pairs:
                network.heal(*pair)

        after = self.pick // 8 % 20 / 10
        kind = ORDERS[self.pick // 2 % 4]
        at_order(world, kind, lambda _: world.clock.call_after(after, undo))
        world.undo_after(2 * long_enough(world, self.pick, self.seconds), undo)


@frozen(kw_only=True)
class OrdersLost(Fault):
    """Framework messages get lost, come late, or come twice, in both directions."""

    def available(self, world: World) -> bool:
        return world.mesos.registry.message_fate is None

    def inject(self, world: World) -> None:
        random, registry = world.random, world.mesos.registry

        def fate() -> Sequence[float]:
            drawn = random.random()
            if drawn < 0.25:
                return ()
            if drawn < 0.5:
                return (random.uniform(0.0, 20.0),)
            return (0.0, random.uniform(0.0, 60.0)) if drawn < 0.75 else (0.0,)

        def undo() -> None:
            registry.message_fate = None

        registry.message_fate = fate
        world.undo_after(self.seconds * 8, undo)


@frozen(kw_only=True)
class OrderOvertaken(Fault):
    """A majority is killed; the first order that goes out is under way for so long that the orders
    of a later scheduler come before it, as the one that gave it dies."""

    def available(self, world: World) -> bool:
        return (
            world.mesos.registry.message_fate is None
            and world.scheduler.running
            and len(world.executors.running) > 2
        )

    def inject(self, world: World) -> None:
        registry = world.mesos.registry
        late = world.options.session_timeout + 5.0 + self.pick % 30
        kill_a_majority(world, self.pick, 0.0, leave=2)

        def overtake() -> None:
            registry.message_fate = None
            world.scheduler.kill()

        def act(command: Command) -> bool:
            if world.healed:
                return True
            if not isinstance(command, SendMessage) or registry.message_fate is not None:
                return False
            registry.message_fate = lambda: (late,)
            world.clock.call_after(A_MOMENT, overtake)
            return True

        world.scheduler.watch(act)


@frozen(kw_only=True)
class OperatorReseeds(Fault):
    """The operator posts /reseed, whether that is called for or not, for a member or for none."""

    def available(self, world: World) -> bool:
        return world.scheduler.model is not None

    def inject(self, world: World) -> None:
        model = world.scheduler.model
        names = [m.name for m in model.record.members] if model is not None else []
        named = chosen(names, self.pick // 2) if names and self.pick % 2 else ""
        world.operator.reseed(named)
