"""Servers that backups are sent to: plain HTTP, and WebHDFS' two halves.

They store files in a folder, want their credentials, and can be made to refuse, stall, cut off,
truncate or fill up.  The WebHDFS one speaks as Hadoop does (redirects, RemoteException), and is not
Hadoop.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import define, field

from tests.quiet_server import QuietServer

TOKEN = "Bearer planted-http-secret"
UPLOAD_TOKEN = "Bearer planted-upload-secret"
USER = "etcd"
BLOCK = 64 * 1024
WITHIN = 90.0
"""Seconds a stall lasts at most: longer than any test waits for what comes of it."""


@define
class Faults:
    """What goes wrong with files that end in `suffix`; nothing by default."""

    suffix: str = ".db"
    refuse: int = 0
    """Answer with this status at once."""
    stall_after: int = -1
    """Take no more than so many bytes, and say nothing."""
    cut_after: int = -1
    """Cut the connection after so many bytes."""
    full_after: int = -1
    """Answer 507 after so many bytes."""
    truncate_to: int = -1
    """Say 201, and keep so many bytes."""
    stall_reading: bool = False
    """Say nothing to whoever wants to read it."""
    cut_reading_after: int = -1
    """Cut whoever reads it off after so many bytes."""
    free: threading.Event = field(factory=threading.Event)
    """Ends a stall."""

    def heal(self) -> None:
        """Whoever is stalled is cut off; from now on all is well."""
        self.refuse, self.stall_reading, self.cut_reading_after = 0, False, -1
        self.stall_after = self.cut_after = self.full_after = self.truncate_to = -1
        self.free.set()

    def hits(self, path: str) -> bool:
        return path.endswith(self.suffix)


class Cut(Exception):
    """The connection is to be cut."""


class Handler(BaseHTTPRequestHandler):
    """A file server below `server.folder`."""

    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        if self.allowed(TOKEN, UPLOAD_TOKEN):
            self.take()

    def do_GET(self) -> None:
        if self.allowed(TOKEN):
            self.give()

    def do_DELETE(self) -> None:
        if self.allowed(TOKEN):
            self.file().unlink(missing_ok=True)
            self.say(204)

    def allowed(self, *tokens: str) -> bool:
        if self.headers.get("Authorization") in tokens:
            return True
        self.close_connection = True
        self.say(401)
        return False

    def file(self) -> Path:
        return self.server.folder / unquote(urlsplit(self.path).path).lstrip("/").replace("/", "__")

    def take(self) -> None:
        """Store the body, or fail as told."""
        faults, path = self.server.faults, urlsplit(self.path).path
        hit = faults.hits(path)
        self.server.requests.append(f"{self.command} {self.path}")
        if hit and faults.refuse:
            self.close_connection = True
            self.say(faults.refuse)
            return
        try:
            length = int(self.headers["Content-Length"])
            whole = self.store(length, faults if hit else Faults())
        except (Cut, ConnectionError):
            self.close_connection = True
            return
        if whole:
            self.say(201)

    def store(self, length: int, faults: Faults) -> bool:
        partial = self.file().with_name(self.file().name + "~")
        got = 0
        with partial.open("wb") as stream:
            while got < length:
                if 0 <= faults.stall_after <= got:
                    faults.free.wait(WITHIN)
                    raise Cut
                if 0 <= faults.cut_after <= got:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    raise Cut
                if 0 <= faults.full_after <= got:
                    self.close_connection = True
                    self.say(507)
                    return False
                block = self.rfile.read(min(BLOCK, length - got))
                if not block:
                    raise Cut
                got += len(block)
                stream.write(block)
            if faults.truncate_to >= 0:
                stream.truncate(faults.truncate_to)
        partial.replace(self.file())
        return True

    def give(self) -> None:
        if not self.file().is_file():
            self.say(404)
            return
        faults = self.server.faults
        hit = faults.hits(urlsplit(self.path).path)
        if faults.stall_reading and hit:
            faults.free.wait(WITHIN)
            self.close_connection = True
            return
        size = self.file().stat().st_size
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        with self.file().open("rb") as stream:
            while block := stream.read(BLOCK):
                if hit and 0 <= faults.cut_reading_after <= stream.tell():
                    self.close_connection = True
                    return
                self.wfile.write(block)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class WebHdfsHandler(Handler):
    """NameNode and DataNode at one address: `/webhdfs/v1/…` asks the one, `/data/…` the other."""

    def allowed(self, *tokens: str) -> bool:
        if self.is_data or self.query.get("user.name") == [USER]:
            return True
        self.close_connection = True
        self.complain(401, "SecurityException")
        return False

    @property
    def is_data(self) -> bool:
        return self.path.startswith("/data/")

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)

    def file(self) -> Path:
        path = unquote(urlsplit(self.path).path)
        for start in ("/webhdfs/v1", "/data"):
            path = path.removeprefix(start)
        return self.server.folder / path.lstrip("/").replace("/", "__")

    def take(self) -> None:
        if self.is_data:
            super().take()
        else:
            self.redirect()

    def give(self) -> None:
        if self.is_data:
            super().give()
        elif self.query["op"] == ["LISTSTATUS"]:
            self.list()
        elif self.file().is_file():
            self.redirect()
        else:
            self.complain(404, "FileNotFoundException")

    def do_DELETE(self) -> None:
        if self.allowed():
            there = self.file().is_file()
            self.file().unlink(missing_ok=True)
            self.say(200, json.dumps({"boolean": there}).encode())

    def redirect(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/webhdfs/v1")
        self.say(307, Location=f"{self.server.url}/data{path}?op={self.query['op'][0]}")

    def list(self) -> None:
        folder = self.file().name + "__"
        names = [p.name for p in self.server.folder.iterdir() if p.name.startswith(folder)]
        if not names:
            self.complain(404, "FileNotFoundException")
            return
        statuses = [{"pathSuffix": name.removeprefix(folder)} for name in names if name[-1] != "~"]
        self.say(200, json.dumps({"FileStatuses": {"FileStatus": statuses}}).encode())

    def complain(self, status: int, exception: str) -> None:
        body = {"RemoteException": {"exception": exception, "message": "planted message"}}
        self.say(status, json.dumps(body).encode())


class FileServer(QuietServer):
    """Either of them."""

    daemon_threads = False

    def __init__(self, folder: Path, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.folder = folder
        self.faults = Faults()
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stored(self) -> dict[str, int]:
        """The size of each whole file, by the end of its path."""
        return {
            path.name.rpartition("__")[2]: path.stat().st_size
            for path in self.folder.iterdir()
            if path.name[-1] != "~"
        }


@contextmanager
def file_server(folder: Path, handler: type[Handler] = Handler) -> Iterator[FileServer]:
    """A server that is gone, with its threads, when the `with` ends."""
    folder.mkdir(parents=True, exist_ok=True)
    server = FileServer(folder, handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.faults.free.set()
        server.shutdown()
        thread.join()
        server.server_close()
