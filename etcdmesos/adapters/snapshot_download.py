"""Fetches the snapshot of a backup into the sandbox, and keeps it only if it is what was ordered.

Streamed, in constant memory.  In the executor, so the standard library alone.  The address is a
key: it is in no error and no log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from etcdmesos.adapters.http_exchange import ExchangeFailed, Limits, exchange
from etcdmesos.adapters.sandbox_files import NotInSandbox, need_room, write_whole
from etcdmesos.adapters.snapshot_hash import SnapshotHash
from etcdmesos.executor.commands import FetchSnapshot
from etcdmesos.orders import SavedSnapshot

_WORDS_BYTES = 4096


def download(command: FetchSnapshot, sandbox: Path, go_on: Callable[[], None]) -> SavedSnapshot:
    """What `command` asks for; `go_on` is called now and then, and ends it by raising.

    Raises NotInSandbox; then there is no such file.
    """
    path, computed = sandbox / command.path, SnapshotHash()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        need_room(path.parent, command.size)
    except OSError as error:
        raise NotInSandbox(f"{path.name} cannot be written: {error.strerror}") from error
    write_whole(path, _checked(command, computed, go_on))
    return SavedSnapshot(
        sha256=computed.sha256,
        size=computed.size,
        revision=command.revision,
        applied_index=0,
        path=command.path,
    )


def _checked(
    command: FetchSnapshot, computed: SnapshotHash, go_on: Callable[[], None]
) -> Iterator[bytes]:
    """The blocks; raises at the end unless they were the ones."""
    for block in _blocks(command):
        go_on()
        computed.take(block)
        if computed.size > command.size:
            raise NotInSandbox(f"the backup is longer than its {command.size} bytes")
        yield block
    if computed.size != command.size:
        raise NotInSandbox(f"the backup ends after {computed.size} of {command.size} bytes")
    if computed.sha256 != command.sha256:
        raise NotInSandbox(f"the backup came with another SHA-256: {computed.sha256}")
    if not computed.sound:
        raise NotInSandbox("the backup does not end in its own hash")


def _blocks(command: FetchSnapshot) -> Iterator[bytes]:
    limits = Limits(idle=command.idle_seconds, total=command.seconds)
    try:
        with exchange("GET", command.url, limits=limits) as answer:
            if answer.status != 200:
                said = answer.body(_WORDS_BYTES).decode(errors="replace").strip()
                raise NotInSandbox(f"the scheduler answers {answer.status}: {said}")
            yield from answer.blocks()
    except ExchangeFailed as error:
        raise NotInSandbox(f"fetching the backup: {error}") from error
