"""The ZooKeeper sessions of one process: one for all URLs with the same servers and user."""

from __future__ import annotations

from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl


class ZooKeeperSessions:
    """Opens a session when it is first asked for, and closes all at the end."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._open: list[tuple[ZooKeeperUrl, ZooKeeperSession]] = []

    def of(self, url: ZooKeeperUrl) -> ZooKeeperSession:
        """The session that serves `url`."""
        for other, session in self._open:
            if url.same_session(other):
                return session
        session = ZooKeeperSession(url, timeout_seconds=self._timeout_seconds)
        self._open.append((url, session))
        return session

    def close(self) -> None:
        """End them; ephemeral znodes go with them."""
        for _, session in self._open:
            session.close()
