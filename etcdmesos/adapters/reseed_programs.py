"""Programs that reseeding runs beside the member: etcd on a copy, and the tool that restores.

Both are children that die with us, run in the sandbox, and write to `reseed.log`.  Where the tool
comes from is in `tool_download.py`.
"""

from __future__ import annotations

import logging
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from etcdmesos.adapters.child_process import CannotStart, ChildProcess, Ended
from etcdmesos.errors import EtcdMesosError

log = logging.getLogger(__name__)

LOG_FILE = "reseed.log"
STOP_WITHIN = 10.0
_LOOK_EVERY = 0.05

End = queue.SimpleQueue[Ended | CannotStart]
"""Where a program's end will be."""


class Cancelled(EtcdMesosError):
    """What was under way is not wanted any more."""


@frozen
class Running:
    """An etcd on a copy."""

    client_url: str
    ended: Callable[[float], str]
    """Waits so many seconds; how it ended, "" while it runs."""


class Programs:
    """One program at a time."""

    def __init__(self, sandbox: Path, cancelled: threading.Event) -> None:
        """A program is killed soon after `cancelled` is set."""
        self._sandbox = sandbox
        self._cancelled = cancelled
        self._child = ChildProcess("reseed", folder=sandbox, log_file=sandbox / LOG_FILE)
        self._runs = 0

    def go_on(self) -> None:
        """Raises Cancelled when what is under way is to end."""
        if self._cancelled.is_set():
            raise Cancelled("ended before it was done")

    def close(self) -> None:
        """Kill what runs and wait until it is reaped."""
        self._child.close()

    def run(self, program: Path, arguments: Sequence[str], seconds: float) -> None:
        """Run to its end.  Raises CannotStart when that is none good, or not within `seconds`, and
        Cancelled."""
        end = self._begin([str(program), *arguments])
        deadline = time.monotonic() + seconds
        said = ""
        while not said:
            if self._cancelled.is_set() or time.monotonic() > deadline:
                self._kill(end)
                if self._cancelled.is_set():
                    raise Cancelled("ended before it was done")
                raise CannotStart(f"{program.name} did not end within {seconds:g} s")
            ended = _wait(end, _LOOK_EVERY)
            if isinstance(ended, Ended) and ended.wait_status == 0:
                return
            said = _words(ended)
        raise CannotStart(f"{program.name}: {said}")

    @contextmanager
    def copy_of(self, etcd: str, data_directory: str, name: str) -> Iterator[Running]:
        """etcd run alone on a copy of a member's data, on loopback ports that nobody is told."""
        client, peer = (f"http://127.0.0.1:{_free_port()}" for _ in range(2))
        end = self._begin(
            [
                etcd,
                f"--name={name}",
                f"--data-dir={data_directory}",
                "--force-new-cluster",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster={name}={peer}",
                "--logger=zap",
                "--log-outputs=stderr",
            ]
        )
        over: list[Ended | CannotStart] = []

        def ended(seconds: float) -> str:
            if not over and (one := _wait(end, seconds)) is not None:
                over.append(one)
            return _words(over[0]) if over else ""

        try:
            yield Running(client, ended)
        finally:
            if not over:
                self._child.signal(self._runs, signal.SIGTERM)
                if not ended(STOP_WITHIN):
                    self._kill(end)

    def _begin(self, command: Sequence[str]) -> End:
        self._runs += 1
        run = self._runs
        end: End = queue.SimpleQueue()

        def keep() -> None:
            try:
                end.put(self._child.run(run, command, _ignore))
            except CannotStart as error:
                end.put(error)

        if not self._child.do(keep):
            raise CannotStart("the executor is closing")
        return end

    def _kill(self, end: End) -> None:
        deadline = time.monotonic() + STOP_WITHIN
        while time.monotonic() < deadline:
            # It may not have been started yet.
            self._child.signal(self._runs, signal.SIGKILL)
            if _wait(end, _LOOK_EVERY) is not None:
                return
        log.error("a program cannot be killed")


def _ignore(_pid: int) -> None:
    """Nobody needs the process id: the end is what is waited for."""


def _wait(end: End, seconds: float) -> Ended | CannotStart | None:
    try:
        return end.get(timeout=seconds)
    except queue.Empty:
        return None


def _words(ended: Ended | CannotStart | None) -> str:
    """How it ended, with the last line it wrote; "" for None."""
    if ended is None:
        return ""
    if isinstance(ended, CannotStart):
        return str(ended)
    lines = ended.log_tail.strip().splitlines()
    last = lines[-1][-300:] if lines else "it said nothing"
    return f"ended with status {ended.wait_status}: {last}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
