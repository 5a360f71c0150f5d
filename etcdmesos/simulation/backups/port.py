"""The controller's ways to where backups lie, in the simulation.

The counterparts of `adapters.backups.port` and `adapters.restore.port`, whose `carry_out` and
`checked` do the work: one thing after the other, each at one moment of the time that it takes, as a
process that dies has done all or nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.port import BackupPort as RealPort
from etcdmesos.adapters.backups.port import carry_out
from etcdmesos.adapters.backups.target import SHORT, TargetFailed
from etcdmesos.adapters.restore.checking import checked
from etcdmesos.backups.names import origin_of
from etcdmesos.cluster.commands import CheckBackup, CountBackup, LendBackup
from etcdmesos.cluster.events import BackupLent
from etcdmesos.ports import Post
from etcdmesos.simulation.backups.storage import CLUSTER, Loan, Storage, TargetFrom
from etcdmesos.simulation.process_clock import ProcessClock
from etcdmesos.step import Command, CommandFailed, Event

__all__ = ["BackupPort", "RestorePort"]

_TALKING = (0.01, 0.3)
_READING = (0.1, 3.0)
"""Seconds that a call, and reading a snapshot back, take."""
_LOOKS_EVERY = 1.0
_KEY_BITS = 64


class _TargetPort:
    """A CommandPort that carries out one thing after the other."""

    reads: tuple[type, ...] = ()
    """Commands for which a snapshot is read."""

    def __init__(
        self,
        storage: Storage,
        clock: ProcessClock,
        party: str,
        post: Post[Event],
        framework_id: Callable[[], str],
    ) -> None:
        self._storage = storage
        self._framework_id = framework_id
        self._clock = clock
        self._post = post
        self._target = TargetFrom(storage, party)
        self._library = Library(self._target, CLUSTER, lambda: storage.unix_time)
        self._waiting: deque[Command] = deque()
        self._closed = False

    def submit(self, command: Command, /) -> None:
        """Begin it when what came before is done."""
        self._waiting.append(command)
        if len(self._waiting) == 1:
            self._begin()

    def close(self) -> None:
        """The process ends; what it has not done is not done any more."""
        self._closed = True

    def _answer(self, command: Command, target: TargetFrom, library: Library) -> Event:
        """What comes of it.  Raises TargetFailed."""
        raise NotImplementedError

    def _begin(self) -> None:
        reads = isinstance(self._waiting[0], self.reads)
        seconds = self._storage.random.uniform(*(_READING if reads else _TALKING))
        self._clock.call_after(seconds, self._carry_out, 0.0)

    def _carry_out(self, waited: float) -> None:
        if self._closed:
            return
        if self._storage.stalled and waited < SHORT.idle:
            self._clock.call_after(_LOOKS_EVERY, self._carry_out, waited + _LOOKS_EVERY)
            return
        command = self._waiting[0]
        self._storage.begin(origin_of(self._framework_id()))
        try:
            if self._storage.stalled:
                raise TargetFailed("does not answer")
            event = self._answer(command, self._target, self._library)
        except TargetFailed as error:
            event = CommandFailed(command=command, reason=str(error))
        self._clock.call_after(self._storage.random.uniform(*_TALKING), self._answered, event)

    def _answered(self, event: Event) -> None:
        if self._closed:
            return
        self._waiting.popleft()
        self._post(event)
        if self._waiting:
            self._begin()


class BackupPort(_TargetPort):
    """For everything that is asked of the target while backups are taken."""

    carries_out = RealPort.carries_out
    reads = (CountBackup,)

    def _answer(self, command: Command, target: TargetFrom, library: Library) -> Event:
        return carry_out(command, target, library)


class RestorePort(_TargetPort):
    """For the backup that is restored: found, read back, and lent, one at a time."""

    carries_out: tuple[type, ...] = (CheckBackup, LendBackup)
    reads = (CheckBackup,)
    _lent = ""

    def close(self) -> None:
        super().close()
        self._storage.loans.pop(self._lent, None)

    def _answer(self, command: Command, target: TargetFrom, library: Library) -> Event:
        if isinstance(command, LendBackup):
            return self._lend(command, target.party)
        assert isinstance(command, CheckBackup)
        if self._storage.cutting:
            raise TargetFailed("the connection was cut")
        return checked(command, library)

    def _lend(self, command: LendBackup, party: str) -> Event:
        storage = self._storage
        storage.loans.pop(self._lent, None)
        self._lent = f"http://{party}:12300/restore/{storage.random.getrandbits(_KEY_BITS):016x}"
        until = storage.clock.now + command.seconds
        storage.loans[self._lent] = Loan(
            name=command.point.name, lender=party, until=until, clock=self._clock
        )
        return BackupLent(point=command.point, url=self._lent)
