"""http:// and https:// — any server that takes PUT, gives back by GET and removes by DELETE.

HTTP cannot list a folder, so a small file, `index.json`, says which names there are.  One scheduler
writes it; a name is put into it before anything of that name is sent.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from etcdmesos.adapters.backups.calls import answered, call, reading
from etcdmesos.adapters.backups.directory import ANY_SIZE
from etcdmesos.adapters.backups.target import TargetFailed
from etcdmesos.orders import Means, WayIn

INDEX = "index.json"
_GONE = (200, 202, 204, 404, 410)


class HttpTarget:
    """A Target."""

    def __init__(self, base: str, *, authorization: str, upload_authorization: str) -> None:
        """`base` is the folder's URL.  The two are Authorization headers, "" for none: of the
        scheduler's own calls, and of what executors send."""
        self._base = base
        self._headers = _header(authorization)
        self._upload_headers = _header(upload_authorization)

    def way_in(self, file: str, *, size: int, seconds: float) -> WayIn:
        self._index_with(file)
        return WayIn(
            means=Means.PUT,
            parts=(self._url(file),),
            part_bytes=ANY_SIZE,
            headers=self._upload_headers,
        )

    def finish(self, file: str, way: WayIn, tags: tuple[str, ...]) -> None:
        """A PUT that was answered is finished."""

    def abandon(self, file: str, way: WayIn) -> None:
        self.delete(file)

    def files(self) -> tuple[str, ...]:
        with answered(
            "GET", self._url(INDEX), "reading its index", headers=self._headers, welcome=(200, 404)
        ) as answer:
            if answer.status == 404:
                return ()
            content = answer.body(16 * 1024 * 1024)
        try:
            return tuple(str(name) for name in json.loads(content)["files"])
        except (ValueError, KeyError, TypeError) as error:
            # Not the same as none: what it names must not be forgotten.
            raise TargetFailed(f"reading its index: {INDEX} cannot be understood") from error

    @contextlib.contextmanager
    def read(self, file: str, *, seconds: float) -> Iterator[Iterator[bytes]]:
        with answered(
            "GET",
            self._url(file),
            f"reading {file}",
            headers=self._headers,
            limits=reading(seconds),
        ) as answer:
            yield answer.blocks()

    def write(self, file: str, content: bytes) -> None:
        self._put(file, content)
        self._index_with(file)

    def delete(self, file: str) -> None:
        call("DELETE", self._url(file), f"deleting {file}", headers=self._headers, welcome=_GONE)
        names = self.files()
        if file in names:
            self._write_index(tuple(name for name in names if name != file))

    def _index_with(self, file: str) -> None:
        names = self.files()
        if file not in names:
            self._write_index((*names, file))

    def _write_index(self, names: tuple[str, ...]) -> None:
        self._put(INDEX, json.dumps({"files": sorted(names)}, indent=0).encode())

    def _put(self, file: str, content: bytes) -> None:
        call("PUT", self._url(file), f"writing {file}", headers=self._headers, body=content)

    def _url(self, file: str) -> str:
        return f"{self._base}/{quote(file)}"


def _header(authorization: str) -> Mapping[str, str]:
    return {"Authorization": authorization} if authorization else {}
