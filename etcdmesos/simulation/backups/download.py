"""An executor's way to the backup that it restores, in the simulation: the counterpart of
`adapters.snapshot_download`.

It comes through the scheduler that lends it, over some seconds, in which everything may happen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator

from etcdmesos.adapters.backups.target import TargetFailed
from etcdmesos.backups.names import SNAPSHOT
from etcdmesos.executor.commands import FetchSnapshot
from etcdmesos.simulation.backups.storage import Loan, Storage
from etcdmesos.simulation.etcd.data_directory import OfflineFailure, Snapshot

__all__ = ["download"]

_SECONDS = (0.3, 9.0)
"""That a snapshot takes to come, between these."""
_PIECE = 0.5
"""Seconds between two looks at what is under way."""


def download(
    command: FetchSnapshot, storage: Storage, party: str, go_on: Callable[[], None]
) -> Generator[float, None, Snapshot]:
    """Yields the seconds that each part takes, and returns the snapshot that was ordered.

    `go_on` ends it by raising.  Raises OfflineFailure.
    """
    ends_at, idle = storage.clock.now + command.seconds, 0.0
    left, begun = storage.random.uniform(*_SECONDS), False
    while True:
        yield _PIECE
        go_on()
        loan = storage.loans.get(command.url)
        if loan is None or (not begun and storage.clock.now > loan.until):
            raise OfflineFailure(_CUT if begun else _NOT_LENT)
        if storage.clock.now >= ends_at:
            raise OfflineFailure("fetching the backup: it took too long altogether")
        if _flows(storage, loan, party):
            idle, begun, left = 0.0, True, left - _PIECE
            if left <= 0.0:
                return _whole(command, storage, loan)
        elif (idle := idle + _PIECE) >= command.idle_seconds:
            raise OfflineFailure(f"fetching the backup: nothing came for {idle:g} s")


_NOT_LENT = "the scheduler answers 404: no such backup is lent"
_CUT = "fetching the backup: the connection was cut"


def _flows(storage: Storage, loan: Loan, party: str) -> bool:
    """Whether anything comes at this moment.  Raises OfflineFailure when nothing more will."""
    if storage.refusing or storage.cutting:
        raise OfflineFailure("the scheduler answers 502: the target refuses it")
    near = storage.network.connected(party, loan.lender)
    try:
        storage.reach(loan.lender)
    except TargetFailed:
        return False
    return near and not storage.stalled and not loan.clock.stopped


def _whole(command: FetchSnapshot, storage: Storage, loan: Loan) -> Snapshot:
    try:
        content = storage.content(loan.name + SNAPSHOT)
    except TargetFailed as error:
        raise OfflineFailure(f"the scheduler answers 502: {error}") from error
    if len(content) != command.size:
        raise OfflineFailure(f"the backup ends after {len(content)} of {command.size} bytes")
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != command.sha256:
        raise OfflineFailure(f"the backup came with another SHA-256: {sha256}")
    return storage.snapshot(content)
