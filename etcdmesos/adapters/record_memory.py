"""The record in this process' memory: for a scheduler without `-zk-framework-persist`.

Several stores may share one MemoryPlace, each a session of its own, as several schedulers share a
znode.  What is kept is the encoded record: nothing passes here that a real store would refuse.
"""

from __future__ import annotations

import threading

from attrs import define, field

from etcdmesos.cluster.record import Record, decode, encode
from etcdmesos.errors import SaveConflict, StoreUnavailable


@define
class MemoryPlace:
    """What sessions share: the stored bytes and how often they were written."""

    data: bytes | None = None
    version: int = 0
    aside: list[bytes] = field(factory=list)
    """What was put aside, oldest first."""
    lock: threading.Lock = field(factory=threading.Lock, repr=False)


class MemoryStore:
    """A RecordStore on `place`, by default on one that nobody else knows."""

    def __init__(self, place: MemoryPlace | None = None) -> None:
        self._place = MemoryPlace() if place is None else place
        # A session that has loaded nothing takes the place for empty, as the other stores do.
        self._seen = 0
        self._closed = False

    def load(self) -> Record | None:
        """The stored record, None if there never was one.  Raises RecordUnreadable."""
        self._refuse_if_closed()
        with self._place.lock:
            data, version = self._place.data, self._place.version
        record = None if data is None else decode(data)
        self._seen = version
        return record

    def save(self, record: Record, /) -> None:
        """Keep `record` in place of what this session last saw.  Raises SaveConflict."""
        self._refuse_if_closed()
        data = encode(record)
        with self._place.lock:
            if self._place.version != self._seen:
                raise SaveConflict("the record was changed by somebody else: it must be read again")
            self._place.data = data
            self._place.version += 1
            self._seen = self._place.version

    def delete(self) -> None:
        """Forget the record this session last saw.  Raises SaveConflict."""
        self._refuse_if_closed()
        with self._place.lock:
            if self._place.version != self._seen:
                raise SaveConflict("the record was changed by somebody else: it must be read again")
            self._empty()

    def put_aside(self) -> str:
        """Keep what is stored as another entry of `aside`; returns its name."""
        self._refuse_if_closed()
        with self._place.lock:
            if self._place.data is None:
                raise StoreUnavailable("there is no record to be put aside")
            self._place.aside.append(self._place.data)
            self._empty()
            return f"aside {len(self._place.aside)}"

    def _empty(self) -> None:
        self._place.data = None
        self._place.version += 1
        self._seen = self._place.version

    def close(self) -> None:
        """End the session; the place keeps what it holds."""
        self._closed = True

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the record store is closed")
