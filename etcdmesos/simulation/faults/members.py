"""Faults of membership: what the replacement of a member meets, and what others do to the list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from etcdmesos.cluster.commands import AddLearner, PromoteLearner, RemoveMember
from etcdmesos.simulation.faults.base import Fault, chosen
from etcdmesos.simulation.network import Exchange, Message, address_of
from etcdmesos.step import Command

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd import EtcdProcess
    from etcdmesos.simulation.executor_host import ExecutorHost
    from etcdmesos.simulation.world import World

CHANGES = (AddLearner, PromoteLearner, RemoveMember)
CUT_FOR = 6.0
"""Seconds, longer than anybody waits for an answer."""
LOOKS_EVERY = 0.1
"""Seconds between two looks for somebody who joins."""
HANGS = 12.0
"""Seconds, longer than an executor waits for its agent's answer."""


@frozen(kw_only=True)
class DataDestroyed(Fault):
    """Somebody deletes a member's data directory, and its etcd does not survive that."""

    def available(self, world: World) -> bool:
        return bool(_ready(world))

    def inject(self, world: World) -> None:
        process = chosen(_ready(world), self.pick)
        process.host.disk.delete(process.options.data_directory)
        process.kill()


@frozen(kw_only=True)
class MemberAddedByHand(Fault):
    """An operator adds a member and never starts it."""

    def available(self, world: World) -> bool:
        return bool(_ready(world))

    def inject(self, world: World) -> None:
        through = chosen(_ready(world), self.pick)
        agent = chosen(world.mesos.agents, self.pick // 7)
        # One voter that never starts would be the end of a cluster of one.
        several = len(through.raft.state.voters) > 2
        url = f"http://{agent}:{20000 + self.pick % 1000}"
        world.operator.add(through, url, learner=not several or self.pick % 2 == 0)


@frozen(kw_only=True)
class MemberRemovedByHand(Fault):
    """An operator removes a member; etcd itself refuses if that is unsafe."""

    def available(self, world: World) -> bool:
        return any(len(p.raft.state.voters) > 2 for p in _ready(world))

    def inject(self, world: World) -> None:
        through = chosen(_ready(world), self.pick)
        members = sorted(through.raft.state.members)
        world.operator.remove(through, chosen(members, self.pick // 7))


@frozen(kw_only=True)
class JoinerKilled(Fault):
    """Whoever joins next is killed while it does: its executor and its etcd."""

    def available(self, world: World) -> bool:
        return bool(world.executors.running)

    def inject(self, world: World) -> None:
        delay = self.pick % 8 / 10

        def kill(joiner: ExecutorHost) -> None:
            world.clock.call_after(delay, joiner.kill)

        _when_somebody_joins(world, self.seconds, kill)


@frozen(kw_only=True)
class JoinerLosesItsAgent(Fault):
    """The agent's daemon of whoever joins next is killed while it does, and started again later:
    what the executor has to say of it must wait.  Or it hangs before that: what it is told is lost
    with it, and nobody gets an answer."""

    def available(self, world: World) -> bool:
        return bool(world.executors.running)

    def inject(self, world: World) -> None:
        def lose(joiner: ExecutorHost) -> None:
            if joiner.etcd is None:
                return
            mesos, agent = world.mesos, joiner.etcd.host.name
            if self.pick % 2:
                mesos.pause_agent(agent)
                world.undo_after(HANGS + self.seconds, lambda: mesos.restart_agent(agent))
            else:
                mesos.kill_agent(agent)
                world.undo_after(1.0 + self.seconds, lambda: mesos.start_agent(agent))

        _when_somebody_joins(world, self.seconds, lose)


@frozen(kw_only=True)
class JoinerStalls(Fault):
    """The etcd of whoever joins next is stopped while it does, and goes on much later."""

    def available(self, world: World) -> bool:
        return bool(world.executors.running)

    def inject(self, world: World) -> None:
        def stall(joiner: ExecutorHost) -> None:
            process = joiner.etcd
            if process is not None:
                process.pause()
                world.undo_after(self.seconds * 10, process.resume)

        _when_somebody_joins(world, self.seconds, stall)


@frozen(kw_only=True)
class AnswersLost(Fault):
    """Many answers of etcd's members never reach the scheduler: what was asked is done, or not."""

    def available(self, world: World) -> bool:
        return world.network.fate is None

    def inject(self, world: World) -> None:
        random, agents = world.random, world.mesos.agents
        schedulers = [one.host.name for one in world.schedulers]

        def fate(message: Message, source: str, target: str) -> float | None:
            if message is Message.REPLY and source in agents and target in schedulers:
                return None if random.random() < 0.4 else 0.0
            if message is Message.REQUEST and source in schedulers and target in agents:
                return None if random.random() < 0.1 else 0.0
            return 0.0

        def undo() -> None:
            world.network.fate = None

        world.network.fate = fate
        world.undo_after(self.seconds, undo)


@frozen(kw_only=True)
class CutAtChange(Fault):
    """The way between scheduler and etcd often breaks right when a change of the member list is
    asked for: the request gets lost, or the answer to it."""

    def available(self, world: World) -> bool:
        return world.scheduler.running

    def inject(self, world: World) -> None:
        def act(command: Command) -> bool:
            if world.healed:
                return True
            if isinstance(command, CHANGES) and world.random.random() < 0.5:
                # Once it is on its way: what never left is known not to be done.
                world.clock.call_after(0.0, self._cut, world, address_of(command.client_url)[0])
            return False

        world.scheduler.watch(act)

    def _cut(self, world: World, agent: str) -> None:
        network, scheduler = world.network, world.scheduler.host.name
        answer_only = world.random.random() < 0.7
        network.cut(agent, scheduler, one_way=answer_only)
        world.undo_after(CUT_FOR, lambda: network.heal(agent, scheduler, one_way=answer_only))


@frozen(kw_only=True)
class PortTaken(Fault):
    """Another program listens where the next member on an agent is to listen."""

    def available(self, world: World) -> bool:
        return bool(world.mesos.agents)

    def inject(self, world: World) -> None:
        agent, network = chosen(world.mesos.agents, self.pick), world.network
        first, last = world.mesos.disks[agent].spec.ports
        port = next(p for p in range(first, last + 1) if network.listener(agent, p) is None)
        stranger = _Stranger()
        network.listen(agent, port, stranger)
        world.undo_after(self.seconds * 4, lambda: network.unlisten(agent, port, stranger))


class _Stranger:
    """A program that understands nothing of what is said to it."""

    def receive(self, _request: object, exchange: Exchange) -> None:
        """Hang up."""
        exchange.reset()


def _ready(world: World) -> list[EtcdProcess]:
    return [p for p in world.etcd.processes if p.ready and not p.paused]


def _when_somebody_joins(world: World, seconds: float, act: Callable[[ExecutorHost], None]) -> None:
    """Call `act` once with the next executor of a member that does not vote yet."""
    wanted = True

    def look() -> None:
        nonlocal wanted
        if not wanted:
            return
        joiner = next((one for one in world.executors.running if _joins(one)), None)
        if joiner is None:
            world.clock.call_after(LOOKS_EVERY, look)
        else:
            wanted = False
            act(joiner)

    def forget() -> None:
        nonlocal wanted
        wanted = False

    world.undo_after(60.0 + seconds * 10, forget)
    look()


def _joins(one: ExecutorHost) -> bool:
    etcd = one.etcd
    return etcd is not None and etcd.options.initial_cluster_state == "existing" and not votes(etcd)


def votes(etcd: EtcdProcess) -> bool:
    """Whether it runs and is a voter, as far as it knows itself."""
    return etcd.serving_peers and etcd.member_id in etcd.raft.state.voters
