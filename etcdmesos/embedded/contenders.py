"""Masters that contend in ZooKeeper as Mesos' do, for `-zk=zk://h:2181/mesos -masters=2`.

Each has a session of its own, and in it an ephemeral znode json.info_<sequence> with its
MasterInfo; the lowest leads.  Only the leader's books exist (`mesos.py` keeps them); the others
listen and send everybody to it.  So masters of another process cannot lead these agents, and a
path where some are registered is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import uuid
from collections.abc import Callable

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import NoNodeError
from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded.master_context import HOST
from etcdmesos.embedded.server import Endpoints, Listener, answer
from etcdmesos.embedded.versions import VERSION

_CONNECT_SECONDS = 10.0
_ZNODE = "json.info_"
_LEFT_OVER_SECONDS = 15.0
"""Masters that were killed stay registered until their session expires: kazoo's default is 10 s."""
_LOOK_AGAIN_SECONDS = 0.25
_ANSWER_SECONDS = 1.0
_RECONNECT_SECONDS = 1.0
"""At most so long between two attempts to reach ZooKeeper; kazoo's default is a minute."""


def servers_and_path(url: str) -> tuple[str, str]:
    """(h1:2181,h2:2181 and /mesos) of zk://h1:2181,h2:2181/mesos.  Raises ValueError."""
    servers, slash, path = url.removeprefix("zk://").partition("/")
    if not url.startswith("zk://") or not servers or "@" in url or not (slash and path.strip("/")):
        raise ValueError("zk must be zk://host:port,host:port/path, without credentials")
    return servers, "/" + path.strip("/")


class _Contender:
    """One master: its port, its session, and its listener while it does not lead."""

    def __init__(self, url: str, leader: Callable[[], str]) -> None:
        self._servers, self._path = servers_and_path(url)
        self._leader = leader
        self._client: KazooClient | None = None
        self._expired = False
        self._listener: Listener | None = None
        self.port = 0

    async def stand_by(self) -> None:
        """Listen, on the port of before if there was one, and redirect to whoever leads."""
        endpoints = Endpoints("/master")
        endpoints.before = self._redirect
        self._listener = Listener(HOST, self.port, endpoints)
        await self._listener.open()
        self.port = self._listener.port

    async def make_room(self) -> None:
        """Leave the port to the leader's own listener."""
        if self._listener is not None:
            await self._listener.kill()
            self._listener = None

    async def connect(self) -> None:
        """Open a session.  Raises OSError when ZooKeeper does not answer."""
        await asyncio.to_thread(self._connect)

    async def find_nobody(self) -> None:
        """Wait until what a killed process left is gone.  Raises OSError when others contend."""
        left = asyncio.get_running_loop().time() + _LEFT_OVER_SECONDS
        while others := await asyncio.to_thread(self._registered):
            late = asyncio.get_running_loop().time() >= left
            if late or await asyncio.to_thread(any, map(_listens, others.values())):
                raise OSError(
                    f"Mesos masters are registered in ZooKeeper at {self._path} already "
                    f"({', '.join(sorted(others))}): give these ones a path of their own"
                )
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def enter(self) -> None:
        """Be registered in ZooKeeper, behind those that are; again whenever the session expired.

        Mesos' masters end when that happens, and their supervisors start them again.
        """
        await asyncio.to_thread(self._enter)
        assert self._client is not None
        self._client.add_listener(self._session_changed)

    async def leave(self) -> None:
        """End the session; the znode goes with it."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(_end, client)

    def _session_changed(self, state: str) -> None:
        """On kazoo's own thread, which must not wait."""
        client = self._client
        if state == KazooState.LOST:
            self._expired = True
        elif state == KazooState.CONNECTED and self._expired and client is not None:
            self._expired = False
            client.handler.spawn(client.retry, self._enter)

    def _redirect(self, _path: str, request: Request) -> Response:
        return answer(307, "", {"location": f"//{self._leader()}{request.url.path}"})

    def _connect(self) -> None:
        again = {"max_tries": -1, "max_delay": _RECONNECT_SECONDS}
        client = KazooClient(hosts=self._servers, connection_retry=again)
        try:
            client.start(timeout=_CONNECT_SECONDS)
        except client.handler.timeout_exception:
            raise OSError(f"no ZooKeeper answers at {self._servers}") from None
        self._client = client
        client.ensure_path(self._path)

    def _registered(self) -> dict[str, bytes]:
        """Who is there, and what each says of itself."""
        client, found = self._client, {}
        assert client is not None
        for name in client.get_children(self._path):
            if name.startswith(_ZNODE):
                with contextlib.suppress(NoNodeError):
                    found[name] = client.get(f"{self._path}/{name}")[0]
        return found

    def _enter(self) -> None:
        assert self._client is not None
        self._client.create(
            f"{self._path}/{_ZNODE}", self._info(), ephemeral=True, sequence=True, makepath=True
        )

    def _info(self) -> bytes:
        address = {"hostname": "localhost", "ip": HOST, "port": self.port}
        info = {
            "address": address,
            "hostname": "localhost",
            "id": str(uuid.uuid4()),
            # Mesos writes the four bytes as they lie in its memory.
            "ip": struct.unpack("<I", socket.inet_aton(HOST))[0],
            "pid": f"master@{HOST}:{self.port}",
            "port": self.port,
            "version": VERSION["version"],
        }
        return json.dumps(info).encode()


def _listens(info: bytes) -> bool:
    """Whether the master that says this of itself answers."""
    try:
        address = json.loads(info)["address"]
        with socket.create_connection((address["ip"], address["port"]), _ANSWER_SECONDS):
            return True
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _end(client: KazooClient) -> None:
    client.stop()
    client.close()


class Contenders:
    """All masters of one embedded Mesos, the leading one first."""

    def __init__(self, url: str, count: int, leader: Callable[[], str]) -> None:
        """`leader` gives the host:port of whoever leads."""
        self._queue = [_Contender(url, leader) for _ in range(count)]

    async def start(self, leading_port: int) -> None:
        """Register all, the leader, which listens on `leading_port` already, before the others.

        Raises OSError when ZooKeeper does not answer, or other masters contend at this path.
        """
        self._queue[0].port = leading_port
        for standby in self._queue[1:]:
            await standby.stand_by()
        for contender in self._queue:
            await contender.connect()
        await self._queue[0].find_nobody()
        for contender in self._queue:
            await contender.enter()

    async def hand_over(self) -> int:
        """The leader is gone; the port of the next one, which is free now."""
        await self._queue[0].leave()
        self._queue.append(self._queue.pop(0))
        await self._queue[0].make_room()
        return self._queue[0].port

    async def rejoin(self) -> None:
        """The one that led before is started again, and stands behind the others."""
        last = self._queue[-1]
        if last is not self._queue[0]:
            await last.stand_by()
        await last.connect()
        await last.enter()

    async def stop(self) -> None:
        """All leave, and listen no more."""
        for contender in self._queue:
            await contender.make_room()
            await contender.leave()
