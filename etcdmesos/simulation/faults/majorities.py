"""Faults that take the quorum away, and those that hit whoever is left.

What meets a reseed while it is under way is in `reseeds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from etcdmesos.simulation.faults.base import Fault, chosen

if TYPE_CHECKING:
    from etcdmesos.simulation.executor_host import ExecutorHost
    from etcdmesos.simulation.world import World

T = TypeVar("T")


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
        kill_a_majority(world, self.pick, 0.0 if self.pick % 2 else self.seconds)

    def _while_one_is_behind(self, world: World, running: list[ExecutorHost]) -> None:
        behind = chosen(running, self.pick)
        host, others = behind.container.host.name, world.mesos.agents
        away = [(host, other) for other in others if other != host]
        for pair in away:
            world.network.cut(*pair)

        def kill() -> None:
            for pair in away:
                world.network.heal(*pair)
            # Whoever leads would have it catch up.
            followers = [one for one in running if one is not behind and not _leads(one)]
            spared = [chosen(followers, self.pick)] if followers else []
            for one in () if world.healed else running:
                if one is not behind and one not in spared:
                    one.kill()

        # Long enough for a few writes.
        world.undo_after(3 * world.options.write_pause, kill)


def _leads(executor: ExecutorHost) -> bool:
    process = executor.etcd
    return process is not None and process.serving_peers and process.raft.leadership is not None


@frozen(kw_only=True)
class MajorityLosesPower(Fault):
    """The hosts of a majority lose power, and get it back late; or come back as new agents."""

    def available(self, world: World) -> bool:
        return len(hosts(world)) > 2

    def inject(self, world: World) -> None:
        new_id = self.pick % 3 == 0
        lost = majority(hosts(world), self.pick)
        for agent in lost:
            world.mesos.power_off(agent)
            if new_id:
                world.mesos.mark_agent_gone(agent)

        def undo() -> None:
            for agent in lost:
                world.mesos.power_on(agent, new_id=new_id)

        world.undo_after(long_enough(world, self.pick, self.seconds), undo)


@frozen(kw_only=True)
class MajorityCutOff(Fault):
    """A majority's hosts reach each other and nobody else, and go on serving; they come back when
    Mesos has given them up and a reseed may have taken their place."""

    def available(self, world: World) -> bool:
        return len(hosts(world)) > 2

    def inject(self, world: World) -> None:
        network = world.network
        away = majority(hosts(world), self.pick)
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

        world.undo_after(long_enough(world, self.pick, self.seconds), undo)


@frozen(kw_only=True)
class TimeOutInterrupted(Fault):
    """A majority can't be reached for nearly as long as a reseed waits, twice; in between it is
    back for a moment, or the master fails over."""

    def available(self, world: World) -> bool:
        return len(hosts(world)) > 2 and world.mesos.master.running

    def inject(self, world: World) -> None:
        network, clock = world.network, world.clock
        away = majority(hosts(world), self.pick)
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

        world.undo_after(long_enough(world, self.pick, self.seconds), undo)


@frozen(kw_only=True)
class SurvivorStandsStill(Fault):
    """A majority is killed; the etcd or the executor of a survivor is stopped through what comes of
    it, and goes on later."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        survivor = chosen(kill_a_majority(world, self.pick, 0.0), self.pick // 3)
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
        left = kill_a_majority(world, self.pick, 0.0)
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
        left = kill_a_majority(world, self.pick, 0.0, leave=2)
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
        for survivor in kill_a_majority(world, self.pick, 0.0):
            if survivor.etcd is not None:
                survivor.etcd.kill()


@frozen(kw_only=True)
class MajorityWithoutEtcd(Fault):
    """The etcds of a majority crash again and again under living executors, and stop doing so."""

    def available(self, world: World) -> bool:
        return len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        running = majority(list(world.executors.running), self.pick)
        until = world.clock.now + self.seconds

        def kill() -> None:
            for executor in running:
                if executor.etcd is not None:
                    executor.etcd.kill()
            if world.clock.now < until and not world.healed:
                world.clock.call_after(2.0, kill)

        kill()


def kill_a_majority(
    world: World, pick: int, within: float, *, leave: int = 1
) -> list[ExecutorHost]:
    """Kill a majority, or all but `leave`; who is left."""
    running = list(world.executors.running)
    fallen = majority(running, pick, leave)
    for number, executor in enumerate(fallen):
        world.clock.call_after(within * number / len(fallen), executor.kill)
    return [one for one in running if one not in fallen]


def majority(of: list[T], pick: int, leave: int = 1) -> list[T]:
    """More than half of them, in turn; sometimes all but `leave`, if that is more."""
    least = len(of) // 2 + 1
    count = least if pick // 7 % 2 else max(least, len(of) - leave)
    return [of[(pick // 14 + number) % len(of)] for number in range(count)]


def hosts(world: World) -> list[str]:
    """Hosts that are up and run a member."""
    found: dict[str, None] = {}
    for executor in world.executors.running:
        found[executor.container.host.name] = None
    return list(found)


def long_enough(world: World, pick: int, seconds: float) -> float:
    """Until Mesos has given an agent up, and mostly until a reseed has taken its place, too."""
    until = 5 * world.options.ping_timeout + seconds
    return until + (world.options.reseed_timeout + 30.0 if pick // 5 % 4 else 0.0)
