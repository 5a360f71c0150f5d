"""Every kind of target, with a real peer behind it, to be opened by the tests of all."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

from etcdmesos.adapters.backups import s3
from etcdmesos.adapters.backups.choose import Access, opener
from etcdmesos.adapters.backups.target import Target
from etcdmesos.adapters.backups.url import TargetUrl
from etcdmesos.adapters.http_exchange import Limits, exchange
from etcdmesos.orders import Means, WayIn
from tests import real_swift
from tests.adapters.backups.peers import (
    TOKEN,
    UPLOAD_TOKEN,
    USER,
    Handler,
    WebHdfsHandler,
    file_server,
)
from tests.real_swift import BUCKET, KEY, SECRET, SwiftServer

CLUSTER = "demo"
LIMITS = Limits(idle=60.0, total=60.0)


def access(url: str, *secrets: str, endpoint: str = "") -> Access:
    return Access(url=TargetUrl.parse(url), secrets=secrets, s3_endpoint=endpoint)


@contextmanager
def http_place(folder: Path) -> Iterator[Access]:
    with file_server(folder, Handler) as server:
        yield access(f"{server.url}/etcd", TOKEN, UPLOAD_TOKEN)


@contextmanager
def hdfs_place(folder: Path) -> Iterator[Access]:
    with file_server(folder, WebHdfsHandler) as server:
        yield access(f"hdfs://{USER}@{server.url.removeprefix('http://')}/etcd")


@contextmanager
def file_place(folder: Path) -> Iterator[Access]:
    yield access(f"file://{folder}/backups")


@contextmanager
def s3_place(_folder: Path) -> Iterator[Access]:
    """A folder of its own in a bucket of all: a server takes seconds to start."""
    endpoint = with_a_bucket().endpoint
    yield access(f"s3://{BUCKET}/{uuid.uuid4().hex}", f"{KEY}:{SECRET}", endpoint=endpoint)


@cache
def with_a_bucket() -> SwiftServer:
    """Which the operator makes before."""
    server = real_swift.shared()
    account = s3.account(server.endpoint, "us-east-1", KEY, SECRET)
    target = s3.S3Target(account, BUCKET, "")
    url = target._url(None, {})
    with exchange("PUT", url, headers=target._signed("PUT", url, b""), limits=LIMITS) as answer:
        assert answer.status == 200
    return server


PLACES: dict[str, Callable[[Path], AbstractContextManager[Access]]] = {
    "http": http_place,
    "hdfs": hdfs_place,
    "file": file_place,
    "s3": s3_place,
}


def target_of(place: Access) -> Target:
    return opener(place, CLUSTER)()


def snapshot_like(size: int) -> bytes:
    """Bytes that end in the hash of what precedes it."""
    data = (b"0123456789abcdef" * (size // 16 + 1))[: size - 32]
    return data + hashlib.sha256(data).digest()


def send(way: WayIn, content: bytes) -> tuple[str, ...]:
    """Send it the way in, as an executor does; the parts' tags."""
    if way.means is Means.FILE:
        Path(way.parts[0]).write_bytes(content)
        return ()
    tags = []
    for url in way.parts:
        part, content = content[: way.part_bytes], content[way.part_bytes :]
        with exchange("PUT", url, headers=way.headers, body=part, limits=LIMITS) as answer:
            assert answer.status in (200, 201), answer.body(10_000)
            tags.append(answer.headers.get("etag", ""))
        if not content:
            break
    return tuple(tags)
