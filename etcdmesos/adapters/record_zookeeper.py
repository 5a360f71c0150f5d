"""The record in ZooKeeper: `-zk-framework-persist=zk://h1:2181,h2:2181,h3:2181/path`.

    /path/<framework name>/record         the record, as JSON
    /path/<framework name>/framework_id   its framework id alone, for operators
    /path/<framework name>/record-<n>     records that were put aside

A save is one compare-and-set on the record's znode version, together with the framework id when
that changed.  kazoo's retry is not used for it: after a lost answer it would find one's own write
and call it a conflict.

A write whose answer was lost may linger in kazoo's queue or on its way.  It cannot overtake the
next `load`: requests of one session are carried out in order, and those of a connection that the
session has left are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kazoo.client import KazooClient, TransactionRequest
from kazoo.exceptions import (
    BadVersionError,
    KazooException,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    RolledBackError,
    RuntimeInconsistency,
)

from etcdmesos.adapters.zookeeper import AnswerLost, NotConnected, ZooKeeperSession, znode_path
from etcdmesos.cluster.record import Record, decode, encode
from etcdmesos.errors import (
    BadUsage,
    RecordUnreadable,
    SaveConflict,
    SaveUnknown,
    StoreUnavailable,
)

RECORD_BYTES_MAX = 1_000_000
"""A server drops the connection at a request of 1 MiB (jute.maxbuffer); some is left for the rest
of the request."""


class ZooKeeperStore:
    """An ErasableStore on `/path/<framework_name>/record`; the path is made at the first save.

    Any number of them may share one session.  Every call ends within two or three times the
    session's `answer_seconds`.
    """

    def __init__(self, session: ZooKeeperSession, path: str, framework_name: str) -> None:
        """`path` is absolute.  Raises BadUsage for a name that can't be a znode's."""
        if not framework_name or "/" in framework_name:
            raise BadUsage(f"not a name for a znode: {framework_name!r}")
        self._session = session
        self._folder = znode_path(f"{path}/{framework_name}", repr(framework_name))
        self._record = f"{self._folder}/record"
        self._framework_id = f"{self._folder}/framework_id"
        self._seen: int | None = None
        self._framework_id_seen: str | None = None
        self._closed = False

    def load(self) -> Record | None:
        """The stored record as of the moment of the call, None if there is none.

        Waits for a connection if need be.  Raises StoreUnavailable and RecordUnreadable, both with
        the path.
        """
        self._refuse_if_closed()
        wait = self._session.answer_seconds
        try:
            # Without the sync the server that we are connected to may be behind.
            self._session.ask(lambda client: client.sync_async(self._record), wait_seconds=wait)
            data, stat = self._session.ask(lambda client: client.get_async(self._record))
        except NoNodeError:
            self._seen = None
            return None
        except (AnswerLost, NotConnected, KazooException) as error:
            raise StoreUnavailable(f"cannot read {self._record}: {_words(error)}") from error
        try:
            record = decode(data)
        except RecordUnreadable as error:
            raise type(error)(f"{self._record} in ZooKeeper: {error}") from error
        self._seen = stat.version
        return record

    def save(self, record: Record, /) -> None:
        """Replace what this object last saw; a quorum of the servers has it when this returns.

        Raises SaveConflict, SaveUnknown when the answer was lost, or StoreUnavailable: no
        connection (which is not waited for), no permission, larger than 1 MB.
        """
        self._refuse_if_closed()
        data, framework_id = encode(record), record.framework_id.encode()
        if len(data) > RECORD_BYTES_MAX:
            raise StoreUnavailable(
                f"the record has {len(data)} bytes, and ZooKeeper takes {RECORD_BYTES_MAX} (1 MB)"
            )
        seen, acl = self._seen, self._session.acl
        if seen is None:
            self._prepare(lambda: self._session.make_path(self._folder))
        id_changed = record.framework_id != self._framework_id_seen
        id_is_there = id_changed and self._is_there(self._framework_id)

        def write(transaction: TransactionRequest) -> None:
            if seen is None:
                transaction.create(self._record, data, acl=acl)
            else:
                transaction.set_data(self._record, data, version=seen)
            if id_is_there:
                transaction.set_data(self._framework_id, framework_id)
            elif id_changed:
                transaction.create(self._framework_id, framework_id, acl=acl)

        results = self._commit(write)
        # A create answers with the path, a set with the new state.
        self._seen = 0 if seen is None else results[0].version
        self._framework_id_seen = record.framework_id

    def delete(self) -> None:
        """Remove the record that this object last saw, and the framework id; what others keep in
        the folder stays.  Raises as `save` does."""
        self._refuse_if_closed()
        seen = self._seen
        if seen is None:
            if self._is_there(self._record):
                raise self._conflict()
            return
        id_is_there = self._is_there(self._framework_id)

        def remove(transaction: TransactionRequest) -> None:
            transaction.delete(self._record, version=seen)
            if id_is_there:
                transaction.delete(self._framework_id)

        self._commit(remove)
        self._seen = self._framework_id_seen = None

    def put_aside(self) -> str:
        """Move what is stored to a znode record-<number> beside it, whose path is returned.

        The framework id stays.  Raises SaveUnknown, SaveConflict or StoreUnavailable.
        """
        self._refuse_if_closed()
        # A server that is behind would have us move what is not stored any more: a conflict.
        self._prepare(lambda: self._session.ask(lambda client: client.sync_async(self._record)))
        data, stat = self._prepare(
            lambda: self._session.ask(lambda client: client.get_async(self._record))
        )

        def move(transaction: TransactionRequest) -> None:
            transaction.create(f"{self._record}-", data, acl=self._session.acl, sequence=True)
            transaction.delete(self._record, version=stat.version)

        results = self._commit(move)
        self._seen = None
        return str(results[0])

    def close(self) -> None:
        """Take no more calls; the session is its owner's to close."""
        self._closed = True

    def _is_there(self, znode: str) -> bool:
        """Raises StoreUnavailable."""
        ask = self._session.ask
        return self._prepare(lambda: ask(lambda client: client.exists_async(znode))) is not None

    def _prepare(self, step: Callable[[], Any]) -> Any:
        """What comes before the write itself: whatever fails here, the record was not touched."""
        try:
            return step()
        except (AnswerLost, NotConnected, KazooException) as error:
            raise self._cannot_write(error) from error

    def _commit(self, fill: Callable[[TransactionRequest], None]) -> list[Any]:
        """The results of one transaction.  Raises as `save` does."""

        def request(client: KazooClient) -> Any:
            transaction = client.transaction()
            fill(transaction)
            return transaction.commit_async()

        try:
            results: list[Any] = self._session.ask(request)
            for failed in results:
                # These two only say that another operation of the transaction failed.
                if isinstance(failed, Exception) and not isinstance(
                    failed, RolledBackError | RuntimeInconsistency
                ):
                    raise failed
        except AnswerLost as error:
            raise SaveUnknown(f"{self._record} may or may not be written: {error}") from error
        except (BadVersionError, NodeExistsError, NoNodeError) as error:
            raise self._conflict() from error
        except (NotConnected, KazooException) as error:
            raise self._cannot_write(error) from error
        return results

    def _conflict(self) -> SaveConflict:
        return SaveConflict(f"{self._record} was changed by somebody else: it must be read again")

    def _cannot_write(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"cannot write {self._record}: {_words(error)}")

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"the record store on {self._folder} is closed")


def _words(error: Exception) -> str:
    """kazoo's exceptions have no text of their own."""
    if isinstance(error, NoAuthError):
        return "ZooKeeper's access control does not allow it to this user"
    if isinstance(error, KazooException):
        return f"ZooKeeper answered {type(error).__name__}"
    return str(error)
