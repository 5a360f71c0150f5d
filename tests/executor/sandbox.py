"""The sandbox of the legal world: what lies where, and what reseeding may do to it.

Data is told apart by whose it is: "own", or by the generation of the seed that was restored.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.executor.commands import (
    FetchSnapshot,
    PutBack,
    ReadLog,
    RemoveKept,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
)
from etcdmesos.executor.events import LogRead, SeedRestored, SnapshotSaved
from etcdmesos.executor.model import LogEnd
from etcdmesos.orders import SavedSnapshot
from etcdmesos.step import Command, CommandDone, Event

Work = ReadLog | RunCopy | FetchSnapshot | RestoreSeed | PutBack
LOG_END = LogEnd(
    term=4, commit_index=77, cluster_id="00000000000000c1", member_id="00000000000000a1"
)


class Sandbox:
    """Paths and what is in them.  Every change is checked to be one that loses nothing."""

    def __init__(self) -> None:
        self.own = "own"
        """What the member's own data is called; a seed's, once its cluster is in force."""
        self.place = self.own
        """What is in the member's data directory."""
        self.aside: dict[str, str] = {}
        self.snapshots: dict[str, str] = {}
        """The hash of each snapshot, by path."""
        self.restored: set[int] = set()
        self.saved = 0

    def carry_out(self, command: Command) -> Event:
        """What the real thing would answer now."""
        match command:
            case SaveSnapshot():
                saved = self._save(command.path, 9)
                return SnapshotSaved(generation=command.generation, of_copy=False, snapshot=saved)
            case RunCopy():
                assert self.place == self.own, "a copy of a seed is no measure of the member"
                saved = self._save(command.path, command.applied_index)
                return SnapshotSaved(generation=command.generation, of_copy=True, snapshot=saved)
            case FetchSnapshot():
                saved = evolve(self._save(command.path, 0), sha256=command.sha256)
                self.snapshots[command.path] = command.sha256
                return SnapshotSaved(generation=command.generation, of_copy=True, snapshot=saved)
            case ReadLog():
                assert self.place == self.own, "a seed's log was read for the member's"
                return LogRead(end=LOG_END)
            case RestoreSeed():
                return self._restore(command)
            case PutBack():
                self._put_back(command)
                return CommandDone(command=command)
            case RemoveKept():
                self._remove(command)
                return CommandDone(command=command)
        raise AssertionError(command)

    def accept(self) -> None:
        """The seed's cluster is in force: what it runs on is the member's own."""
        self.own = self.place

    def _save(self, path: str, applied_index: int) -> SavedSnapshot:
        self.saved += 1
        self.snapshots[path] = sha256 = f"{self.saved:064x}"
        return SavedSnapshot(
            sha256=sha256, size=20512, revision=5, applied_index=applied_index, path=path
        )

    def _restore(self, command: RestoreSeed) -> Event:
        assert self.place == self.own
        assert self.snapshots[command.snapshot] == command.sha256
        assert command.generation not in self.restored, "a seed was restored twice"
        self.set_aside(command)
        self.restored.add(command.generation)
        self.place = f"seed {command.generation}"
        return SeedRestored(generation=command.generation)

    def set_aside(self, command: RestoreSeed) -> None:
        """As far as a restore comes that then fails."""
        assert command.aside not in self.aside, "something aside was overwritten"
        self.aside[command.aside] = self.place
        self.place = ""

    def _put_back(self, command: PutBack) -> None:
        for path in command.remove:
            assert self.aside.pop(path, "seed").startswith("seed"), "kept data was removed"
            assert path.startswith("aside/failed-")
        if command.aside in self.aside:
            if self.place:
                assert self.place != self.own
                self.aside[command.failed] = self.place
            self.place = self.aside.pop(command.aside)
        assert self.place == self.own

    def _remove(self, command: RemoveKept) -> None:
        for path in command.paths:
            if path in self.snapshots:
                del self.snapshots[path]
            else:
                assert self.aside.pop(path) != self.own, "the member's own data was removed"

    @property
    def own_data_exists(self) -> bool:
        return self.place == self.own or self.own in self.aside.values()
