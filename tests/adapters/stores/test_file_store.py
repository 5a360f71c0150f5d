"""The record in a file: what only a file can suffer."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from etcdmesos.adapters.record_file import FileStore, directory_of
from etcdmesos.cluster.record import Record
from etcdmesos.errors import (
    BadUsage,
    RecordUnreadable,
    SaveConflict,
    SaveUnknown,
    StoreUnavailable,
)
from tests.real_etcd import until

RECORD = Record(cluster_name="test", framework_name="etcd-test", target_size=3)
NEXT = evolve(RECORD, epoch=1)

HOLDER = """
import sys, time
from pathlib import Path
from etcdmesos.adapters.record_file import FileStore
store = FileStore(Path(sys.argv[1]), "etcd-test")
store.hold()
print("held", flush=True)
time.sleep(60)
"""

WRITER = """
import sys
from pathlib import Path
from attrs import evolve
from etcdmesos.adapters.record_file import FileStore
store = FileStore(Path(sys.argv[1]), "etcd-test")
record = store.load()
print("writing", flush=True)
while True:
    record = evolve(record, sequence=record.sequence + 1)
    store.save(record)
"""


@contextmanager
def program(text: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has said its first line; killed at the end, if it still runs."""
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-c", text, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path, "etcd-test")
    store.save(RECORD)
    return store


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """The tests' folder belongs to, and the test runs as, somebody whom permissions bind."""
    if os.geteuid() != 0:
        yield
        return
    above = [path for path in (tmp_path, *tmp_path.parents) if path.stat().st_mode & 0o005 != 0o005]
    modes = [(path, path.stat().st_mode) for path in above if path.stat().st_uid == 0]
    for path, mode in modes:
        path.chmod(stat.S_IMODE(mode) | 0o755)
    os.chown(tmp_path, 65534, -1)
    os.seteuid(65534)
    yield
    os.seteuid(0)
    for path, mode in modes:
        path.chmod(stat.S_IMODE(mode))


def test_the_layout_is_what_the_manual_says(store: FileStore, tmp_path: Path) -> None:
    """DIR/<framework>/record.json, readable by its owner only, one JSON object."""
    folder = tmp_path / "etcd-test"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    file = folder / "record.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    stored = json.loads(file.read_bytes())
    assert stored["version"] == 1
    assert stored["record"]["framework_name"] == "etcd-test"
    assert sorted(p.name for p in folder.iterdir()) == ["record.json", "record.lock"]


def test_modes_hold_under_any_umask_and_over_what_was_there(tmp_path: Path) -> None:
    """Neither a generous umask nor an older folder or file leaves the record open to others."""
    folder = tmp_path / "etcd-test"
    folder.mkdir(mode=0o755)
    (folder / "record.json.new").write_text("left by a crash")
    before = os.umask(0)
    try:
        FileStore(tmp_path, "etcd-test").save(RECORD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "record.json").stat().st_mode) == 0o600


def test_two_frameworks_share_a_path(tmp_path: Path) -> None:
    """Each framework name has its own record and its own lock."""
    one, two = FileStore(tmp_path, "etcd-one"), FileStore(tmp_path, "etcd-two")
    one.hold()
    two.hold()
    one.save(RECORD)
    assert two.load() is None
    one.close()
    two.close()


def test_a_second_scheduler_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """One line with the holder's process id; kill -9 of the holder frees the lock at once."""
    with program(HOLDER, tmp_path) as holder:
        second = FileStore(tmp_path, "etcd-test")
        with pytest.raises(BadUsage) as caught:
            second.hold()
        assert f"process {holder.pid} holds" in str(caught.value)
        assert "\n" not in str(caught.value)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        second.hold()
        second.hold()
        second.close()


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """A lock that lived on in an executor or an etcd would outlive its scheduler."""
    first = FileStore(tmp_path, "etcd-test")
    first.hold()
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        first.close()
        second = FileStore(tmp_path, "etcd-test")
        second.hold()
        second.close()
    finally:
        child.kill()
        child.wait()


def test_killed_at_any_moment_a_whole_record_is_left(store: FileStore, tmp_path: Path) -> None:
    """kill -9 amid saves: the file holds one whole record, never an older one than before."""
    sequence = 0
    for _ in range(15):
        with program(WRITER, tmp_path) as writer:
            until(lambda: sequence_in(store) > sequence, "it saves")  # noqa: B023
            time.sleep(random.uniform(0.0, 0.03))  # The moment of the kill is the test.
            sequence = sequence_in(store)
            writer.kill()
            writer.wait()
        assert sequence_in(store) >= sequence
    store.save(NEXT)


def sequence_in(store: FileStore) -> int:
    record = store.load()
    assert record is not None
    return record.sequence


def test_a_write_that_fails_midway_leaves_the_old_record(store: FileStore, tmp_path: Path) -> None:
    """When the disk takes only a part, the error names the file and the old record stands."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(StoreUnavailable, match=r"cannot write .*record\.json: file too large"):
            store.save(NEXT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "etcd-test" / "record.json.new").exists()
    assert FileStore(tmp_path, "etcd-test").load() == RECORD
    store.save(NEXT)
    assert store.load() == NEXT


@pytest.mark.usefixtures("nobody")
def test_missing_permissions_are_told_with_the_path(tmp_path: Path) -> None:
    """No permission is no empty record: unavailable, with path and reason."""
    store = FileStore(tmp_path, "etcd-test")
    store.save(RECORD)
    folder = tmp_path / "etcd-test"
    (folder / "record.json").chmod(0)
    with pytest.raises(StoreUnavailable, match=r"cannot read .*record\.json: permission denied"):
        store.load()
    (folder / "record.json").chmod(0o600)
    folder.chmod(0o500)
    with pytest.raises(StoreUnavailable, match=r"cannot write .*record\.json: permission denied"):
        store.save(NEXT)
    folder.chmod(0)
    with pytest.raises(StoreUnavailable, match="permission denied"):
        store.load()
    folder.chmod(0o700)
    assert store.load() == RECORD
    tmp_path.chmod(0o500)
    with pytest.raises(BadUsage, match=r"cannot keep the record in .*other: permission denied"):
        FileStore(tmp_path, "other")
    tmp_path.chmod(0o700)


@pytest.mark.usefixtures("nobody")
def test_a_rename_that_may_not_be_durable_is_unknown(tmp_path: Path) -> None:
    """The folder can't be synced: the save may or may not survive, so it must be read again."""
    store = FileStore(tmp_path, "etcd-test")
    store.save(RECORD)
    folder = tmp_path / "etcd-test"
    folder.chmod(0o300)
    with pytest.raises(SaveUnknown, match="perhaps not durably"):
        store.save(NEXT)
    folder.chmod(0o700)
    with pytest.raises(SaveConflict):
        store.save(NEXT)
    assert store.load() == NEXT


def test_a_folder_that_is_gone_is_not_an_empty_one(store: FileStore, tmp_path: Path) -> None:
    """Removed or unmounted under a running scheduler: unavailable, and no new cluster."""
    (tmp_path / "etcd-test").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable, match=r"etcd-test is gone"):
        store.load()
    with pytest.raises(StoreUnavailable):
        store.save(NEXT)


def test_a_record_that_somebody_copied_back_is_a_conflict(store: FileStore, tmp_path: Path) -> None:
    """An operator's copy of an older record is noticed, whatever version it carries."""
    file = tmp_path / "etcd-test" / "record.json"
    older = file.read_bytes()
    store.save(NEXT)
    file.write_bytes(older)
    with pytest.raises(SaveConflict, match="changed by somebody else"):
        store.save(NEXT)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"null", b'{"record": {}}', b"[" * 100_000, b'{"version": 1}']
)
def test_damage_is_told_with_the_path(store: FileStore, tmp_path: Path, damage: bytes) -> None:
    """An operator learns which file to look at."""
    (tmp_path / "etcd-test" / "record.json").write_bytes(damage)
    with pytest.raises(RecordUnreadable, match=r"record\.json is damaged"):
        store.load()


def test_a_symbolic_link_is_not_written_through(store: FileStore, tmp_path: Path) -> None:
    """Nobody can have us overwrite another file by a link where the new record is written."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "etcd-test" / "record.json.new").symlink_to(victim)
    with pytest.raises(StoreUnavailable, match="symbolic links"):
        store.save(NEXT)
    assert victim.read_text() == "precious"
    # The link was removed with the failed write, so the next one works.
    store.save(NEXT)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_framework_name_that_is_no_folder_name_is_refused(name: str, tmp_path: Path) -> None:
    """No name escapes from the path given."""
    with pytest.raises(BadUsage, match="not a name for a folder"):
        FileStore(tmp_path, name)


def test_file_urls() -> None:
    """file:///path, also with what URLs escape; anything else is refused with the URL."""
    assert directory_of("file:///var/lib/etcd%20mesos") == Path("/var/lib/etcd mesos")
    for url in ("file://host/path", "file:relative", "zk://h/p", "/path", "file:///a?b"):
        with pytest.raises(BadUsage, match="not a"):
            directory_of(url)
