"""etcd as a child process: prepared, started, signalled, reaped.  Nothing is decided here.

The child dies with the executor, however that ends: PR_SET_PDEATHSIG has the kernel send SIGKILL
when the *thread* that forked ends, so one thread forks, stays with the child until it is reaped,
and never ends before the process does.  The child stays in the executor's session and process
group, because that is what an agent kills when it ends a container.

etcd writes to `etcd.log` itself, through no pipe of ours, so that it never waits for us.
"""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import re
import signal
import socket
import subprocess
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from etcdmesos.errors import EtcdMesosError
from etcdmesos.executor.commands import Prepare, SignalEtcd, StartEtcd
from etcdmesos.executor.events import EtcdExited, EtcdPrepared, EtcdStarted
from etcdmesos.executor.settings import OLDEST_ETCD
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

log = logging.getLogger(__name__)

LOG_FILE = "etcd.log"
LOG_BYTES_MAX = 16 * 1024 * 1024
"""When the log is longer, it is copied to etcd.log.1 and begun again; what etcd writes during the
copy is lost."""

LOG_LOOK_EVERY = 30.0
TAIL_BYTES = 64 * 1024
VERSION_WITHIN = 20.0
CLOSE_WITHIN = 3.0

_PR_SET_PDEATHSIG = 1
_VERSION = re.compile(r"^etcd Version: *(\d+)\.(\d+)\.(\S+)", re.MULTILINE)
# Loaded here, because between fork and exec as little as possible may happen.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def _has_log(sandbox: Path, command: StartEtcd) -> bool:
    """Whether the data directory of that start holds a write-ahead log."""
    option = "--data-dir="
    found = next((a for a in command.arguments if a.startswith(option)), option)
    return any((sandbox / found.removeprefix(option) / "member" / "wal").glob("*.wal"))


class CannotStart(EtcdMesosError):
    """Something is in etcd's way; the text says what."""


class EtcdProcess:
    """A CommandPort for Prepare, StartEtcd and SignalEtcd.

    SignalEtcd ends at once, StartEtcd within milliseconds, Prepare within `VERSION_WITHIN` seconds.
    """

    carries_out: tuple[type, ...] = (Prepare, StartEtcd, SignalEtcd)

    def __init__(self, post: Post[Event], *, sandbox: Path, binary: str) -> None:
        """`binary` is a path, relative to the sandbox if it is not absolute."""
        self._post = post
        self._sandbox = sandbox
        self._binary = str(sandbox / binary)
        self._log = sandbox / LOG_FILE
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        """None ends the thread."""
        self._process: subprocess.Popen[bytes] | None = None
        self._run = 0
        self._lock = threading.Lock()
        """Held to signal and to reap: the id of a reaped process may be somebody else's."""
        self._closed = threading.Event()
        self._reaped = threading.Event()
        self._reaped.set()
        threading.Thread(target=self._keep, name="etcd-process", daemon=True).start()
        threading.Thread(target=self._keep_log_short, name="etcd-log", daemon=True).start()

    def submit(self, command: Command, /) -> None:
        """Begin `command`.  Returns at once."""
        if self._closed.is_set():
            self._post(CommandFailed(command=command, reason="the executor is closing"))
            return
        match command:
            case Prepare():
                self._jobs.put(lambda: self._prepare(command))
            case StartEtcd():
                self._jobs.put(lambda: self._start(command))
            case SignalEtcd():
                self._signal(command)
            case _:
                self._post(CommandFailed(command=command, reason="not for this port"))

    def close(self) -> None:
        """Kill etcd if it still runs, and wait until it is reaped."""
        self._closed.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()
        if not self._reaped.wait(CLOSE_WITHIN):
            log.error("etcd is not reaped", extra={"after_seconds": CLOSE_WITHIN})
        self._jobs.put(None)

    # The thread that forks

    def _keep(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                # The thread must live on: its end would kill etcd.
                log.exception("a job of the etcd process failed")

    def _prepare(self, command: Prepare) -> None:
        try:
            version = prepare(command, self._sandbox, self._binary)
        except CannotStart as error:
            self._post(CommandFailed(command=command, reason=str(error)))
        except Exception as error:
            log.exception("the preparation failed in an error of its own")
            self._post(CommandFailed(command=command, reason=f"error in the executor: {error!r}"))
        else:
            self._post(EtcdPrepared(version=version))

    def _start(self, command: StartEtcd) -> None:
        if self._closed.is_set():
            self._post(CommandFailed(command=command, reason="the executor is closing"))
            return
        try:
            with open(self._log, "ab") as output:
                begins_at = output.tell()
                process = self._fork(command, output.fileno())
        except (OSError, subprocess.SubprocessError) as error:
            self._post(CommandFailed(command=command, reason=_reason(error)))
            return
        self._reaped.clear()
        with self._lock:
            self._process, self._run = process, command.run
            if self._closed.is_set():
                process.kill()
        self._post(EtcdStarted(run=command.run, pid=process.pid))
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            wait_status = process.wait()
            self._process = None
        self._reaped.set()
        self._post(
            EtcdExited(
                run=command.run,
                wait_status=wait_status,
                log_tail=tail(self._log, begins_at),
                data_kept=_has_log(self._sandbox, command),
            )
        )

    def _fork(self, command: StartEtcd, output: int) -> subprocess.Popen[bytes]:
        executor = os.getpid()

        def die_with_the_executor() -> None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != executor:  # it died before the call above
                os._exit(1)

        with warnings.catch_warnings():
            # Python 3.12 warns of any fork beside threads.  Between fork and exec there is only the
            # function above, which takes no lock.
            warnings.simplefilter("ignore", DeprecationWarning)
            return subprocess.Popen(
                [self._binary, *command.arguments],
                cwd=self._sandbox,
                env=environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_the_executor,
            )

    # Other threads

    def _signal(self, command: SignalEtcd) -> None:
        with self._lock:
            process = self._process if self._run == command.run else None
            if process is not None:
                process.send_signal(command.signal)
        if process is None:
            self._post(CommandFailed(command=command, reason="that etcd has ended"))
        else:
            self._post(CommandDone(command=command))

    def _keep_log_short(self) -> None:
        while not self._closed.wait(LOG_LOOK_EVERY):
            try:
                shorten(self._log)
            except OSError:
                log.exception("etcd's log could not be shortened")


def prepare(command: Prepare, sandbox: Path, binary: str) -> str:
    """Make the data directory and return etcd's version.  Raises CannotStart."""
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
            f"the data directory {command.data_directory}: {_reason(error)}"
        ) from error
    if (free := room.f_bavail * room.f_frsize) < command.room_bytes:
        raise CannotStart(
            f"the disk has {free >> 20} MiB free, the quota is {command.room_bytes >> 20} MiB"
        )
    for port in command.ports:
        _refuse_port_in_use(command.host, port)
    return etcd_version(binary)


def _refuse_port_in_use(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotStart(f"cannot listen on {host}:{port}: {_reason(error)}") from error


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
        raise CannotStart(f"{binary} --version: {_reason(error)}") from error
    match = _VERSION.search(said.stdout.decode(errors="replace"))
    if match is None:
        raise CannotStart(f"{binary} --version does not say that it is etcd")
    version = f"{match[1]}.{match[2]}.{match[3]}"
    if (int(match[1]), int(match[2])) < OLDEST_ETCD:
        oldest = ".".join(map(str, OLDEST_ETCD))
        raise CannotStart(f"etcd {version} is too old: {oldest} is the oldest that can be run")
    return version


def environment(ours: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """The environment for etcd: ours, less what etcd would read as options of its own."""
    kept = "ETCD_UNSUPPORTED_ARCH"
    return {k: v for k, v in ours.items() if not k.startswith("ETCD_") or k == kept}


def tail(path: Path, begins_at: int) -> str:
    """The end of what was written to a log from `begins_at` on."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            # Shortened meanwhile: then all of it is new.
            start = begins_at if size >= begins_at else 0
            file.seek(max(start, size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode(errors="replace")
    except OSError as error:
        return f"(the log cannot be read: {_reason(error)})"


def shorten(path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Set a log that is too long aside by copying, as its writer keeps it open for appending."""
    if not path.exists() or path.stat().st_size <= bytes_max:
        return
    aside = path.with_name(path.name + ".1")
    with open(path, "rb") as full, open(aside, "wb") as copy:
        while block := full.read(1024 * 1024):
            copy.write(block)
    os.truncate(path, 0)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())
