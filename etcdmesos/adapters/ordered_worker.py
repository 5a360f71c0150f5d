"""One daemon thread that does jobs in the order they were handed in.

It knows nothing of Mesos; what a job does about failures is the job's own business.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from etcdmesos.errors import EtcdMesosError

logger = logging.getLogger(__name__)

Job = Callable[[], None]


class WorkerClosed(EtcdMesosError):
    """The worker takes no more jobs."""


class OrderedWorker:
    """Runs jobs one after the other.  An exception from a job is logged and ends only that job."""

    def __init__(self, name: str) -> None:
        """Starts the thread, called `name`."""
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Job) -> None:
        """Hand in a job.  Returns at once.  Raises WorkerClosed."""
        with self._lock:
            if self._closed:
                raise WorkerClosed("closed")
            self._jobs.put(job)

    @property
    def closed(self) -> bool:
        """True once `close` was called; the jobs still waiting then should give up."""
        return self._closed

    def close(self) -> None:
        """Take no more jobs; the thread ends after those handed in.  Returns at once."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, at most `seconds`."""
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                logger.exception("a job failed", extra={"worker": threading.current_thread().name})
