"""etcd-mesos-executor: builds the adapters, and feeds their events to the executor's core.

Started by a Mesos agent, which says through MESOS_* variables who and where we are.  No policy in
here: what to do is decided by `etcdmesos.executor`.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etcdmesos.adapters.backup_upload import BackupUpload
from etcdmesos.adapters.member_probe import MemberProbe
from etcdmesos.adapters.mesos_executor import MesosExecutor
from etcdmesos.adapters.process import EtcdProcess
from etcdmesos.adapters.reseed import Reseed
from etcdmesos.adapters.sandbox_record import SandboxRecord
from etcdmesos.errors import BadChart, BadUsage, EtcdMesosError
from etcdmesos.executor.controller import Controller
from etcdmesos.executor.events import CommandFailed, ShutdownAsked, TimerFired
from etcdmesos.executor.model import ExecutorRecord, Model
from etcdmesos.executor.settings import Settings
from etcdmesos.runtime import Runtime
from etcdmesos.step import Event, Step

from .flags import Flag, parse, text
from .logs import log_to

PROGRAM = "etcd-mesos-executor"
FLAGS = (
    Flag("etcd-bin", text, "./etcd", "the etcd binary; relative to the sandbox"),
    Flag("log_dir", text, "", "folder of the log file; none means the sandbox"),
)

log = logging.getLogger("etcdmesos.executor")

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1.0,
    "mins": 60.0,
    "hrs": 3600.0,
    "days": 86400.0,
    "weeks": 604800.0,
}
_DURATION = re.compile(r"([0-9.]+)(ns|us|ms|secs|mins|hrs|days|weeks)")


def main() -> None:
    """The console script: exit status 2 for bad usage, 1 for failure."""
    try:
        sys.exit(run(sys.argv[1:]))
    except EtcdMesosError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, BadUsage | BadChart) else 1)


def run(arguments: list[str]) -> int:
    """Run until everything is said; returns the exit status.  Raises EtcdMesosError."""
    values = parse(PROGRAM, "Runs one etcd member.", FLAGS, arguments, os.environ)
    settings = read_settings(os.environ, values["etcd_bin"])
    # In a container with an image of its own the sandbox is elsewhere than on the host.
    sandbox = Path(os.environ.get("MESOS_SANDBOX") or settings.sandbox)
    log_to("executor", values["log_dir"] or str(sandbox))
    store = SandboxRecord(sandbox)
    controller = Controller()
    runtime: Runtime[Model, ExecutorRecord] = Runtime(
        step=controller.step,
        model=controller.start(settings, time.monotonic(), store.load()),
        store=store,
        clock=time.monotonic,
        on_step=log_step,
    )
    for port in (
        EtcdProcess(runtime.post, sandbox=sandbox, binary=settings.etcd_binary),
        MesosExecutor(runtime.post),
        MemberProbe(runtime.post),
        Reseed(runtime.post, sandbox=sandbox, binary=settings.etcd_binary),
        BackupUpload(runtime.post, sandbox=sandbox),
    ):
        runtime.attach(port)
    for number in (signal.SIGTERM, signal.SIGINT):
        by = ShutdownAsked(by=signal.Signals(number).name)
        # A SimpleQueue may be put to from a signal handler.
        signal.signal(number, lambda *_, by=by: runtime.post(by))
    status = runtime.run(TimerFired())
    log.info("ended", extra={"status": status, "reason": runtime.exit_reason})
    return status


def read_settings(environment: Mapping[str, str], etcd_binary: str) -> Settings:
    """What the agent says.  Raises BadUsage when no agent started us, or it says nonsense."""
    wanted = ("MESOS_AGENT_ENDPOINT", "MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_DIRECTORY")
    if missing := [name for name in wanted if not environment.get(name)]:
        names = ", ".join(missing)
        raise BadUsage(f"not started by a Mesos agent: {names} not in the environment")
    given: dict[str, Any] = {
        "recovery_timeout": environment.get("MESOS_RECOVERY_TIMEOUT"),
        "backoff_max": environment.get("MESOS_SUBSCRIPTION_BACKOFF_MAX"),
        "shutdown_grace": environment.get("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"),
    }
    identity = (wanted[1], wanted[2], wanted[3])
    return Settings(
        identity="/".join(environment[name] for name in identity),
        sandbox=environment["MESOS_DIRECTORY"],
        etcd_binary=etcd_binary,
        checkpoint=environment.get("MESOS_CHECKPOINT") == "1",
        **{name: _seconds(said) for name, said in given.items() if said},
    )


def _seconds(said: str) -> float:
    """Seconds of a duration as Mesos writes it: `4secs`, `1.5mins`."""
    match = _DURATION.fullmatch(said.strip())
    try:
        return float(match[1]) * _UNITS[match[2]] if match else float(said)
    except ValueError:
        raise BadUsage(f"{said!r} is no duration as Mesos writes them") from None


def log_step(event: Event, before: Model, step: Step[Model, ExecutorRecord]) -> None:
    """One line for what people ask about first: phases, and what an event came to."""
    model = step.model
    if model.phase != before.phase:
        log.info("phase", extra={"was": before.phase, "now": model.phase, "why": model.remark})
    elif model.remark:
        log.info("note", extra={"what": model.remark})
    if isinstance(event, CommandFailed):
        kind = type(event.command).__name__
        level = logging.DEBUG if kind == "ProbeMember" else logging.WARNING
        log.log(level, "failed", extra={"command": kind, "reason": event.reason})
    known = {update.uuid for update in before.updates}
    for update in model.updates:
        if update.uuid not in known:
            log.info(
                "update",
                extra={"task": update.task_id, "state": update.state, "healthy": update.healthy},
            )


if __name__ == "__main__":
    main()
