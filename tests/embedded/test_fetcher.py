"""The embedded Mesos' fetcher and its cache: what is asked of a server, and what is there after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.embedded.fetcher import Fetcher, FetchError
from tests.quiet_server import QuietServer

CONTENT = b"x" * 100_000


class Server:
    """Serves CONTENT under any path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.says_size = True
        self.statuses: dict[str, int] = {}
        """By method, if it is not to be 200."""
        self.go_on = threading.Event()
        """A GET is answered once this is set."""
        self.go_on.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.command)
                outer.go_on.wait(60)
                self.send_response(outer.statuses.get(self.command, 200))
                if outer.says_size:
                    self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(CONTENT)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}/etcd"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.go_on.set()
    server.close()


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    fetcher = Fetcher(tmp_path / "cache", timeout_seconds=10)
    yield fetcher
    fetcher.stop()


@pytest.fixture
def sandbox(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    return make


def wanted(server: Server) -> list[dict[str, Any]]:
    return [{"value": server.uri, "cache": True, "executable": True}]


def test_the_second_task_of_an_agent_asks_for_nothing(
    fetcher: Fetcher, server: Server, sandbox: Callable[[str], Path]
) -> None:
    """It gets a copy of its own: what it does to that, the third does not see."""
    for name in ("first", "second", "third"):
        box = sandbox(name)
        fetcher.fetch(wanted(server), box).result(10)
        assert (box / "etcd").read_bytes() == CONTENT
        assert (box / "etcd").stat().st_mode & 0o777 == 0o755
        (box / "etcd").write_bytes(b"spoilt")
    assert server.asked == ["HEAD", "GET"]


def test_who_comes_meanwhile_waits_for_the_first(
    fetcher: Fetcher, server: Server, sandbox: Callable[[str], Path]
) -> None:
    """One download, however many want it."""
    server.go_on.clear()
    boxes = [sandbox(str(number)) for number in range(3)]
    fetched = [fetcher.fetch(wanted(server), box) for box in boxes]
    server.go_on.set()
    assert not wait(fetched, 10).not_done
    assert [(box / "etcd").read_bytes() for box in boxes] == [CONTENT] * 3
    assert server.asked == ["HEAD", "GET"]


@pytest.mark.parametrize("broken", ["no size", "no HEAD"])
def test_what_cannot_be_cached_is_fetched_all_the_same(
    fetcher: Fetcher, server: Server, sandbox: Callable[[str], Path], broken: str
) -> None:
    """Straight into the sandbox, which says so; the next one asks again."""
    if broken == "no size":
        server.says_size = False
    else:
        server.statuses["HEAD"] = 405
    for name in ("first", "second"):
        box = sandbox(name)
        fetcher.fetch(wanted(server), box).result(10)
        assert (box / "etcd").read_bytes() == CONTENT
        assert "Reverting to fetching directly into the sandbox" in (box / "stderr").read_text()
    assert server.asked == ["HEAD", "GET"] * 2


def test_what_is_not_there_fails(
    fetcher: Fetcher, server: Server, sandbox: Callable[[str], Path]
) -> None:
    """Through the cache and past it; the next task may find it again."""
    server.statuses = {"HEAD": 404, "GET": 404}
    with pytest.raises(FetchError, match="404"):
        fetcher.fetch(wanted(server), sandbox("first")).result(10)
    server.statuses = {}
    fetcher.fetch(wanted(server), sandbox("second")).result(10)
    assert server.asked == ["HEAD", "GET", "HEAD", "GET"]
