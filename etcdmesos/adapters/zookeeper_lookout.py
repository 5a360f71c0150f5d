"""A thread that looks at ZooKeeper again whenever something may have changed.

Level, not edge: watches, changes of the session and the time that passed only wake it; what is the
case is asked each time.  Nothing here knows what is looked for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from etcdmesos.adapters.zookeeper import ZooKeeperSession

logger = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = 1.0


class Lookout:
    """Calls `look` on a thread called `name`, which begins at `start`.

    `look` returns after how many seconds at the latest it wants to be called again.  An exception
    from it is logged and costs a second.
    """

    def __init__(self, name: str, session: ZooKeeperSession, look: Callable[[], float]) -> None:
        self._look = look
        self._awake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        session.listen(self.wake)

    def start(self) -> None:
        """Look for the first time, and from then on."""
        self._thread.start()

    def wake(self, *_: object) -> None:
        """Have `look` called soon.  Serves kazoo as watch and as listener."""
        self._awake.set()

    def close(self, seconds: float) -> None:
        """Look no more; waits up to `seconds` for a look under way."""
        self._closed = True
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._closed:
            self._awake.clear()
            try:
                pause = self._look()
            except Exception:
                logger.exception("a look at ZooKeeper failed in an error of its own")
                pause = _PAUSE_AFTER_ERROR
            self._awake.wait(pause)
