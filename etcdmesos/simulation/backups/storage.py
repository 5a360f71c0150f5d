"""The place where backups lie: files by name, on a server that may misbehave.

What is stored there is what was sent, unless the server is made to do otherwise.  Whoever watches
is told of every manifest that is written and of every backup that is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from random import Random
from typing import Protocol

from attrs import define, field, frozen

from etcdmesos.adapters.backups.library import taken_at
from etcdmesos.adapters.backups.target import TargetFailed
from etcdmesos.backups.manifest import Manifest, decode, encode
from etcdmesos.backups.names import MANIFEST, SNAPSHOT, name_of, origin_in, stem
from etcdmesos.orders import Means, WayIn
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.etcd.data_directory import Snapshot
from etcdmesos.simulation.etcd.state import State
from etcdmesos.simulation.facts import BackupRemoved
from etcdmesos.simulation.network import Network
from etcdmesos.simulation.process_clock import ProcessClock

__all__ = ["PARTY", "UNIX_START", "Storage", "StorageWatcher", "Taken", "TargetFrom"]

PARTY = "backups"
CLUSTER = "simulated"
UNIX_START = 1_795_000_000.0
"""What clocks on walls say when a world begins; all of them are right."""
HOUR = 3600.0
FOREIGN = "0f0e0d0c"
"""The origin of another framework's backups, of the same cluster name."""
EARLIER = "1f1e1d1c"
"""That of the cluster from whose backups a new one begins."""


@frozen(kw_only=True)
class Taken:
    """What is true of a snapshot that was sent, by the SHA-256 of all of it."""

    snapshot: Snapshot
    learner: bool
    """It was taken of a learner."""


@frozen(kw_only=True, eq=False)
class Loan:
    """A backup's snapshot, passed on by a scheduler to whoever knows the address."""

    name: str
    lender: str
    """The scheduler's machine."""
    until: float
    clock: ProcessClock
    """Of the scheduler's process."""


class StorageWatcher(Protocol):
    """Told of what becomes of backups."""

    def backup_counts(self, manifest: Manifest, taken: Taken | None) -> None:
        """A manifest was written; `taken` is None when what lies beside it is not what it says."""
        ...

    def backup_found(self, manifest: Manifest) -> None:
        """It lay there before the world began, and is whole."""
        ...

    def backup_removed(self, removed: BackupRemoved) -> None:
        """A backup stops counting, or a snapshot goes that never did."""
        ...


@define(eq=False)
class Storage:
    """One cluster's folder."""

    clock: Clock = field(repr=False)
    network: Network = field(repr=False)
    random: Random = field(repr=False)
    """Of its own, so that what it draws shifts nothing else."""
    watcher: StorageWatcher = field(repr=False)
    inherited: bool = False
    """What lies there at first is of an earlier cluster, not of this one."""
    keeps_partial: bool = False
    """What is cut off half-way stays, under the name that the whole would have."""
    refusing: bool = False
    stalled: bool = False
    """It takes connections, and says nothing."""
    full: bool = False
    cutting: bool = False
    """Connections over which a snapshot is sent break."""
    truncating: bool = False
    """It says that it has all of a snapshot, and has half of it."""
    mute: bool = False
    """It does what is asked, and its answer is often lost."""
    loans: dict[str, Loan] = field(factory=dict)
    """By address: what schedulers lend to executors."""
    _files: dict[str, bytes] = field(factory=dict)
    _taken: dict[str, Taken] = field(factory=dict)
    _removed: set[str] = field(factory=set)
    """Backups that counted once."""
    _spoiled: set[str] = field(factory=set)
    """Backups that were whole when they began to count."""
    _began: bool = False

    @property
    def unix_time(self) -> float:
        return UNIX_START + self.clock.now

    def heal(self) -> None:
        """It behaves from now on."""
        self.refusing = self.stalled = self.full = False
        self.cutting = self.truncating = self.mute = False

    def note(self, taken: Taken) -> None:
        """Know what is true of a snapshot that is sent."""
        self._taken[taken.snapshot.sha256] = taken

    def begin(self, origin: str) -> None:
        """Once: what lies there already, of days before, of others, and of the operator."""
        if self._began:
            return
        self._began = True
        origin = EARLIER if self.inherited else origin
        self._files["read-me.txt"] = b"the operator's"
        self._put_old(FOREIGN, 30 * HOUR)
        for number in range(self.random.choice((0, 0, 2, 5))):
            self._put_old(origin, (6 * number + 1.5) * HOUR)
        if self.random.random() < 0.5:
            self._files[f"{self._old_name(origin, 3 * HOUR)}{SNAPSHOT}"] = b"half"

    def _old_name(self, origin: str, age: float) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.unix_time - age))
        return name_of(stamp, origin, 1, 1)

    def _put_old(self, origin: str, age: float) -> None:
        name, state = self._old_name(origin, age), State()
        state.put_ahead(1, f"before-{origin}-{age:g}", 1)
        snapshot = Snapshot(state, member_id=1, cluster_id=1)
        manifest = Manifest(
            name=name,
            cluster=CLUSTER,
            cluster_id="before",
            generation=1,
            member="etcd-1",
            taken_at=float(int(self.unix_time - age)),
            revision=snapshot.revision,
            term=1,
            etcd_version="3.5.30",
            size=len(snapshot.content),
            sha256=snapshot.sha256,
            tool="before",
        )
        self.note(Taken(snapshot=snapshot, learner=False))
        self._files |= {name + SNAPSHOT: snapshot.content, name + MANIFEST: encode(manifest)}
        self.watcher.backup_found(manifest)

    # What people and rot do to it

    def sound_ones(self, origin: str = "") -> tuple[Manifest, ...]:
        """Those that count and are whole, oldest first; of one framework, or of all ("")."""
        ours = [m for m in self._manifests() if origin in ("", origin_in(m.name))]
        return tuple(manifest for manifest in ours if self._sound(manifest))

    def _manifests(self) -> list[Manifest]:
        names = sorted(name for file in self._files if (name := stem(file, MANIFEST)))
        return [decode(self._files[name + MANIFEST], CLUSTER, name) for name in names]

    def spoil(self, name: str, *, gone: bool) -> None:
        """A snapshot that counts is gone, or is not any more what was put there."""
        self._spoiled.add(name)
        if gone:
            del self._files[name + SNAPSHOT]
        else:
            self._files[name + SNAPSHOT] = b"rubbish" + self._files[name + SNAPSHOT]

    def snapshot(self, content: bytes) -> Snapshot:
        """The one that this is the content of."""
        return self._taken[hashlib.sha256(content).hexdigest()].snapshot

    # Files.  What follows raises TargetFailed; what was done before that stays done.

    def reach(self, party: str) -> None:
        """Talk to the server."""
        if not self.network.connected(party, PARTY):
            raise TargetFailed("no connection")
        if self.refusing:
            raise TargetFailed("refused with 503")

    def answer(self) -> None:
        """Hear from the server that it is done."""
        if self.mute and self.random.random() < 0.5:
            raise TargetFailed("the connection was cut before the answer was complete")

    def names(self) -> tuple[str, ...]:
        """Of all files."""
        return tuple(sorted(self._files))

    def content(self, file: str) -> bytes:
        """Of one file."""
        if file not in self._files:
            raise TargetFailed(f"reading {file}: refused with 404")
        return self._files[file]

    def put_snapshot(self, file: str, content: bytes) -> None:
        """All of a snapshot has arrived."""
        if self.full:
            raise TargetFailed("refused with 507")
        self._files[file] = content[: len(content) // 2] if self.truncating else content
        self.answer()

    def cut(self, file: str, content: bytes) -> None:
        """A part of a snapshot has arrived, and no more will."""
        if self.keeps_partial and file not in self._files:
            self._files[file] = content[: len(content) // 2]

    def put(self, file: str, content: bytes) -> None:
        """Write a small file."""
        if self.full:
            raise TargetFailed("refused with 507")
        self._files[file] = content
        if name := stem(file, MANIFEST):
            manifest = decode(content, CLUSTER, name)
            self.watcher.backup_counts(manifest, self._sound(manifest))
        self.answer()

    def remove(self, file: str, *, abandoned: bool = False) -> None:
        """Take a file away, if it is there."""
        name = stem(file, MANIFEST) or stem(file, SNAPSHOT)
        counted = name + MANIFEST in self._files
        there = self._files.pop(file, None) is not None
        # A snapshot whose manifest went before it is part of what was told then.
        if there and name and name not in self._removed:
            self._removed |= {name} if counted else set()
            self.watcher.backup_removed(
                BackupRemoved(
                    name=name,
                    age=self.unix_time - taken_at(name),
                    counted=counted,
                    abandoned=abandoned,
                    left=tuple(
                        one
                        for one in self._manifests()
                        if one.name in self._spoiled or self._sound(one)
                    ),
                )
            )
        self.answer()

    def _sound(self, manifest: Manifest) -> Taken | None:
        content = self._files.get(manifest.name + SNAPSHOT, b"")
        sha256 = hashlib.sha256(content).hexdigest()
        if (len(content), sha256) != (manifest.size, manifest.sha256):
            return None
        return self._taken.get(sha256)


@frozen
class TargetFrom:
    """A Target: the storage, as a party on the network has it."""

    storage: Storage
    party: str

    def way_in(self, file: str, *, size: int, seconds: float) -> WayIn:
        self.storage.reach(self.party)
        return WayIn(means=Means.PUT, parts=(f"http://{PARTY}/{file}",), part_bytes=1 << 40)

    def finish(self, file: str, way: WayIn, tags: tuple[str, ...]) -> None:
        self.storage.reach(self.party)

    def abandon(self, file: str, way: WayIn) -> None:
        self.storage.reach(self.party)
        self.storage.remove(file, abandoned=True)

    def files(self) -> tuple[str, ...]:
        self.storage.reach(self.party)
        return self.storage.names()

    @contextlib.contextmanager
    def read(self, file: str, *, seconds: float) -> Iterator[Iterator[bytes]]:
        self.storage.reach(self.party)
        yield iter((self.storage.content(file),))

    def write(self, file: str, content: bytes) -> None:
        self.storage.reach(self.party)
        self.storage.put(file, content)

    def delete(self, file: str) -> None:
        self.storage.reach(self.party)
        self.storage.remove(file)
