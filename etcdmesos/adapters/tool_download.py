"""The tool that restores a snapshot, in the sandbox: it came with the task, or is fetched.

Another one than came with the task is served by the scheduler, which may be replaced at just that
moment.  In the executor, so the standard library alone.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from etcdmesos.adapters.http_exchange import ExchangeFailed, Limits, exchange
from etcdmesos.adapters.reseed_programs import Cancelled
from etcdmesos.adapters.sandbox_files import NotInSandbox, sha256_of, write_whole
from etcdmesos.orders import Tool

log = logging.getLogger(__name__)

LIMITS = Limits(idle=10.0, total=120.0)
"""Less than a scheduler gives a seed (`Settings.seed_limit`)."""
AGAIN, AGAIN_MOST = 0.2, 2.0
"""Seconds before the server is asked again, doubling from the first to the most."""
_BYTES_MAX = 512 * 1024 * 1024


def obtain(tool: Tool, sandbox: Path, cancelled: threading.Event) -> Path:
    """The tool in the sandbox, fetched unless it is there.

    A server that does not answer is asked again for a while, or its end would cost the cluster a
    candidate.  Raises NotInSandbox, and Cancelled soon after `cancelled` is set.
    """
    if not tool.name.isalnum():
        raise NotInSandbox(f"no name of a tool: {tool.name!r}")
    path = sandbox / "reseed" / "tools" / tool.name
    for known in (sandbox / tool.name, path):
        if known.exists() and sha256_of(known) == tool.sha256:
            return known
    deadline, pause = time.monotonic() + LIMITS.total, AGAIN
    while True:
        try:
            write_whole(path, _checked(tool, cancelled), mode=0o700, durable=False)
            return path
        except ExchangeFailed as error:
            if time.monotonic() + pause > deadline:
                raise NotInSandbox(f"{tool.url} cannot be fetched: {error}") from error
            log.info("asked again", extra={"seconds": pause, "reason": str(error)})
        if cancelled.wait(pause):
            raise Cancelled("ended before it was done")
        pause = min(2 * pause, AGAIN_MOST)


def _checked(tool: Tool, cancelled: threading.Event) -> Iterator[bytes]:
    """The blocks; raises at the end unless they were the ones."""
    parts = urlsplit(tool.url)
    if parts.scheme != "http" or not parts.hostname:
        raise NotInSandbox(f"not an address to fetch {tool.name} from: {tool.url}")
    received, computed = 0, hashlib.sha256()
    with exchange("GET", tool.url, limits=LIMITS) as answer:
        if answer.status != 200:
            raise NotInSandbox(f"{tool.url} answered {answer.status}")
        for block in answer.blocks():
            if cancelled.is_set():
                raise Cancelled("ended before it was done")
            received += len(block)
            if received > _BYTES_MAX:
                raise NotInSandbox(f"{tool.url} is longer than {_BYTES_MAX} bytes")
            computed.update(block)
            yield block
    if (found := computed.hexdigest()) != tool.sha256:
        raise NotInSandbox(f"{tool.url} has another SHA-256 than ordered: {found}")
