"""file:// — a folder that the scheduler and the agents all see at the same path."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from etcdmesos.adapters.backups.target import SMALL_BYTES, TargetFailed
from etcdmesos.adapters.http_exchange import BLOCK_BYTES
from etcdmesos.orders import Means, WayIn

ANY_SIZE = 1 << 62


class DirectoryTarget:
    """A Target."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def way_in(self, file: str, *, size: int, seconds: float) -> WayIn:
        with _failures():
            self._make_folder()
            left = os.statvfs(self._folder)
        room = left.f_bavail * left.f_frsize
        if room < size:
            raise TargetFailed(f"it has room for {room} bytes, and {size} are needed")
        return WayIn(means=Means.FILE, parts=(str(self._folder / file),), part_bytes=ANY_SIZE)

    def finish(self, file: str, way: WayIn, tags: tuple[str, ...]) -> None:
        if not (self._folder / file).is_file():
            raise TargetFailed("the snapshot is not there: do agents see the folder that we see?")

    def abandon(self, file: str, way: WayIn) -> None:
        with _failures():
            for left in (*self._folder.glob(f".{file}.*"), self._folder / file):
                left.unlink(missing_ok=True)

    def files(self) -> tuple[str, ...]:
        with _failures():
            if not self._folder.exists():
                return ()
            return tuple(sorted(entry.name for entry in os.scandir(self._folder)))

    @contextlib.contextmanager
    def read(self, file: str, *, seconds: float) -> Iterator[Iterator[bytes]]:
        with _failures():
            stream = open(self._folder / file, "rb")  # noqa: SIM115
        with stream:
            yield self._blocks(stream.fileno())

    def _blocks(self, descriptor: int) -> Iterator[bytes]:
        with _failures():
            while block := os.read(descriptor, BLOCK_BYTES):
                yield block

    def write(self, file: str, content: bytes) -> None:
        assert len(content) <= SMALL_BYTES
        partial = self._folder / f".{file}.partial"
        with _failures():
            self._make_folder()
            with partial.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(self._folder / file)
            _make_durable(self._folder)

    def delete(self, file: str) -> None:
        with _failures():
            (self._folder / file).unlink(missing_ok=True)

    def _make_folder(self) -> None:
        """For nobody else, unless it was there: a snapshot holds everything that is in etcd."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        where = f": {error.filename}" if error.filename else ""
        raise TargetFailed(f"{what}{where}") from error
