"""The proxy's front as a child process: started, signalled, asked how it is.

What it is and when it is needed is `etcdmesos.proxy`'s.
"""

from __future__ import annotations

import http.client
import shutil
from pathlib import Path

from etcdmesos.adapters.child_process import CannotStart, ChildProcess
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.ports import Post
from etcdmesos.proxy.fronts import DATA_FOLDER
from etcdmesos.proxy.words import (
    CheckFront,
    FrontChecked,
    FrontExited,
    FrontStarted,
    SignalFront,
    StartFront,
)
from etcdmesos.step import Command, CommandDone, CommandFailed, Event

LOG_FILE = "front.log"
CHECK_WITHIN = 3.0
"""Seconds for the front to answer: etcd answers /health by a read, and an election takes one or
two."""
_CLOSE_WITHIN = CHECK_WITHIN + 1.0
_LINE_LENGTH = 300


class FrontProcess:
    """A CommandPort for StartFront, SignalFront and CheckFront.

    SignalFront ends at once, StartFront within milliseconds, CheckFront within `CHECK_WITHIN`.
    """

    carries_out: tuple[type, ...] = (StartFront, SignalFront, CheckFront)

    def __init__(self, post: Post[Event], *, folder: Path, binary: str, address: str) -> None:
        """`binary` is etcd's path; fronts run in `folder`; `address` (host:port) is where they can
        be asked."""
        self._post = post
        self._folder = folder
        self._binary = binary
        self._address = address
        self._child = ChildProcess("front", folder=folder, log_file=folder / LOG_FILE)
        self._checks = OrderedWorker("front-check")

    def submit(self, command: Command, /) -> None:
        """Begin `command`.  Returns at once."""
        match command:
            case StartFront():
                if not self._child.do(lambda: self._start(command)):
                    self._post(CommandFailed(command=command, reason="the proxy is closing"))
            case SignalFront():
                if self._child.signal(command.run, command.signal):
                    self._post(CommandDone(command=command))
                else:
                    self._post(CommandFailed(command=command, reason="that front has ended"))
            case CheckFront():
                self._begin_check(command)
            case _:
                self._post(CommandFailed(command=command, reason="not for this port"))

    def close(self) -> None:
        """Kill the front if it still runs, and wait until it is reaped."""
        self._checks.close()
        self._child.close()
        self._checks.join(_CLOSE_WITHIN)

    def _start(self, command: StartFront) -> None:
        def started(pid: int) -> None:
            self._post(FrontStarted(run=command.run, pid=pid))

        try:
            # What an earlier one knew, perhaps of another cluster, is of no use to this one.
            shutil.rmtree(self._folder / DATA_FOLDER, ignore_errors=True)
            ended = self._child.run(command.run, [self._binary, *command.arguments], started)
        except CannotStart as error:
            self._post(CommandFailed(command=command, reason=str(error)))
            return
        lines = ended.log_tail.strip().splitlines() or ["it said nothing"]
        said = lines[-1][-_LINE_LENGTH:]
        self._post(FrontExited(run=command.run, wait_status=ended.wait_status, said=said))

    def _begin_check(self, command: CheckFront) -> None:
        try:
            self._checks.do(lambda: self._check(command))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the proxy is closing"))

    def _check(self, command: CheckFront) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=CHECK_WITHIN)
        try:
            connection.request("GET", "/health")
            well = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            well = False
        finally:
            connection.close()
        self._post(FrontChecked(run=command.run, well=well))
