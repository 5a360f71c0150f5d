"""The real controller on a simulated Mesos, etcd and executors: the smallest whole world."""

from __future__ import annotations

from random import Random

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.adapters.record_memory import MemoryPlace, MemoryStore
from etcdmesos.cluster.commands import ProbeMember, ProbeProgress
from etcdmesos.cluster.controller import Controller
from etcdmesos.cluster.events import MemberProbed, ProgressMade
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.settings import Artifacts, Settings
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.ports import Post
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.core_host import CoreHost, Immediate
from etcdmesos.simulation.etcd.client import EtcdClient
from etcdmesos.simulation.etcd.world import EtcdWorld
from etcdmesos.simulation.executor_host import ExecutorHosts
from etcdmesos.simulation.hosts import Hosts
from etcdmesos.simulation.mesos.options import FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.world import SimulatedMesos
from etcdmesos.simulation.network import Network
from etcdmesos.step import Command, CommandFailed, Event, TimerFired

SCHEDULER = "scheduler"
CONTROLLER = Controller()


class EtcdPort:
    """The scheduler's two probes over the simulated network."""

    carries_out: tuple[type, ...] = (ProbeMember, ProbeProgress)

    def __init__(self, network: Network, post: Post[Event]) -> None:
        self._client = EtcdClient(network, SCHEDULER)
        self._post = post

    def submit(self, command: Command, /) -> None:
        if isinstance(command, ProbeMember):
            probe = command

            def probed(answer: MemberHealth | GatewayError) -> None:
                if isinstance(answer, GatewayError):
                    self._post(CommandFailed(command=probe, reason=str(answer)))
                else:
                    self._post(MemberProbed(member=probe.member, health=answer))

            self._client.status(command.client_url, probed)
        elif isinstance(command, ProbeProgress):
            progress = command

            def proved(answer: GatewayError | None) -> None:
                if answer is not None:
                    self._post(CommandFailed(command=progress, reason=str(answer)))
                else:
                    self._post(ProgressMade(member=progress.member))

            self._client.prove_progress(command.client_url, proved)

    def close(self) -> None:
        """Nothing is held open."""


class Together:
    """One cluster's whole world."""

    def __init__(self, seed: int, size: int = 3, agents: int = 5) -> None:
        self.random = Random(seed)
        self.clock = Clock()
        self.network = Network(self.clock, self.random)
        self.hosts = Hosts(self.clock, self.network, self.random)
        for number in range(1, agents + 1):
            self.hosts.add(f"10.0.0.{number}")
        self.network.add_party(SCHEDULER)
        self.etcd = EtcdWorld(self.clock, self.network, self.hosts, self.random)
        self.executors = ExecutorHosts(self.etcd, "3.5.30")
        self.mesos = SimulatedMesos(
            self.clock,
            self.network,
            self.hosts.all(),
            self.random,
            self.executors.start,
            MesosOptions(),
        )
        self.settings = Settings(
            cluster_name="simulated",
            framework_name="etcd-simulated",
            cluster_size=size,
            artifacts=Artifacts(executor_uri="http://s/e", etcd_uri="http://s/b", etcd_sha256="0"),
        )
        self.place = MemoryPlace()
        self.mesos.start()
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """A scheduler process on the record."""
        self.scheduler: CoreHost[Model, Record] = CoreHost(
            self.clock,
            CONTROLLER.step,
            CONTROLLER.start(self.settings),
            Immediate(MemoryStore(self.place)),
        )
        info = FrameworkInfo(name=self.settings.framework_name)
        port = self.mesos.scheduler_port(SCHEDULER, self.scheduler.post, info)
        self.scheduler.attach(port)
        self.scheduler.attach(EtcdPort(self.network, self.scheduler.post))
        self.scheduler.start(TimerFired())

    @property
    def phase(self) -> str:
        return self.scheduler.model.phase

    def until(self, phase: str, within: float) -> bool:
        """Let time pass until the controller is in this phase."""
        return self.clock.run_while(lambda: self.phase != phase, self.clock.now + within)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run_until(self.clock.now + seconds)
