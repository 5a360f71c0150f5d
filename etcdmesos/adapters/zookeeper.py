"""ZooKeeper: where it is, who we are there, and questions to it that end within a limit.

One ZooKeeperSession is one kazoo client; record, election and master detection share it.  Nothing
here knows what is asked for.  kazoo's own retries are used for connecting only, never for a
request: what became of a request is for its sender to find out.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import field, frozen
from kazoo.client import KazooClient
from kazoo.exceptions import (
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NodeExistsError,
    SessionExpiredError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

from etcdmesos.adapters.unrepeated import Unrepeated
from etcdmesos.adapters.zookeeper_grant import overhear_grants
from etcdmesos.errors import BadUsage, EtcdMesosError

logger = logging.getLogger(__name__)

# At DEBUG kazoo logs whole requests, the one that authenticates among them.
_kazoo_logger = logging.getLogger("etcdmesos.adapters.zookeeper.kazoo")
_kazoo_logger.setLevel(logging.INFO)
# Two lines for each attempt to connect, and there is one every second.
_kazoo_logger.addFilter(Unrepeated(anew="established"))

_DEFAULT_PORT = 2181
_RECONNECT = {"max_tries": -1, "delay": 0.05, "backoff": 2, "max_delay": 1.0}
"""In seconds: a standby should notice within a second that ZooKeeper is back."""
_HANDSHAKES = 3
"""At least so many attempts to connect fit into a session.  kazoo waits for an answer to one for
the session's time-out, divided by the servers it was given; of one server, a single answer that is
lost while it starts would cost the session."""
_CLOSE_SECONDS = 2.0


class NotConnected(EtcdMesosError):
    """There is no connection to ZooKeeper: nothing was asked."""


class AnswerLost(EtcdMesosError):
    """The connection, the session or our patience ended before the answer came: nobody can tell
    whether a change was made."""


@frozen
class ZooKeeperUrl:
    """`zk://[user:password@]host[:port],host[:port]/path`, as Mesos writes it.

    As text the password is masked.
    """

    hosts: tuple[str, ...]
    """`host:port`, at least one."""
    path: str
    """Absolute, without a slash at its end, and not the root."""
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> ZooKeeperUrl:
        """Raises BadUsage; its text holds nothing of what may be a password."""
        # A password may hold what ends a URL's parts, so only what follows the last @ is quoted.
        shown = repr("zk://***@" + text.rpartition("@")[2] if "@" in text else text)
        form = "zk://[user:password@]host:port,host:port/path"
        if not text.startswith("zk://"):
            raise BadUsage(f"not a ZooKeeper URL ({form}): {shown}")
        authority, slash, rest = text.removeprefix("zk://").partition("/")
        credentials, _, servers = authority.rpartition("@")
        user, colon, password = credentials.partition(":")
        if "@" in authority and not (user and colon and password):
            raise BadUsage(f"credentials are user:password ({form}): {shown}")
        if not slash or not rest.strip("/"):
            raise BadUsage(f"a path other than / is missing ({form}): {shown}")
        hosts = tuple(_host(one, shown) for one in servers.split(","))
        return cls(hosts, znode_path("/" + rest.rstrip("/"), shown), user, password)

    def with_credentials(self, user: str, password: str) -> ZooKeeperUrl:
        """The same place for somebody else."""
        return ZooKeeperUrl(self.hosts, self.path, user, password)

    def same_session(self, other: ZooKeeperUrl) -> bool:
        """Whether one session serves for both."""
        return (set(self.hosts), self.user, self.password) == (
            set(other.hosts),
            other.user,
            other.password,
        )

    def __str__(self) -> str:
        who = f"{self.user}:***@" if self.user else ""
        return f"zk://{who}{','.join(self.hosts)}{self.path}"


def _host(text: str, shown: str) -> str:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", text)
    if match is None or not 0 < int(match[2] or _DEFAULT_PORT) <= 65535:
        raise BadUsage(f"each server must be host or host:port: {shown}")
    return f"{match[1]}:{match[2] or _DEFAULT_PORT}"


def znode_path(path: str, shown: str) -> str:
    """`path`, if ZooKeeper can have such a znode.  Raises BadUsage, quoting `shown`."""
    segments = path.split("/")[1:]
    if any(part in ("", ".", "..") for part in segments) or not path.isprintable():
        raise BadUsage(f"not a path that ZooKeeper can have: {shown}")
    return path


class ZooKeeperSession:
    """A session that is kept up for as long as this lives, and a new one when it expired.

    Connects in the background, from the start and for ever.  Safe to use from any thread.
    """

    def __init__(self, url: ZooKeeperUrl, *, timeout_seconds: float = 10.0) -> None:
        """`timeout_seconds`: after which time without a word from us ZooKeeper is to end the
        session; servers grant 2 to 20 of their ticks (with their defaults 4 to 40 s)."""
        self._asked_seconds = self._granted_seconds = timeout_seconds
        self.servers = ",".join(url.hosts)
        # As Mesos does with its own nodes: who authenticated writes, everybody may read.
        self.acl = READ_ACL_UNSAFE + CREATOR_ALL_ACL if url.user else OPEN_ACL_UNSAFE
        self._lock = threading.Lock()
        self._closed = False
        self._client = KazooClient(
            hosts=",".join(url.hosts * math.ceil(_HANDSHAKES / len(url.hosts))),
            timeout=timeout_seconds,
            connection_retry=_RECONNECT,
            auth_data=[("digest", f"{url.user}:{url.password}")] if url.user else None,
            default_acl=self.acl,
            logger=_kazoo_logger,
        )
        overhear_grants(self._client, self._note_granted)
        self._connected: threading.Event = self._client.start_async()

    @property
    def timeout_seconds(self) -> float:
        """For how long nobody else gets what is ours: as asked for, or less if less was granted."""
        return min(self._asked_seconds, self._granted_seconds)

    def _note_granted(self, seconds: float) -> None:
        if seconds != self._granted_seconds:
            logger.warning(
                "ZooKeeper grants another session time-out than asked for: 2 to 20 of its ticks",
                extra={"asked": self._asked_seconds, "granted": seconds},
            )
        self._granted_seconds = seconds

    @property
    def answer_seconds(self) -> float:
        """How long a question may take: half the session's time-out."""
        return self.timeout_seconds / 2

    @property
    def connected(self) -> bool:
        """Whether there is a connection as far as kazoo knows; a dead one is noticed within two
        thirds of the session's time-out."""
        return self._connected.is_set()

    @property
    def session_id(self) -> int | None:
        """The present session, None while there is no connection."""
        client_id = self._client.client_id
        return None if client_id is None else client_id[0]

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with kazoo's CONNECTED, SUSPENDED or LOST at every change, on kazoo's
        thread: it must not block."""
        self._client.add_listener(listener)

    def ask(
        self,
        request: Callable[[KazooClient], Any],
        *,
        seconds: float | None = None,
        wait_seconds: float = 0.0,
    ) -> Any:
        """The answer to `request`, which calls one of kazoo's `…_async` methods.

        Waits up to `wait_seconds` for a connection and up to `seconds` (by default
        `answer_seconds`) for the answer.  Raises NotConnected, AnswerLost, and kazoo's exceptions
        for what ZooKeeper answers: NoNodeError, BadVersionError and the like.
        """
        self._wait_connected(wait_seconds)
        limit = self.answer_seconds if seconds is None else seconds
        try:
            return request(self._client).get(timeout=limit)
        except KazooTimeoutError:
            raise AnswerLost(f"no answer from ZooKeeper within {limit:g} s") from None
        except ConnectionLoss:
            raise AnswerLost("the connection to ZooKeeper was lost") from None
        except SessionExpiredError:
            raise AnswerLost("the ZooKeeper session expired") from None
        except ConnectionClosedError:
            raise AnswerLost("the connection to ZooKeeper was closed") from None
        except KazooException:
            raise
        except Exception as error:
            logger.exception("ZooKeeper's answer could not be read")
            raise AnswerLost(f"ZooKeeper's answer makes no sense: {error!r}") from error

    def make_path(self, path: str) -> None:
        """Make the znode `path` and its parents where they are missing.  Raises as `ask` does."""
        parts = path.split("/")[1:]
        for count in range(1, len(parts) + 1):
            prefix = "/" + "/".join(parts[:count])
            # A create where somebody else may write would be refused even if it is there.
            if self.ask(partial(KazooClient.exists_async, path=prefix)) is not None:
                continue
            try:
                self.ask(partial(KazooClient.create_async, path=prefix))
            except NodeExistsError:
                continue

    def close(self) -> None:
        """End the session, and with it its ephemeral znodes.  Takes 2 s at the very most."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # kazoo waits for the server, which may be frozen; its threads end with the process.
        stopping = threading.Thread(target=self._stop, name="zookeeper-stop", daemon=True)
        stopping.start()
        stopping.join(_CLOSE_SECONDS)

    def _stop(self) -> None:
        try:
            self._client.stop()
            self._client.close()
        except Exception as error:
            logger.warning("the ZooKeeper client did not stop", extra={"reason": repr(error)})

    def _wait_connected(self, seconds: float) -> None:
        if self._closed:
            raise NotConnected("the ZooKeeper session is closed")
        if self._connected.wait(seconds):
            return
        self._start_again_if_ended()
        raise NotConnected(f"no connection to ZooKeeper at {self.servers}")

    def _start_again_if_ended(self) -> None:
        """kazoo's thread ends at answers that make no sense to it; a daemon has to go on."""
        with self._lock:
            if not self._closed and self._client._connection.connection_stopped.is_set():
                logger.warning("the ZooKeeper client had ended and is started again")
                self._client.start_async()
