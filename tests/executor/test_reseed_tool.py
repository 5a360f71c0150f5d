"""The tool came with the task; another one is fetched from the scheduler, which may be replaced at
just that moment."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from etcdmesos.adapters.reseed_programs import Cancelled
from etcdmesos.adapters.sandbox_files import NotInSandbox
from etcdmesos.adapters.tool_download import obtain
from etcdmesos.orders import Tool
from tests.free_ports import free_port
from tests.quiet_server import QuietServer
from tests.real_etcd import until

CONTENT = b"#!/bin/sh\n" + b"x" * 100_000


@contextmanager
def serving(port: int, sent: int = len(CONTENT)) -> Iterator[threading.Event]:
    """The tool at that port, of which only the first `sent` bytes come; set once it was asked."""
    asked = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:sent])
            asked.set()

        def log_request(self, *_: object) -> None:
            pass

    with QuietServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def tool(port: int, sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> Tool:
    return Tool(name="etcdutl", url=f"http://127.0.0.1:{port}/etcdutl", sha256=sha256)


def in_sandbox(sandbox: Path, wanted: Tool) -> Path:
    return obtain(wanted, sandbox, threading.Event())


@contextmanager
def fetching(
    sandbox: Path, wanted: Tool, cancelled: threading.Event | None = None
) -> Iterator[list[Path | Exception]]:
    """What came of it, once the block is left."""
    came: list[Path | Exception] = []

    def fetch() -> None:
        try:
            came.append(obtain(wanted, sandbox, cancelled or threading.Event()))
        except (NotInSandbox, Cancelled) as error:
            came.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    try:
        yield came
    finally:
        thread.join(60)
        assert not thread.is_alive()


def test_what_came_with_the_task_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / "etcdutl").write_bytes(CONTENT)
    assert in_sandbox(tmp_path, tool(free_port())) == tmp_path / "etcdutl"


def test_another_one_than_came_with_the_task_is_fetched(tmp_path: Path) -> None:
    """Of another version, say; that one stays what it was."""
    (tmp_path / "etcdutl").write_bytes(b"older")
    port = free_port()
    with serving(port):
        assert in_sandbox(tmp_path, tool(port)).read_bytes() == CONTENT
    assert (tmp_path / "etcdutl").read_bytes() == b"older"


def test_a_server_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    """Gone before the first byte, then in the middle; what is there in the end is whole."""
    port = free_port()
    with fetching(tmp_path, tool(port)) as came:
        with serving(port, sent=50_000) as asked:
            assert asked.wait(60)
        assert not came
        with serving(port):
            until(lambda: came, "it is fetched")
    (path,) = came
    assert isinstance(path, Path)
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o700


def test_waiting_for_the_server_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    cancelled = threading.Event()
    with fetching(tmp_path, tool(free_port()), cancelled) as came:
        cancelled.set()
    assert isinstance(came[0], Cancelled)


def test_another_tool_than_ordered_is_refused_at_once(tmp_path: Path) -> None:
    port = free_port()
    with serving(port), pytest.raises(NotInSandbox, match="another SHA-256"):
        in_sandbox(tmp_path, tool(port, "00"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
