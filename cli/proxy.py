"""etcd-mesos-proxy: builds the adapters, and feeds their events to the proxy's core.

No policy in here: what to run is decided by `etcdmesos.proxy`, where the cluster is by
`etcdmesos.finding`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from etcdmesos.adapters.cluster_finder import ClusterFinder, Wanted
from etcdmesos.adapters.finder_port import FinderPort
from etcdmesos.adapters.front import FrontProcess
from etcdmesos.adapters.listening import try_to_listen
from etcdmesos.adapters.no_record import NoRecord
from etcdmesos.errors import BadUsage, EtcdMesosError
from etcdmesos.proxy.controller import step
from etcdmesos.proxy.fronts import Front
from etcdmesos.proxy.model import Model, Settings
from etcdmesos.proxy.words import FrontStarted, StopAsked
from etcdmesos.runtime import Runtime
from etcdmesos.step import Event, Step, TimerFired

from . import master_flags, programs, proxy_flags
from .logs import log_to
from .zookeeper_sessions import ZooKeeperSessions

log = logging.getLogger("etcdmesos.proxy")


def main() -> None:
    """The console script: exit status 2 for bad usage, 1 for failure."""
    try:
        sys.exit(run(sys.argv[1:]))
    except EtcdMesosError as error:
        print(f"{proxy_flags.PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, BadUsage) else 1)


def run(arguments: list[str]) -> int:
    """Run until told to stop; returns the exit status.  Raises EtcdMesosError."""
    values = proxy_flags.parse(arguments, os.environ)
    beside = Path(sys.argv[0]).resolve().parent
    etcd = programs.binary("etcd-bin", values["etcd_bin"], "etcd", beside).absolute()
    front = proxy_flags.front_of(values, etcd, programs.etcd_version(etcd))
    _refuse_address_in_use(*values["listen"])
    log_to(proxy_flags.PROGRAM, values["log_dir"])
    for warning in master_flags.warnings_about_passwords(values):
        log.warning(warning)
    with ExitStack() as closing:
        folder = closing.enter_context(_folder(values["data_dir"]))
        sessions = ZooKeeperSessions(values["zk_session_timeout_seconds"])
        closing.callback(sessions.close)
        return _run_core(values, sessions, front, etcd, folder)


def _run_core(
    values: dict[str, Any],
    sessions: ZooKeeperSessions,
    front: Front,
    etcd: Path,
    folder: Path,
) -> int:
    runtime: Runtime[Model, None] = Runtime(
        step=step,
        model=Model(settings=Settings(front=front)),
        store=NoRecord(),
        clock=time.monotonic,
        on_step=log_step,
    )
    wanted = Wanted(
        cluster_name=values["cluster_name"],
        framework_name=values["framework_name"],
        admin_urls=values["admin_urls"],
    )
    finder = ClusterFinder(
        wanted,
        master_flags.detector_of(values, sessions),
        credentials=master_flags.credentials_of(values),
    )
    runtime.attach(FinderPort(runtime.post, finder))
    host, port = values["listen"]
    asked = f"127.0.0.1:{port}" if host in proxy_flags.ANY_ADDRESS else front.listen
    runtime.attach(FrontProcess(runtime.post, folder=folder, binary=str(etcd), address=asked))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        stop = StopAsked(signal=number)
        signal.signal(number, lambda *_, stop=stop: runtime.post(stop))
    log.info(
        "started",
        extra={
            "framework": wanted.framework_name,
            "master": values["master"],
            "front": front.kind.value,
            "listen": front.listen,
            "front_log": folder / "front.log",
        },
    )
    return runtime.run(TimerFired())


@contextmanager
def _folder(given: str) -> Iterator[Path]:
    """Where the front writes.  Raises BadUsage."""
    if not given:
        with tempfile.TemporaryDirectory(prefix=f"{proxy_flags.PROGRAM}-") as name:
            yield Path(name)
        return
    path = Path(given).resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadUsage(f"-data-dir={given}: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise BadUsage(f"-data-dir={given}: cannot be written to by this user")
    yield path


def _refuse_address_in_use(host: str, port: int) -> None:
    """Raises BadUsage; later it is the front that says so, in its log."""
    try:
        try_to_listen(host, port)
    except OSError as error:
        raise BadUsage(
            f"-listen-client-urls: cannot listen at {host}:{port}: {error.strerror or error}"
        ) from None


def log_step(event: Event, before: Model, step: Step[Model, None]) -> None:
    """One line for what people ask about: what is waited for, and what the front is at."""
    model = step.model
    if model.why and model.why != before.why:
        log.info("waits", extra={"why": model.why})
    if before.why and not model.why and model.cluster is not None:
        endpoints = ",".join(model.cluster.endpoints)
        log.info("found", extra={"cluster": model.cluster.cluster_id, "endpoints": endpoints})
    elif model.cluster != before.cluster and model.cluster is not None:
        endpoints = ",".join(model.cluster.endpoints)
        log.info("moved", extra={"cluster": model.cluster.cluster_id, "endpoints": endpoints})
    if model.remark:
        log.info("note", extra={"what": model.remark})
    if isinstance(event, FrontStarted):
        log.info("front started", extra={"run": event.run, "pid": event.pid})


if __name__ == "__main__":
    main()
