"""The embedded Mesos in a thread of its own, for tests and for commands that are not asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etcdmesos.embedded.mesos import EmbeddedMesos


@contextlib.contextmanager
def running(work_dir: str | Path, **options: Any) -> Iterator[EmbeddedMesos]:
    """Run an EmbeddedMesos with these options while the block lasts.

    Errors of its constructor and of `start` come out here.
    """
    mesos = EmbeddedMesos(work_dir, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="embedded-mesos", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(mesos.start(), loop).result()
        try:
            yield mesos
        finally:
            asyncio.run_coroutine_threadsafe(mesos.stop(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
