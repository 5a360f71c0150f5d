"""The real executor's core in a simulated container: its process, its ports, its sandbox.

What runs here is `etcdmesos.executor.controller`; the ports do what `adapters.mesos_executor`,
`process`, `member_probe` and `sandbox_record` do; that of `reseed` is in `executor_reseed`.  No
decision of the executor's is made here.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.errors import StoreError
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.executor.commands import AskPeers, Prepare, ProbeMember, SignalEtcd, StartEtcd
from etcdmesos.executor.controller import Controller
from etcdmesos.executor.events import (
    EtcdExited,
    EtcdPrepared,
    EtcdStarted,
    MemberProbed,
    PeerAnswer,
    PeersAnswered,
)
from etcdmesos.executor.model import ExecutorRecord, Model
from etcdmesos.executor.settings import PROBE_INTERVAL, Settings
from etcdmesos.ports import Post
from etcdmesos.simulation.backups.storage import Storage
from etcdmesos.simulation.backups.upload import UploadPort
from etcdmesos.simulation.core_host import CoreHost
from etcdmesos.simulation.etcd.client import EtcdClient
from etcdmesos.simulation.etcd.data_directory import DataDirectory
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.etcd.options import EtcdOptions
from etcdmesos.simulation.etcd.process import EtcdProcess
from etcdmesos.simulation.etcd.world import EtcdWorld
from etcdmesos.simulation.executor_reseed import ReseedPort, Watcher
from etcdmesos.simulation.hosts import Disk, Host
from etcdmesos.simulation.mesos.containers import Container
from etcdmesos.simulation.mesos.executor_port import ExecutorPort
from etcdmesos.simulation.network import address_of
from etcdmesos.step import Command, CommandDone, CommandFailed, Event, Step, TimerFired

__all__ = ["ExecutorHost", "ExecutorHosts"]

RECORD_FILE = "executor.json"
PROBE_WITHIN = 2.0
PEERS_WITHIN = 2.0
_PREPARATION = (0.01, 0.05)
"""Seconds that `etcd --version` takes, between these."""
_FORK = 0.002
_SIGKILL = 9
_SIGTERM = 15


@define(eq=False)
class _RecordOnDisk:
    record: ExecutorRecord

    def copy(self) -> _RecordOnDisk:
        return _RecordOnDisk(self.record)


class _SandboxStore:
    """The record in the sandbox; a save takes as long as two fsyncs."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path

    def load(self, done: Callable[[ExecutorRecord | StoreError | None], None], /) -> None:
        kept = self._disk.read(self._path)
        done(kept.record if isinstance(kept, _RecordOnDisk) else None)

    def save(self, record: ExecutorRecord, done: Callable[[StoreError | None], None], /) -> None:
        seconds = self._disk.fsync_seconds() + self._disk.fsync_seconds()
        self._disk.clock.call_after(seconds, self._saved, record, done)

    def _saved(self, record: ExecutorRecord, done: Callable[[StoreError | None], None]) -> None:
        self._disk.delete(self._path)
        self._disk.write(self._path, _RecordOnDisk(record))
        done(None)

    def close(self) -> None:
        """Nothing is held open."""

    def abandon(self) -> None:
        """What was being written is durable or not; the old file stands until it is."""


class _EtcdPort:
    """A CommandPort for Prepare, StartEtcd and SignalEtcd: etcd as the executor's child."""

    carries_out: tuple[type, ...] = (Prepare, StartEtcd, SignalEtcd)

    def __init__(self, hosts: ExecutorHosts, container: Container, post: Post[Event]) -> None:
        self._hosts = hosts
        self._container = container
        self._post = post
        self._closed = False
        self.process: EtcdProcess | None = None
        self._run = 0

    @property
    def _host(self) -> Host:
        return self._container.host

    def submit(self, command: Command, /) -> None:
        """Begin `command`."""
        clock = self._hosts.etcd.clock
        match command:
            case Prepare():
                seconds = self._hosts.etcd.random.uniform(*_PREPARATION)
                clock.call_after(seconds, self._prepare, command)
            case StartEtcd():
                clock.call_after(_FORK, self._start, command)
            case SignalEtcd():
                self._signal(command)

    def close(self) -> None:
        """The executor's process ends, and etcd with it."""
        self._closed = True
        if self.process is not None:
            self.process.kill()

    def _path(self, data_directory: str) -> str:
        return f"{self._container.sandbox}/{data_directory}"

    def _prepare(self, command: Prepare) -> None:
        if self._closed:
            return
        found = self._host.disk.read(self._path(command.data_directory))
        taken = [
            port
            for port in command.ports
            if self._hosts.etcd.network.listener(command.host, port) is not None
        ]
        if isinstance(found, DataDirectory) and not found.empty:
            reason = f"the data directory {command.data_directory} is not empty"
            self._post(CommandFailed(command=command, reason=reason))
        elif taken or command.host != self._host.name:
            reason = f"cannot listen on {command.host}:{taken or command.ports}"
            self._post(CommandFailed(command=command, reason=reason))
        else:
            self._post(EtcdPrepared(version=self._hosts.version))

    def _start(self, command: StartEtcd) -> None:
        if self._closed:
            return
        options = EtcdOptions.from_arguments(command.arguments)
        options = evolve(options, data_directory=self._path(options.data_directory))
        self._run = command.run
        self._hosts.pids += 1
        self.process = self._hosts.etcd.start(
            self._host, options, self._hosts.version, self._exited
        )
        self._post(EtcdStarted(run=command.run, pid=self._hosts.pids))

    def _exited(self, process: EtcdProcess) -> None:
        self.process = None
        if not self._closed:
            assert process.status is not None
            found = self._host.disk.read(process.options.data_directory)
            self._post(
                EtcdExited(
                    run=self._run,
                    wait_status=process.status,
                    log_tail="\n".join(process.log),
                    data_kept=isinstance(found, DataDirectory) and not found.empty,
                )
            )

    def _signal(self, command: SignalEtcd) -> None:
        process = self.process if self._run == command.run else None
        if process is None:
            self._post(CommandFailed(command=command, reason="that etcd has ended"))
            return
        # Done before etcd acts on it: its end is another event.
        self._post(CommandDone(command=command))
        if command.signal == _SIGKILL:
            process.kill()
        elif command.signal == _SIGTERM:
            process.terminate()


class _ProbePort:
    """A CommandPort for ProbeMember and AskPeers."""

    carries_out: tuple[type, ...] = (ProbeMember, AskPeers)

    def __init__(self, hosts: ExecutorHosts, container: Container, post: Post[Event]) -> None:
        self._etcd = hosts.etcd
        self._host = container.host
        self._post = post
        self._client = EtcdClient(hosts.etcd.network, container.host.name, PROBE_WITHIN)

    def submit(self, command: Command, /) -> None:
        """Begin to ask."""
        match command:
            case ProbeMember():
                self._client.status(
                    command.client_url, lambda answer: self._probed(command, answer)
                )
            case AskPeers():
                self._ask(command)

    def close(self) -> None:
        """Nothing is held open; late answers find nobody."""

    def _probed(self, command: ProbeMember, answer: MemberHealth | GatewayError) -> None:
        if isinstance(answer, GatewayError):
            self._post(CommandFailed(command=command, reason=str(answer)))
        else:
            self._post(MemberProbed(run=command.run, health=answer))

    def _ask(self, command: AskPeers) -> None:
        network, clock = self._etcd.network, self._etcd.clock
        answers: list[PeerAnswer] = []
        wait = network.latency(self._host.name, self._host.name)
        for url in command.peer_urls:
            answered, seconds = self._peer(url, answers)
            wait = max(wait, seconds if answered else PEERS_WITHIN)
        event = PeersAnswered(run=command.run, answers=tuple(answers))
        clock.call_after(wait, self._post, event)

    def _peer(self, url: str, answers: list[PeerAnswer]) -> tuple[bool, float]:
        """Whether the peer says anything in time, be it that nobody listens, and after how long."""
        network, host = self._etcd.network, address_of(url)[0]
        if host not in network.parties or not network.connected(self._host.name, host):
            return False, 0.0
        seconds = network.latency(self._host.name, host) + network.latency(host, self._host.name)
        peer = self._etcd.at_peer_url(url)
        if peer is None:
            return True, seconds
        if peer.paused:
            return False, 0.0
        listed = tuple((hexadecimal(m.id), m.peer_urls) for m in peer.raft.state.list())
        answers.append(
            PeerAnswer(peer_url=url, cluster_id=hexadecimal(peer.cluster_id), members=listed)
        )
        return True, seconds


class ExecutorHost:
    """One executor's process in its container; an `ExecutorProcess`."""

    def __init__(self, hosts: ExecutorHosts, container: Container) -> None:
        self.container = container
        settings = Settings(
            identity=f"{container.framework_id}/{container.executor_id}/{container.sandbox}",
            sandbox=container.sandbox,
            checkpoint=True,
            recovery_timeout=container.recovery_timeout,
            backoff_max=container.backoff_max,
            shutdown_grace=container.grace_seconds,
            probe_interval=hosts.probe_interval,
        )
        clock, host = hosts.etcd.clock, container.host
        store = _SandboxStore(host.disk, f"{container.sandbox}/{RECORD_FILE}")
        model = hosts.controller.start(settings, clock.now)
        self.core: CoreHost[Model, ExecutorRecord] = CoreHost(
            clock, hosts.controller.step, model, store, self._stepped
        )
        self._hosts = hosts
        self.agent_port = ExecutorPort(container, self.core.post)
        self.etcd_port = _EtcdPort(hosts, container, self.core.post)
        self.core.attach(self.agent_port)
        self.core.attach(self.etcd_port)
        self.core.attach(_ProbePort(hosts, container, self.core.post))
        self.core.attach(ReseedPort(hosts, container, self.core.post))
        if hosts.storage is not None:
            self.core.attach(UploadPort(hosts.storage, hosts, container, self.core.post))
        self.core.on_exit = self._exited
        host.processes.append(self)
        hosts.running.append(self)
        self.core.start(TimerFired())

    @property
    def running(self) -> bool:
        return self.core.running

    @property
    def etcd(self) -> EtcdProcess | None:
        """Its etcd, if one runs."""
        return self.etcd_port.process

    def kill(self) -> None:
        """SIGKILL of the container."""
        if self.running:
            self.core.kill()
            self._over(_SIGKILL)

    def _exited(self, status: int, _reason: str) -> None:
        self._over(status << 8)

    def _over(self, wait_status: int) -> None:
        self.container.host.processes.remove(self)
        self._hosts.running.remove(self)
        self.container.ended(wait_status)

    def _stepped(self, event: Event, before: Model, step: Step[Model, ExecutorRecord]) -> None:
        if self._hosts.on_step is not None:
            self._hosts.on_step(self, event, before, step)


OnStep = Callable[[ExecutorHost, Event, Model, Step[Model, ExecutorRecord]], None]


class ExecutorHosts:
    """Starts executors in containers; give its `start` to SimulatedMesos as the factory."""

    def __init__(
        self,
        etcd: EtcdWorld,
        version: str,
        probe_interval: float = PROBE_INTERVAL,
        on_step: OnStep | None = None,
        controller: Controller | None = None,
        watcher: Watcher | None = None,
        storage: Storage | None = None,
    ) -> None:
        """`version`: of the etcd that executors bring with them; `probe_interval`: between two of
        their looks at an etcd that serves; `controller`: their core, the
        real one if none is given; `watcher`: told of what is done to data directories; `storage`:
        where backups go, if anywhere."""
        self.etcd = etcd
        self.version = version
        self.probe_interval = probe_interval
        self.on_step = on_step
        self.controller = controller or Controller()
        self.watcher = watcher
        self.storage = storage
        self.running: list[ExecutorHost] = []
        """In the order of their starts."""
        self.pids = 0

    def start(self, container: Container) -> ExecutorHost:
        """Start an executor."""
        return ExecutorHost(self, container)

    def with_task(self, task_id: str) -> ExecutorHost | None:
        """The executor that runs this task."""
        for one in self.running:
            task = one.core.model.task
            if task is not None and task.id == task_id:
                return one
        return None

    def kill_etcd(self, task_id: str) -> bool:
        """SIGKILL of a task's etcd alone; whether one ran."""
        executor = self.with_task(task_id)
        if executor is None or executor.etcd is None:
            return False
        executor.etcd.kill()
        return True
