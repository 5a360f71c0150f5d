"""How quick a backup is, and what memory it takes, beside etcd's own tool and a plain upload.

    python bench/backup.py -mebibytes 256 -runs 3 ETCD …
    python bench/backup.py -s3 http://127.0.0.1:8080 bucket KEY:SECRET ETCD …
    PYTHONPATH=. python bench/backup.py -webhdfs ETCD …

The floor is `etcdctl snapshot save` followed by an HTTP PUT of the file (in blocks of 1 MiB, by a
process of its own).  Ours is the executor's adapter in a process of its own, streaming to the same
server; then the same adapter as the scheduler has, reading the backup back and checking it, in a
third one.  Each prints by how much its memory grew (RSS, in MiB).  With -s3 both go to that server,
by pre-signed URLs; with -webhdfs to the DataNode's address that the tests' WebHDFS server names;
without either, to a small one of ours.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from stand import block_of_ports, print_table, start_bare_cluster, version

from etcdmesos.adapters.backup_upload import send
from etcdmesos.adapters.backups.http_put import HttpTarget
from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.s3 import S3Target, account
from etcdmesos.adapters.backups.target import Target
from etcdmesos.adapters.backups.webhdfs import WebHdfsTarget
from etcdmesos.adapters.etcd_snapshot import LiveSnapshot
from etcdmesos.adapters.http_exchange import Limits
from etcdmesos.orders import Means, WayIn

WEBHDFS = "webhdfs"
LIMITS = Limits(idle=60.0, total=600.0)
BLOCK = 1024 * 1024
NAME = "20261122T204500Z-0a0b0c0d-g1-e1"
_SPAWN = multiprocessing.get_context("spawn")


class Store(BaseHTTPRequestHandler):
    """Takes and gives files; keeps the last of each name."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        """Store the body."""
        left = int(self.headers["Content-Length"])
        with (self.folder / self.path.replace("/", "_")).open("wb") as stream:
            while left:
                left -= stream.write(self.rfile.read(min(BLOCK, left)))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Give it back."""
        path = self.folder / self.path.replace("/", "_")
        if not path.exists():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                self.wfile.write(block)


def serve(folder: Path, told: Connection) -> None:
    """Run a Store; tells its port."""
    Store.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    told.send(server.server_address[1])
    server.serve_forever()


def serve_webhdfs(folder: Path, told: Connection) -> None:
    """Run the tests' NameNode and DataNode; tells their port."""
    from tests.adapters.backups.peers import FileServer, WebHdfsHandler

    server = FileServer(folder, WebHdfsHandler)
    told.send(server.server_address[1])
    server.serve_forever()


def resident() -> float:
    """This process' memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak() -> float:
    """The most it ever was, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def stream(client_url: str, url: str) -> None:
    """As an executor does."""
    way = WayIn(means=Means.PUT, parts=(url,), part_bytes=1 << 40)
    with LiveSnapshot(client_url, idle_seconds=60.0, seconds=600.0) as snapshot:
        send(iter(snapshot), snapshot.size, way, LIMITS)


def target_of(words: tuple[str, ...]) -> Target:
    """Of an HTTP server's address; of `webhdfs` and its; or of S3's endpoint, bucket and
    KEY:SECRET."""
    if words[0] == WEBHDFS:
        namenode = words[1].removeprefix("http://")
        return WebHdfsTarget(namenode, "/bench", user="etcd", delegation="")
    if len(words) == 1:
        return HttpTarget(words[0], authorization="", upload_authorization="")
    endpoint, bucket, secrets = words
    key, _, secret = secrets.rpartition(":")
    return S3Target(account(endpoint, "", key, secret), bucket, "bench")


def read_back(*words: str) -> None:
    """As a scheduler does."""
    Library(target_of(words), "bench", time.time).read_back(NAME, seconds=600.0)


def upload(path: str, url: str) -> None:
    """A plain PUT of a file."""
    host, _, rest = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host)
    connection.blocksize = BLOCK
    with open(path, "rb") as stream:
        headers = {"Content-Length": str(os.path.getsize(path))}
        connection.request("PUT", f"/{rest}", stream, headers)
        assert connection.getresponse().status in (200, 201)


def _measured(work: Callable[..., None], arguments: tuple[str, ...], told: Connection) -> None:
    before, began = resident(), time.monotonic()
    work(*arguments)
    told.send((time.monotonic() - began, max(0.0, peak() - before)))


def in_a_process(work: Callable[..., None], *arguments: str) -> tuple[float, float]:
    """(seconds, MiB by which its memory grew); its start does not count."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_measured, args=(work, arguments, theirs))
    process.start()
    figures: tuple[float, float] = ours.recv()
    process.join()
    return figures


def fill(client: int, mebibytes: int) -> None:
    """Put that much into etcd, in values of 1 MiB that cannot be compressed."""
    connection = http.client.HTTPConnection("127.0.0.1", client)
    for n in range(mebibytes):
        put: dict[str, Any] = {
            "key": base64.b64encode(b"key-%d" % n).decode(),
            "value": base64.b64encode(os.urandom(BLOCK)).decode(),
        }
        connection.request("POST", "/v3/kv/put", json.dumps(put))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()


def run(etcdctl: Path, client: int, store: tuple[str, ...], folder: Path) -> tuple[float, ...]:
    """One run of each: memory streaming and reading back, then seconds; ours and the floor last."""
    client_url, file = f"http://127.0.0.1:{client}", folder / "saved.db"
    target = target_of(store)
    plain, streamed = (
        target.way_in(name, size=1, seconds=600.0).parts[0] for name in ("plain.db", f"{NAME}.db")
    )
    began = time.monotonic()
    subprocess.run(
        [etcdctl, f"--endpoints={client_url}", "snapshot", "save", file],
        check=True,
        capture_output=True,
        env={"ETCDCTL_API": "3"},
    )
    saved = time.monotonic() - began
    put, _ = in_a_process(upload, str(file), plain)
    file.unlink()
    ours, sending = in_a_process(stream, client_url, streamed)
    checked, reading = in_a_process(read_back, *store)
    return (sending, reading, checked, saved, put, ours, saved + put)


def main() -> None:
    """A table for each etcd named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-mebibytes", type=int, default=256)
    parser.add_argument("-runs", type=int, default=3)
    parser.add_argument("-s3", nargs=3, metavar=("ENDPOINT", "BUCKET", "KEY:SECRET"))
    parser.add_argument("-webhdfs", action="store_true")
    parser.add_argument("etcd", nargs="+", type=Path)
    options = parser.parse_args()
    columns = ("MiB sending", "MiB reading", "read back", "save", "upload", "ours", "floor")
    for etcd in options.etcd:
        with tempfile.TemporaryDirectory() as name, block_of_ports() as block:
            folder = Path(name)
            ours, theirs = _SPAWN.Pipe()
            work = serve_webhdfs if options.webhdfs else serve
            server = _SPAWN.Process(target=work, args=(folder, theirs), daemon=True)
            server.start()
            address = f"http://127.0.0.1:{ours.recv()}"
            store = (WEBHDFS, address) if options.webhdfs else tuple(options.s3 or [address])
            [member] = start_bare_cluster(etcd.resolve(), 1, folder, block)
            try:
                fill(member.client, options.mebibytes)
                tool = etcd.resolve().parent / "etcdctl"
                rows = [run(tool, member.client, store, folder) for _ in range(options.runs)]
            finally:
                member.kill()
                server.kill()
                server.join()
        print_table(f"A backup of {options.mebibytes} MiB, {version(etcd)}", columns, rows, "")


if __name__ == "__main__":
    main()
