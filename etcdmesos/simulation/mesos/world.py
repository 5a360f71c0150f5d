"""The simulated Mesos as one object: set it up, give schedulers their ports, break and heal it.

Every fault here is something that happens to real ones.  What follows from it is decided in the
daemons, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from etcdmesos.cluster.events import Event
from etcdmesos.ports import Post
from etcdmesos.simulation.channel import Channels
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.errors import ImpossibleWorld
from etcdmesos.simulation.hosts import Host
from etcdmesos.simulation.mesos.agent import Agent, AgentDisk
from etcdmesos.simulation.mesos.containers import Executor, ExecutorFactory
from etcdmesos.simulation.mesos.master import MASTER, Call, Master
from etcdmesos.simulation.mesos.options import FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.records import Registry
from etcdmesos.simulation.mesos.scheduler_port import SchedulerPort
from etcdmesos.simulation.network import Network

__all__ = ["SimulatedMesos"]


class SimulatedMesos:
    """A master at the party "master" and an agent on each of `hosts`, named as its host is."""

    def __init__(
        self,
        clock: Clock,
        network: Network,
        hosts: Sequence[Host],
        random: Random,
        factory: ExecutorFactory,
        options: MesosOptions | None = None,
    ) -> None:
        """`factory` starts what runs in a container."""
        self.options = options or MesosOptions()
        if len(hosts) > len(self.options.agents):
            raise ImpossibleWorld(f"{len(hosts)} hosts, {len(self.options.agents)} agents")
        self.on_call: Callable[[Call], None] | None = None
        """Told of every scheduler call that a master carries out."""
        self.channels = Channels(network)
        self.registry = Registry()
        self.disks = {
            host.name: AgentDisk(host, spec)
            for host, spec in zip(hosts, self.options.agents, strict=False)
        }
        self._clock = clock
        self._network = network
        self._random = random
        self._factory = factory
        network.add_party(MASTER[0])
        self.master = self._new_master()

    def start(self) -> None:
        """Start the master and all agents."""
        self.master.start(recovery=0.0)
        for name in self.disks:
            self.start_agent(name)

    def scheduler_port(
        self, party: str, post: Post[Event], info: FrameworkInfo | None = None
    ) -> SchedulerPort:
        """A CommandPort for a scheduler process on `party`; `close` it when the process ends."""
        return SchedulerPort(self.channels, party, post, info or FrameworkInfo())

    # Looking

    @property
    def agents(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(self.disks)

    def daemon(self, agent: str) -> Agent | None:
        """The daemon that runs there, if any."""
        return self.disks[agent].daemon

    def agent_id(self, agent: str) -> str:
        """The id last given to the agent, "" if none."""
        return self.disks[agent].agent_id

    def executors(self) -> tuple[Executor, ...]:
        """Every executor whose process lives, whoever knows of it."""
        return tuple(
            executor
            for disk in self.disks.values()
            for executor in (*disk.executors.values(), *disk.ended)
            if executor.process is not None and executor.process.running
        )

    def executor(self, task_id: str) -> Executor | None:
        """The living executor that was given this task."""
        for executor in self.executors():
            if executor.first.id == task_id or task_id in executor.launched:
                return executor
        return None

    def check(self) -> None:
        """Raise ImpossibleWorld if this Mesos could not exist."""
        books = self.master.books
        for agent in books.agents.values():
            free = books.available(agent)
            if min(free.cpus, free.memory, free.disk) < 0:
                raise ImpossibleWorld(f"more of {agent.id} is lent out than it has: {free}")
            if agent.id in (*self.registry.gone, *self.registry.unreachable, *books.recovered):
                raise ImpossibleWorld(f"{agent.id} is registered and is not")
        for framework in books.frameworks.values():
            for task_id in framework.unreachable:
                if books.find_task(framework.id, task_id) is not None:
                    raise ImpossibleWorld(f"{task_id} is reachable and is not")
        for disk in self.disks.values():
            for executor in (*disk.executors.values(), *disk.ended):
                runs = executor.process is not None and executor.process.running
                if runs and not disk.host.up:
                    raise ImpossibleWorld(f"{executor.container_id} runs without power")
                if runs and not executor.alive:
                    raise ImpossibleWorld(f"{executor.container_id} runs and was reaped")

    # The master

    def _new_master(self) -> Master:
        return Master(self._network, self._random, self.options, self.registry, self._called)

    def _called(self, call: Call) -> None:
        if self.on_call is not None:
            self.on_call(call)

    def kill_master(self) -> None:
        """SIGKILL of the leading master; nobody leads until `start_master`."""
        self.master.kill()

    def start_master(self, agents_after: float = 0.0) -> None:
        """Another master leads; no agent tries it before `agents_after` seconds have passed."""
        if self.master.running:
            return
        self.master = self._new_master()
        self.master.start(recovery=self.options.recovery)
        for disk in self.disks.values():
            if disk.daemon is not None and agents_after:
                disk.daemon.do(disk.daemon.hold_off, agents_after * self._random.random())

    def fail_over(self, down: float = 5.0, agents_after: float = 0.0) -> None:
        """SIGKILL of the leading master; another one leads `down` seconds later."""
        self.kill_master()
        self._clock.call_after(down, self.start_master, agents_after)

    def pause_master(self) -> None:
        """SIGSTOP."""
        self.master.pause()

    def resume_master(self) -> None:
        """SIGCONT."""
        self.master.resume()

    def rescind_offers(self, agent: str = "") -> int:
        """Take back all offers, or those of one agent; how many there were."""
        books = self.master.books
        offers = books.offers_of(agent_id=self.agent_id(agent) if agent else "")
        if agent and not self.agent_id(agent):
            return 0
        for offer in offers:
            self.master.allocation.take_back(offer, rescind=True)
        return len(offers)

    # Agents

    def start_agent(self, agent: str) -> None:
        """Start the daemon, if it does not run and its host has power."""
        disk = self.disks[agent]
        if disk.daemon is None and disk.host.up:
            Agent(self.channels, disk, self._random, self.options, self._factory).start()

    def kill_agent(self, agent: str) -> None:
        """SIGKILL of the daemon; executors live on."""
        daemon = self.daemon(agent)
        if daemon is not None:
            daemon.kill()

    def restart_agent(self, agent: str, down: float = 0.0) -> None:
        """SIGKILL of the daemon; it starts again after `down` seconds."""
        self.kill_agent(agent)
        self._clock.call_after(down, self.start_agent, agent)

    def pause_agent(self, agent: str) -> None:
        """SIGSTOP of the daemon."""
        daemon = self.daemon(agent)
        if daemon is not None:
            daemon.pause()

    def resume_agent(self, agent: str) -> None:
        """SIGCONT of the daemon."""
        daemon = self.daemon(agent)
        if daemon is not None:
            daemon.resume()

    def unregister_agent(self, agent: str) -> None:
        """SIGUSR1: the agent says good-bye, ends all executors and itself; back as a new one."""
        daemon = self.daemon(agent)
        if daemon is not None:
            daemon.do(daemon.unregister)

    def mark_agent_gone(self, agent: str) -> None:
        """The operator says that the agent never comes back.

        Raises ImpossibleWorld while the host has power: operators must not lie.
        """
        disk = self.disks[agent]
        if disk.host.up:
            raise ImpossibleWorld(f"{agent} is said to be gone, and has power")
        if not self.master.running or disk.agent_id in ("", *self.registry.gone):
            return
        self.master.do(self.master.membership.mark_gone, disk.agent_id)

    def power_off(self, agent: str) -> None:
        """The host loses power: everything on it ends; the disk keeps what was durable."""
        self.disks[agent].host.power_off()

    def power_on(self, agent: str, *, new_id: bool = False) -> None:
        """The host is back, its agent with the old id or, if its own data were lost, a new one."""
        disk = self.disks[agent]
        if disk.host.up:
            return
        # After a reboot the agent recovers its id, and none of its executors.
        for executor in disk.executors.values():
            disk.ended.append(executor)
        disk.executors.clear()
        disk.streams.clear()
        # To bring back a machine that was said to be gone, one has to wipe the agent's data.
        if new_id or disk.agent_id in self.registry.gone:
            disk.agent_id = ""
        disk.host.power_on()
        self.start_agent(agent)

    def repeat_update(self, agent: str, task_id: str) -> bool:
        """The agent sends an unacknowledged update once more; whether there is one."""
        daemon = self.daemon(agent)
        return daemon is not None and daemon.updates.repeat(task_id)

    # Executors

    def fail_next_launch(self, agent: str, count: int = 1) -> None:
        """The next containers there will not start: what they fetch can't be had."""
        self.disks[agent].launches_to_fail = count

    def kill_executor(self, task_id: str) -> bool:
        """SIGKILL of the executor's process, and so of all it started; whether there was one."""
        executor = self.executor(task_id)
        if executor is None or executor.process is None:
            return False
        executor.process.kill()
        return True

    def collect_sandboxes(self, agent: str) -> int:
        """The agent deletes the sandboxes of executors that have ended; how many."""
        disk = self.disks[agent]
        over = [one for one in disk.ended if one.process is None or not one.process.running]
        for executor in over:
            for path in disk.host.disk.paths:
                if path.startswith(executor.sandbox + "/"):
                    disk.host.disk.delete(path)
            disk.ended.remove(executor)
        return len(over)
