"""An etcd process: from its start to its exit, on one host, with one data directory.

It owns what belongs to a run of the program: the write-ahead log's writes, the timers, the links to
peers, the moment from which it serves clients.  Consensus is in `raft`, the answers to clients are
in `server`, how a start ends in joining, founding or exiting is in `boot`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etcdmesos.simulation.clock import Timer
from etcdmesos.simulation.etcd.data_directory import DataDirectory
from etcdmesos.simulation.etcd.links import Links
from etcdmesos.simulation.etcd.log import CONFIGURATION_KINDS, Entry, Kind
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.etcd.options import EtcdOptions
from etcdmesos.simulation.etcd.raft import Raft
from etcdmesos.simulation.etcd.server import Server
from etcdmesos.simulation.etcd.surroundings import Role
from etcdmesos.simulation.etcd.writer import Writer
from etcdmesos.simulation.hosts import Host

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.world import EtcdWorld

__all__ = ["EtcdProcess", "Phase"]

KILLED = -9
TERMINATED = -15
PANICKED = 2
REMOVED = "the member has been permanently removed from the cluster"

_PUBLISH_AGAIN = 7.0
"""Seconds, etcd's request time-out, after which a lost publication is proposed again."""
_BACKEND_FLUSH = 0.1
"""Seconds between two commits of the backend's file."""
_LEAVE_AFTER = 1.0
"""Seconds a member goes on after applying its own removal, so that others can learn of it."""


class Phase(enum.Enum):
    """Where a process is between its start and its end."""

    STARTING = "starting"
    RUNNING = "running"
    """Raft runs and peers are answered; clients only once `ready`."""
    ENDED = "ended"


class EtcdProcess:
    """One run of etcd.  `status` is the exit status once it has ended; signals count negative."""

    def __init__(
        self,
        world: EtcdWorld,
        host: Host,
        options: EtcdOptions,
        on_exit: Callable[[EtcdProcess], None] | None,
    ) -> None:
        self.world = world
        self.clock = world.clock
        self.random = world.random
        self.host = host
        self.options = options
        self.on_exit = on_exit
        self.phase = Phase.STARTING
        self.status: int | None = None
        self.paused = False
        self.ready = False
        """It has published itself through raft and answers clients."""
        self.silent = False
        self.log: list[str] = []
        """What it logs that anybody might look for."""
        self.directory: DataDirectory | None = None
        self.links = Links(self)
        self.server = Server(self)
        self.writer = Writer(self)
        self._raft: Raft | None = None
        self._inbox: list[tuple[Callable[..., object], Any]] = []
        self._held: list[tuple[int, Callable[..., None], Any]] = []
        self._leaving = False
        self._batch_began = 0.0
        self._flushed = 0

    # What others look at

    @property
    def running(self) -> bool:
        """Whether the process exists, in whatever state it is."""
        return self.phase is not Phase.ENDED

    @property
    def raft(self) -> Raft:
        """Its consensus, once it runs."""
        assert self._raft is not None, "the process has not come that far"
        return self._raft

    @property
    def serving_peers(self) -> bool:
        """Whether its peer port is open."""
        return self.phase is Phase.RUNNING

    @property
    def member_id(self) -> int:
        return self.directory.member_id if self.directory is not None else 0

    @property
    def cluster_id(self) -> int:
        return self.directory.cluster_id if self.directory is not None else 0

    # Life

    def run(self, directory: DataDirectory, raft: Raft, wait: float | None) -> None:
        """Serve peers from now on."""
        self.directory = directory
        self._raft = raft
        self.phase = Phase.RUNNING
        self._flushed = max(directory.backend_index, raft.state.applied)
        self._batch_began = self.clock.now
        raft.start(wait)
        self.links.learn(raft.state.members.values())
        if self.member_id in raft.state.removed:
            self.exit(self.world.version_of(self).removed_exit_status, REMOVED)
            return
        self._publish()

    def _publish(self) -> None:
        if self.ready:
            return
        data = (self.member_id, self.options.name, (self.options.client_url,))
        self.server.propose(Kind.PUBLISH, data, request=0, deadline=self.clock.now + _PUBLISH_AGAIN)
        self.after(_PUBLISH_AGAIN, self._publish)

    def kill(self) -> None:
        """SIGKILL: what is not durable is gone."""
        self._end(KILLED, "killed")

    def terminate(self) -> None:
        """SIGTERM: a leader hands over first; then everything is written and the process ends."""
        self.after(0.0, self._hand_over_and_end)

    def _hand_over_and_end(self) -> None:
        raft = self._raft
        to = self._best_successor()
        if raft is None or raft.leadership is None or not to:
            self._end(TERMINATED, "terminated")
            return
        raft.leadership.hand_over(to)
        self.after(0.05 + 0.1 * self.random.random(), self._end, TERMINATED, "terminated")

    def _best_successor(self) -> int:
        if self._raft is None or self._raft.role is not Role.LEADER:
            return 0
        others = [one for one in self._raft.state.voters if one != self.member_id]
        return self.links.longest_connected(others)

    def exit(self, status: int, reason: str) -> None:
        """End by itself."""
        self._end(status, reason)

    def panic(self, reason: str) -> None:
        """End because what it sees can't be."""
        self._end(PANICKED, f"panic: {reason}")

    def pause(self) -> None:
        """SIGSTOP: it does nothing, and its sockets stay open."""
        if self.paused or not self.running:
            return
        self.paused = True
        if self._raft is not None:
            self._raft.stop_clocks()
        self.world.relink()

    def resume(self) -> None:
        """SIGCONT: it goes on with whatever has arrived meanwhile."""
        if not self.paused or not self.running:
            return
        self.paused = False
        inbox, self._inbox = self._inbox, []
        self.world.relink()
        for function, arguments in inbox:
            if self.running:
                function(*arguments)

    def _end(self, status: int, reason: str) -> None:
        if not self.running:
            return
        self.log.append(reason)
        if self.phase is Phase.RUNNING and self.directory is not None:
            self.writer.close(flush=status != KILLED)
            # The file can't be ahead of the write-ahead log.
            flushed = self._flushed_index(flush=status != KILLED)
            self.directory.backend_index = min(flushed, self.directory.log.last_index)
        self.phase = Phase.ENDED
        self.status = status
        self.ready = False
        self.paused = False
        self._inbox.clear()
        if self.directory is not None and self.directory.holder is self:
            self.directory.holder = None
        self.server.close()
        self.world.ended(self)
        if self.on_exit is not None:
            self.on_exit(self)

    def _flushed_index(self, *, flush: bool) -> int:
        applied = self.raft.state.applied
        if flush or self.clock.now - self._batch_began >= _BACKEND_FLUSH:
            return applied
        return self._flushed

    # Surroundings of raft

    def after(self, delay: float, function: Callable[..., object], *arguments: Any) -> Timer:
        """Call later, unless the process ends; one that is paused calls when it goes on."""
        return self.clock.call_at(self.clock.now + delay, self.do, function, arguments)

    def do(self, function: Callable[..., object], arguments: Any) -> None:
        """Call now, or when the process goes on; not at all once it has ended."""
        if self.phase is Phase.ENDED:
            return
        if self.paused:
            self._inbox.append((function, arguments))
        else:
            function(*arguments)

    def send(self, to: int, method: Callable[..., None], *arguments: Any) -> None:
        """Send a raft message over the link to a peer; without a link it is lost."""
        if self.silent:
            self._held.append((to, method, arguments))
            return
        link = self.links.link(to)
        if link is not None:
            peer = link.process
            self.world.network.deliver(
                self.host.name, peer.host.name, peer.take, self, method, arguments
            )

    def be_silent(self, silent: bool) -> None:
        """The loop that writes to disk also sends to peers: while it waits, nothing is sent."""
        self.silent = silent
        held, self._held = self._held, []
        for to, method, arguments in held:
            self.send(to, method, *arguments)
        self.world.review()

    def take(self, sender: EtcdProcess, method: Callable[..., None], arguments: Any) -> None:
        """A raft message has arrived."""
        if self.phase is Phase.RUNNING and self.member_id not in sender.removed_peers():
            self.do(self._take, (sender, method, arguments))

    def _take(self, sender: EtcdProcess, method: Callable[..., None], arguments: Any) -> None:
        raft = self.raft
        if sender.member_id not in raft.state.removed:
            method(raft, sender.member_id, *arguments)

    def removed_peers(self) -> dict[int, None]:
        """The ids it will not speak with."""
        return self._raft.state.removed if self._raft is not None else {}

    def peer(self, one: int) -> Raft | None:
        """The raft of a peer to which the link stands."""
        link = self.links.link(one)
        return link.process.raft if link is not None else None

    def link_epoch(self, one: int) -> int:
        link = self.links.link(one)
        return link.epoch if link is not None else 0

    def save(self, then: Callable[[], None]) -> None:
        """Make log and hard state durable as they are now, then call."""
        self.writer.save(then)

    def applied(self, index: int, entry: Entry, result: Any) -> None:
        """An entry was applied: count it, answer who waits, act on changes of the list."""
        now = self.clock.now
        if now - self._batch_began >= _BACKEND_FLUSH:
            self._flushed = index - 1
            self._batch_began = now
        if self.world.on_applied is not None:
            self.world.on_applied(self, index, entry)
        if entry.kind in CONFIGURATION_KINDS:
            self.list_changed()
        elif entry.kind is Kind.PUBLISH and entry.data[0] == self.member_id and not self.ready:
            self.ready = True
            self.world.tell(self, "ready")
            self.server.serve()
        self.server.applied(entry, result)
        self._compact(index)

    def list_changed(self) -> None:
        """The member list is another."""
        raft = self.raft
        if raft.leadership is not None:
            raft.leadership.configuration_applied()
        self.links.learn(raft.state.members.values())
        if self.member_id in raft.state.removed:
            self.leave(_LEAVE_AFTER)

    def leave(self, delay: float) -> None:
        """It has learnt of its own removal: end soon."""
        if not self._leaving:
            self._leaving = True
            self.after(delay, self._leave)

    def _leave(self) -> None:
        status = 0 if self.ready else self.world.version_of(self).removed_exit_status
        self.exit(status, REMOVED)

    def _compact(self, index: int) -> None:
        """Every `--snapshot-count` entries, leave the old ones to a snapshot."""
        raft, count = self.raft, self.options.snapshot_count
        keep = min(count, 5000)
        if index - raft.log.base_index >= count + keep:
            behind = index - keep
            base = raft.log.base.copy()
            for old in range(raft.log.base_index + 1, behind + 1):
                base.apply(old, raft.log.entry(old))
            raft.log.compact(behind, base)

    def elected(self) -> None:
        """This member has just become leader."""
        self.world.tell(self, f"leader in term {self.raft.term}")
        if self.world.on_elected is not None:
            self.world.on_elected(self)

    def changed(self) -> None:
        """A role or a leader is another."""
        if self.phase is Phase.RUNNING:
            self.server.leader_changed()
            self.world.review()

    def __repr__(self) -> str:
        return f"<etcd {self.options.name} {hexadecimal(self.member_id)} {self.phase.value}>"
