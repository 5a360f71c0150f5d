"""Imports pymesos and takes back what its import does to the process.

Importing pymesos installs a SIGINT handler and hangs a stderr handler on its logger.  A library
must do neither: signals and log handlers belong to the daemon.  The Mesos adapters import pymesos
through here and nowhere else.  Import this on the main thread, as signal handlers demand.
"""

from __future__ import annotations

import logging
import signal

import pymesos
from pymesos import MesosExecutorDriver, MesosSchedulerDriver, process
from pymesos.process import Connection

__all__ = ["Connection", "MesosExecutorDriver", "MesosSchedulerDriver"]


def _give_back_sigint() -> None:
    # Whoever imported pymesos first: its handler is only replaced while it still is the one.
    if signal.getsignal(signal.SIGINT) is process._handle_sigint:
        before = process._prev_handler
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _give_back_logging() -> None:
    logger = logging.getLogger("pymesos")
    logger.removeHandler(pymesos.handler)
    # It logs whole events and tracebacks of ordinary disconnections; ours say the same in a line.
    logger.setLevel(logging.CRITICAL)


_give_back_sigint()
_give_back_logging()
