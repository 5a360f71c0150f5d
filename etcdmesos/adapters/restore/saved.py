"""A snapshot of what an operator has saved on this host: a snapshot file, or a data directory.

What was saved is only read.  What is made of it is a file without a name, gone when this process
is.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from attrs import frozen

from etcdmesos.adapters.child_process import environment
from etcdmesos.adapters.data_copy import snapshot_of_copy
from etcdmesos.adapters.http_exchange import BLOCK_BYTES
from etcdmesos.adapters.reseed_programs import Programs
from etcdmesos.adapters.snapshot_hash import SnapshotHash
from etcdmesos.cluster.restore.episode import Point
from etcdmesos.errors import EtcdMesosError

STATUS_SECONDS = 120.0
"""How long the tool may take to look at a snapshot."""
NAME = "saved"
_LOG = Path("member") / "wal"


class NotSaved(EtcdMesosError):
    """What lies there cannot be restored from, now or ever; the rest of a sentence that begins with
    the path."""


@frozen(kw_only=True)
class Snapshot:
    """One that can be read, as often as is wanted."""

    point: Point
    content: IO[bytes]

    @contextlib.contextmanager
    def read(self) -> Iterator[Iterator[bytes]]:
        yield _blocks(self.content.fileno())


def open_saved(path: Path, *, etcd: Path, tool: Path, cancelled: threading.Event) -> Snapshot:
    """The snapshot that lies at `path`, or is made of the data directory there.

    `tool` is etcdutl, before 3.5 etcdctl.  Raises NotSaved; other EtcdMesosErrors and OSError when
    another time may be better.
    """
    if path.is_dir():
        return _of_directory(path, etcd, cancelled)
    if not path.is_file():
        raise NotSaved("is neither a snapshot nor a data directory on this scheduler's host")
    content = path.open("rb")
    try:
        return _of_file(path, content, _revision(tool, path))
    except BaseException:
        content.close()
        raise


def _of_file(path: Path, content: IO[bytes], revision: int) -> Snapshot:
    found = SnapshotHash()
    for block in _blocks(content.fileno()):
        found.take(block)
    if not found.sound:
        raise NotSaved("is no whole snapshot: it does not end in its own hash")
    point = Point(
        name=str(path),
        revision=revision,
        taken_at=os.fstat(content.fileno()).st_mtime,
        size=found.size,
        sha256=found.sha256,
        path=str(path),
    )
    return Snapshot(point=point, content=content)


def _of_directory(path: Path, etcd: Path, cancelled: threading.Event) -> Snapshot:
    if not (path / _LOG).is_dir():
        raise NotSaved(f"is no data directory: it holds no {_LOG}")
    taken_at = max(one.stat().st_mtime for one in (path / _LOG).iterdir())
    with tempfile.TemporaryDirectory(prefix="etcd-mesos-restore-") as folder:
        programs = Programs(Path(folder), cancelled)
        try:
            file = Path(folder) / "snapshot.db"
            copied = Path(folder) / "copy"
            saved = snapshot_of_copy(programs, str(etcd), path, copied, NAME, file)
        finally:
            programs.close()
        content = file.open("rb")  # it is nameless when the folder is gone
    point = Point(
        name=str(path),
        revision=saved.revision,
        taken_at=taken_at,
        size=saved.size,
        sha256=saved.sha256,
        path=str(path),
    )
    return Snapshot(point=point, content=content)


def _revision(tool: Path, path: Path) -> int:
    """The newest revision in a snapshot, as the tool says."""
    try:
        said = subprocess.run(
            [tool, "snapshot", "status", path, "--write-out=json"],
            env={**environment(os.environ), "ETCDCTL_API": "3"},
            capture_output=True,
            text=True,
            timeout=STATUS_SECONDS,
            check=False,
        )
        return int(json.loads(said.stdout)["revision"])
    except (ValueError, KeyError, TypeError):
        last = said.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise NotSaved(f"is no snapshot, as {tool.name} says: {last[0][-200:]}") from None
    except subprocess.TimeoutExpired:
        raise NotSaved(f"cannot be looked at within {STATUS_SECONDS:g} s") from None


def _blocks(descriptor: int) -> Iterator[bytes]:
    position = 0
    while block := os.pread(descriptor, BLOCK_BYTES, position):
        position += len(block)
        yield block
