"""hdfs:// — HDFS over WebHDFS, the NameNode's own REST interface.

A file is created in two steps: the NameNode says at which DataNode, and the bytes go there.  So an
executor gets the DataNode's address alone, and needs no account.  Authentication is the simple one
(a user's name) or a delegation token; there is no Kerberos in here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from etcdmesos.adapters.backups.calls import answered, call, reading
from etcdmesos.adapters.backups.directory import ANY_SIZE
from etcdmesos.adapters.backups.target import TargetFailed
from etcdmesos.orders import Means, WayIn


class WebHdfsTarget:
    """A Target."""

    def __init__(self, namenode: str, folder: str, *, user: str, delegation: str) -> None:
        """`namenode` is host:port of its HTTP interface; `user` or `delegation` may be ""."""
        self._base = f"http://{namenode}/webhdfs/v1{quote(folder)}"
        self._who = {"delegation": delegation} if delegation else {"user.name": user}
        if not (user or delegation):
            self._who = {}

    def way_in(self, file: str, *, size: int, seconds: float) -> WayIn:
        location = self._location("PUT", file, f"creating {file}", op="CREATE", overwrite="true")
        return WayIn(means=Means.PUT, parts=(location,), part_bytes=ANY_SIZE)

    def finish(self, file: str, way: WayIn, tags: tuple[str, ...]) -> None:
        """What the DataNode has answered is written."""

    def abandon(self, file: str, way: WayIn) -> None:
        self.delete(file)

    def files(self) -> tuple[str, ...]:
        what = "listing the folder"
        body = call(
            "GET",
            self._url("", op="LISTSTATUS"),
            what,
            welcome=(200, 404),
            explain=_exception,
        )
        if _exception(body) == "FileNotFoundException":
            return ()
        try:
            return tuple(s["pathSuffix"] for s in json.loads(body)["FileStatuses"]["FileStatus"])
        except (ValueError, KeyError, TypeError) as error:
            raise TargetFailed(f"{what}: the answer is not WebHDFS'") from error

    @contextlib.contextmanager
    def read(self, file: str, *, seconds: float) -> Iterator[Iterator[bytes]]:
        location = self._location("GET", file, f"opening {file}", op="OPEN")
        with answered(
            "GET", location, f"reading {file}", explain=_exception, limits=reading(seconds)
        ) as answer:
            yield answer.blocks()

    def write(self, file: str, content: bytes) -> None:
        what = f"writing {file}"
        location = self._location("PUT", file, what, op="CREATE", overwrite="true")
        headers = {"Content-Type": "application/octet-stream"}
        call("PUT", location, what, headers=headers, body=content, explain=_exception)

    def delete(self, file: str) -> None:
        url = self._url(f"/{quote(file)}", op="DELETE")
        call("DELETE", url, f"deleting {file}", explain=_exception)

    def _location(self, method: str, file: str, what: str, **query: str) -> str:
        """Where the NameNode sends us: to a DataNode."""
        url = self._url(f"/{quote(file)}", **query)
        with answered(method, url, what, welcome=(307,), explain=_exception) as answer:
            if location := answer.headers.get("location", ""):
                return location
        raise TargetFailed(f"{what}: the NameNode names no DataNode")

    def _url(self, path: str, **query: str) -> str:
        return f"{self._base}{path}?{urlencode({**query, **self._who})}"


def _exception(body: bytes) -> str:
    """The Java exception's name."""
    try:
        answer: dict[str, Any] = json.loads(body)
        return str(answer["RemoteException"]["exception"])[:80]
    except (ValueError, KeyError, TypeError):
        return ""
