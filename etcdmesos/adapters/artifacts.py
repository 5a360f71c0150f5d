"""Serves the executor and etcd's binaries to the agents' fetchers, by content.

    http://HOST:PORT/<sha256>/<name>

What is served under a hash never changes: each file is copied at the start into a nameless
temporary file and hashed from there, so an operator may replace it, or write over it, at any time.
The fetcher caches by URL; because the URL holds the hash, no agent runs an outdated binary.

Nothing but GET and HEAD belongs here, and no secret: anybody who reaches the port can read.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote

from attrs import frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from etcdmesos.adapters.http_connection import Patience
from etcdmesos.adapters.http_server import HttpServer
from etcdmesos.errors import BadUsage, Unavailable

_CHUNK_BYTES = 1024 * 1024
"""Measured: 3 clients x 27 MB in 0.09 s, where starlette's FileResponse (64 KiB) takes 0.29 s."""
_FETCHERS = Patience(request=10.0, stall=60.0)
"""A fetch that is cut is a member that fails: agents may be far away, or busy, for a moment."""


@frozen(kw_only=True)
class _Artifact:
    sha256: str
    size: int
    content: IO[bytes]


class ArtifactServer:
    """Serves `files`, name to path, on host:port; port 0 takes a free one.

    The constructor copies and hashes (about 0.05 s for 25 MB) into the temporary folder (TMPDIR).
    Raises BadUsage for a file that can't be read or is no executable, and Unavailable where its
    copy has no room, with its path.
    """

    def __init__(
        self, files: Mapping[str, Path], host: str, port: int, routes: Sequence[Route] = ()
    ) -> None:
        """`routes` are what else agents may fetch here; they come first."""
        self._artifacts: dict[str, _Artifact] = {}
        try:
            for name, path in files.items():
                self._artifacts[name] = _take_copy(name, path)
        except BaseException:
            self._drop_copies()
            raise
        route = Route("/{path:path}", self._answer, methods=["GET", "HEAD"])
        app = Starlette(routes=[*routes, route])
        self._server = HttpServer(app, host, port, patience=_FETCHERS)

    @property
    def port(self) -> int:
        """The port listened on; before `start()` the one asked for."""
        return self._server.port

    def start(self) -> None:
        """Return once requests are answered.  Raises BadUsage if the address can't be had."""
        self._server.start()

    def close(self) -> None:
        """Stop serving, cut downloads that take long, drop the copies.  Returns within 3 s."""
        self._server.close()
        self._drop_copies()

    def sha256(self, name: str) -> str:
        """The hash of what is served as `name`, in hexadecimal.  Raises KeyError."""
        return self._artifacts[name].sha256

    def uri(self, name: str, advertised_host: str) -> str:
        """Where agents that know us as `advertised_host` fetch `name`.  Raises KeyError."""
        return f"{self.address(advertised_host)}/{self.sha256(name)}/{quote(name)}"

    def address(self, advertised_host: str) -> str:
        """Where agents that know us as `advertised_host` reach the other `routes`."""
        return f"http://{_bracketed(advertised_host)}:{self.port}"

    async def _answer(self, request: Request) -> Response:
        sha256, _, name = request.path_params["path"].partition("/")
        artifact = self._artifacts.get(name)
        if artifact is None or artifact.sha256 != sha256:
            return PlainTextResponse("no such artifact\n", status_code=404)
        headers = {
            "Content-Length": str(artifact.size),
            "Content-Type": "application/octet-stream",
            "Cache-Control": "public, max-age=31536000, immutable",
            "ETag": f'"{artifact.sha256}"',
        }
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(_chunks(artifact), headers=headers)

    def _drop_copies(self) -> None:
        for artifact in self._artifacts.values():
            artifact.content.close()


async def _chunks(artifact: _Artifact) -> AsyncIterator[bytes]:
    position = 0
    while position < artifact.size:
        # pread, because several downloads share the descriptor; on a thread, because a disk may
        # take its time and the other downloads should not.
        descriptor = artifact.content.fileno()
        chunk = await asyncio.to_thread(os.pread, descriptor, _CHUNK_BYTES, position)
        if not chunk:
            raise OSError("the copy of an artifact was cut short")
        position += len(chunk)
        yield chunk


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _take_copy(name: str, path: Path) -> _Artifact:
    if not name or "/" in name:
        raise ValueError(f"not a file name: {name!r}")
    with _open(path) as original:
        status = os.fstat(original.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BadUsage(f"{path} is not a file")
        if not status.st_mode & 0o111:
            raise BadUsage(f"{path} is not executable")
        if status.st_size == 0:
            raise BadUsage(f"{path} is empty")
        try:
            return _copy(original)
        except OSError as error:
            folder = tempfile.gettempdir()
            raise Unavailable(f"cannot copy {path} to {folder}: {_words(error)}") from error


def _open(path: Path) -> IO[bytes]:
    def without_waiting(name: str, flags: int) -> int:
        # Opening a FIFO would wait for a writer for ever.
        return os.open(name, flags | os.O_NONBLOCK)

    try:
        return open(path, "rb", opener=without_waiting)
    except OSError as error:
        raise BadUsage(f"cannot read {path}: {_words(error)}") from error


def _copy(original: IO[bytes]) -> _Artifact:
    content = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
    try:
        shutil.copyfileobj(original, content, _CHUNK_BYTES)
        content.flush()
        content.seek(0)
        # Hashed from the copy: this is what is served, whatever happened to the original meanwhile.
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        return _Artifact(sha256=sha256, size=os.fstat(content.fileno()).st_size, content=content)
    except BaseException:
        content.close()
        raise


def _words(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
