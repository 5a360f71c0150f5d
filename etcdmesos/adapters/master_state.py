"""Reads a Mesos master's `/state` for the scheduler: the port for ReadMasterState.

Nothing here changes anything at the master, so every failure is a CommandFailed.  What the state
means is `etcdmesos.mesos.master_state`'s.
"""

from __future__ import annotations

import logging
import time

from etcdmesos.adapters.master_reading import STATE_PATHS, MasterReader, StateLimits, Unreadable
from etcdmesos.adapters.mesos_framework import MasterDetector
from etcdmesos.adapters.mesos_http import Credentials
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.cluster.commands import Command, ReadMasterState
from etcdmesos.cluster.events import CommandFailed, Event, MasterStateRead
from etcdmesos.mesos.master_state import StateReading
from etcdmesos.ports import Post

logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 2.0


class MasterStateReader:
    """A CommandPort for ReadMasterState alone.

    Ends in MasterStateRead or CommandFailed within twice `limits.seconds` of being submitted
    (resolving the master's name comes on top).
    """

    carries_out: tuple[type, ...] = (ReadMasterState,)

    def __init__(
        self,
        *,
        detector: MasterDetector,
        framework_name: str,
        post: Post[Event],
        credentials: Credentials | None = None,
        limits: StateLimits | None = None,
    ) -> None:
        """`framework_name`: the frameworks of this name are what the state is read for."""
        self._framework_name = framework_name
        self._post = post
        self._limits = limits or StateLimits()
        self._reader = MasterReader(detector, credentials=credentials, limits=self._limits)
        self._worker = OrderedWorker("mesos-state")

    def submit(self, command: Command) -> None:
        """Begin to read.  Returns at once and does not raise."""
        assert isinstance(command, ReadMasterState)
        submitted = time.monotonic()
        try:
            self._worker.do(lambda: self._carry_out(command, submitted))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the Mesos adapter is closed"))

    def close(self) -> None:
        """Give up what is under way.  Takes 2 s at the very most."""
        self._worker.close()
        self._reader.close()
        self._worker.join(_CLOSE_SECONDS)

    def _carry_out(self, command: ReadMasterState, submitted: float) -> None:
        try:
            if time.monotonic() - submitted > self._limits.seconds:
                raise Unreadable(f"waited {self._limits.seconds:g} s behind other readings")
            state = self._reader.read(STATE_PATHS, StateReading(self._framework_name))
        except Unreadable as error:
            self._post(CommandFailed(command=command, reason=str(error)))
        except Exception as error:
            logger.exception("reading the master's state failed in an error of the adapter's own")
            reason = f"error in the adapter: {type(error).__name__}"
            self._post(CommandFailed(command=command, reason=reason))
        else:
            self._post(MasterStateRead(state=state, subscription=command.subscription))
