"""The hash at a snapshot's end, checked while the snapshot streams by.

etcd writes the SHA-256 of all that precedes it there: whatever was cut off or changed on the way is
seen, whoever has the file.  Nothing is read or written in here.
"""

from __future__ import annotations

import hashlib

HASH_BYTES = hashlib.sha256().digest_size
"""How much of a snapshot's end is the SHA-256 of all before it."""


class SnapshotHash:
    """Takes a snapshot's blocks from first to last; then knows what it was."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes taken so far."""
        self._before = hashlib.sha256()
        self._last = b""

    def take(self, block: bytes) -> None:
        """The next bytes."""
        self.size += len(block)
        # Held back, because the last of it may be the hash.
        self._before.update(self._last[: max(0, len(self._last) + len(block) - HASH_BYTES)])
        if len(block) >= HASH_BYTES:
            self._before.update(memoryview(block)[:-HASH_BYTES])
            self._last = block[-HASH_BYTES:]
        else:
            self._last = (self._last + block)[-HASH_BYTES:]

    @property
    def sound(self) -> bool:
        """Whether what was taken ends in the hash of what precedes it."""
        return self.size > HASH_BYTES and self._last == self._before.digest()

    @property
    def sha256(self) -> str:
        """Of all that was taken, in hex."""
        whole = self._before.copy()
        whole.update(self._last)
        return whole.hexdigest()
