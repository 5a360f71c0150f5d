"""Real ZooKeeper servers for tests: on free loopback ports, killed exactly by id.

`.cache/zookeeper/` holds the server (`make zookeeper` puts it there).  A `Line` stands between one
client and the servers, so that one client alone can be frozen or cut off.  Nothing here is used by
the package.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import kazoo.protocol.connection
import kazoo.retry
import pytest

from tests.free_ports import free_port
from tests.real_etcd import until

# kazoo's threads draw from `random` while they wait, which hypothesis takes for a fault of whatever
# test it happens to run: they get a generator of their own.
kazoo.protocol.connection.random = kazoo.retry.random = random.Random()

_ROOT = Path(__file__).resolve().parent.parent


def program() -> list[str]:
    """The command that runs a server, less its configuration; fails the test if it isn't there."""
    folder = Path(os.environ.get("ETCD_MESOS_TEST_ZOOKEEPER", _ROOT / ".cache" / "zookeeper"))
    if not (folder / "java").exists():
        pytest.fail(f"{folder} is not there: run `make zookeeper`")
    return [
        *(str(folder / "java"), "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-cp", f"{folder / 'lib'}/*"),
        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    ]


class ZooKeeperServer:
    """One server: its folder, its client port, and the process while it runs."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.folder = folder / f"server{number}"
        self.port = free_port()
        self.quorum_ports = (free_port(), free_port())
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def configure(self, ensemble: list[ZooKeeperServer], *, tick_ms: int) -> None:
        """Write the configuration; `ensemble` holds this one, and more or not."""
        (self.folder / "data").mkdir(parents=True)
        (self.folder / "data" / "myid").write_text(str(self.number))
        lines = [
            f"dataDir={self.folder / 'data'}",
            f"clientPort={self.port}",
            "clientPortAddress=127.0.0.1",
            "admin.enableServer=false",
            "4lw.commands.whitelist=*",
            "maxClientCnxns=0",
            f"tickTime={tick_ms}",
        ]
        if len(ensemble) > 1:
            lines += ["initLimit=20", "syncLimit=10", "quorumListenOnAllIPs=false"]
            for one in ensemble:
                peer, election = one.quorum_ports
                lines.append(f"server.{one.number}=127.0.0.1:{peer}:{election}")
        (self.folder / "zoo.cfg").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start the process; returns before it serves."""
        # setpriv asks the kernel to kill the server if the test's process dies without clean-up.
        command = ["setpriv", "--pdeathsig", "KILL", *program(), str(self.folder / "zoo.cfg")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """kill -9; the data stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def say(self, word: str) -> str:
        """Its answer to one of ZooKeeper's four-letter words, "" if it gives none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(word.encode())
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return ""

    @property
    def mode(self) -> str:
        """standalone, leader, follower; "" while it serves nobody."""
        for line in self.say("srvr").splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ")
        return ""

    def serves(self) -> bool:
        return self.mode != ""

    def log(self) -> str:
        """ "" before it was started."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


class ZooKeeperServers:
    """One server, or an ensemble of three."""

    def __init__(self, size: int, folder: Path, *, tick_ms: int = 500) -> None:
        """`tick_ms`: sessions may be 2 to 20 of them long."""
        self.folder = folder
        self.servers = [ZooKeeperServer(number, folder) for number in range(1, size + 1)]
        for server in self.servers:
            server.configure(self.servers, tick_ms=tick_ms)

    def start(self) -> None:
        """Returns when all serve."""
        for server in self.servers:
            server.start()
        self.wait()

    def wait(self) -> None:
        """Until all that run serve."""
        for server in self.servers:
            if server.process is not None:
                until(server.serves, f"{server.folder} serves: {server.log()[-500:]}")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", server.port) for server in self.servers]

    def url(self, path: str) -> str:
        return f"zk://{','.join(server.address for server in self.servers)}{path}"

    def leader(self) -> ZooKeeperServer:
        return next(server for server in self.servers if server.mode in ("leader", "standalone"))

    def close(self) -> None:
        """Kill all and remove the data."""
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def zookeeper(size: int, folder: Path, *, tick_ms: int = 500) -> Iterator[ZooKeeperServers]:
    """Running servers; whatever is left of them at the end is killed."""
    servers = ZooKeeperServers(size, folder, tick_ms=tick_ms)
    try:
        servers.start()
        yield servers
    finally:
        for server in servers.servers:
            # Shown only for a test that fails.
            print(f"server {server.number} said at last:", server.log()[-2000:], sep="\n")
        servers.close()


@cache
def shared(size: int) -> ZooKeeperServers:
    """Servers for all tests of this run that leave them alone and have a path of their own."""
    servers = ZooKeeperServers(size, Path(tempfile.mkdtemp(prefix="etcd-mesos-zookeeper-")))
    atexit.register(servers.close)
    servers.start()
    return servers


class Line:
    """Forwards one client's connections to the servers, each by a port of its own.

    `freeze` holds back what goes in either direction, `freeze_answers` only what the servers say;
    `thaw` lets it through.  `cut` ends the connections and takes no new ones until `mend`.
    """

    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake, self._wakened = socket.socketpair()
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._targets: dict[socket.socket, tuple[str, int]] = {}
        self._peer: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._to_servers = self._to_client = True
        self._is_cut = self._closed = False
        self.asked = 0
        """Bytes that went to the servers."""
        for address in addresses:
            listener = socket.create_server(("127.0.0.1", 0))
            self._targets[listener] = address
            self._selector.register(listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        ports = [listener.getsockname()[1] for listener in self._targets]
        return f"zk://{','.join(f'127.0.0.1:{port}' for port in ports)}{path}"

    def freeze(self) -> None:
        self._set(to_servers=False, to_client=False)

    def freeze_answers(self) -> None:
        self._set(to_servers=True, to_client=False)

    def thaw(self) -> None:
        self._set(to_servers=True, to_client=True)

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for connection in list(self._peer):
                self._drop(connection)
        self._wake.send(b"\0")

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        self._closed = True
        self.cut()
        self._thread.join()
        for listener in self._targets:
            listener.close()
        self._wake.close()
        self._wakened.close()
        self._selector.close()

    def _set(self, *, to_servers: bool, to_client: bool) -> None:
        with self._lock:
            self._to_servers, self._to_client = to_servers, to_client
            for connection in self._peer:
                passes = to_servers if connection in self._clients else to_client
                watched = connection in self._selector.get_map()
                if passes and not watched:
                    self._selector.register(connection, selectors.EVENT_READ)
                elif watched and not passes:
                    self._selector.unregister(connection)
        self._wake.send(b"\0")

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                with self._lock:
                    if source is self._wakened:
                        source.recv(1024)
                    elif source in self._targets:
                        self._accept(source)
                    elif source in self._peer and source in self._selector.get_map():
                        self._forward(source)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        if self._is_cut:
            client.close()
            return
        try:
            server = socket.create_connection(self._targets[listener], timeout=1.0)
        except OSError:
            client.close()
            return
        self._peer[client], self._peer[server] = server, client
        self._clients.add(client)
        if self._to_servers:
            self._selector.register(client, selectors.EVENT_READ)
        if self._to_client:
            self._selector.register(server, selectors.EVENT_READ)

    def _forward(self, source: socket.socket) -> None:
        try:
            data = source.recv(65536)
            if data:
                self._peer[source].sendall(data)
                self.asked += len(data) if source in self._clients else 0
                return
        except OSError:
            pass
        self._drop(source)

    def _drop(self, connection: socket.socket) -> None:
        peer = self._peer.pop(connection, None)
        if peer is None:
            return
        self._peer.pop(peer, None)
        for one in (connection, peer):
            self._clients.discard(one)
            with contextlib.suppress(KeyError):
                self._selector.unregister(one)
            one.close()


@contextmanager
def line(servers: ZooKeeperServers) -> Iterator[Line]:
    between = Line(servers.addresses)
    try:
        yield between
    finally:
        between.close()
