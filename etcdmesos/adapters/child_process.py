"""One child process at a time: started, signalled, reaped, its log kept short.

The child dies with us, however we end: PR_SET_PDEATHSIG has the kernel send SIGKILL when the
*thread* that forked ends, so one thread forks, stays with the child until it is reaped, and never
ends before the process does.  The child stays in our session and process group, because that is
what an agent kills when it ends a container.

The child writes to its log itself, through no pipe of ours, so that it never waits for us.  What
runs, and why, is not known here.
"""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import signal
import subprocess
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from etcdmesos.errors import EtcdMesosError

log = logging.getLogger(__name__)

LOG_BYTES_MAX = 16 * 1024 * 1024
"""When the log is longer, it is copied to <log>.1 and begun again; what the child writes during the
copy is lost."""

LOG_LOOK_EVERY = 30.0
TAIL_BYTES = 64 * 1024
CLOSE_WITHIN = 3.0

_PR_SET_PDEATHSIG = 1
# Loaded here, because between fork and exec as little as possible may happen.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class CannotStart(EtcdMesosError):
    """Something is in the child's way; the text says what."""


@frozen(kw_only=True)
class Ended:
    """How a child ended."""

    wait_status: int
    """As subprocess has it: the exit status, or minus the number of a signal."""
    log_tail: str
    """The end of what it wrote to its log."""


class ChildProcess:
    """Runs children one after the other.  `run` is for jobs given to `do`, the rest for any
    thread."""

    def __init__(self, name: str, *, folder: Path, log_file: Path) -> None:
        """`name` is for threads and our own log; children run in `folder`."""
        self._name = name
        self._folder = folder
        self._log = log_file
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        """None ends the thread."""
        self._process: subprocess.Popen[bytes] | None = None
        self._run = 0
        self._lock = threading.Lock()
        """Held to signal and to reap: the id of a reaped process may be somebody else's."""
        self._closed = threading.Event()
        self._reaped = threading.Event()
        self._reaped.set()
        threading.Thread(target=self._keep, name=f"{name}-process", daemon=True).start()
        threading.Thread(target=self._keep_log_short, name=f"{name}-log", daemon=True).start()

    def do(self, job: Callable[[], None]) -> bool:
        """Have `job` done on the thread that forks, after those before it.

        Returns at once; False, and nothing will be done, after `close`.
        """
        if self._closed.is_set():
            return False
        self._jobs.put(job)
        return True

    def run(self, number: int, command: Sequence[str], started: Callable[[int], None]) -> Ended:
        """Start `command` as run `number`, tell `started` its process id, and wait for its end.

        Raises CannotStart.
        """
        if self._closed.is_set():
            raise CannotStart("we are closing")
        try:
            with open(self._log, "ab") as output:
                begins_at = output.tell()
                process = self._fork(command, output.fileno())
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotStart(reason_of(error)) from error
        self._reaped.clear()
        with self._lock:
            self._process, self._run = process, number
            if self._closed.is_set():
                process.kill()
        started(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            wait_status = process.wait()
            self._process = None
        self._reaped.set()
        return Ended(wait_status=wait_status, log_tail=tail(self._log, begins_at))

    def signal(self, number: int, signal_number: int) -> bool:
        """Send the signal to run `number`; False if that has ended."""
        with self._lock:
            process = self._process if self._run == number else None
            if process is not None:
                process.send_signal(signal_number)
        return process is not None

    def close(self) -> None:
        """Kill the child if it still runs, and wait until it is reaped."""
        self._closed.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()
        if not self._reaped.wait(CLOSE_WITHIN):
            log.error("a child is not reaped", extra={"child": self._name, "after": CLOSE_WITHIN})
        self._jobs.put(None)

    def _keep(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                # The thread must live on: its end would kill the child.
                log.exception("a job failed", extra={"child": self._name})

    def _fork(self, command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def die_with_the_parent() -> None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before the call above
                os._exit(1)

        with warnings.catch_warnings():
            # Python 3.12 warns of any fork beside threads.  Between fork and exec there is only the
            # function above, which takes no lock.
            warnings.simplefilter("ignore", DeprecationWarning)
            return subprocess.Popen(
                list(command),
                cwd=self._folder,
                env=environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_the_parent,
            )

    def _keep_log_short(self) -> None:
        while not self._closed.wait(LOG_LOOK_EVERY):
            try:
                shorten(self._log)
            except OSError:
                log.exception("a log could not be shortened", extra={"child": self._name})


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
        return f"(the log cannot be read: {reason_of(error)})"


def shorten(path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Set a log that is too long aside by copying, as its writer keeps it open for appending."""
    if not path.exists() or path.stat().st_size <= bytes_max:
        return
    aside = path.with_name(path.name + ".1")
    with open(path, "rb") as full, open(aside, "wb") as copy:
        while block := full.read(1024 * 1024):
            copy.write(block)
    os.truncate(path, 0)


def reason_of(error: Exception) -> str:
    """An error of the system's in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())
