"""A backup tried out: restored into a folder of its own, started there, and asked what it holds.

Nothing of the cluster is touched; etcd listens on loopback ports that nobody is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from etcdmesos.adapters.backups.library import Library
from etcdmesos.adapters.backups.target import TargetFailed
from etcdmesos.adapters.child_process import CannotStart
from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.adapters.reseed_programs import Programs, Running
from etcdmesos.backups.manifest import Manifest

NAME = "rehearsal"
RESTORE_SECONDS = 600.0
START_SECONDS = 60.0
ASK_SECONDS = 10.0
_LOOK_EVERY = 0.1


@frozen(kw_only=True)
class Rehearsal:
    """What a restored backup holds, and how long it took until it served."""

    keys: int
    revision: int
    fetch_seconds: float
    restore_seconds: float
    start_seconds: float


def rehearse(
    library: Library, manifest: Manifest, *, etcd: Path, tool: Path, folder: Path, seconds: float
) -> Rehearsal:
    """Try `manifest` out in `folder`, which must be empty; `tool` is etcdutl, before 3.5 etcdctl.

    `seconds` is how long fetching may take.  Raises TargetFailed, CannotStart, GatewayError and
    OSError.
    """
    began = time.monotonic()
    snapshot = folder / "snapshot.db"
    library.fetch(manifest, snapshot, seconds=seconds)
    fetched = time.monotonic()
    programs = Programs(folder, threading.Event())
    try:
        data = folder / "data"
        restore = ("snapshot", "restore", str(snapshot), f"--data-dir={data}", f"--name={NAME}")
        peer = "http://127.0.0.1:1"
        programs.run(
            tool,
            (*restore, f"--initial-cluster={NAME}={peer}", f"--initial-advertise-peer-urls={peer}"),
            RESTORE_SECONDS,
        )
        restored = time.monotonic()
        with programs.copy_of(str(etcd), str(data), NAME) as running:
            gateway = Gateway(running.client_url, ASK_SECONDS)
            keys, revision = _answers(running, lambda: _asked(gateway))
            served = time.monotonic()
    finally:
        programs.close()
    if revision < manifest.revision:
        raise TargetFailed(
            f"{manifest.name} was restored at revision {revision} of {manifest.revision}"
        )
    return Rehearsal(
        keys=keys,
        revision=revision,
        fetch_seconds=fetched - began,
        restore_seconds=restored - fetched,
        start_seconds=served - restored,
    )


def _asked(gateway: Gateway) -> tuple[int, int]:
    return gateway.count_keys(), gateway.status().revision


def _answers(running: Running, ask: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """What it answers, once it does.  Raises CannotStart, and GatewayError when it never does."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return ask()
        except GatewayError:
            if time.monotonic() > deadline:
                raise
        if said := running.ended(_LOOK_EVERY):
            raise CannotStart(f"etcd on the restored data: {said}")
