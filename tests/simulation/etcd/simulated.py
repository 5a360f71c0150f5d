"""Simulated etcd clusters for tests: a world from a seed, and calls that wait for their answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from attrs import evolve

from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.etcd import EtcdClient, EtcdOptions, EtcdProcess, EtcdWorld
from etcdmesos.simulation.hosts import Hosts
from etcdmesos.simulation.network import Network


class World:
    """A clock, a network with a client on it, hosts, and etcd."""

    def __init__(self, seed: int = 1, version: str = "3.5.30") -> None:
        self.random = Random(seed)
        self.version = version
        self.clock = Clock()
        self.network = Network(self.clock, self.random)
        self.hosts = Hosts(self.clock, self.network, self.random)
        self.network.add_party("client")
        self.etcd = EtcdWorld(self.clock, self.network, self.hosts, self.random)
        self.client = EtcdClient(self.network, "client")
        self.trace: list[str] = []
        self.etcd.on_event = self._note
        self.processes: dict[str, EtcdProcess] = {}
        """The last process started of each name."""

    def _note(self, process: EtcdProcess, what: str) -> None:
        self.trace.append(f"{self.clock.now:.6f} {process.options.name} {what}")

    def options(self, number: int, initial: Sequence[int] = (), **more: Any) -> EtcdOptions:
        """How member `number` is started, on a host of its own."""
        return EtcdOptions(
            name=f"m{number}",
            data_directory="/data",
            peer_url=f"http://h{number}:2380",
            client_url=f"http://h{number}:2379",
            initial_cluster=",".join(f"m{n}=http://h{n}:2380" for n in initial),
            **more,
        )

    def start(self, number: int, initial: Sequence[int] = (), **more: Any) -> EtcdProcess:
        """Start member `number`, once or again."""
        name = f"h{number}"
        if name not in self.network.parties:
            self.hosts.add(name)
        options = self.options(number, initial, **more)
        process = self.etcd.start(self.hosts[name], options, self.version)
        self.processes[options.name] = process
        return process

    def bootstrap(self, size: int, **more: Any) -> list[EtcdProcess]:
        """Start a new cluster; returns when every member serves."""
        processes = [self.start(number, range(size), **more) for number in range(size)]
        self.until(lambda: all(process.ready for process in processes))
        return processes

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run_until(self.clock.now + seconds)

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Let time pass until `condition()` holds."""
        until = self.clock.now + seconds
        assert self.clock.run_while(lambda: not condition(), until), f"not within {seconds} s"

    def ask(self, call: Callable[..., None], *arguments: Any, **more: Any) -> Any:
        """Make a client's call and wait for its value or GatewayError."""
        answers: list[Any] = []
        call(*arguments, answers.append, **more)
        self.until(lambda: answers, 20.0)
        return answers[0]

    def asking(self, timeout: float) -> EtcdClient:
        """A client with another time-out."""
        return evolve(self.client, timeout=timeout)

    def leader(self) -> EtcdProcess | None:
        """The running process that leads in the highest term."""
        leading = [
            process
            for process in self.etcd.processes
            if process.serving_peers and process.raft.leadership is not None
        ]
        return max(leading, key=lambda process: process.raft.term, default=None)
