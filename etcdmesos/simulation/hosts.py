"""Hosts: a name on the network, the processes that run there, and a disk that outlives them.

A disk is a table of paths; what lies at a path is whatever the simulated program keeps there, and
can be renamed, copied and deleted as a whole.  No program is simulated here.
"""

from __future__ import annotations

from random import Random
from typing import Protocol

from attrs import define, field

from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.errors import ImpossibleWorld
from etcdmesos.simulation.network import Network

__all__ = ["Disk", "Host", "Hosts", "OnDisk", "Process"]

FSYNC = (0.0005, 0.003)
"""Seconds of one fsync on a good disk: between these, drawn evenly."""


class OnDisk(Protocol):
    """What can lie on a disk."""

    def copy(self) -> OnDisk:
        """An independent copy, as `cp -r` makes one."""
        ...


class Process(Protocol):
    """What runs on a host."""

    @property
    def running(self) -> bool: ...

    def kill(self) -> None:
        """End it as SIGKILL does."""
        ...


@define(eq=False)
class Disk:
    """Paths and what lies there, and how long it takes to make something durable."""

    clock: Clock = field(repr=False)
    random: Random = field(repr=False)
    slowness: float = 1.0
    """Every fsync takes this many times as long."""
    stalled_until: float = 0.0
    """No fsync ends before this moment."""
    full: bool = False
    """There is room for no further snapshot or copy."""
    _content: dict[str, OnDisk] = field(factory=dict)

    def read(self, path: str) -> OnDisk | None:
        """What lies at a path; None when nothing does."""
        return self._content.get(path)

    def write(self, path: str, content: OnDisk) -> None:
        """Put something at a path.  Raises ImpossibleWorld over something else."""
        if path in self._content and self._content[path] is not content:
            raise ImpossibleWorld(f"{path} exists")
        self._content[path] = content

    def rename(self, path: str, new_path: str) -> None:
        """Move what lies at a path; a process that has it open goes on with it."""
        self.write(new_path, self._content[path])
        del self._content[path]

    def copy(self, path: str, new_path: str) -> None:
        """An independent copy at another path."""
        self.write(new_path, self._content[path].copy())

    def delete(self, path: str) -> None:
        """Forget what lies at a path, if anything."""
        self._content.pop(path, None)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where something lies, sorted."""
        return tuple(sorted(self._content))

    def fsync_seconds(self) -> float:
        """How long an fsync that begins now takes, drawn anew each time."""
        least, most = FSYNC
        drawn = (least + (most - least) * self.random.random()) * self.slowness
        return max(0.0, self.stalled_until - self.clock.now) + drawn


@define(eq=False)
class Host:
    """A machine."""

    name: str
    disk: Disk
    network: Network = field(repr=False)
    up: bool = True
    processes: list[Process] = field(factory=list, repr=False)
    """What was started here and has not ended; in order of start."""

    def power_off(self) -> None:
        """Everything that runs here ends at once; the disk keeps what was made durable."""
        # Off the network first: the dead can't tell anybody that they are.
        self.up = False
        self.network.set_down(self.name, True)
        for process in tuple(self.processes):
            process.kill()

    def power_on(self) -> None:
        """The machine is back, with nothing running."""
        self.up = True
        self.network.set_down(self.name, False)


class Hosts:
    """All machines, by name, in the order in which they were added."""

    def __init__(self, clock: Clock, network: Network, random: Random) -> None:
        self._clock = clock
        self._network = network
        self._random = random
        self._hosts: dict[str, Host] = {}

    def add(self, name: str) -> Host:
        """A new machine that is up."""
        self._network.add_party(name)
        host = Host(name, Disk(self._clock, self._random), self._network)
        self._hosts[name] = host
        return host

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def all(self) -> tuple[Host, ...]:
        """Every machine, up or not."""
        return tuple(self._hosts.values())
