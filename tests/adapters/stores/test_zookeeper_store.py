"""The record in ZooKeeper: what only a store behind a network can suffer, on real servers."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from etcdmesos.adapters.record_zookeeper import RECORD_BYTES_MAX, ZooKeeperStore
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from etcdmesos.cluster.record import Record
from etcdmesos.errors import BadUsage, SaveConflict, SaveUnknown, StoreUnavailable
from tests import real_zookeeper
from tests.real_etcd import until

pytestmark = pytest.mark.real

RECORD = Record(cluster_name="test", framework_name="etcd-test", target_size=3)
NEXT = evolve(RECORD, epoch=1)
LAST = evolve(RECORD, epoch=2)
TIMEOUT = 4.0
LONG = 10.0
"""Session's time-out of those who are to notice something long before half of it is over."""


class Scheduler:
    """One scheduler's session and store, behind a line of its own."""

    def __init__(
        self, servers: real_zookeeper.ZooKeeperServers, path: str, timeout: float = TIMEOUT
    ) -> None:
        self.line = real_zookeeper.Line(servers.addresses)
        url = ZooKeeperUrl.parse(self.line.url(path))
        self.session = ZooKeeperSession(url, timeout_seconds=timeout)
        self.store = ZooKeeperStore(self.session, path, "etcd-test")

    def close(self) -> None:
        self.line.thaw()
        self.line.mend()
        self.session.close()
        self.line.close()


@pytest.fixture
def servers() -> real_zookeeper.ZooKeeperServers:
    return real_zookeeper.shared(1)


@pytest.fixture
def path() -> str:
    return f"/stores/{uuid.uuid4().hex}"


@pytest.fixture
def one(servers: real_zookeeper.ZooKeeperServers, path: str) -> Iterator[Scheduler]:
    scheduler = Scheduler(servers, path)
    yield scheduler
    scheduler.close()


@pytest.fixture
def patient(servers: real_zookeeper.ZooKeeperServers, path: str) -> Iterator[Scheduler]:
    scheduler = Scheduler(servers, path, LONG)
    yield scheduler
    scheduler.close()


@pytest.fixture
def other(servers: real_zookeeper.ZooKeeperServers, path: str) -> Iterator[Scheduler]:
    scheduler = Scheduler(servers, path)
    yield scheduler
    scheduler.close()


def read(session: ZooKeeperSession, znode: str) -> bytes:
    data, _ = session.ask(lambda client: client.get_async(znode), wait_seconds=60.0)
    assert isinstance(data, bytes)
    return data


def test_the_layout_is_what_the_manual_says(one: Scheduler, path: str) -> None:
    """/path/<framework>/record is JSON, and framework_id beside it is the id alone."""
    assert one.store.load() is None
    one.store.save(RECORD)
    assert read(one.session, f"{path}/etcd-test/framework_id") == b""
    one.store.save(evolve(RECORD, framework_id="fw-1"))
    assert read(one.session, f"{path}/etcd-test/record").startswith(b"{")
    assert read(one.session, f"{path}/etcd-test/framework_id") == b"fw-1"
    one.store.save(evolve(RECORD, framework_id="fw-2"))
    assert read(one.session, f"{path}/etcd-test/framework_id") == b"fw-2"


def test_the_framework_id_may_be_there_before(one: Scheduler, path: str) -> None:
    """A record that an operator removed, its framework id left: a first save works."""
    one.store.load()
    one.store.save(evolve(RECORD, framework_id="fw-1"))
    one.session.ask(lambda client: client.delete_async(f"{path}/etcd-test/record"))
    store = ZooKeeperStore(one.session, path, "etcd-test")
    assert store.load() is None
    store.save(evolve(RECORD, framework_id="fw-2"))
    assert read(one.session, f"{path}/etcd-test/framework_id") == b"fw-2"


def test_a_write_whose_answer_is_held_back_is_unknown(one: Scheduler) -> None:
    """Frozen after the request went out: unknown within the limit; read again, it was written,
    and one's own write is no conflict."""
    one.store.load()
    one.store.save(RECORD)
    one.line.freeze_answers()
    began = time.monotonic()
    with pytest.raises(SaveUnknown, match="may or may not be written"):
        one.store.save(NEXT)
    assert time.monotonic() - began < one.session.answer_seconds + 20.0
    one.line.thaw()
    assert one.store.load() == NEXT
    one.store.save(LAST)
    assert one.store.load() == LAST


def test_a_write_cut_off_is_unknown_at_once(patient: Scheduler) -> None:
    """The connection ends after the request was sent: unknown without waiting for the limit."""
    patient.store.load()
    patient.store.save(RECORD)
    patient.line.freeze_answers()
    raised: list[Exception] = []

    def save() -> None:
        try:
            patient.store.save(NEXT)
        except Exception as error:
            raised.append(error)

    sent = patient.line.asked
    saving = threading.Thread(target=save)
    saving.start()
    until(lambda: patient.line.asked > sent, "the request is sent")
    patient.line.cut()
    began = time.monotonic()
    saving.join()
    assert time.monotonic() - began < patient.session.answer_seconds
    assert isinstance(raised[0], SaveUnknown)
    patient.line.thaw()
    patient.line.mend()
    assert patient.store.load() == NEXT
    patient.store.save(LAST)


def test_a_write_that_never_arrives_is_unknown_and_stays_away(
    one: Scheduler, other: Scheduler
) -> None:
    """What was held back before it reached a server never appears once the record was read again
    by anybody's later session; and saving on without reading is a conflict or works, never both.
    """
    one.store.load()
    one.store.save(RECORD)
    one.line.freeze()
    with pytest.raises(SaveUnknown):
        one.store.save(NEXT)
    one.line.cut()
    one.line.thaw()
    one.line.mend()
    until(lambda: loaded(one.store), "kazoo is connected again")
    assert one.store.load() == RECORD
    assert other.store.load() == RECORD
    other.store.save(LAST)
    with pytest.raises(SaveConflict):
        one.store.save(NEXT)
    assert one.store.load() == LAST


def test_without_a_connection_nothing_is_written(one: Scheduler) -> None:
    """Cut off: a save is refused at once, as not written; a load says so after its limit."""
    one.store.load()
    one.store.save(RECORD)
    one.line.cut()
    until(lambda: not one.session.connected, "kazoo notices")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"cannot write .*record: no connection"):
        one.store.save(NEXT)
    assert time.monotonic() - began < one.session.answer_seconds
    with pytest.raises(StoreUnavailable, match=r"cannot read .*record: no connection"):
        one.store.load()
    one.line.mend()
    assert one.store.load() == RECORD


def test_a_load_waits_for_the_connection(one: Scheduler) -> None:
    """The first load of a scheduler that just started needs no luck."""
    assert one.store.load() is None


def test_a_session_that_expired_is_followed_by_another(one: Scheduler) -> None:
    """Away for longer than the session lasts: the record is read and written all the same."""
    one.store.load()
    one.store.save(RECORD)
    before = one.session.session_id
    one.line.cut()
    states: list[str] = []
    one.session.listen(states.append)
    server = real_zookeeper.shared(1).servers[0]
    assert before is not None
    known = f"{before & 2**64 - 1:x}"
    until(lambda: known not in server.say("dump"), "the session expires")
    one.line.mend()
    until(lambda: one.session.connected and one.session.session_id != before)
    assert one.store.load() == RECORD
    one.store.save(NEXT)
    assert "LOST" in states


def test_a_wiped_path_is_a_conflict_and_then_empty(one: Scheduler, path: str) -> None:
    """Removed under a running scheduler: nothing is written over it; read again, there is none."""
    one.store.load()
    one.store.save(RECORD)
    for znode in ("record", "framework_id", ""):
        name = f"{path}/etcd-test/{znode}".rstrip("/")
        one.session.ask(lambda client, name=name: client.delete_async(name))  # type: ignore[misc]
    with pytest.raises(SaveConflict, match="changed by somebody else"):
        one.store.save(NEXT)
    assert one.store.load() is None
    one.store.save(LAST)
    assert one.store.load() == LAST


def test_a_record_that_is_too_large_is_refused_in_words(one: Scheduler) -> None:
    """A server would drop the connection, and the save be unknown for ever."""
    one.store.load()
    one.store.save(evolve(RECORD, cluster_name="x" * (RECORD_BYTES_MAX - 2000)))
    with pytest.raises(StoreUnavailable, match=r"has \d+ bytes, and ZooKeeper takes .*1 MB"):
        one.store.save(evolve(RECORD, cluster_name="x" * RECORD_BYTES_MAX))
    one.store.save(NEXT)


def test_who_authenticated_writes_and_everybody_reads(
    servers: real_zookeeper.ZooKeeperServers, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Digest authentication: others can read the record but not write it; no password in a log."""
    caplog.set_level(logging.DEBUG)
    plain = ZooKeeperUrl.parse(servers.url(path))
    sessions = [
        ZooKeeperSession(url)
        for url in (plain.with_credentials("me", "secret-1"), plain.with_credentials("me", "wrong"))
    ]
    try:
        mine, theirs = [ZooKeeperStore(session, path, "etcd-test") for session in sessions]
        assert mine.load() is None
        mine.save(RECORD)
        assert theirs.load() == RECORD
        with pytest.raises(StoreUnavailable, match="access control does not allow it"):
            theirs.save(NEXT)
        mine.save(NEXT)
        elsewhere = ZooKeeperStore(sessions[1], path, "another")
        elsewhere.load()
        with pytest.raises(StoreUnavailable, match="access control does not allow it") as caught:
            elsewhere.save(NEXT)
        assert "secret-1" not in caplog.text + str(caught.value) + repr(sessions)
    finally:
        for session in sessions:
            session.close()


def test_a_closed_session_is_no_connection(one: Scheduler) -> None:
    """Closed by its owner: both calls end at once, and say so."""
    one.store.load()
    one.session.close()
    with pytest.raises(StoreUnavailable, match="session is closed"):
        one.store.load()
    with pytest.raises(StoreUnavailable, match="session is closed"):
        one.store.save(RECORD)


def test_a_killed_server_has_what_was_confirmed(tmp_path: Path, path: str) -> None:
    """kill -9 and start: the record is there, and the session as well."""
    with real_zookeeper.zookeeper(1, tmp_path / "zk") as servers:
        scheduler = Scheduler(servers, path, LONG)
        try:
            scheduler.store.load()
            scheduler.store.save(RECORD)
            before = scheduler.session.session_id
            servers.servers[0].kill()
            until(lambda: not scheduler.session.connected, "kazoo notices")
            servers.servers[0].start()
            until(lambda: scheduler.session.connected, "connected again")
            assert scheduler.session.session_id == before
            scheduler.store.save(NEXT)
            assert scheduler.store.load() == NEXT
        finally:
            scheduler.close()


def test_no_confirmed_write_is_lost_with_the_leading_server(tmp_path: Path, path: str) -> None:
    """The ensemble's leader is killed amid saves: whatever was confirmed is there, saves that were
    not are unknown or refused, never conflicts, and the next leader takes more."""
    with real_zookeeper.zookeeper(3, tmp_path / "zk") as servers:
        url = ZooKeeperUrl.parse(servers.url(path))
        session = ZooKeeperSession(url, timeout_seconds=LONG)
        store = ZooKeeperStore(session, path, "etcd-test")
        try:
            store.load()
            store.save(RECORD)
            leader = servers.leader()
            confirmed = epoch = 0
            killed_at = 0.0
            while not killed_at or confirmed == 0 or time.monotonic() < killed_at + 3.0:
                epoch += 1
                if epoch == 50:
                    leader.kill()
                    killed_at, confirmed = time.monotonic(), 0
                try:
                    store.save(evolve(RECORD, epoch=epoch))
                    confirmed = epoch
                except (SaveUnknown, StoreUnavailable):
                    until(lambda: loaded(store), "the ensemble serves again")
                    stored = store.load()
                    assert stored is not None
                    assert stored.epoch >= confirmed
                    epoch = max(epoch, stored.epoch)
        finally:
            session.close()


def loaded(store: ZooKeeperStore) -> bool:
    try:
        store.load()
    except StoreUnavailable:
        return False
    return True


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\nb"])
def test_a_framework_name_that_is_no_znode_is_refused(one: Scheduler, name: str) -> None:
    """No name escapes from the path given."""
    with pytest.raises(BadUsage):
        ZooKeeperStore(one.session, "/path", name)
