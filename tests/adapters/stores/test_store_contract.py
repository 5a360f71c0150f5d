"""What every record store promises.  A new store joins by an entry in `places.PLACES`."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from etcdmesos.cluster.record import Record, encode
from etcdmesos.errors import RecordTooNew, RecordUnreadable, SaveConflict, StoreUnavailable
from etcdmesos.ports import RecordStore
from tests.adapters.stores.places import PLACES, Place, Sessions
from tests.real_etcd import until

RECORD = Record(cluster_name="test", framework_name="etcd-test", target_size=3)
NEXT = evolve(RECORD, epoch=1)
LAST = evolve(RECORD, epoch=2)


@pytest.fixture(scope="module")
def sessions() -> Iterator[Sessions]:
    sessions = Sessions()
    yield sessions
    sessions.close()


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path, sessions: Sessions) -> Place:
    return PLACES[request.param](tmp_path, sessions)


def test_nothing_stored_is_none(place: Place) -> None:
    """A new place holds no record, and that is no error."""
    assert place.session().load() is None


def test_a_saved_record_is_loaded_by_anybody(place: Place) -> None:
    """Save, load here and elsewhere, save again: no load is needed between one's own saves."""
    mine, other = place.session(), place.session()
    assert mine.load() is None
    mine.save(RECORD)
    mine.save(NEXT)
    assert mine.load() == NEXT
    assert other.load() == NEXT
    mine.close()
    assert place.session().load() == NEXT


def test_what_another_session_wrote_is_not_overwritten(place: Place) -> None:
    """A save over something not seen is a conflict, and stays one until it was read."""
    mine, other = place.session(), place.session()
    mine.load()
    mine.save(RECORD)
    assert other.load() == RECORD
    other.save(NEXT)
    for _ in range(2):
        with pytest.raises(SaveConflict):
            mine.save(LAST)
    assert other.load() == NEXT
    assert mine.load() == NEXT
    mine.save(LAST)
    assert other.load() == LAST


def test_a_session_that_has_loaded_nothing_may_only_be_the_first(place: Place) -> None:
    """Saving blind works on an empty place and conflicts on any other."""
    place.session().save(RECORD)
    with pytest.raises(SaveConflict):
        place.session().save(NEXT)
    assert place.session().load() == RECORD


def test_the_same_record_written_again_is_a_write(place: Place) -> None:
    """Versions, not contents, are compared: nobody mistakes a second write for none."""
    mine, other = place.session(), place.session()
    mine.save(RECORD)
    other.load()
    mine.save(RECORD)
    with pytest.raises(SaveConflict):
        other.save(NEXT)


@pytest.mark.parametrize("planted", [b"", b"\x00\xff", b"{}", b"[]", b"null", b'{"schema": 1}'])
def test_the_unreadable_is_not_empty(place: Place, planted: bytes) -> None:
    """Damage is an error at load, and never overwritten by one who could not read it."""
    place.plant(planted)
    session = place.session()
    for _ in range(2):
        with pytest.raises(RecordUnreadable) as caught:
            session.load()
        assert "\n" not in str(caught.value)
    with pytest.raises(SaveConflict):
        session.save(RECORD)
    with pytest.raises(RecordUnreadable):
        place.session().load()


def test_damage_leaves_the_version_last_seen_alone(place: Place) -> None:
    """A session that once read a good record does not overwrite damage either."""
    session = place.session()
    session.save(RECORD)
    place.plant(b"{")
    with pytest.raises(RecordUnreadable):
        session.load()
    with pytest.raises(SaveConflict):
        session.save(NEXT)


def test_a_newer_schema_is_refused_with_both_numbers(place: Place) -> None:
    """The text says what is stored, what is known here, and what to do."""
    place.plant(json.dumps({**json.loads(encode(RECORD)), "schema": 99}).encode())
    with pytest.raises(RecordTooNew, match=r"schema 99.* knows \d+: run the version"):
        place.session().load()


def test_a_closed_session_does_nothing(place: Place) -> None:
    """Neither load nor save works after close, and closing twice is no error."""
    session = place.session()
    session.save(RECORD)
    session.close()
    session.close()
    with pytest.raises(StoreUnavailable):
        session.load()
    with pytest.raises(StoreUnavailable):
        session.save(NEXT)
    assert place.session().load() == RECORD


def test_of_concurrent_writers_exactly_one_wins(place: Place) -> None:
    """Eight sessions that saw the same record save at once: one is stored, seven conflict."""
    place.session().save(RECORD)
    for round_number in range(1, 11):
        sessions = [place.session() for _ in range(8)]
        # A server of an ensemble may be behind, and whoever saw an older record conflicts.
        until(lambda: len({session.load() for session in sessions}) == 1)  # noqa: B023
        won = save_at_once(sessions, round_number)
        assert len(won) == 1
        assert place.session().load() == won[0]


def save_at_once(sessions: Sequence[RecordStore[Record]], epoch: int) -> list[Record]:
    """What was saved without an error."""
    start = threading.Barrier(len(sessions))
    won: list[Record] = []

    def write(number: int, session: RecordStore[Record]) -> None:
        record = evolve(RECORD, epoch=epoch, sequence=number)
        start.wait()
        try:
            session.save(record)
        except SaveConflict:
            return
        won.append(record)

    threads = [threading.Thread(target=write, args=item) for item in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


@pytest.mark.parametrize("kind", sorted(PLACES))
@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["load", "save", "renew"]))))
def test_any_order_of_calls_agrees_with_the_simplest_model(
    kind: str, sessions: Sessions, calls: list[tuple[int, str]]
) -> None:
    """Three sessions in any order: what is stored and who conflicts is what two numbers tell."""
    with tempfile.TemporaryDirectory() as folder:
        place = PLACES[kind](Path(folder), sessions)
        writers = [place.session() for _ in range(3)]
        stored: Record | None = None
        version, seen = 0, [0, 0, 0]
        for number, (who, call) in enumerate(calls):
            if call == "renew":
                writers[who].close()
                writers[who], seen[who] = place.session(), 0
            elif call == "load":
                assert writers[who].load() == stored
                seen[who] = version
            elif seen[who] == version:
                stored = evolve(RECORD, sequence=number)
                writers[who].save(stored)
                version += 1
                seen[who] = version
            else:
                with pytest.raises(SaveConflict):
                    writers[who].save(RECORD)


def test_a_deleted_record_is_none(place: Place) -> None:
    """Gone for everybody; the session that deleted it may write the next one."""
    mine, other = place.session(), place.session()
    mine.save(RECORD)
    other.load()
    mine.delete()
    assert mine.load() is None
    with pytest.raises(SaveConflict):
        other.save(NEXT)
    mine.save(NEXT)
    assert place.session().load() == NEXT


def test_what_another_session_wrote_is_not_deleted(place: Place) -> None:
    """As a save, a deletion goes by the version last seen."""
    mine, other = place.session(), place.session()
    mine.save(RECORD)
    other.load()
    other.save(NEXT)
    with pytest.raises(SaveConflict):
        mine.delete()
    assert mine.load() == NEXT


@pytest.mark.parametrize("stored", [encode(RECORD), b"no record"])
def test_what_is_put_aside_makes_room(place: Place, stored: bytes) -> None:
    """Whatever is stored, readable or not; every time under another name."""
    names = []
    for _ in range(2):
        place.plant(stored)
        mine = place.session()
        names.append(mine.put_aside())
        assert mine.load() is None
        mine.save(NEXT)
        assert place.session().load() == NEXT
    assert all(names)
    assert len(set(names)) == 2


def test_nothing_cannot_be_put_aside(place: Place) -> None:
    """There is no name for nothing."""
    with pytest.raises(StoreUnavailable):
        place.session().put_aside()
