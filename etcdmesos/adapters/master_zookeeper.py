"""Which Mesos master leads, as ZooKeeper has it: `-master=zk://h1:2181,h2:2181/mesos`.

    /mesos/json.info_<sequence>     ephemeral, one per master; its data is its MasterInfo as JSON

The lowest sequence leads, as in Mesos' own detector (since Mesos 0.24; before, the data was no
JSON).  While ZooKeeper does not answer, the master known last is taken to lead: it says so itself
if it does not.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable

from kazoo.exceptions import KazooException, NoNodeError

from etcdmesos.adapters.mesos_http import MasterAddress
from etcdmesos.adapters.zookeeper import AnswerLost, NotConnected, ZooKeeperSession
from etcdmesos.adapters.zookeeper_lookout import Lookout
from etcdmesos.errors import BadUsage

logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 2.0
_MASTER = re.compile(r"json\.info_(\d{10})")


class ZooKeeperMaster:
    """A MasterDetector that looks from `start` to `close`."""

    def __init__(self, session: ZooKeeperSession, path: str) -> None:
        """`path` is the masters' znode, such as /mesos."""
        self._session = session
        self._path = path
        self._leading: str | None = None
        self._why_none = f"ZooKeeper at {session.servers} was not heard of yet"
        self._listeners: list[Callable[[str], None]] = []
        self._found = threading.Event()
        self._lookout = Lookout("mesos-master-detector", session, self._look)

    def leading(self) -> str | None:
        """`host:port` of the leading master, None while none is known.  Answers at once."""
        return self._leading

    def why_none(self) -> str:
        """Why `leading` knows none, in one line."""
        return self._why_none

    def wait(self, seconds: float) -> str | None:
        """As `leading`, but waits up to `seconds` for the first one."""
        self._found.wait(seconds)
        return self._leading

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Tell `listener` of every other master that leads; it must not block."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to look."""
        self._lookout.start()

    def close(self) -> None:
        """Look no more.  Takes 2 s at the very most."""
        self._lookout.close(_CLOSE_SECONDS)

    def _look(self) -> float:
        try:
            self._learn(self._ask())
        except (AnswerLost, NotConnected, KazooException) as error:
            self._why_none = str(error) or f"ZooKeeper answered {type(error).__name__}"
        # Watches tell of changes; this is for what they cannot tell.
        return self._session.timeout_seconds

    def _ask(self) -> str | None:
        """Who leads; None, with the reason noted, when nobody does.  Raises as `ask` does."""
        where = f"at {self._path} in ZooKeeper"
        watch = self._lookout.wake
        try:
            names: list[str] = self._session.ask(
                lambda client: client.get_children_async(self._path, watch=watch)
            )
        except NoNodeError:
            # It may come: this watch tells of it.
            self._session.ask(lambda client: client.exists_async(self._path, watch=watch))
            self._why_none = f"there is nothing {where}: no Mesos master uses it"
            return None
        masters = sorted(name for name in names if _MASTER.fullmatch(name))
        if not masters:
            self._why_none = f"no Mesos master leads: none is registered {where}"
            return None
        znode = f"{self._path}/{masters[0]}"
        try:
            data, _ = self._session.ask(lambda client: client.get_async(znode))
        except NoNodeError:
            # Gone since; the watch has told of it, too.
            self._lookout.wake()
            return self._leading
        try:
            return address_in(data)
        except (BadUsage, AttributeError, KeyError, RecursionError, TypeError, ValueError):
            self._why_none = f"what the leading Mesos master wrote to {znode} makes no sense"
            return None

    def _learn(self, leading: str | None) -> None:
        if leading == self._leading:
            return
        logger.info("the leading Mesos master changed", extra={"master": leading or "none"})
        self._leading = leading
        if leading is not None:
            self._found.set()
            for listener in self._listeners:
                listener(leading)


def address_in(data: bytes) -> str:
    """host:port of a MasterInfo in JSON.  Raises what bad JSON leads to, or
    BadUsage."""
    address = json.loads(data)["address"]
    # The address rather than the name: it is what the master bound or was told to advertise.
    host = address.get("ip") or address["hostname"]
    return str(MasterAddress.parse(f"{host}:{address['port']}"))
