"""The agent's status updates on their way to the master: one stream per task, with retries.

The order rules are in status_updates.py (pure); the timers and the sending are here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etcdmesos.embedded.status_updates import UpdateStream

Json = dict[str, Any]
Send = Callable[[str, Json], None]
Later = Callable[[float, Callable[[], None]], None]


class UpdateForwarder:
    """All update streams of one agent."""

    def __init__(self, send: Send, later: Later, retry: float, retry_max: float) -> None:
        self._send = send
        self._later = later
        self._retry = retry
        self._retry_max = retry_max
        self._streams: dict[tuple[str, str], UpdateStream] = {}
        self.paused = True

    def add(self, framework_id: str, status: Json) -> None:
        """Take an update; it is sent at once if none of its task is on its way."""
        key = (framework_id, status["task_id"]["value"])
        stream = self._streams.get(key)
        if stream is None:
            stream = UpdateStream(*key, self._retry, self._retry_max)
            self._streams[key] = stream
        if stream.add(status):
            self._forward(stream)

    def acknowledge(self, framework_id: str, task_id: str, uuid: str) -> Json | None:
        """Take an acknowledgement; the status it was for, or None if it was for none."""
        stream = self._streams.get((framework_id, task_id))
        head = stream.head() if stream else None
        if stream is None or head is None or not stream.acknowledge(uuid):
            return None
        if stream.head() is None:
            # The executor's book of seen uuids outlives the stream; see Executor.seen.
            del self._streams[framework_id, task_id]
        else:
            self._forward(stream)
        return head

    def pending(self, framework_id: str, task_id: str) -> list[Json]:
        """What the scheduler has not acknowledged of a task."""
        stream = self._streams.get((framework_id, task_id))
        return list(stream.pending) if stream else []

    def restore(self, framework_id: str, statuses: list[Json]) -> None:
        """Take over what a checkpoint says is pending."""
        for status in statuses:
            self.add(framework_id, status)

    def drop_framework(self, framework_id: str) -> None:
        """Nobody is there to acknowledge any more."""
        self._streams = {
            key: stream for key, stream in self._streams.items() if key[0] != framework_id
        }

    def resume(self) -> None:
        """There is a master again: send what is on its way once more."""
        self.paused = False
        for stream in list(self._streams.values()):
            stream.interval = 0.0
            self._forward(stream)

    def pause(self) -> None:
        """There is no master."""
        self.paused = True

    def _forward(self, stream: UpdateStream) -> None:
        head = stream.head()
        if self.paused or head is None:
            return
        body = {
            "framework_id": stream.framework_id,
            "status": head,
            "latest_state": stream.latest_state(),
        }
        self._send("StatusUpdate", body)
        wait = stream.next_retry()
        attempt = stream.attempt
        self._later(wait, lambda: self._again(stream, head, attempt))

    def _again(self, stream: UpdateStream, status: Json, attempt: int) -> None:
        if stream.head() is status and stream.attempt == attempt:
            self._forward(stream)
