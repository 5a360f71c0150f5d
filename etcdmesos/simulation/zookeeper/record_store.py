"""The record in the simulated ZooKeeper, with the manners of `adapters.record_zookeeper`.

One compare-and-set on the znode's version a save; the framework's id has no znode of its own here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define

from etcdmesos.cluster.record import Record, decode, encode
from etcdmesos.errors import (
    SaveConflict,
    SaveUnknown,
    StoreError,
    StoreUnavailable,
)
from etcdmesos.simulation.zookeeper.client import (
    AnswerLost,
    Client,
    NotConnected,
    Question,
    Steps,
)
from etcdmesos.simulation.zookeeper.requests import (
    BadVersion,
    Create,
    Delete,
    Exists,
    Get,
    NodeExists,
    NoNode,
    Request,
    SetData,
    Stat,
    Sync,
    Transaction,
    Write,
    Znode,
)

__all__ = ["ZooKeeperRecord"]

T = TypeVar("T")


@define(eq=False)
class ZooKeeperRecord:
    """An ErasableStore (`core_host`) on the znode `path`, whose parent is there."""

    _client: Client
    _path: str
    _seen: int | None = None
    """The version last seen; None: there was none, or nothing was read."""
    _closed: bool = False

    def load(self, done: Callable[[Record | StoreError | None], None]) -> None:
        """Read what is stored as of now; waits for a connection if need be."""
        self._run(self._load(), done)

    def save(self, record: Record, done: Callable[[StoreError | None], None]) -> None:
        """Write over the version last seen."""
        self._run(self._save(encode(record)), done)

    def delete(self, done: Callable[[StoreError | None], None]) -> None:
        """Remove the version last seen."""
        self._run(self._delete(), done)

    def put_aside(self, done: Callable[[str | StoreError], None]) -> None:
        """Move what is stored to another znode, whose path is the answer."""
        self._run(self._put_aside(), done)

    def close(self) -> None:
        """The process ends in order: its session does."""
        self._closed = True
        self._client.close()

    def abandon(self) -> None:
        """The process was killed."""
        self._closed = True
        self._client.abandon()

    def _run(self, steps: Steps[T], done: Callable[[Any], None]) -> None:
        if self._closed:
            done(StoreUnavailable("the record store is closed"))
        else:
            self._client.run(steps, done)

    def _load(self) -> Steps[Record | None]:
        wait = self._client.answer_seconds
        try:
            # Without the sync the server that we are connected to may be behind.
            yield self._ask(Sync(), wait)
            znode: Znode = yield self._ask(Get(self._path))
        except NoNode:
            self._seen = None
            return None
        except (AnswerLost, NotConnected) as error:
            raise StoreUnavailable(f"cannot read {self._path}: {error}") from error
        record = decode(znode.data)
        self._seen = znode.stat.version
        return record

    def _save(self, data: bytes) -> Steps[None]:
        seen = self._seen
        write = Create(self._path, data) if seen is None else SetData(self._path, data, seen)
        (answer,) = yield from self._commit(write)
        self._seen = answer.version if isinstance(answer, Stat) else 0

    def _delete(self) -> Steps[None]:
        seen = self._seen
        if seen is None:
            if (yield from self._prepare(Exists(self._path))) is not None:
                raise SaveConflict(f"{self._path} is another's")
            return
        yield from self._commit(Delete(self._path, seen))
        self._seen = None

    def _put_aside(self) -> Steps[str]:
        yield from self._prepare(Sync())
        znode = yield from self._prepare(Get(self._path))
        made, _ = yield from self._commit(
            Create(f"{self._path}-", znode.data, sequence=True),
            Delete(self._path, znode.stat.version),
        )
        self._seen = None
        return str(made)

    def _prepare(self, request: Request) -> Steps[Any]:
        """What comes before a write: whatever fails here, the record was not touched."""
        try:
            return (yield self._ask(request))
        except (AnswerLost, NotConnected, NoNode) as error:
            raise StoreUnavailable(f"cannot write {self._path}: {error}") from error

    def _commit(self, *writes: Write) -> Steps[tuple[Any, ...]]:
        try:
            answers: tuple[Any, ...] = yield self._ask(Transaction(writes))
        except AnswerLost as error:
            raise SaveUnknown(f"{self._path} may or may not be written: {error}") from error
        except NotConnected as error:
            raise StoreUnavailable(f"cannot write {self._path}: {error}") from error
        except (BadVersion, NodeExists, NoNode) as error:
            raise SaveConflict(f"{self._path} was changed by somebody else") from error
        return answers

    def _ask(self, request: Request, wait: float = 0.0) -> Question:
        return Question(request, self._client.answer_seconds, wait)
