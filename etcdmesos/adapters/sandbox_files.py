"""Files in the sandbox, made and moved so that a crash leaves either the old or the new.

Room on the disk is looked at before it is used.  What is kept and what removed is not decided here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from etcdmesos.errors import EtcdMesosError

SPARE_BYTES = 64 * 1024 * 1024
"""What has to stay free beside what is written: others write, too."""
_BLOCK = 8 * 1024 * 1024
_STREAMED = 256 * 1024
"""What is sent on is read in smaller pieces, so that nobody waits long for the next."""


class NotInSandbox(EtcdMesosError):
    """Something could not be done in the sandbox; the text says what and why, in one line."""


def need_room(folder: Path, wanted: int) -> None:
    """Raises NotInSandbox unless `wanted` bytes, and some to spare, are free."""
    room = os.statvfs(folder)
    if (free := room.f_bavail * room.f_frsize) < wanted + SPARE_BYTES:
        raise NotInSandbox(
            f"the disk has {free >> 20} MiB free, {wanted + SPARE_BYTES >> 20} MiB are needed"
        )


def write_whole(
    path: Path, chunks: Iterable[bytes], mode: int = 0o600, *, durable: bool = True
) -> None:
    """Write a file that is there as a whole or not at all.

    What `chunks` raises comes through, and nothing is left then: who gives them looks whether they
    are the right ones.  Raises NotInSandbox.
    """
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        move(new, path)
    except OSError as error:
        raise NotInSandbox(f"{path.name} cannot be written: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """In hex.  Raises NotInSandbox."""
    computed = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                computed.update(block)
    except OSError as error:
        raise NotInSandbox(f"{path.name} cannot be read: {error.strerror}") from error
    return computed.hexdigest()


@contextmanager
def whole_file(path: Path, sha256: str) -> Iterator[tuple[Iterator[bytes], int]]:
    """A file's blocks, and its size.  The last block is given only if all of it has that SHA-256.

    Raises NotInSandbox, the iterator too.
    """
    try:
        with open(path, "rb") as file:
            yield _checked(file, path.name, sha256), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise NotInSandbox(f"{path.name} cannot be read: {error.strerror}") from error


def _checked(file: BinaryIO, name: str, sha256: str) -> Iterator[bytes]:
    computed, block = hashlib.sha256(), file.read(_STREAMED)
    while block:
        computed.update(block)
        following = file.read(_STREAMED)
        if not following and computed.hexdigest() != sha256:
            raise NotInSandbox(f"{name} has the SHA-256 {computed.hexdigest()} now")
        yield block
        block = following


def move(old: Path, new: Path) -> None:
    """Rename, durably.  Raises OSError."""
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    for folder in {old.parent, new.parent}:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there, and the folder that it leaves empty.

    Raises OSError.
    """
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()


def size_of(folder: Path) -> int:
    """The bytes that its files take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def copy(source: Path, target: Path, go_on: Callable[[], None]) -> None:
    """Copy a folder, sharing blocks where the file system can.  `go_on` is called now and then, and
    ends it by raising.  Raises OSError."""

    def copy_file(old: str, new: str) -> str:
        with open(old, "rb") as reading, open(new, "wb") as writing:
            _copy_blocks(reading.fileno(), writing.fileno(), go_on)
        shutil.copymode(old, new)
        return new

    shutil.copytree(source, target, copy_function=copy_file)


def _copy_blocks(reading: int, writing: int, go_on: Callable[[], None]) -> None:
    try:
        while os.copy_file_range(reading, writing, _BLOCK):
            go_on()
    except OSError:
        # Between some file systems it is not possible.
        os.lseek(reading, 0, os.SEEK_SET)
        os.lseek(writing, 0, os.SEEK_SET)
        while block := os.read(reading, _BLOCK):
            go_on()
            while block:
                block = block[os.write(writing, block) :]
