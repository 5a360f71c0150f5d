"""RecordIO: the framing of Mesos' event streams, as pure functions on bytes.

A record is its length in decimal digits, a newline, and that many bytes. Both
sides use it: the adapters decode, the embedded Mesos encodes. No I/O and no
JSON belongs here.
"""

from __future__ import annotations

# A length of more digits than this is garbage, not a record somebody sends.
_LENGTH_DIGITS_MAX = 20


def encode(record: bytes) -> bytes:
    """Frame one record."""
    return b"%d\n%b" % (len(record), record)


class Decoder:
    """Takes bytes in pieces of any size, gives back whole records.

    The work is linear in the number of bytes fed, however small the pieces are.
    After a ValueError the stream is lost: there is no way to find the next record.
    """

    def __init__(self) -> None:
        self._length = b""
        self._missing: int | None = None
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return the records completed by `data`; raise ValueError on a malformed length."""
        records: list[bytes] = []
        position = 0
        while position < len(data) or self._missing == 0:
            if self._missing is None:
                position = self._read_length(data, position)
                continue
            piece = data[position : position + self._missing]
            position += len(piece)
            self._missing -= len(piece)
            self._pieces.append(piece)
            if self._missing == 0:
                records.append(b"".join(self._pieces))
                self._pieces = []
                self._missing = None
        return records

    def _read_length(self, data: bytes, position: int) -> int:
        end = data.find(b"\n", position)
        digits = data[position:] if end < 0 else data[position:end]
        self._length += digits[: _LENGTH_DIGITS_MAX + 1]
        if not self._length.isdigit() or len(self._length) > _LENGTH_DIGITS_MAX:
            raise ValueError(f"not the length of a RecordIO record: {self._length[:40]!r}")
        if end < 0:
            return len(data)
        self._missing = int(self._length)
        self._length = b""
        return end + 1
