"""A snapshot of a running etcd as a stream of bytes, checked against the hash it ends in.

Over etcd's JSON gateway with the standard library: the executor, which has no grpc, takes snapshots
before a reseed and for backups.  Memory stays constant whatever the size.  Where the bytes go, and
what becomes of a stream that broke off, is the caller's business; nothing is retried here.

etcd answers this without quorum too, and under the NOSPACE alarm.  A learner answers as well.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import time
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any, Self

from etcdmesos.adapters.etcd_gateway import host_and_port
from etcdmesos.errors import EtcdMesosError

HASH_BYTES = hashlib.sha256().digest_size
"""How much of a snapshot's end is the SHA-256 of all before it."""

_BLOCK_BYTES = 256 * 1024
_LINE_BYTES_MAX = 8 * 1024 * 1024
"""etcd sends 32 KiB in a line of about 44 KiB."""


class SnapshotFailed(EtcdMesosError):
    """There is no snapshot, or not all of it; the text says why in one line."""


class LiveSnapshot:
    """One snapshot, to be used in a `with` and iterated over once.

    The last bytes that the iterator gives are the hash, and it gives them only if it is the right
    one: whoever has seen its end without an error has a whole and sound snapshot.
    """

    def __init__(self, client_url: str, *, idle_seconds: float, seconds: float) -> None:
        """Raises BadUsage for an address that is none.

        `idle_seconds` is how long etcd may send nothing, `seconds` how long all may take.
        """
        self.size = 0
        """How many bytes it will be, the hash included; known inside the `with`."""
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._connection = http.client.HTTPConnection(
            *host_and_port(client_url), timeout=min(idle_seconds, seconds)
        )
        self._idle_seconds = idle_seconds
        self._messages = self._receive()
        self._first = b""

    def __enter__(self) -> Self:
        """Ask for the snapshot and wait for its beginning.  Raises SnapshotFailed."""
        try:
            blob, remaining = next(self._messages)
        except StopIteration:
            self._connection.close()
            raise SnapshotFailed("etcd sent an empty snapshot") from None
        except SnapshotFailed:
            self._connection.close()
            raise
        self._first = blob
        self.size = len(blob) + remaining + HASH_BYTES
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._messages.close()
        self._connection.close()

    def __iter__(self) -> Iterator[bytes]:
        """The snapshot from its first byte to its last.  Raises SnapshotFailed."""
        computed = hashlib.sha256()
        held = self._first
        received = len(held)
        for blob, _ in self._messages:
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
        yield ready
        yield told

    def _receive(self) -> Generator[tuple[bytes, int], None, None]:
        """Each message's bytes, and how many follow that are not the hash."""
        try:
            headers = {"Content-Type": "application/json"}
            self._connection.request("POST", "/v3/maintenance/snapshot", b"{}", headers)
            with self._connection.getresponse() as response:
                for line in self._lines(response):
                    yield _message(line, response.status)
        except TimeoutError as error:
            raise SnapshotFailed(f"etcd sent nothing for {self._idle_seconds:g} s") from error
        except http.client.IncompleteRead as error:
            raise SnapshotFailed("the connection was cut within the snapshot") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or repr(error)
            raise SnapshotFailed(f"no snapshot from etcd: {reason}") from error

    def _lines(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        rest = b""
        while block := response.read1(_BLOCK_BYTES):
            if time.monotonic() > self._deadline:
                raise SnapshotFailed(f"the snapshot was not complete within {self._seconds:g} s")
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
            if len(rest) > _LINE_BYTES_MAX:
                raise SnapshotFailed("what answers does not speak like etcd's gateway")
        if rest:
            yield rest


def _message(line: bytes, status: int) -> tuple[bytes, int]:
    """One line of the gateway's stream.  Raises SnapshotFailed when it is a complaint."""
    try:
        answer: dict[str, Any] = json.loads(line)
        if (result := answer.get("result")) is not None:
            blob = base64.b64decode(result.get("blob", ""), validate=True)
            return blob, int(result.get("remaining_bytes", 0))
        error = answer.get("error")
        complaint = error if isinstance(error, str) else (error or answer)["message"]
    except (ValueError, KeyError, TypeError, AttributeError) as unreadable:
        said = f"HTTP status {status}, not an answer of etcd"
        raise SnapshotFailed(said) from unreadable
    raise SnapshotFailed(f"etcd refuses a snapshot: {' '.join(str(complaint).split())}")
