"""etcd as the executor's child: prepared, started, signalled.  Nothing is decided here.

How a child is kept is `child_process`'; this knows what an executor asks, and what it is told.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
from pathlib import Path

from etcdmesos.adapters.child_process import CannotStart, ChildProcess, environment, reason_of
from etcdmesos.adapters.listening import try_to_listen
from etcdmesos.executor.commands import Prepare, SignalEtcd, StartEtcd
from etcdmesos.executor.events import EtcdExited, EtcdPrepared, EtcdStarted
from etcdmesos.executor.settings import OLDEST_ETCD
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

log = logging.getLogger(__name__)

LOG_FILE = "etcd.log"
VERSION_WITHIN = 20.0

_VERSION = re.compile(r"^etcd Version: *(\d+)\.(\d+)\.(\S+)", re.MULTILINE)


class EtcdProcess:
    """A CommandPort for Prepare, StartEtcd and SignalEtcd.

    SignalEtcd ends at once, StartEtcd within milliseconds, Prepare within `VERSION_WITHIN` seconds:
    etcd is asked for its version as soon as there is this port.
    """

    carries_out: tuple[type, ...] = (Prepare, StartEtcd, SignalEtcd)

    def __init__(self, post: Post[Event], *, sandbox: Path, binary: str) -> None:
        """`binary` is a path, relative to the sandbox if it is not absolute."""
        self._post = post
        self._sandbox = sandbox
        self._binary = str(sandbox / binary)
        self._version: str | CannotStart = CannotStart(
            "etcd could not be asked for its version: our log says why"
        )
        self._child = ChildProcess("etcd", folder=sandbox, log_file=sandbox / LOG_FILE)
        # At once: by the time that an agent has handed us the task, it has answered.
        self._child.do(self._ask_version)

    def submit(self, command: Command, /) -> None:
        """Begin `command`.  Returns at once."""
        match command:
            case Prepare():
                taken = self._child.do(lambda: self._prepare(command))
            case StartEtcd():
                taken = self._child.do(lambda: self._start(command))
            case SignalEtcd():
                self._signal(command)
                return
            case _:
                self._post(CommandFailed(command=command, reason="not for this port"))
                return
        if not taken:
            self._post(CommandFailed(command=command, reason="the executor is closing"))

    def close(self) -> None:
        """Kill etcd if it still runs, and wait until it is reaped."""
        self._child.close()

    def _ask_version(self) -> None:
        try:
            self._version = etcd_version(self._binary)
        except CannotStart as error:
            self._version = error

    def _prepare(self, command: Prepare) -> None:
        try:
            prepare(command, self._sandbox)
        except CannotStart as error:
            self._post(CommandFailed(command=command, reason=str(error)))
        except Exception as error:
            log.exception("the preparation failed in an error of its own")
            self._post(CommandFailed(command=command, reason=f"error in the executor: {error!r}"))
        else:
            self._say_version(command)

    def _say_version(self, command: Prepare) -> None:
        if isinstance(self._version, CannotStart):
            self._post(CommandFailed(command=command, reason=str(self._version)))
        else:
            self._post(EtcdPrepared(version=self._version))

    def _start(self, command: StartEtcd) -> None:
        def started(pid: int) -> None:
            self._post(EtcdStarted(run=command.run, pid=pid))

        try:
            ended = self._child.run(command.run, [self._binary, *command.arguments], started)
        except CannotStart as error:
            self._post(CommandFailed(command=command, reason=str(error)))
            return
        self._post(
            EtcdExited(
                run=command.run,
                wait_status=ended.wait_status,
                log_tail=ended.log_tail,
                data_kept=_has_log(self._sandbox, command),
            )
        )

    def _signal(self, command: SignalEtcd) -> None:
        if self._child.signal(command.run, command.signal):
            self._post(CommandDone(command=command))
        else:
            self._post(CommandFailed(command=command, reason="that etcd has ended"))


def _has_log(sandbox: Path, command: StartEtcd) -> bool:
    """Whether the data directory of that start holds a write-ahead log."""
    option = "--data-dir="
    found = next((a for a in command.arguments if a.startswith(option)), option)
    return any((sandbox / found.removeprefix(option) / "member" / "wal").glob("*.wal"))


def prepare(command: Prepare, sandbox: Path) -> None:
    """Make the data directory, and see that there is room and that the ports are free.  Raises
    CannotStart."""
    directory = sandbox / command.data_directory
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise CannotStart(f"the data directory {command.data_directory} is not empty")
        # etcd warns of anything more open, whatever the umask was.
        directory.chmod(0o700)
        room = os.statvfs(directory)
    except OSError as error:
        raise CannotStart(
            f"the data directory {command.data_directory}: {reason_of(error)}"
        ) from error
    if (free := room.f_bavail * room.f_frsize) < command.room_bytes:
        raise CannotStart(
            f"the disk has {free >> 20} MiB free, the quota is {command.room_bytes >> 20} MiB"
        )
    for port in command.ports:
        _refuse_port_in_use(command.host, port)


def _refuse_port_in_use(host: str, port: int) -> None:
    try:
        try_to_listen(host, port)
    except OSError as error:
        raise CannotStart(f"cannot listen on {host}:{port}: {reason_of(error)}") from error


def etcd_version(binary: str) -> str:
    """What `etcd --version` says.  Raises CannotStart if it is no etcd, or too old a one."""
    if not os.path.isfile(binary):
        raise CannotStart(f"there is no etcd binary at {binary}")
    if not os.access(binary, os.X_OK):
        raise CannotStart(f"the etcd binary {binary} is not executable")
    try:
        said = subprocess.run(
            [binary, "--version"],
            env=environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_WITHIN,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotStart(f"{binary} --version: {reason_of(error)}") from error
    match = _VERSION.search(said.stdout.decode(errors="replace"))
    if match is None:
        raise CannotStart(f"{binary} --version does not say that it is etcd")
    version = f"{match[1]}.{match[2]}.{match[3]}"
    if (int(match[1]), int(match[2])) < OLDEST_ETCD:
        oldest = ".".join(map(str, OLDEST_ETCD))
        raise CannotStart(f"etcd {version} is too old: {oldest} is the oldest that can be run")
    return version
