"""Where the write-ahead log of a stopped etcd ends: its last hard state, and whose log it is.

`--force-new-cluster` goes exactly to the hard state's commit index, so this is the one measure by
which every survivor can be compared, those that could not be asked while they ran among them.

The format is that of etcd 3 (server/storage/wal, read in 3.4 and 3.5): files of frames, each an
8-byte little-endian length (its lowest 56 bits; if the highest bit is set, the three above bit 56
say how many bytes of padding follow) and a protobuf record of type, CRC and data.  Every file
begins with metadata and, but for the first, with the hard state.  CRCs are not checked: etcd does
so when the data is run, and a copy of it is before anything grows from it.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from etcdmesos.errors import EtcdMesosError
from etcdmesos.executor.model import LogEnd

_METADATA = 1
_STATE = 3
_BITS = (1 << 56) - 1


class UnreadableLog(EtcdMesosError):
    """There is no log, or not one of etcd's; the text says why in one line."""


def read_log_end(data_directory: Path) -> LogEnd:
    """The end of the log in a data directory that no etcd has open.  Raises UnreadableLog."""
    files = sorted((data_directory / "member" / "wal").glob("*.wal"), reverse=True)
    if not files:
        raise UnreadableLog("there is no write-ahead log")
    for file in files:
        # A file just begun may hold nothing yet.
        if (end := _read_file(file)) is not None:
            return end
    raise UnreadableLog("the write-ahead log has no hard state")


def _read_file(path: Path) -> LogEnd | None:
    node_id = cluster_id = term = commit = 0
    found = False
    try:
        for kind, data in _records(path):
            fields = _numbers(data)
            if kind == _METADATA:
                node_id, cluster_id = fields.get(1, 0), fields.get(2, 0)
            else:
                term, commit = fields.get(1, 0), fields.get(3, 0)
                found = True
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableLog(f"{path.name}: {error}") from error
    if not found:
        return None
    return LogEnd(
        term=term, commit_index=commit, cluster_id=f"{cluster_id:016x}", member_id=f"{node_id:016x}"
    )


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """The records of metadata and hard states.  What was torn off by a crash is the end."""
    if path.stat().st_size == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as log:
        at = 0
        while at + 8 <= len(log):
            (length,) = struct.unpack_from("<Q", log, at)
            size = length & _BITS
            padding = length >> 56 & 7 if length >> 63 else 0
            if size == 0 or at + 8 + size > len(log):
                return
            at += 8
            # Types below 128 are one byte, and the type comes first: entries are passed over.
            if log[at] != 0x08:
                raise ValueError(f"no record at offset {at}")
            if log[at + 1] in (_METADATA, _STATE):
                yield log[at + 1], _data(log[at : at + size])
            at += size + padding


def _data(record: bytes) -> bytes:
    """Field 3 of a record."""
    at = 0
    while at < len(record):
        tag, at = _varint(record, at)
        value, at = _varint(record, at)
        if tag & 7 == 2:
            if tag >> 3 == 3:
                return record[at : at + value]
            at += value
    return b""


def _numbers(message: bytes) -> dict[int, int]:
    """The numbers of a protobuf message that has nothing else."""
    found: dict[int, int] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        found[tag >> 3], at = _varint(message, at)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
