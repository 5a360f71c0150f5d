"""Faults that hurt by coming together: each does what single ones do, at the worst moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.cluster.commands import AddLearner
from etcdmesos.simulation.faults.base import Fault, chosen
from etcdmesos.simulation.faults.members import CHANGES, votes
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd import EtcdProcess
    from etcdmesos.simulation.scheduler_host import SchedulerHost
    from etcdmesos.simulation.world import World


@frozen(kw_only=True)
class VoterDiesAtChange(Fault):
    """Right when a change of the member list is asked for, another member dies for good."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and len(world.executors.running) > 2

    def inject(self, world: World) -> None:
        kinds = (AddLearner,) if self.pick % 2 else CHANGES
        left = self.pick // 2 % 3
        delay = self.pick // 6 % 5 / 20

        def act(command: Command) -> bool:
            nonlocal left
            if world.healed:
                return True
            if not isinstance(command, kinds):
                return False
            left -= 1
            if left < 0:
                world.clock.call_after(delay, self._kill, world, command.member)
            return left < 0

        world.scheduler.watch(act)

    def _kill(self, world: World, changed: str) -> None:
        voters = [
            one
            for one in world.executors.running
            if one.etcd is not None and votes(one.etcd) and one.etcd.options.name != changed
        ]
        if voters:
            chosen(voters, self.pick).kill()


@frozen(kw_only=True)
class TwoFailDifferently(Fault):
    """One agent is cut off from the master, and its etcd serves on unseen; shortly before it is
    late, the etcd of another one stands still."""

    def available(self, world: World) -> bool:
        return len(_voters(world)) > 2

    def inject(self, world: World) -> None:
        voters = _voters(world)
        unseen = chosen(voters, self.pick)
        other = chosen([one for one in voters if one is not unseen], self.pick // 7)
        network, agent = world.network, unseen.host.name
        late = 5 * world.options.ping_timeout + world.settings.member_timeout
        network.cut(agent, "master")
        world.undo_after(late + 60.0, lambda: network.heal(agent, "master"))

        def stop() -> None:
            if not world.healed:
                other.pause()
                world.undo_after(50.0, other.resume)

        world.clock.call_after(late - self.pick // 49 % 40, stop)


@frozen(kw_only=True)
class TakeoverContested(Fault):
    """The scheduler dies; the next one is stopped right when it claims its epoch, its write is
    lost, and it goes on when yet another one has taken over."""

    def available(self, world: World) -> bool:
        return world.scheduler.running and all(one.host.up for one in world.schedulers)

    def inject(self, world: World) -> None:
        first, second = world.schedulers

        def contest(claims: SchedulerHost, other: SchedulerHost) -> None:
            for one in world.schedulers:
                one.at_claim(None)
            if world.healed:
                return
            world.clock.call_after(0.0, self._contest, world, claims, other)

        first.at_claim(lambda: contest(first, second))
        second.at_claim(lambda: contest(second, first))
        world.scheduler.kill()

    def _contest(self, world: World, claims: SchedulerHost, other: SchedulerHost) -> None:
        claims.pause()
        world.zookeeper.expire_sessions_of(claims.process)
        if not world.settings.elected:
            claims.supervised, other.supervised = False, True
        other.start()
        world.undo_after(2.0 + self.seconds, claims.resume)


def _voters(world: World) -> list[EtcdProcess]:
    return [one for one in world.etcd.processes if one.ready and not one.paused and votes(one)]
