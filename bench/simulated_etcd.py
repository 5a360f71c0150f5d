"""How quick the simulated etcd is, on one core.

    python bench/simulated_etcd.py

Virtual seconds per second of a healthy cluster of three, idle and under a controller's probes;
elections, acknowledged writes and status calls per second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.etcd import EtcdClient, EtcdOptions, EtcdProcess, EtcdWorld
from etcdmesos.simulation.hosts import Hosts
from etcdmesos.simulation.network import Network

VERSION = "3.5.30"
SIZE = 3
SECONDS = 2.0
"""Of real time for each figure."""


def main() -> None:
    """Print one line per figure."""
    for name, unit, figure in (
        ("idle", "virtual s/s", idle),
        ("probed every 5 s", "virtual s/s", probed),
        ("elections", "1/s", elections),
        ("acknowledged writes", "1/s", writes),
        ("status calls", "1/s", statuses),
        ("bootstraps of three", "1/s", bootstraps),
    ):
        print(f"{name:24} {figure():14,.0f} {unit}")


class World:
    """A running cluster and a client."""

    def __init__(self, seed: int = 1) -> None:
        random = Random(seed)  # noqa: S311
        self.clock = Clock()
        network = Network(self.clock, random)
        self.hosts = Hosts(self.clock, network, random)
        network.add_party("client")
        self.etcd = EtcdWorld(self.clock, network, self.hosts, random)
        self.client = EtcdClient(network, "client")
        for number in range(SIZE):
            self.hosts.add(f"h{number}")
        self.processes = [self.start(number) for number in range(SIZE)]
        self.clock.run_while(lambda: not all(one.ready for one in self.processes), 60.0)

    def start(self, number: int) -> EtcdProcess:
        """Start a member, once or again."""
        options = EtcdOptions(
            name=f"m{number}",
            data_directory="/data",
            peer_url=f"http://h{number}:2380",
            client_url=f"http://h{number}:2379",
            initial_cluster=",".join(f"m{n}=http://h{n}:2380" for n in range(SIZE)),
        )
        return self.etcd.start(self.hosts[f"h{number}"], options, VERSION)

    def wait(self, answers: list[object]) -> None:
        """Until something is answered."""
        self.clock.run_while(lambda: not answers, self.clock.now + 10.0)


def _rate(once: Callable[[], float]) -> float:
    """What `once` returns, summed up, per second."""
    began, done = time.perf_counter(), 0.0
    while (passed := time.perf_counter() - began) < SECONDS:
        done += once()
    return done / passed


def idle() -> float:
    """Nothing happens: an hour at a time."""
    world = World()

    def once() -> float:
        world.clock.run_until(world.clock.now + 3600.0)
        return 3600.0

    return _rate(once)


def probed() -> float:
    """Every 5 s a status of each member and a progress probe."""
    world = World()

    def once() -> float:
        for number in range(SIZE):
            world.client.status(f"http://h{number}:2379", lambda _: None)
        world.client.prove_progress("http://h0:2379", lambda _: None)
        world.clock.run_until(world.clock.now + 5.0)
        return 5.0

    return _rate(once)


def elections() -> float:
    """Kill the leader, start it again, wait for the next."""
    world = World()

    def leader() -> int | None:
        for number, process in enumerate(world.processes):
            if process.running and process.ready and process.raft.leadership is not None:
                return number
        return None

    def once() -> float:
        number = leader()
        assert number is not None
        world.processes[number].kill()
        world.clock.run_while(lambda: leader() is None, world.clock.now + 60.0)
        world.processes[number] = world.start(number)
        process = world.processes[number]
        world.clock.run_while(lambda: not process.ready, world.clock.now + 60.0)
        return 1.0

    return _rate(once)


def writes() -> float:
    """One client, one write after the other, through a follower or the leader."""
    world = World()
    count = 0

    def once() -> float:
        nonlocal count
        count += 1
        answers: list[object] = []
        world.client.put(f"http://h{count % SIZE}:2379", f"k{count}", answers.append)
        world.wait(answers)
        return 1.0

    return _rate(once)


def statuses() -> float:
    """One client, one status after the other."""
    world = World()

    def once() -> float:
        answers: list[object] = []
        world.client.status("http://h0:2379", answers.append)
        world.wait(answers)
        return 1.0

    return _rate(once)


def bootstraps() -> float:
    """From nothing to three members that serve."""
    seed = 0

    def once() -> float:
        nonlocal seed
        seed += 1
        World(seed)
        return 1.0

    return _rate(once)


if __name__ == "__main__":
    main()
