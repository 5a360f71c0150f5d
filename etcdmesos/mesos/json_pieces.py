"""Takes a JSON document apart while it arrives, so that no more than one piece is held at a time.

A master's state may have a hundred megabytes, of which a reader wants a few kilobytes.  Containers
near the root are walked into; what lies below them is decoded piece by piece and handed on.  What
the pieces mean is not known here.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define

Path = tuple[str | int, ...]
"""Keys of objects and indexes of arrays, from the root on."""

PIECE_CHARACTERS_MAX = 16 * 1024 * 1024

_DELIMITERS = frozenset(" \t\n\r,]}")
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@define
class _Open:
    """A container that is being walked through."""

    is_object: bool
    at: str | int = -1
    """The key, or index, of the value that comes or came last."""


class JsonPieces:
    """Feed it the bytes of one document in UTF-8, then `finish`.

    `depths` says by key of the root object how long the path of a piece is; for other keys it is
    `depth`.  Scalars nearer to the root are pieces, too.
    """

    def __init__(
        self,
        *,
        opened: Callable[[Path, bool], None],
        piece: Callable[[Path, Any], None],
        depths: Mapping[str, int],
        depth: int = 2,
    ) -> None:
        """`opened` is told of each container walked into, and whether it is an object; `piece` of
        each piece.  What they raise comes out of `feed` and `finish`."""
        self._tell_opened, self._tell_piece = opened, piece
        self._depths, self._depth = depths, depth
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0
        self._wanted = 1
        self._open: list[_Open] = []
        self._expected: Callable[[str, bool], bool] = self._value
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take in the next bytes.  Raises ValueError or RecursionError when they are no JSON.

        A piece that is no JSON may be noticed only with the end of the document.
        """
        self._text = self._text[self._at :] + self._utf8.decode(data)
        self._at = 0
        if len(self._text) >= self._wanted:
            self._go(last=False)
            rest = len(self._text) - self._at
            if rest > PIECE_CHARACTERS_MAX:
                raise ValueError(f"a piece has more than {PIECE_CHARACTERS_MAX} characters")
            # A large piece is tried again only when there is twice as much of it.
            self._wanted = 2 * rest

    def finish(self) -> None:
        """The document is complete.  Raises ValueError or RecursionError when it is not JSON."""
        self._text = self._text[self._at :] + self._utf8.decode(b"", final=True)
        self._at = 0
        self._go(last=True)
        if not self._ended or self._at < len(self._text):
            raise ValueError("the document ends early")

    def _go(self, *, last: bool) -> None:
        while True:
            # Always a match, of nothing if need be.
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at == len(self._text):
                return
            if self._ended:
                raise ValueError("something follows the document")
            if not self._expected(self._text[self._at], last):
                return

    # What may come next.  Each takes in one thing and returns True, or False for want of text.

    def _value(self, char: str, last: bool) -> bool:
        path = tuple(each.at for each in self._open)
        if char in "{[" and len(path) < self._depth_at(path):
            self._tell_opened(path, char == "{")
            self._open.append(_Open(is_object=char == "{"))
            self._expected = self._first_key if char == "{" else self._first_element
            self._at += 1
            return True
        try:
            value, end = _DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError:
            if last:
                raise
            return False
        if not last and char not in '{["' and self._text[end : end + 1] not in _DELIMITERS:
            return False  # a number may go on
        self._at = end
        self._tell_piece(path, value)
        self._after_value()
        return True

    def _depth_at(self, path: Path) -> int:
        return self._depths.get(str(path[0]), self._depth) if path else 1

    def _first_element(self, char: str, last: bool) -> bool:
        return self._close() if char == "]" else self._element(char, last)

    def _element(self, char: str, last: bool) -> bool:
        here = self._open[-1]
        before = here.at
        here.at = int(before) + 1
        if self._value(char, last):
            return True
        here.at = before
        return False

    def _first_key(self, char: str, last: bool) -> bool:
        return self._close() if char == "}" else self._key(char, last)

    def _key(self, char: str, last: bool) -> bool:
        if char != '"':
            raise ValueError(f"a key was expected, not {char!r}")
        try:
            key, end = _DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError:
            if last:
                raise
            return False
        colon = _SPACE.match(self._text, end)
        end = colon.end() if colon else end
        if end == len(self._text):
            return False
        if self._text[end] != ":":
            raise ValueError(f"a colon was expected, not {self._text[end]!r}")
        self._open[-1].at = key
        self._at = end + 1
        self._expected = self._value
        return True

    def _comma_or_end(self, char: str, _last: bool) -> bool:
        here = self._open[-1]
        if char == ("}" if here.is_object else "]"):
            return self._close()
        if char != ",":
            raise ValueError(f"a comma or an end was expected, not {char!r}")
        self._at += 1
        self._expected = self._key if here.is_object else self._element
        return True

    def _close(self) -> bool:
        self._at += 1
        self._open.pop()
        self._after_value()
        return True

    def _after_value(self) -> None:
        self._ended = not self._open
        self._expected = self._comma_or_end
