"""The record's encoding: what is written is read back, and nothing else is taken for a record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.backups.source import Source
from etcdmesos.cluster.episode import Chosen, Reseed, Reseeded, Stage
from etcdmesos.cluster.migrations import MIGRATIONS
from etcdmesos.cluster.record import (
    SCHEMA,
    Change,
    Kind,
    Member,
    Purpose,
    Record,
    RecordedTask,
    Role,
    Step,
    decode,
    encode,
)
from etcdmesos.cluster.restore.episode import Point, Restore, Restored
from etcdmesos.cluster.restore.episode import Stage as RestoreStage
from etcdmesos.errors import RecordTooNew, RecordUnreadable

# Any text but lone surrogates, which UTF-8, and so ZooKeeper, can't hold.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, 2**63 - 1)
ports = st.integers(1, 65535)

tasks = st.builds(
    RecordedTask,
    id=texts,
    purpose=st.sampled_from(Purpose),
    agent_id=texts,
    executor_id=texts,
)
members = st.builds(
    Member,
    name=counts.map("etcd-{}".format),
    generation=counts,
    id=texts,
    role=st.sampled_from(Role),
    step=st.sampled_from(Step),
    scheme=st.sampled_from(["http", "https"]),
    host=texts,
    peer_port=ports,
    client_port=ports,
    agent_id=texts,
    hostname=texts,
    region=texts,
    zone=texts,
    attributes=st.dictionaries(texts, texts, max_size=2),
    sandbox=texts,
    etcd_version=texts,
    artifact=texts,
    tasks=st.lists(tasks, max_size=2).map(tuple),
)
changes = st.builds(Change, kind=st.sampled_from(Kind), member=texts, id=texts, generation=counts)
moments = st.integers(0, 2**33).map(float)
reseeds = st.builds(
    Reseed,
    generation=counts,
    stage=st.sampled_from(Stage),
    began=moments,
    why=texts,
    by_operator=st.booleans(),
    unproven=st.booleans(),
    member=texts,
    failures=st.dictionaries(texts, texts, max_size=2),
    disobedient=st.lists(texts, max_size=2).map(tuple),
    failed_seeds=st.lists(texts, max_size=2).map(tuple),
    seed=texts,
    chosen=st.none()
    | st.builds(Chosen, sha256=texts, revision=counts, commit_index=counts, bump=counts),
    proven=st.booleans(),
)
histories = st.builds(
    Reseeded,
    generation=counts,
    at=moments,
    why=texts,
    member=texts,
    revision=counts,
    bump=counts,
    highest_revision=counts,
    proven=st.booleans(),
    by_operator=st.booleans(),
    past=st.lists(texts, max_size=2).map(tuple),
)
restores = st.builds(
    Restore,
    source=st.builds(Source, name=texts) | st.builds(Source, path=texts),
    stage=st.sampled_from(RestoreStage),
    began=moments,
    why=texts,
    by_operator=st.booleans(),
    older=st.booleans(),
    point=st.none()
    | st.builds(
        Point, name=texts, revision=counts, taken_at=moments, size=counts, sha256=texts, path=texts
    ),
    bump=counts,
    generation=counts,
    attempts=counts,
    failure=texts,
    refused=st.dictionaries(texts, texts, max_size=2),
)
restored = st.builds(
    Restored,
    generation=counts,
    at=moments,
    source=texts,
    taken_at=moments,
    revision=counts,
    bump=counts,
    highest_revision=counts,
    why=texts,
    by_operator=st.booleans(),
    member=texts,
    past=st.lists(texts, max_size=2).map(tuple),
)
records = st.builds(
    Record,
    schema=st.just(SCHEMA),
    cluster_name=texts,
    framework_name=texts,
    framework_id=texts,
    epoch=counts,
    sequence=counts,
    target_size=st.integers(1, 9),
    generation=counts,
    cluster_id=texts,
    served=st.booleans(),
    highest_revision=counts,
    members=st.lists(members, max_size=3).map(tuple),
    next_member=counts,
    failed_attempts=counts,
    change=st.none() | changes,
    attempted_generation=counts,
    foreign_voters=st.lists(texts, max_size=2).map(tuple),
    quorum_lost_at=moments,
    quorum_losses=counts,
    reseed=st.none() | reseeds,
    reseed_failures=counts,
    reseed_setback=texts,
    reseeds=st.lists(histories, max_size=2).map(tuple),
    reseed_count=counts,
    restore=st.none() | restores,
    lost_members=st.lists(members, max_size=2).map(tuple),
    restores=st.lists(restored, max_size=2).map(tuple),
    uninstalling=st.booleans(),
)

EXAMPLES = Path(__file__).parent.parent / "data" / "records"
RECORD = Record(cluster_name="test", framework_name="etcd-test", target_size=3)


@given(records)
def test_a_record_is_read_back_as_it_was_written(record: Record) -> None:
    """decode undoes encode, and the bytes depend on nothing but the record."""
    assert decode(encode(record)) == record
    assert encode(decode(encode(record))) == encode(record)


@given(records, records)
def test_different_records_have_different_bytes(one: Record, other: Record) -> None:
    """Nothing is left out of what is written."""
    assert (encode(one) == encode(other)) == (one == other)


@given(records, st.data())
def test_a_cut_record_is_damaged(record: Record, data: st.DataObject) -> None:
    """No beginning of a record is a record."""
    encoded = encode(record)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(RecordUnreadable):
        decode(cut)


@given(st.binary(max_size=50))
def test_other_bytes_are_damaged(data: bytes) -> None:
    """Whatever is stored, the answer is a record or RecordUnreadable, in one line."""
    with pytest.raises(RecordUnreadable) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


@given(records, st.data())
def test_a_missing_or_unknown_field_is_damage(record: Record, data: st.DataObject) -> None:
    """What must be there and what nobody knows are both refused; only defaults may be missing."""
    raw: dict[str, Any] = json.loads(encode(record))
    required = data.draw(st.sampled_from(["schema", "cluster_name", "framework_name"]))
    without = {name: value for name, value in raw.items() if name != required}
    for damaged in (without, {**raw, "surprise": 1}):
        with pytest.raises(RecordUnreadable, match="damaged"):
            decode(json.dumps(damaged).encode())


@pytest.mark.parametrize("schema", range(1, SCHEMA))
def test_an_older_record_is_read_as_the_present_one(schema: int) -> None:
    """A stored example of each older schema; what is written next is of the present one."""
    old = (EXAMPLES / f"schema-{schema}.json").read_bytes()
    record = decode(old)
    assert (record.schema, record.uninstalling, record.reseed) == (SCHEMA, False, None)
    assert record.attempted_generation == record.generation
    kept = {name: value for name, value in json.loads(old).items() if name != "schema"}
    written = json.loads(encode(record))
    assert kept.items() <= written.items()
    assert decode(encode(record)) == record


def test_every_older_schema_has_a_migration_and_an_example() -> None:
    """A schema that was once written is never refused."""
    assert set(MIGRATIONS) == set(range(1, SCHEMA))
    assert {path.stem for path in EXAMPLES.iterdir()} == {f"schema-{n}" for n in MIGRATIONS}


@pytest.mark.parametrize("schema", [SCHEMA + 1, 0, None, "1", [1], True])
def test_another_schema_is_refused(schema: object) -> None:
    """The text names both schemas; only a higher one is a newer version's."""
    raw = {**json.loads(encode(RECORD)), "schema": schema}
    with pytest.raises(RecordUnreadable, match=f"knows {SCHEMA}") as caught:
        decode(json.dumps(raw).encode())
    assert isinstance(caught.value, RecordTooNew) == (schema == SCHEMA + 1)


def test_what_was_not_written_takes_its_default() -> None:
    """A record from before a field existed reads as if it held the default."""
    required = {"schema": SCHEMA, "cluster_name": "test", "framework_name": "etcd-test"}
    assert decode(json.dumps({**required, "target_size": 3}).encode()) == RECORD


def test_a_member_from_before_placement_was_recorded() -> None:
    """Its agent's region, zone and attributes are unknown, and all else is as it was."""
    old = {
        "name": "etcd-1",
        "generation": 1,
        "id": "8e9e05c52164694d",
        "role": "voter",
        "step": "voter",
        "initial_state": "new",
        "scheme": "http",
        "host": "10.0.0.1",
        "peer_port": 31000,
        "client_port": 31001,
        "agent_id": "S0",
        "hostname": "node-1",
        "sandbox": "/sandbox",
        "etcd_version": "3.5.30",
        "artifact": "ab",
        "tasks": [
            {"id": "etcd-1-1", "purpose": "etcd-server", "agent_id": "S0", "executor_id": "e"}
        ],
    }
    stored = {**json.loads(encode(RECORD)), "members": [old]}
    (member,) = decode(json.dumps(stored).encode()).members
    assert (member.region, member.zone, member.attributes) == ("", "", {})
    assert (member.name, member.hostname, member.tasks[0].id) == ("etcd-1", "node-1", "etcd-1-1")


def test_the_token_is_unlike_that_of_any_other_generation() -> None:
    """A new generation never takes part in the cluster of an older one."""
    assert evolve(RECORD, generation=1).token != evolve(RECORD, generation=2).token
