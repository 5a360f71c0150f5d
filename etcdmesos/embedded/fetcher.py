"""The fetcher: brings the URIs of a CommandInfo into a sandbox before the command starts.

Runs in threads with big buffers, so that a large binary neither stalls the event
loop nor fills the memory. The cache is one agent's; executors that start at the
same moment share one download. What cannot be had through the cache, or says no size,
is fetched without it. It writes its story to the sandbox's stderr as Mesos' fetcher does.
"""

from __future__ import annotations

import gzip
import http.client
import os
import shutil
import ssl
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urljoin, urlsplit

Json = dict[str, Any]

_BUFFER_BYTES = 1 << 20
_REDIRECTS_MAX = 10
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class FetchError(Exception):
    """One URI could not be brought in; the text is for the sandbox's stderr."""


_FAILURES = (OSError, http.client.HTTPException, FetchError, ValueError)


class Fetcher:
    """Fetches for one agent."""

    def __init__(self, cache_dir: Path, timeout_seconds: float) -> None:
        self._cache_dir = cache_dir
        self._timeout_seconds = timeout_seconds
        self._cached: dict[str, Future[Path]] = {}
        self._files = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="fetcher")

    def stop(self) -> None:
        """Let no download be waited for any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def fetch(self, uris: Iterable[Json], sandbox: Path) -> Future[None]:
        """Bring in all URIs, in order; the future raises FetchError for the first bad one."""
        return self._threads.submit(self._fetch_all, list(uris), sandbox)

    def _fetch_all(self, uris: list[Json], sandbox: Path) -> None:
        with open(sandbox / "stderr", "a", encoding="utf-8") as log:
            for uri in uris:
                value = str(uri.get("value", ""))
                _log(log, f"Fetching URI '{value}'")
                try:
                    target = self._fetch_one(uri, value, sandbox, log)
                except _FAILURES as error:
                    _log(log, f"EXIT with status 1: Failed to fetch '{value}': {error}", "E")
                    raise FetchError(str(error)) from error
                _log(log, f"Fetched '{value}' to '{target}'")
            if uris:
                _log(log, f"Successfully fetched all URIs into '{sandbox}'")

    def _fetch_one(self, uri: Json, value: str, sandbox: Path, log: IO[str]) -> Path:
        name = str(uri.get("output_file") or _basename(value))
        target = sandbox / name
        target.parent.mkdir(parents=True, exist_ok=True)
        cached = self._from_cache(value, log) if uri.get("cache") else None
        if cached is not None:
            _copy(cached, target)
        else:
            self._bring(value, target)
        if uri.get("executable"):
            target.chmod(0o755)
        elif uri.get("extract", True):
            _extract(target, sandbox)
        return target

    def _from_cache(self, value: str, log: IO[str]) -> Path | None:
        """The file in the cache, brought there if need be; None if it cannot be."""
        with self._lock:
            future = self._cached.get(value)
            mine = future is None
            if future is None:
                future = self._cached[value] = Future()
                self._files += 1
                number = self._files
        if mine:
            try:
                future.set_result(self._fill_cache(value, number))
            except BaseException as error:
                # The next one who wants it tries again; those who wait share the failure.
                with self._lock:
                    self._cached.pop(value, None)
                future.set_exception(error)
        try:
            return future.result()
        except _FAILURES as error:
            text = "Reverting to fetching directly into the sandbox for"
            _log(log, f"{text} '{value}', due to failure to fetch through the cache: {error}", "W")
            return None

    def _fill_cache(self, value: str, number: int) -> Path:
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        target = self._cache_dir / f"c{number}-{_basename(value)}"
        if urlsplit(value).scheme in ("http", "https"):
            # Mesos asks for the size first, to make room in the cache.
            connection, answer = _request("HEAD", value, self._timeout_seconds)
            size = answer.headers["Content-Length"]
            answer.close()
            connection.close()
            if not size or not size.isdigit() or int(size) == 0:
                raise FetchError("URI reported content-length: none")
        self._bring(value, target)
        return target

    def _bring(self, value: str, target: Path) -> None:
        parts = urlsplit(value)
        if parts.scheme in ("http", "https"):
            connection, answer = _request("GET", value, self._timeout_seconds)
            try:
                _stream(answer, target)
            finally:
                connection.close()
        elif parts.scheme == "file":
            _copy(Path(unquote(parts.path)), target)
        elif not parts.scheme and value.startswith("/"):
            _copy(Path(value), target)
        else:
            raise FetchError("A relative path was passed for the resource but the frameworks home")


def _log(log: IO[str], text: str, level: str = "I") -> None:
    now = time.time()
    stamp = time.strftime("%Y%m%d %H:%M:%S", time.gmtime(now))
    log.write(f"{level}{stamp}.{int(now % 1 * 1e6):06d} {os.getpid():5d} fetcher] {text}\n")


def _basename(value: str) -> str:
    path = urlsplit(value).path if "://" in value else value
    name = Path(unquote(path)).name
    if not name:
        raise FetchError(f"Malformed URI (missing file name): {value}")
    return name


def _copy(source: Path, target: Path) -> None:
    # copyfile uses the kernel's copy; hard links would let an executor change the cache.
    shutil.copyfile(source, target)


def _request(
    method: str, value: str, timeout: float
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    for _ in range(_REDIRECTS_MAX):
        parts = urlsplit(value)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.netloc, timeout=timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("Accept", "*/*")
        connection.endheaders()
        answer = connection.getresponse()
        if answer.status in (301, 302, 303, 307, 308) and answer.headers["Location"]:
            value = urljoin(value, answer.headers["Location"])
            answer.close()
            connection.close()
            continue
        if answer.status != 200:
            answer.close()
            connection.close()
            text = f"Error downloading resource, received HTTP return code {answer.status}"
            raise FetchError(text)
        return connection, answer
    raise FetchError("Error downloading resource: too many redirects")


def _stream(answer: http.client.HTTPResponse, target: Path) -> None:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    announced = answer.length
    received = 0
    with open(target, "wb", buffering=0) as file:
        while count := answer.readinto(buffer):
            received += count
            file.write(buffer[:count])
    if announced is not None and received != announced:
        raise FetchError(f"Error downloading resource: {received} of {announced} bytes")


def _extract(archive: Path, sandbox: Path) -> None:
    name = archive.name.lower()
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                for member in opened.infolist():
                    path = Path(opened.extract(member, sandbox))
                    mode = member.external_attr >> 16 & 0o777
                    if mode and not path.is_symlink():
                        path.chmod(mode)
        elif name.endswith(".gz") and not name.endswith(".tar.gz"):
            _gunzip(archive)
        elif name.endswith(_TAR_ENDINGS):
            with tarfile.open(archive) as tar:
                # Python before 3.11.4, such as Debian 12's, has no filters.
                tar.extraction_filter = getattr(tarfile, "tar_filter", None)
                tar.extractall(sandbox)  # noqa: S202 - into a sandbox, by whoever owns it
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise FetchError(f"Failed to extract archive '{archive}': {error}") from error


def _gunzip(archive: Path) -> None:
    with gzip.open(archive) as packed, open(archive.with_suffix(""), "wb") as plain:
        shutil.copyfileobj(packed, plain, _BUFFER_BYTES)
    archive.unlink()
