"""A snapshot of a running etcd as a stream of bytes, checked against the hash it ends in.

The executor takes snapshots before a reseed and for backups.  Memory stays constant whatever the
size.  Where the bytes go, and what becomes of a stream that broke off, is the caller's business;
nothing is retried here.

etcd answers this without quorum too, and under the NOSPACE alarm; a learner of 3.4 refuses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

from etcdmesos.adapters.etcd_grpc import StreamFailed, messages
from etcdmesos.adapters.snapshot_hash import HASH_BYTES
from etcdmesos.errors import EtcdMesosError

METHOD = "/etcdserverpb.Maintenance/Snapshot"
_REMAINING = 2
_BLOB = 3
"""Fields of etcd's SnapshotResponse (rpc.proto)."""


class SnapshotFailed(EtcdMesosError):
    """There is no snapshot, or not all of it; the text says why in one line."""


class LiveSnapshot:
    """One snapshot, to be used in a `with` and iterated over once.

    The last bytes that the iterator gives are the hash, and it gives them only if it is the right
    one: whoever has seen its end without an error has a whole and sound snapshot.
    """

    def __init__(self, client_url: str, *, idle_seconds: float, seconds: float) -> None:
        """`idle_seconds` is how long etcd may send nothing, `seconds` how long all may take."""
        self.size = 0
        """How many bytes it will be, the hash included; known inside the `with`."""
        self.sha256 = ""
        """Of all of it, the hash included, in hex; known once it was iterated to its end."""
        self._messages = messages(
            client_url, METHOD, b"", idle_seconds=idle_seconds, seconds=seconds
        )
        self._blobs = self._received()
        self._first = b""

    def __enter__(self) -> Self:
        """Ask for the snapshot and wait for its beginning.

        Raises SnapshotFailed, and BadUsage for an address that is none.
        """
        try:
            self._first, remaining = next(self._blobs)
        except StopIteration:
            raise SnapshotFailed("etcd sent an empty snapshot") from None
        except SnapshotFailed:
            # What came made no sense, and there may be more of it.
            self._messages.close()
            raise
        self.size = len(self._first) + remaining + HASH_BYTES
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._blobs.close()
        self._messages.close()

    def __iter__(self) -> Iterator[bytes]:
        """The snapshot from its first byte to its last.  Raises SnapshotFailed."""
        computed = hashlib.sha256()
        held = self._first
        received = len(held)
        for blob, _ in self._blobs:
            # Held back, because the last of it may be the hash.
            ready, held = held[:-HASH_BYTES], held[-HASH_BYTES:] + blob
            received += len(blob)
            if ready:
                computed.update(ready)
                yield ready
        ready, told = held[:-HASH_BYTES], held[-HASH_BYTES:]
        computed.update(ready)
        if received != self.size:
            raise SnapshotFailed(f"etcd sent {received} bytes of {self.size}")
        if told != computed.digest():
            raise SnapshotFailed("the snapshot does not match the hash it ends in")
        computed.update(told)
        self.sha256 = computed.hexdigest()
        yield ready
        yield told

    def _received(self) -> Generator[tuple[bytes, int], None, None]:
        """Each message's bytes, and how many follow that are not the hash."""
        try:
            for message in self._messages:
                yield _blob_and_remaining(message)
        except StreamFailed as error:
            raise SnapshotFailed(f"no snapshot from etcd: {error}") from error


def _blob_and_remaining(message: bytes) -> tuple[bytes, int]:
    """The two fields of a SnapshotResponse that matter.  Raises StreamFailed."""
    blob, remaining, at = b"", 0, 0
    try:
        while at < len(message):
            key, at = _varint(message, at)
            value, at = _varint(message, at)
            match key & 7, key >> 3:
                case 0, number:
                    remaining = value if number == _REMAINING else remaining
                case 2, number:
                    if at + value > len(message):
                        raise IndexError
                    blob = message[at : at + value] if number == _BLOB else blob
                    at += value
                case _:
                    raise IndexError
    except IndexError:
        raise StreamFailed("what answers does not speak like etcd") from None
    return blob, remaining


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number there and where it ends.  Raises IndexError."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
