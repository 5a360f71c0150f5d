"""The first moments of an etcd process: found a cluster, join one, go on with old data, or exit.

Follows etcd's own order (NewServer and what it calls, read in 3.4.9's source): a data directory
with a write-ahead log decides everything, whatever the flags say of the initial cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from etcdmesos.simulation.etcd.data_directory import DataDirectory, bootstrapped
from etcdmesos.simulation.etcd.members import Member, initial_members
from etcdmesos.simulation.etcd.raft import Raft
from etcdmesos.simulation.network import address_of

if TYPE_CHECKING:
    from etcdmesos.simulation.etcd.process import EtcdProcess

__all__ = ["Boot"]

_LOADING = (0.03, 0.12)
"""Seconds until a process has read its data, between these."""
_DIAL_SECONDS = 2.0
"""A peer that can't be reached costs this much at the start."""


class Boot:
    """Brings one process from its start to RUNNING or to its exit."""

    def __init__(self, process: EtcdProcess) -> None:
        self._process = process
        self._world = process.world

    def begin(self) -> None:
        """Bind the ports, then load."""
        process = self._process
        for url in (process.options.peer_url, process.options.client_url):
            address = address_of(url)
            if not self._world.network.listen(*address, process.server.at(url)):
                reason = f"listen tcp {address[0]}:{address[1]}: bind: address already in use"
                process.after(0.01, process.exit, 1, reason)
                return
        process.after(process.random.uniform(*_LOADING), self._load)

    def _load(self) -> None:
        process = self._process
        disk, path = process.host.disk, process.options.data_directory
        directory = disk.read(path)
        if directory is None:
            directory = DataDirectory()
            disk.write(path, directory)
        if not isinstance(directory, DataDirectory):
            process.exit(1, f"{path} is no data directory")
        elif directory.holder is not None:
            # It waits for the lock, for ever.
            process.log.append("db file is flocked by another process, or taking too long")
        elif directory.damaged:
            process.exit(1, "failed to read WAL, cannot be repaired")
        elif not directory.empty:
            self._go_on(directory)
        else:
            self._begin_empty(directory)

    # With old data

    def _go_on(self, directory: DataDirectory) -> None:
        process = self._process
        if process.options.force_new_cluster:
            if directory.member_id not in directory.state().voters:
                process.panic("removed all voters")
                return
            directory.force_new_cluster()
        self._run(directory)

    def _run(self, directory: DataDirectory, known: tuple[Member, ...] = ()) -> None:
        process, options = self._process, self._process.options
        pre_vote = options.pre_vote
        if pre_vote is None:
            pre_vote = self._world.version_of(process).pre_vote_by_default
        state = directory.state()
        directory.holder = process
        raft = Raft(
            directory.member_id,
            process,
            directory.log.copy(),
            state,
            directory.hard_state,
            options.timing,
            pre_vote=pre_vote,
        )
        process.directory = directory
        for member in known:
            if member.id != directory.member_id:
                process.links.addresses[member.id] = member.peer_urls
        process.run(directory, raft, self._first_wait(len(state.voters)))

    def _first_wait(self, voters: int) -> float | None:
        """etcd skips most of the first election time-out, except in a cluster of two."""
        election = self._process.options.timing.election
        if voters == 1:
            return election * self._process.random.uniform(0.1, 1.0)
        if voters >= 3:
            return election * self._process.random.uniform(0.2, 1.2)
        return None

    # With none

    def _begin_empty(self, directory: DataDirectory) -> None:
        process, options = self._process, self._process.options
        local = initial_members(options.initial_cluster, options.token)
        own = [member for member in local.values() if member.name == options.name]
        if not own:
            process.exit(
                1,
                f'couldn\'t find local name "{options.name}" in the initial cluster configuration',
            )
        elif own[0].peer_urls != (options.peer_url,):
            process.exit(
                1,
                f"--initial-cluster has {','.join(own[0].peer_urls)} but missing from "
                f"--initial-advertise-peer-urls={options.peer_url}",
            )
        elif options.initial_cluster_state == "existing":
            self._ask_peers(local, lambda peer: self._join(directory, local, peer))
        else:
            self._ask_peers(local, lambda peer: self._found(directory, local, own[0], peer))

    def _ask_peers(
        self, local: dict[int, Member], then: Callable[[EtcdProcess | None], None]
    ) -> None:
        """Find the first of the other members, in the order of their URLs, that answers."""
        process, network = self._process, self._world.network
        urls = [u for m in local.values() if m.name != process.options.name for u in m.peer_urls]
        seconds = network.latency(process.host.name, process.host.name)
        for url in sorted(urls):
            host = address_of(url)[0]
            known = host in network.parties
            peer = self._world.at_peer_url(url)
            if known and network.connected(process.host.name, host):
                if peer is None:
                    continue  # refused at once
                if not peer.paused:
                    process.after(seconds, then, peer)
                    return
            seconds += _DIAL_SECONDS
        process.after(seconds, then, None)

    def _found(
        self,
        directory: DataDirectory,
        local: dict[int, Member],
        own: Member,
        peer: EtcdProcess | None,
    ) -> None:
        """Begin a new cluster, unless a peer says that this member has begun already."""
        if peer is not None and peer.serving_peers:
            listed = peer.raft.state.members.get(own.id)
            if listed is not None and listed.client_urls:
                self._process.exit(1, f"member {own.id:x} has already been bootstrapped")
                return
        self._run(self._keep(directory, bootstrapped(local, own.id)))

    def _join(
        self, directory: DataDirectory, local: dict[int, Member], peer: EtcdProcess | None
    ) -> None:
        """Take the ids from a peer's list, which must be the list that was given here."""
        process = self._process
        if peer is None or not peer.serving_peers:
            process.exit(
                1,
                "cannot fetch cluster info from peer urls: could not retrieve cluster "
                "information from the given URLs",
            )
            return
        existing = peer.raft.state.list()
        if len(existing) != len(local):
            process.exit(1, "error validating peerURLs: member count is unequal")
            return
        urls = sorted(member.peer_urls for member in existing)
        if urls != sorted(member.peer_urls for member in local.values()):
            process.exit(1, "error validating peerURLs: unmatched member while checking PeerURLs")
            return
        own = next(m for m in existing if process.options.peer_url in m.peer_urls)
        new = DataDirectory(member_id=own.id, cluster_id=peer.cluster_id)
        self._run(self._keep(directory, new), existing)

    def _keep(self, old: DataDirectory, new: DataDirectory) -> DataDirectory:
        disk, path = self._process.host.disk, self._process.options.data_directory
        if disk.read(path) is old:
            disk.delete(path)
        disk.write(path, new)
        return new
