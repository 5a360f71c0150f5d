"""What etcd keeps on disk, and what is done to it offline: snapshot files, restore, force.

A data directory outlives the process.  It holds what was made durable and nothing else: the log
with its hard state (the WAL), how far the backend had been flushed, and who the member is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from attrs import define, evolve, field, frozen

from etcdmesos.simulation.errors import ImpossibleWorld
from etcdmesos.simulation.etcd.log import CONFIGURATION_KINDS, Entry, Kind, RaftLog
from etcdmesos.simulation.etcd.members import (
    Member,
    cluster_id,
    initial_members,
)
from etcdmesos.simulation.etcd.state import State
from etcdmesos.simulation.etcd.versions import Version

__all__ = ["DataDirectory", "HardState", "OfflineFailure", "Snapshot", "restore"]


@frozen
class HardState:
    """What raft must not forget."""

    term: int = 0
    vote: int = 0
    commit: int = 0


class OfflineFailure(Exception):
    """etcdctl or etcdutl ended with an error; the text is the last line it prints."""


@define(eq=False)
class DataDirectory:
    """`--data-dir`: empty until the first start."""

    log: RaftLog = field(factory=lambda: RaftLog(State()))
    hard_state: HardState = HardState()
    member_id: int = 0
    cluster_id: int = 0
    backend_index: int = 0
    """The backend holds everything up to here, even if the hard state has not heard of it."""
    only_in_backend: dict[int, Entry] = field(factory=dict)
    """Writes that the backend held when `force_new_cluster` took their entries from the log."""
    damaged: bool = False
    """The disk returns rubbish: nothing can be started from it or restored from its backend."""
    holder: object | None = field(default=None, repr=False)
    """The running process that has it open."""

    @property
    def empty(self) -> bool:
        """Whether nothing was ever started on it."""
        return self.member_id == 0

    def copy(self) -> DataDirectory:
        """`cp -r`, best of a directory that nobody has open."""
        return evolve(
            self, log=self.log.copy(), only_in_backend=self.only_in_backend.copy(), holder=None
        )

    def state(self) -> State:
        """The state machine as a start would recover it: the log up to the commit index known to
        the hard state, and of what lies behind, the keys that the backend already holds."""
        state = self._replay(self.hard_state.commit)
        for index in range(self.hard_state.commit + 1, self.backend_index + 1):
            entry = self.log.entry(index) if index <= self.log.last_index else None
            if entry is not None and entry.kind is Kind.PUT:
                state.put_ahead(index, *entry.data)
        return state

    def backend(self) -> State:
        """The state machine as the backend's file (`member/snap/db`) holds it."""
        return self._replay(min(self.backend_index, self.log.last_index))

    def _replay(self, last: int) -> State:
        state = self.log.base.copy()
        for index in range(self.log.base_index + 1, last + 1):
            ahead = self.only_in_backend.get(index)
            if ahead is not None:
                state.put_ahead(index, *ahead.data)
            state.apply(index, self.log.entry(index))
        return state

    def file_snapshot(self) -> Snapshot:
        """The backend's file taken as a snapshot: it carries no hash of its own."""
        if self.empty:
            raise OfflineFailure("no backend file")
        return Snapshot(
            self.backend(), self.member_id, self.cluster_id, hashed=False, damaged=self.damaged
        )

    def force_new_cluster(self) -> None:
        """What `--force-new-cluster` does before raft starts: drop every entry not known to be
        committed, and append, as committed, the removal of every other member.

        What the backend had written of the dropped entries stays (seen on 3.4.23 and 3.5.30).
        """
        log, hard_state = self.log, self.hard_state
        for index in range(hard_state.commit + 1, min(self.backend_index, log.last_index) + 1):
            if log.entry(index).kind is Kind.PUT:
                self.only_in_backend[index] = log.entry(index)
        log.drop_after(hard_state.commit)
        state = self.state()
        for other in sorted(state.members):
            if other != self.member_id:
                log.append(Entry(hard_state.term, Kind.REMOVE, other))
        # Entries of the backend alone belong to indices that the log must reach before it starts.
        while log.last_index < max(self.only_in_backend, default=0):
            log.append(Entry(hard_state.term, Kind.NOOP))
        log.changed_from = None
        self.hard_state = evolve(hard_state, commit=log.last_index)

    def configuration_history(self) -> Iterator[Entry]:
        """The durable changes of the member list that are still in the log."""
        return (entry for entry in self.log.entries if entry.kind in CONFIGURATION_KINDS)


@frozen
class Snapshot:
    """A snapshot file.  Nothing changes it any more."""

    state: State = field(repr=False)
    member_id: int
    """Whose it is."""
    cluster_id: int
    hashed: bool = True
    """Ends in its own SHA-256, as those taken over the network do."""
    damaged: bool = False

    @property
    def revision(self) -> int:
        return self.state.revision

    @property
    def keys(self) -> dict[str, int]:
        """Each key's revision."""
        return dict(self.state.keys)

    @property
    def content(self) -> bytes:
        """The file: what no other content has, and the hash it ends in."""
        state = self.state
        content = (self.cluster_id, state.applied, state.revision, sorted(state.keys.items()))
        data = repr(content).encode()
        return data + hashlib.sha256(data).digest()

    @property
    def sha256(self) -> str:
        """Of the whole file, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def copy(self) -> Snapshot:
        """It never changes, so it is its own copy."""
        return self


def restore(
    snapshot: Snapshot,
    *,
    version: Version,
    name: str,
    initial_cluster: str,
    token: str,
    skip_hash_check: bool = False,
    bump_revision: int = 0,
) -> DataDirectory:
    """`snapshot restore`: a directory for the member `name` of a new cluster.

    Raises OfflineFailure as the tool does.  Where the directory goes must be free (`Disk.write`
    sees to it).
    """
    if bump_revision and not version.bumps_revisions:
        raise OfflineFailure("unknown flag: --bump-revision")
    if not snapshot.hashed and not skip_hash_check:
        raise OfflineFailure("snapshot missing hash but --skip-hash-check=false")
    if snapshot.damaged:
        raise OfflineFailure("expected sha256 does not match")
    members = initial_members(initial_cluster, token)
    own = [member for member in members.values() if member.name == name]
    if not own:
        raise OfflineFailure(f"couldn't find local name {name!r} in the initial cluster")
    state = _restored_state(snapshot.state, members)
    state.revision += bump_revision
    index = len(members)
    return DataDirectory(
        log=RaftLog(state, base_index=index, base_term=1),
        hard_state=HardState(term=1, commit=index),
        member_id=own[0].id,
        cluster_id=cluster_id(members),
        backend_index=index,
    )


def _restored_state(old: State, members: dict[int, Member]) -> State:
    """The keys of a snapshot under a new member list, as if nothing else had ever happened."""
    state = old.copy()
    state.removed = {}
    state.alarms = old.alarms.copy()
    state.set_members(members)
    state.applied = state.kv_index = len(members)
    state.applied_term = 1
    return state


def bootstrapped(members: dict[int, Member], own_id: int) -> DataDirectory:
    """The directory of a new cluster's member, before its first election."""
    if own_id not in members:
        raise ImpossibleWorld("a member that is not in its own cluster")
    log = RaftLog(State())
    for one in sorted(members):
        # With its name: in the list, the members of an initial cluster count as started.
        log.append(Entry(1, Kind.ADD, members[one]))
    log.changed_from = None
    return DataDirectory(
        log=log,
        hard_state=HardState(term=1, commit=log.last_index),
        member_id=own_id,
        cluster_id=cluster_id(members),
        backend_index=log.last_index,
    )
