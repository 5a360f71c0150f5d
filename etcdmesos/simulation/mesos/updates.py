"""An agent's status updates on their way to the master: one stream per task, with retries.

Order, duplicates and acknowledgement; what an update says is not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable

from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.simulation.mesos.containers import UpdateStream
from etcdmesos.simulation.mesos.daemon import Daemon
from etcdmesos.simulation.mesos.options import MesosOptions
from etcdmesos.simulation.mesos.records import Key

__all__ = ["Send", "Updates"]

Send = Callable[[str, TaskStatus, TaskState], None]
"""Framework id, update, latest state."""


class Updates:
    """All update streams of one life of an agent, on the streams its disk keeps."""

    def __init__(
        self,
        daemon: Daemon,
        send: Send,
        streams: dict[Key, UpdateStream],
        options: MesosOptions,
    ) -> None:
        self._daemon = daemon
        self._send = send
        self._streams = streams
        self._options = options
        self.paused = True

    def add(self, framework_id: str, status: TaskStatus) -> None:
        """Take an update; it is sent at once if none of its task is on its way."""
        key = (framework_id, status.task_id)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = UpdateStream(framework_id)
        stream.pending.append(status)
        if len(stream.pending) == 1:
            self._forward(stream)

    def acknowledge(self, framework_id: str, task_id: str, uuid: str) -> TaskStatus | None:
        """Take an acknowledgement; the update it was for, None if it was for none."""
        key = (framework_id, task_id)
        stream = self._streams.get(key)
        if stream is None or stream.pending[0].uuid != uuid:
            return None
        head = stream.pending.pop(0)
        stream.interval = 0.0
        if stream.pending:
            self._forward(stream)
        else:
            del self._streams[key]
        return head

    def drop_framework(self, framework_id: str) -> None:
        """Nobody is there to acknowledge any more."""
        for key in [key for key in self._streams if key[0] == framework_id]:
            del self._streams[key]

    def resume(self) -> None:
        """There is a master again: send what is on its way once more."""
        self.paused = False
        for stream in list(self._streams.values()):
            stream.interval = 0.0
            self._forward(stream)

    def repeat(self, task_id: str) -> bool:
        """Send a task's update once more though it is not due; whether there is one."""
        for (_, one), stream in self._streams.items():
            if one == task_id and not self.paused:
                self._send(stream.framework_id, stream.pending[0], stream.latest)
                return True
        return False

    def _forward(self, stream: UpdateStream) -> None:
        if self.paused:
            return
        head = stream.pending[0]
        self._send(stream.framework_id, head, stream.latest)
        doubled = stream.interval * 2 or self._options.update_retry
        stream.interval = min(doubled, self._options.update_retry_max)
        stream.attempt += 1
        self._daemon.after(stream.interval, self._again, stream, head, stream.attempt)

    def _again(self, stream: UpdateStream, status: TaskStatus, attempt: int) -> None:
        if stream.pending and stream.pending[0] is status and stream.attempt == attempt:
            self._forward(stream)
