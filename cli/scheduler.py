"""etcd-mesos-scheduler: builds the adapters, and feeds their events to the cluster's controller.

No policy in here: what to do is decided by `etcdmesos.cluster`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from etcdmesos.adapters.admin import admin_app
from etcdmesos.adapters.artifacts import ArtifactServer
from etcdmesos.adapters.backups.choose import opener
from etcdmesos.adapters.backups.port import BackupPort
from etcdmesos.adapters.election import Contender, Election
from etcdmesos.adapters.etcd import EtcdAdapter
from etcdmesos.adapters.event_log import EventLog
from etcdmesos.adapters.http_server import HttpServer
from etcdmesos.adapters.master_state import MasterStateReader
from etcdmesos.adapters.master_zookeeper import ZooKeeperMaster
from etcdmesos.adapters.mesos_framework import (
    FrameworkDescription,
    MasterDetector,
)
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.adapters.operator import Operator
from etcdmesos.adapters.record_file import FileStore, directory_of
from etcdmesos.adapters.record_memory import MemoryStore
from etcdmesos.adapters.record_zookeeper import ZooKeeperStore
from etcdmesos.adapters.restore.port import RestorePort, Tools
from etcdmesos.adapters.restore.relay import Relay
from etcdmesos.cluster.controller import Controller
from etcdmesos.cluster.events import Event, StopAsked, TimerFired
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.settings import Artifacts, Restorer
from etcdmesos.errors import BadChart, BadUsage, EtcdMesosError, Unavailable
from etcdmesos.ports import Post, RecordStore
from etcdmesos.runtime import Runtime
from etcdmesos.version import VERSION

from . import backup_flags, programs
from . import scheduler_flags as flags
from .logs import log_to
from .master_flags import credentials_of, detector_of
from .step_log import step_log
from .zookeeper_sessions import ZooKeeperSessions

log = logging.getLogger("etcdmesos.scheduler")

RESTORER = "etcd-restorer"
"""The name under which executors fetch etcdutl, or etcdctl, when they need it."""
FIRST_MASTER = 5.0
"""Seconds in which ZooKeeper should name the leading master when we start."""
MAY_PASS = (socket.EAI_AGAIN, errno.ENETDOWN, errno.ENETUNREACH)
"""What a machine says whose network is not up yet; a host that nobody knows stays unknown."""


def main() -> None:
    """The console script: exit status 2 for bad usage, 1 for failure."""
    try:
        sys.exit(run(sys.argv[1:]))
    except (BadUsage, BadChart) as error:
        print(f"{flags.PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2)
    except EtcdMesosError as error:
        print(f"{flags.PROGRAM}: {error}", file=sys.stderr)
        sys.exit(1)


def run(arguments: list[str]) -> int:
    """Run until told to stop; returns the exit status.  Raises EtcdMesosError."""
    values = flags.parse(arguments, os.environ)
    log_to(flags.PROGRAM, values["log_dir"])
    for warning in flags.warnings(values):
        log.warning(warning)
    sessions = ZooKeeperSessions(values["zk_session_timeout_seconds"])
    try:
        status, reason = _run_beside(values, sessions, detector_of(values, sessions))
    finally:
        sessions.close()
    if reason:
        # The last line, behind what is logged while things are closed: it is what people look at.
        print(f"{flags.PROGRAM}: {reason}", file=sys.stderr)
    return status


def _run_beside(
    values: dict[str, Any], sessions: ZooKeeperSessions, detector: MasterDetector
) -> tuple[int, str]:
    """(exit status, why it ended)"""
    address = values["address"] or _own_address(values, detector)
    files, relay = _programs(values), Relay()
    artifacts = ArtifactServer(files, address, values["artifact_port"], (relay.route,))
    artifacts.start()
    tools = Tools(etcd=files["etcd"], restorer=files.get(RESTORER))
    restore = partial(RestorePort, relay=relay, address=artifacts.address(address), tools=tools)
    try:
        return _run_controller(values, sessions, detector, address, artifacts, files, restore)
    finally:
        artifacts.close()


def _run_controller(
    values: dict[str, Any],
    sessions: ZooKeeperSessions,
    detector: MasterDetector,
    address: str,
    artifacts: ArtifactServer,
    files: Mapping[str, Path],
    restore: Callable[..., RestorePort],
) -> tuple[int, str]:
    controller = Controller()
    # What people are told is stamped with the wall clock as it was now; nothing waits by it.
    settings = flags.settings(
        {**values, "wall_clock": datetime.now(UTC).timestamp() - time.monotonic()},
        Artifacts(
            executor_uri=artifacts.uri("etcd-mesos-executor", address),
            etcd_uri=artifacts.uri("etcd", address),
            etcd_sha256=artifacts.sha256("etcd"),
            restorer=_restorer(files, artifacts, address),
        ),
    )
    events = EventLog()
    runtime: Runtime[Model, Record] = Runtime(
        step=controller.step,
        model=controller.start(settings, time.monotonic()),
        store=_store(values, sessions),
        clock=time.monotonic,
        on_step=step_log(events),
    )
    operator = Operator(runtime.post)
    runtime.attach(operator)
    app = admin_app(
        lambda: (runtime.model, time.monotonic()),
        operator,
        values["admin_token"],
        events,
        tuple(controller.chart.definition.phases),
    )
    admin = HttpServer(app, address, values["admin_port"])
    admin.start()
    with contextlib.ExitStack() as closing:
        closing.callback(admin.close)
        _attach_ports(runtime, values, detector, f"http://{address}:{admin.port}")
        _attach_backups(runtime, values, restore)
        if election := _election(values, sessions, f"{address}:{admin.port}", runtime.post):
            closing.callback(election.close)
            election.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runtime.post(StopAsked()))
        told = {"version": VERSION, "admin": f"{address}:{admin.port}", "master": values["master"]}
        log.info("started", extra=told)
        status = runtime.run(TimerFired())
    return status, runtime.exit_reason


def _election(
    values: dict[str, Any], sessions: ZooKeeperSessions, admin: str, post: Post[Event]
) -> Election | None:
    """Who of several schedulers acts, when the record is where several can reach it."""
    url = values["zk_framework_persist_zookeeper"]
    if url is None:
        return None
    return Election(
        session=sessions.of(url),
        path=f"{url.path}/{values['framework_name']}",
        contender=Contender(host=socket.gethostname(), pid=os.getpid(), admin=admin),
        post=post,
    )


def _attach_ports(
    runtime: Runtime[Model, Record],
    values: dict[str, Any],
    detector: MasterDetector,
    admin_url: str,
) -> None:
    credentials = credentials_of(values)
    role = values["mesos_role"]
    framework = FrameworkDescription(
        name=values["framework_name"],
        user=values["mesos_user"],
        failover_timeout_seconds=values["failover_timeout_seconds"],
        roles=() if role == "*" else (role,),
        region_aware=any(one.field == "@region" for one in flags.constraints_of(values)),
        principal=values["mesos_authentication_principal"],
        hostname=socket.gethostname(),
        webui_url=values["framework_weburi"] or admin_url,
    )
    scheduler = MesosScheduler(
        detector=detector, framework=framework, post=runtime.post, credentials=credentials
    )
    runtime.attach(scheduler)
    if isinstance(detector, ZooKeeperMaster):
        detector.on_change(scheduler.master_changed)
    runtime.attach(
        MasterStateReader(
            detector=detector,
            framework_name=framework.name,
            post=runtime.post,
            credentials=credentials,
        )
    )
    timeout = values["probe_timeout_seconds"]
    runtime.attach(EtcdAdapter(runtime.post, probe_timeout=timeout, progress_timeout=timeout))


def _attach_backups(
    runtime: Runtime[Model, Record], values: dict[str, Any], restore: Callable[..., RestorePort]
) -> None:
    """`restore` lacks the target, if there is one."""
    cluster, access = values["cluster_name"], backup_flags.access(values)
    target = opener(access, cluster) if access is not None else None
    if target is not None:
        runtime.attach(BackupPort(runtime.post, target, cluster))
    runtime.attach(restore(runtime.post, opener=target, cluster=cluster))


def _programs(values: dict[str, Any]) -> dict[str, Path]:
    """The files agents fetch, by the name each has in the sandbox."""
    here = Path(sys.argv[0]).resolve().parent
    etcd = programs.binary("etcd-bin", values["etcd_bin"], "etcd", here)
    version = programs.etcd_version(etcd)
    programs.check_options(etcd, flags.etcd_options(values)[0])
    first, last = programs.INCONSISTENT_ETCD
    if first <= version <= last:
        log.warning("this etcd can lose acknowledged writes: use 3.5.3 or newer (etcd issue 13766)")
    restorer = programs.restorer(values, etcd, version)
    if restorer is None:
        log.warning(
            "no etcdutl (before 3.5: etcdctl) beside etcd or on PATH: this cluster cannot be "
            "reseeded when it loses its quorum"
        )
    return {
        "etcd-mesos-executor": programs.binary(
            "executor-bin", values["executor_bin"], "etcd-mesos-executor", here
        ),
        "etcd": etcd,
        **({} if restorer is None else {RESTORER: restorer}),
    }


def _restorer(
    files: Mapping[str, Path], artifacts: ArtifactServer, address: str
) -> Restorer | None:
    """What executors are told of the program that restores snapshots, if there is one."""
    path = files.get(RESTORER)
    if path is None:
        return None
    return Restorer(
        name=path.name if path.name == "etcdctl" else "etcdutl",
        uri=artifacts.uri(RESTORER, address),
        sha256=artifacts.sha256(RESTORER),
        bumps=programs.raises_revisions(path),
    )


def _store(values: dict[str, Any], sessions: ZooKeeperSessions) -> RecordStore[Record]:
    place, url = values["zk_framework_persist"], values["zk_framework_persist_zookeeper"]
    if not place:
        return MemoryStore()
    try:
        if url is not None:
            return ZooKeeperStore(sessions.of(url), url.path, values["framework_name"])
        store = FileStore(directory_of(place), values["framework_name"])
        store.hold()
    except BadUsage as error:
        raise BadUsage(f"-zk-framework-persist: {error}") from None
    return store


def _own_address(values: dict[str, Any], detector: MasterDetector) -> str:
    """This machine's address on the way to the master; while there is none, to ZooKeeper."""
    if isinstance(detector, ZooKeeperMaster):
        return _address_towards(detector.wait(FIRST_MASTER) or values["master_zookeeper"].hosts[0])
    return _address_towards(str(detector.leading()))


def _address_towards(master: str) -> str:
    """This machine's address on the way to `master` (host:port); nothing is sent to find it."""
    host, _, port = master.rpartition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, int(port)))
            return str(probe.getsockname()[0])
    except OSError as error:
        kind = Unavailable if error.errno in MAY_PASS else BadUsage
        raise kind(f"-master={master}: {error.strerror or error}") from None
