"""What raft and the process it runs in must know of each other.

Nothing here has any behaviour; it keeps `raft` free of processes, disks and links.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from etcdmesos.simulation.clock import Clock, Timer
from etcdmesos.simulation.etcd.log import Entry

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.raft import Raft

__all__ = ["Role", "Surroundings", "Timing"]


class Role(enum.Enum):
    """What a member is in its term."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


@frozen
class Timing:
    """Seconds, as `--heartbeat-interval` and `--election-timeout` set them."""

    heartbeat: float = 0.1
    election: float = 1.0


class Surroundings(Protocol):
    """What raft needs of the process it runs in."""

    clock: Clock
    random: Random
    silent: bool
    """A stalled disk keeps the process from sending anything to its peers."""

    def after(self, delay: float, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call later, unless the process ends; one that is paused calls when it goes on."""
        ...

    def send(self, to: int, method: Callable[..., None], *arguments: Any) -> None:
        """Have the peer `to` call `method(its raft, own id, *arguments)`, unless that is lost."""
        ...

    def peer(self, one: int) -> Raft | None:
        """The raft of a peer to which the link stands."""
        ...

    def link_epoch(self, one: int) -> int:
        """Goes up whenever the link to a peer is made anew: what was under way is lost."""
        ...

    def save(self, then: Callable[[], None]) -> None:
        """Make log and hard state durable as they are now, then call."""
        ...

    def applied(self, index: int, entry: Entry, result: Any) -> None:
        """An entry was applied."""
        ...

    def elected(self) -> None:
        """This member has just become leader."""
        ...

    def changed(self) -> None:
        """A role or a leader is another: somebody may be fed no more."""
        ...

    def list_changed(self) -> None:
        """The member list is another."""
        ...

    def panic(self, reason: str) -> None:
        """End the process: what raft sees can't be."""
        ...
