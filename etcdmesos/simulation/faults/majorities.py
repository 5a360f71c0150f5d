"""Faults that take the quorum away, and those that meet a reseed while it is under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from etcdmesos import orders
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.simulation.faults.base import Fault, chosen
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.executor_host import ExecutorHost
    from etcdmesos.simulation.world import World

T = TypeVar("T")

ORDERS = (orders.TakeSnapshot, orders.Hold, orders.MeasureCopy, orders.Seed, orders.Release)


@frozen(kw_only=True)
class MajorityKilled(Fault):
    """SIGKILL of a majority of the containers, up to all but one: at once, or one by one; in larger
    clusters sometimes while one of several survivors is behind."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        running = list(world.executors.running)
        if len(running) > 4 and self.pick % 3 == 0:
            self._while_one_is_behind(world, running)
            return
        _kill_a_majority(world, self.pick, 0.0 if self.pick % 2 else self.seconds)

    def _while_one_is_behind(self, world: World, running: list[ExecutorHost]) -> None:
        fallen = _majority(running, self.pick, leave=2)
        behind = [one for one in running if one not in fallen][self.pick // 3 % 2]
        host, others = behind.container.host.name, world.mesos.agents
        away = [(host, other) for other in others if other != host]
        for pair in away:
            world.network.cut(*pair)

        def kill() -> None:
            for pair in away:
                world.network.heal(*pair)
            for one in () if world.healed else fallen:
                one.kill()

        # Long enough for a few writes.
        world.undo_after(3 * world.options.write_pause, kill)


@frozen(kw_only=True)
class MajorityLosesPower(Fault):
    """The hosts of a majority lose power, and get it back late; or come back as new agents."""

    def available(self, world: World) -> bool:
        return len(_hosts(world)) > 2

    def inject(self, world: World) -> None:
        new_id = self.pick % 3 == 0
        lost = _majority(_hosts(world), self.pick)
        for agent in lost:
            world.mesos.power_off(agent)
            if new_id:
                world.mesos.mark_agent_gone(agent)

        def undo() -> None:
            for agent in lost:
                world.mesos.power_on(agent, new_id=new_id)

        world.undo_after(_long(world, self.pick, self.seconds), undo)


@frozen(kw_only=True)
class MajorityCutOff(Fault):
    """A majority's hosts reach each other and nobody else, and go on serving; they come back when
    Mesos has given them up and a reseed may have taken their place."""

    def available(self, world: World) -> bool:
        return len(_hosts(world)) > 2

    def inject(self, world: World) -> None:
        network = world.network
        away = _majority(_hosts(world), self.pick)
        clients = self.pick % 2 == 0
        others = [p for p in network.parties if p not in away]
        if clients:
            others.remove("client")
        for one in away:
            for other in others:
                network.cut(one, other)

        def undo() -> None:
            for one in away:
                for other in others:
                    network.heal(one, other)

        world.undo_after(_long(world, self.pick, self.seconds), undo)


@frozen(kw_only=True)
class TimeOutInterrupted(Fault):
    """A majority can't be reached for nearly as long as a reseed waits, twice; in between it is
    back for a moment, or the master fails over."""

    def available(self, world: World) -> bool:
        return len(_hosts(world)) > 2 and world.mesos.master.running

    def inject(self, world: World) -> None:
        network, clock = world.network, world.clock
        away = _majority(_hosts(world), self.pick)
        pairs = [(one, p) for one in away for p in network.parties if p not in away]
        given_up = 6 * world.options.ping_timeout + 2.0
        long = given_up + 0.6 * world.options.reseed_timeout

        def cut() -> None:
            if not world.healed:
                for pair in pairs:
                    network.cut(*pair)

        def heal() -> None:
            for pair in pairs:
                network.heal(*pair)

        def interrupt() -> None:
            if world.healed:
                return
            if self.pick % 2:
                world.mesos.kill_master()
                world.mesos.start_master()
            else:
                heal()
                clock.call_after(10.0 + self.seconds, cut)

        cut()
        clock.call_after(long, interrupt)
        world.undo_after(2 * long + given_up + self.seconds, heal)


@frozen(kw_only=True)
class SchedulerSeesNobody(Fault):
    """The schedulers' hosts reach Mesos and ZooKeeper, and no etcd: nothing is wrong with it."""

    def available(self, world: World) -> bool:
        return bool(world.mesos.agents)

    def inject(self, world: World) -> None:
        network = world.network
        pairs = [(one.host.name, agent) for one in world.schedulers for agent in world.mesos.agents]
        for pair in pairs:
            network.cut(*pair)

        def undo() -> None:
            for pair in pairs:
                network.heal(*pair)

        world.undo_after(_long(world, self.pick, self.seconds), undo)


@frozen(kw_only=True)
class SurvivorStandsStill(Fault):
    """A majority is killed; the etcd or the executor of a survivor is stopped through what comes of
    it, and goes on later."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        survivor = chosen(_kill_a_majority(world, self.pick, 0.0), self.pick // 3)
        etcd = survivor.etcd
        seconds = 10.0 + self.seconds * (1 + self.pick % 5)
        if self.pick % 2 and etcd is not None:
            etcd.pause()
            world.undo_after(seconds, etcd.resume)
        else:
            survivor.core.pause()
            world.undo_after(seconds, survivor.core.resume)


@frozen(kw_only=True)
class SurvivorsDiskFull(Fault):
    """A majority is killed, and a survivor's disk has no room for snapshots and copies for a
    while."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        left = _kill_a_majority(world, self.pick, 0.0)
        disk = chosen(left, self.pick // 3).container.host.disk
        disk.full = True

        def undo() -> None:
            disk.full = False

        world.undo_after(5.0 + self.seconds * 2, undo)


@frozen(kw_only=True)
class SurvivorsDataDamaged(Fault):
    """A majority is killed, and what a survivor's disk returns is rubbish from now on."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        left = _kill_a_majority(world, self.pick, 0.0, leave=2)
        etcd = chosen(left, self.pick // 3).etcd
        if etcd is not None and etcd.directory is not None:
            etcd.directory.damaged = True
            if self.pick % 2:
                etcd.kill()


@frozen(kw_only=True)
class MajorityLostInPlace(Fault):
    """A majority is killed, and then every etcd that is left: survivors are started again in place
    without a quorum, and answer nothing."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        for survivor in _kill_a_majority(world, self.pick, 0.0):
            if survivor.etcd is not None:
                survivor.etcd.kill()


@frozen(kw_only=True)
class MajorityWithoutEtcd(Fault):
    """The etcds of a majority crash again and again under living executors, and stop doing so."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        running = _majority(list(world.executors.running), self.pick)
        until = world.clock.now + self.seconds

        def kill() -> None:
            for executor in running:
                if executor.etcd is not None:
                    executor.etcd.kill()
            if world.clock.now < until and not world.healed:
                world.clock.call_after(2.0, kill)

        kill()


@frozen(kw_only=True)
class HitAtOrder(Fault):
    """A majority is killed; when an order of a reseed goes out, whom it is for dies, or its etcd,
    or its agent, or the scheduler; or its disk is full from then on."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        kind, delay = ORDERS[self.pick % len(ORDERS)], self.pick // 5 % 8 / 10
        _kill_a_majority(world, self.pick, 0.0, leave=2)

        def act(command: Command) -> bool:
            if world.healed:
                return True
            order = orders.decode(command.data) if isinstance(command, SendMessage) else None
            if not isinstance(order, kind):
                return False
            world.clock.call_after(delay, self._hit, world, order.task_id)
            return True

        world.scheduler.watch(act)

    def _hit(self, world: World, task_id: str) -> None:
        executor = world.executors.with_task(task_id)
        what = self.pick // 40 % 6
        if what == 0:
            world.scheduler.kill()
        elif executor is None:
            return
        elif what == 1:
            executor.kill()
        elif what == 2 and executor.etcd is not None:
            executor.etcd.kill()
        elif what == 3:
            executor.core.pause()
            world.undo_after(self.seconds, executor.core.resume)
        elif what == 4:
            disk = executor.container.host.disk
            disk.full = True
            world.undo_after(self.seconds, lambda: setattr(disk, "full", False))
        else:
            agent = executor.container.host.name
            world.mesos.kill_agent(agent)
            world.undo_after(self.seconds, lambda: world.mesos.start_agent(agent))


@frozen(kw_only=True)
class OldQuorumReturns(Fault):
    """Members of a majority can't be reached until an order of a reseed goes out; then they can."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and len(_hosts(world)) > 2

    def inject(self, world: World) -> None:
        network = world.network
        away = _majority(_hosts(world), self.pick)
        others = [p for p in network.parties if p not in away]
        apart = self.pick % 2 == 0
        pairs = [(one, other) for one in away for other in others]
        pairs += [(a, b) for a in away for b in away if a < b] if apart else []
        for pair in pairs:
            network.cut(*pair)

        def undo() -> None:
            for pair in pairs:
                network.heal(*pair)

        kind = ORDERS[self.pick // 2 % 4]

        def act(command: Command) -> bool:
            if world.healed:
                return True
            order = orders.decode(command.data) if isinstance(command, SendMessage) else None
            if not isinstance(order, kind):
                return False
            world.clock.call_after(self.pick // 8 % 20 / 10, undo)
            return True

        world.scheduler.watch(act)
        world.undo_after(2 * _long(world, self.pick, self.seconds), undo)


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
class OperatorReseeds(Fault):
    """The operator posts /reseed, whether that is called for or not, for a member or for none."""

    def available(self, world: World) -> bool:
        return world.scheduler.model is not None

    def inject(self, world: World) -> None:
        model = world.scheduler.model
        names = [m.name for m in model.record.members] if model is not None else []
        named = chosen(names, self.pick // 2) if names and self.pick % 2 else ""
        world.operator.reseed(named)


def _kill_a_majority(
    world: World, pick: int, within: float, *, leave: int = 1
) -> list[ExecutorHost]:
    """Kill a majority, or all but `leave`; who is left."""
    running = list(world.executors.running)
    fallen = _majority(running, pick, leave)
    for number, executor in enumerate(fallen):
        world.clock.call_after(within * number / len(fallen), executor.kill)
    return [one for one in running if one not in fallen]


def _majority(of: list[T], pick: int, leave: int = 1) -> list[T]:
    """More than half of them, in turn; sometimes all but `leave`, if that is more."""
    least = len(of) // 2 + 1
    count = least if pick // 7 % 2 else max(least, len(of) - leave)
    return [of[(pick // 14 + number) % len(of)] for number in range(count)]


def _hosts(world: World) -> list[str]:
    """Hosts that are up and run a member."""
    found: dict[str, None] = {}
    for executor in world.executors.running:
        found[executor.container.host.name] = None
    return list(found)


def _long(world: World, pick: int, seconds: float) -> float:
    """Until Mesos has given an agent up, and mostly until a reseed has taken its place, too."""
    until = 5 * world.options.ping_timeout + seconds
    return until + (world.options.reseed_timeout + 30.0 if pick // 5 % 4 else 0.0)
