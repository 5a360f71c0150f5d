"""All simulated etcd processes of one world, and what ties them together.

One object: start processes, look at them, watch elections and applied entries, and check that the
world is one that could exist.  Nothing here decides like a controller.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.errors import ImpossibleWorld
from etcdmesos.simulation.etcd.boot import Boot
from etcdmesos.simulation.etcd.links import reachable
from etcdmesos.simulation.etcd.log import Entry
from etcdmesos.simulation.etcd.options import EtcdOptions
from etcdmesos.simulation.etcd.process import EtcdProcess
from etcdmesos.simulation.etcd.versions import Version
from etcdmesos.simulation.hosts import Host, Hosts
from etcdmesos.simulation.network import Network, address_of

__all__ = ["EtcdWorld"]


class EtcdWorld:
    """Every etcd process on a set of hosts."""

    def __init__(self, clock: Clock, network: Network, hosts: Hosts, random: Random) -> None:
        self.clock = clock
        self.network = network
        self.hosts = hosts
        self.random = random
        self.processes: list[EtcdProcess] = []
        """Those that have not ended, in the order of their starts."""
        self.on_elected: Callable[[EtcdProcess], None] | None = None
        self.on_applied: Callable[[EtcdProcess, int, Entry], None] | None = None
        self.on_event: Callable[[EtcdProcess, str], None] | None = None
        """Told of elections, ends and the like, for traces."""
        self._requests = 0
        self._epochs = 0
        self._versions: dict[EtcdProcess, Version] = {}
        network.on_change.append(self.relink)

    def start(
        self,
        host: Host,
        options: EtcdOptions,
        version: str,
        on_exit: Callable[[EtcdProcess], None] | None = None,
    ) -> EtcdProcess:
        """Start an etcd of this version; `on_exit(process)` once it has ended, however it ends."""
        if not host.up:
            raise ImpossibleWorld(f"a process started on {host.name}, which is down")
        for url in (options.peer_url, options.client_url):
            if address_of(url)[0] != host.name:
                raise ImpossibleWorld(f"{url} is not on {host.name}")
        process = EtcdProcess(self, host, options, on_exit)
        self._versions[process] = Version(version)
        self.processes.append(process)
        host.processes.append(process)
        self.tell(process, "started")
        Boot(process).begin()
        return process

    def version_of(self, process: EtcdProcess) -> Version:
        return self._versions[process]

    def next_request(self) -> int:
        """An id that no other request in this world has."""
        self._requests += 1
        return self._requests

    def tell(self, process: EtcdProcess, what: str) -> None:
        """Let whoever watches know."""
        if self.on_event is not None:
            self.on_event(process, what)

    def ended(self, process: EtcdProcess) -> None:
        """A process has ended; for `EtcdProcess` alone."""
        self.processes.remove(process)
        process.host.processes.remove(process)
        self.tell(process, f"ended with {process.status}: {process.log[-1]}")
        self.relink()

    def at_peer_url(self, url: str) -> EtcdProcess | None:
        """The process that answers peers at a URL."""
        for process in self.processes:
            if process.serving_peers and process.options.peer_url == url:
                return process
        return None

    def relink(self) -> None:
        """Something changed between processes: make and drop links, then look at every raft."""
        running = [process for process in self.processes if process.serving_peers]
        found: list[dict[int, EtcdProcess]] = [{} for _ in running]
        for number, a in enumerate(running):
            for other in range(number + 1, len(running)):
                b = running[other]
                if a.cluster_id != b.cluster_id or a.member_id == b.member_id:
                    continue
                if not reachable(a, b):
                    continue
                if self._removal_is_told(a, b) or self._removal_is_told(b, a):
                    continue
                # Of two with one id, the one started last.
                found[number][b.member_id] = b
                found[other][a.member_id] = a
        self._epochs += 1
        for process, linked in zip(running, found, strict=True):
            process.links.update(linked, self._epochs)
        self.review()

    def _removal_is_told(self, a: EtcdProcess, b: EtcdProcess) -> bool:
        """Peers answer a removed member with "gone", and it ends."""
        if b.member_id not in a.removed_peers():
            return False
        b.leave(0.01 + 0.1 * self.random.random())
        return True

    def review(self) -> None:
        """A role or a leader changed: have every raft look at its clocks."""
        for process in self.processes:
            if process.serving_peers and not process.paused:
                process.raft.review()

    def check(self) -> None:
        """Raise ImpossibleWorld if this world could not exist."""
        directories: dict[int, EtcdProcess] = {}
        ports: dict[tuple[str, int], EtcdProcess] = {}
        for process in self.processes:
            if not process.host.up:
                raise ImpossibleWorld(f"{process!r} runs on {process.host.name}, which is down")
            if not process.serving_peers:
                continue
            if process.directory is not None:
                other = directories.setdefault(id(process.directory), process)
                if other is not process:
                    raise ImpossibleWorld(f"{process!r} and {other!r} on one data directory")
                if process.directory.holder is not process:
                    raise ImpossibleWorld(f"{process!r} does not hold its data directory")
            for url in (process.options.peer_url, process.options.client_url):
                other = ports.setdefault(address_of(url), process)
                if other is not process:
                    raise ImpossibleWorld(f"{process!r} and {other!r} on {url}")
            raft = process.raft
            if not raft.state.applied <= raft.commit <= raft.log.last_index:
                raise ImpossibleWorld(f"{process!r} has applied or committed what it has not")
