"""One simulated world: the real scheduler and executors, and everything around them.

Put together here and nowhere else.  A world moves only by its clock, is disturbed only by faults
(`inject`) and whatever happens in it becomes a fact for the oracles (`observer`).  Nothing here
decides like a controller.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from etcdmesos.executor.settings import PROBE_INTERVAL
from etcdmesos.ports import CommandPort, Post
from etcdmesos.simulation.backups.storage import PARTY, Storage
from etcdmesos.simulation.channel import Channels
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.etcd import EtcdWorld
from etcdmesos.simulation.executor_host import ExecutorHosts
from etcdmesos.simulation.facts import Fact
from etcdmesos.simulation.hosts import Hosts
from etcdmesos.simulation.mesos.options import FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.world import SimulatedMesos
from etcdmesos.simulation.narrator import Narrator
from etcdmesos.simulation.neighbour import Neighbour
from etcdmesos.simulation.network import Network
from etcdmesos.simulation.observer import Observer, WatchedExecutor
from etcdmesos.simulation.operator import Operator
from etcdmesos.simulation.options import Cores, Options, real_cores
from etcdmesos.simulation.oracles import Books, Judge, registered
from etcdmesos.simulation.process_clock import ProcessClock
from etcdmesos.simulation.scheduler_host import SchedulerHost
from etcdmesos.simulation.trace import Trace
from etcdmesos.simulation.workload import Workload
from etcdmesos.simulation.zookeeper.client import Client
from etcdmesos.simulation.zookeeper.requests import Create, Transaction
from etcdmesos.simulation.zookeeper.service import ZooKeeper
from etcdmesos.step import Command, Event

if TYPE_CHECKING:
    from etcdmesos.simulation.faults import Fault

__all__ = ["World"]

SCHEDULERS = ("scheduler-a", "scheduler-b")
"""Two machines.  With an election, one runs a standby; without, it stays empty until a fault has
the scheduler replaced while that is only stopped."""

NEIGHBOUR_AHEAD = 5.0
"""Seconds that the other framework, where there is one, has before ours begins."""


class World:
    """Everything, from one seed."""

    def __init__(
        self,
        options: Options,
        cores: Cores | None = None,
        write: Callable[[str], object] | None = None,
    ) -> None:
        """`write` gets the trace, line by line."""
        self.options = options
        self.cores = cores or real_cores()
        self.settings = options.settings()
        self.random = Random(f"world {options.seed}")  # noqa: S311 (nothing secret)
        self.clock = Clock()
        self.trace = Trace(self.clock, write)
        self.narrator = Narrator(self.trace)
        self.books = Books(self.settings)
        self._judge = Judge(self.books, registered())
        self.network = Network(self.clock, self.random)
        self.hosts = Hosts(self.clock, self.network, self.random)
        self.etcd = EtcdWorld(self.clock, self.network, self.hosts, self.random)
        self.operator = Operator(self)
        self.observer = Observer(self)
        self.storage = self._backup_storage()
        """Where backups go; None when none are taken."""
        self.executors = ExecutorHosts(
            self.etcd,
            options.etcd_version,
            probe_interval=max(PROBE_INTERVAL, options.probe_interval),
            controller=WatchedExecutor(self.observer, self.cores),
            watcher=self.observer,
            storage=self.storage,
        )
        agents = [self.hosts.add(f"agent-{n}") for n in range(1, options.agents + 1)]
        self.mesos = SimulatedMesos(
            self.clock,
            self.network,
            agents,
            self.random,
            self.executors.start,
            MesosOptions(
                agents=options.agent_specs(),
                ping_timeout=options.ping_timeout,
            ),
        )
        self.mesos.on_call = self.observer.obeyed
        self.zookeeper = ZooKeeper(self.network, self._apart("zookeeper"), self._written)
        self._connections = Channels(self.network)
        folder = f"/{self.settings.framework_name}"
        self.record_path, self.election_path = f"{folder}/record", f"{folder}/election"
        folders = (Create(folder), Create(self.election_path))
        self.zookeeper.tree.answer(Transaction(folders), session=0)
        self.schedulers = [SchedulerHost(self, self.hosts.add(name)) for name in SCHEDULERS]
        self.schedulers[1].supervised = self.settings.elected
        self.workload = Workload(self, options.write_pause)
        self.neighbour = Neighbour(self) if options.neighbour else None
        self.faults_injected: dict[str, int] = {}
        self.healed = False
        """No fault happens any more."""
        self._undo: dict[int, Callable[[], None]] = {}
        self._undone = 0
        self._processes = 0

    def _backup_storage(self) -> Storage | None:
        if not self.options.backup_interval:
            return None
        self.network.add_party(PARTY)
        random, partial = self._apart("backups"), self.options.backup_partial
        return Storage(
            self.clock,
            self.network,
            random,
            self.observer,
            inherited=self.options.restore_from,
            keeps_partial=partial,
        )

    def _apart(self, what: str) -> Random:
        """Chance of its own, so that how often it is asked shifts nothing else."""
        return Random(f"{what} {self.options.seed}")  # noqa: S311 (nothing secret)

    def start(self) -> None:
        """Start Mesos and the scheduler."""
        self.mesos.start()
        if self.neighbour is not None:
            self.neighbour.start()
            self.run(NEIGHBOUR_AHEAD)
        for scheduler in self.schedulers:
            scheduler.start()
        if self.options.restore_answered:
            self.operator.restore_when_asked()

    # What happens

    def see(self, fact: Fact) -> None:
        """Show a fact to the oracles.  Raises PromiseBroken."""
        self._judge.see(fact)

    def say(self, who: str, what: str) -> None:
        """Write a line of the trace."""
        self.trace.say(who, what)

    @property
    def steps(self) -> int:
        """Steps of all cores, schedulers' and executors'."""
        return sum(one.steps for one in self.schedulers) + self.observer.executor_steps

    @property
    def scheduler(self) -> SchedulerHost:
        """The one in charge: of those that run, the one that took over last."""
        return max(self.schedulers, key=lambda one: (one.running, one.epoch))

    def next_scheduler_process(self) -> int:
        """A number that no other scheduler process has."""
        self._processes += 1
        return self._processes

    def mesos_ports(self, party: str, post: Post[Event]) -> tuple[CommandPort[Command], ...]:
        """What a scheduler process talks to Mesos through."""
        info = FrameworkInfo(name=self.settings.framework_name)
        return (self.mesos.scheduler_port(party, post, info),)

    def zookeeper_client(self, clock: ProcessClock, party: str, process: int) -> Client:
        """What a scheduler process talks to ZooKeeper through."""
        timeout = self.options.session_timeout
        return Client(self.zookeeper, self._connections, clock, party, process, timeout)

    def _written(self, process: int, path: str, data: bytes | None) -> None:
        if path == self.record_path:
            self.observer.stored(process, data)

    def token_at(self, client_url: str) -> str:
        """The token of whoever listens at a client URL; "" for nobody."""
        for process in self.etcd.processes:
            if process.options.client_url == client_url and process.serving_peers:
                return process.options.token
        return ""

    # Time and faults

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run_until(self.clock.now + seconds)

    def inject(self, fault: Fault) -> None:
        """Let a fault happen now, if it can."""
        if not fault.available(self):
            return
        self.faults_injected[fault.name] = self.faults_injected.get(fault.name, 0) + 1
        self.say("fault", repr(fault))
        fault.inject(self)

    def undo_after(self, seconds: float, undo: Callable[[], None]) -> None:
        """Undo a fault in `seconds`, or when everything is healed."""
        self._undone += 1
        number = self._undone

        def now() -> None:
            if self._undo.pop(number, None) is not None:
                undo()

        self._undo[number] = undo
        self.clock.call_after(seconds, now)

    def heal(self) -> None:
        """End all faults: whatever can run, runs, and everybody reaches everybody."""
        self.say("world", "everything is healed")
        self.healed = True
        undo, self._undo = self._undo, {}
        for function in undo.values():
            function()
        self.network.fate = None
        self.network.late_probability = 0.0
        self.network.heal_all()
        self.zookeeper.come_back()
        self.zookeeper.fate, self.zookeeper.stall = None, 0.0
        if self.storage is not None:
            self.storage.heal()
            self.storage.refusing = self.options.backups_lost
        self.mesos.resume_master()
        self.mesos.start_master()
        self.mesos.registry.launches_to_refuse = 0
        self.mesos.registry.message_fate = None
        for agent in self.mesos.agents:
            self.mesos.power_on(agent)
            self.mesos.resume_agent(agent)
            self.mesos.start_agent(agent)
            self.mesos.disks[agent].launches_to_fail = 0
        for host in self.hosts.all():
            host.power_on()
            host.disk.slowness, host.disk.stalled_until, host.disk.full = 1.0, 0.0, False
        for process in tuple(self.etcd.processes):
            process.resume()
        for executor in tuple(self.executors.running):
            executor.core.resume()
        if self.neighbour is not None:
            self.neighbour.tear_down()
        for scheduler in self.schedulers:
            scheduler.resume()
            scheduler.start()
        if self.options.operator:
            self.operator.look_after()

    def check(self) -> None:
        """Raise ImpossibleWorld if this world could not exist."""
        self.etcd.check()
