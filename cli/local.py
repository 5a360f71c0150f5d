"""etcd-mesos-local: the embedded Mesos with, unless -mesos-only, a scheduler on top.

A stand for trying things on one machine.  The scheduler is the real daemon, in a process of its
own, and cannot tell the embedded Mesos from Apache Mesos.  What this starts dies with it.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from etcdmesos.embedded import EmbeddedMesos, running
from etcdmesos.errors import BadUsage, EtcdMesosError

from . import flags as f
from . import scheduler_flags
from .admin_token import make_token
from .logs import log_to

PROGRAM = "etcd-mesos-local"
MARKER = ".etcd-mesos-local"
"""Marks a folder as ours to empty at the next run."""

SCHEDULER_STOP = 10.0
"""Seconds the scheduler has to end after SIGTERM."""
POLL = 0.25
"""Seconds between two looks at the scheduler's /stats."""
PR_SET_PDEATHSIG = 1

OWN_FLAGS = (
    f.Flag("agents", f.whole_number, 5, "number of Mesos agents, on 127.0.0.11 and following"),
    f.Flag("work-dir", f.text, "", "folder for everything of a run, by default a temporary one"),
    f.Flag("master-port", f.whole_number, 5050, "port of the Mesos master on 127.0.0.1, 0 for any"),
    f.Flag("zk", f.text, "", "zk://host:port/mesos, where the masters contend for the leadership"),
    f.Flag("masters", f.whole_number, 1, "number of Mesos masters; more than one needs -zk"),
    f.Flag("agent-port", f.whole_number, 5051, "port of every agent, 0 for any"),
    f.Flag("first-port", f.whole_number, 31000, "agent n offers the n-th hundred from this one"),
    f.Flag("agent-ping-timeout-seconds", f.number, 15.0, "an agent that misses five pings of so "
           "many seconds is unreachable"),
    f.Flag("agent-attributes", f.text, (), "name:value;name:value, where %n is the agent's number; "
           "given several times, agents take them in turn", True),
    f.Flag("agent-domain", f.text, (), "REGION/ZONE; given several times, agents take them in turn",
           True),
    f.Flag("mesos-only", f.boolean, False, "start no scheduler"),
)  # fmt: skip
NOT_PASSED_ON = ("master", "log_dir", "address")
PASSED_ON = tuple(flag for flag in scheduler_flags.FLAGS if flag.name not in NOT_PASSED_ON)


_SIGNALS_SEEN_WITHIN = 0.2
"""Seconds."""


def main() -> None:
    """The console script: exit status 2 for bad usage, 1 for failure."""
    try:
        sys.exit(run(sys.argv[1:]))
    except BadUsage as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2)
    except (EtcdMesosError, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(1)


def run(arguments: list[str]) -> int:
    """Run until interrupted; returns the exit status.  Raises BadUsage."""
    values = f.parse(
        PROGRAM,
        "Runs an embedded Mesos and, on it, one etcd cluster.",
        (*OWN_FLAGS, *PASSED_ON),
        arguments,
        os.environ,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    work_dir = _prepare(values["work_dir"])
    values["admin_port"] = values["admin_port"] or _free_port()
    values["admin_token_file"] = values["admin_token_file"] or _made_token(work_dir)
    values["zk_framework_persist"] = values["zk_framework_persist"] or f"file://{work_dir}/record"
    try:
        scheduler = None if values["mesos_only"] else _scheduler_command(values)
        log_to(PROGRAM, str(work_dir / "log"), on_stderr=False)
        with _mesos(values, work_dir) as mesos:
            print(f"Mesos master: http://{mesos.master} with {values['agents']} agents", flush=True)
            print(f"control of the embedded Mesos: {mesos.control}", flush=True)
            print(f"everything of this run: {work_dir}", flush=True)
            if scheduler is None:
                return _wait()
            for warning in scheduler_flags.warnings(values):
                print(f"warning: {warning}", flush=True)
            master = values["zk"] or mesos.master
            return _run_scheduler([*scheduler, f"-master={master}"], values, work_dir)
    except KeyboardInterrupt:
        return 0
    finally:
        if not values["work_dir"]:
            shutil.rmtree(work_dir, ignore_errors=True)


def _wait() -> int:
    """Until interrupted, which is how this ends."""
    while True:
        # Not signal.pause(): what the kernel hands to another thread does not end that, and
        # handlers run in this one.
        time.sleep(_SIGNALS_SEEN_WITHIN)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _mesos(values: Mapping[str, Any], work_dir: Path) -> Iterator[EmbeddedMesos]:
    """The embedded Mesos; what is wrong with its flags or its ports is bad usage of ours."""
    attributes = values["agent_attributes"]
    with ExitStack() as stack:
        try:
            mesos = stack.enter_context(
                running(
                    work_dir / "mesos",
                    master_port=values["master_port"],
                    agent_port=values["agent_port"],
                    first_port=values["first_port"],
                    agents=values["agents"],
                    zk=values["zk"],
                    masters=values["masters"],
                    ping_timeout=values["agent_ping_timeout_seconds"],
                    **({"attributes": attributes} if attributes else {}),
                    domains=values["agent_domain"],
                )
            )
        except (ValueError, OSError) as error:
            raise BadUsage(getattr(error, "strerror", None) or str(error)) from None
        yield mesos


def _prepare(given: str) -> Path:
    """An empty folder for this run; the leftovers of an earlier run are removed."""
    if not given:
        return Path(tempfile.mkdtemp(prefix=f"{PROGRAM}-"))
    path = Path(given).resolve()
    if path.exists() and any(path.iterdir()) and not (path / MARKER).exists():
        raise BadUsage(f"-work-dir={given}: is not empty and was not made by {PROGRAM}")
    shutil.rmtree(path, ignore_errors=True)
    try:
        path.mkdir(parents=True)
        (path / MARKER).touch()
    except OSError as error:
        raise BadUsage(f"-work-dir={given}: {error.strerror}") from None
    return path


def _scheduler_command(values: Mapping[str, Any]) -> list[str]:
    """The scheduler's command line, less its master and what depends on the run's folder."""
    program = Path(sys.argv[0]).resolve().parent / scheduler_flags.PROGRAM
    if not program.is_file():
        raise BadUsage(f"there is no {program}: build it with make, or give -mesos-only")
    command = [str(program)]
    for flag in PASSED_ON:
        value = values[flag.key]
        if value == flag.default:
            continue
        if flag.name == "zk-framework-persist":
            # It may hold a password, which does not belong into the list of processes.
            os.environ[flag.variable] = value
            continue
        command += [f"-{flag.name}={one}" for one in (value if flag.repeatable else [value])]
    return command


def _made_token(work_dir: Path) -> str:
    path = work_dir / "admin-token"
    make_token(path)
    return str(path)


def _free_port() -> int:
    """A port that is free now; the scheduler's own choice could not be known here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run_scheduler(command: list[str], values: Mapping[str, Any], work_dir: Path) -> int:
    command.append(f"-log_dir={work_dir}/log")
    with (work_dir / "scheduler.stderr").open("wb") as stderr:
        # Started from the main thread, which lives as long as this process: PDEATHSIG fires when
        # the thread that forked ends.  Its own session keeps Ctrl-C for us, to end things in order.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    try:
        _follow(process, values["admin_port"], values["admin_token_file"])
    finally:
        process.terminate()
        try:
            process.wait(SCHEDULER_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode:
        lines = (work_dir / "scheduler.stderr").read_text(errors="replace").splitlines()
        print(lines[-1] if lines else "the scheduler ended", file=sys.stderr)
    return process.returncode


_prctl = ctypes.CDLL(None, use_errno=True).prctl


def _die_with_parent() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _follow(process: subprocess.Popen[bytes], admin_port: int, token_file: str) -> None:
    """Print what changes about the cluster, until the scheduler ends or we are interrupted."""
    url = f"http://127.0.0.1:{admin_port}"
    began, said, announced = time.monotonic(), "", False
    while process.poll() is None:
        stats = _stats(admin_port)
        if stats is not None:
            line = f"{stats['phase']}: {stats['why']}"
            if line != said:
                print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)
                said = line
            if stats["phase"] == "healthy" and not announced:
                _announce(stats, url, token_file)
                announced = True
        time.sleep(POLL)


def _announce(stats: Mapping[str, Any], url: str, token_file: str) -> None:
    endpoints = ",".join(member["clientURL"] for member in stats["members"])
    print(f"client endpoints: {endpoints}", flush=True)
    print(f"dashboard: {url}/  health: {url}/healthz", flush=True)
    admin = url.removeprefix("http://")
    print(f"status: etcd-mesos-ctl -admin={admin} -token-file={token_file} status")
    print(f"try: etcdctl --endpoints={endpoints} endpoint health", flush=True)


def _stats(admin_port: int) -> dict[str, Any] | None:
    """The scheduler's /stats; None while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=2)
    try:
        connection.request("GET", "/stats")
        stats: dict[str, Any] = json.load(connection.getresponse())
        return stats
    except (http.client.HTTPException, OSError, ValueError):
        return None
    finally:
        connection.close()
