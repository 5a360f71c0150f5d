"""A Mesos master over raw sockets that misbehaves exactly as a test tells it to.

It reads requests properly, keeps them, and leaves every byte of the answer to the test's script.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from etcdmesos.mesos import recordio

STREAM_ID = "11111111-2222-3333-4444-555555555555"
FRAMEWORK_ID = "f-0001"


@frozen(kw_only=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def message(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    @property
    def type(self) -> str:
        return str(self.message["type"]) if self.body else self.method


class Peer:
    """The server's side of one connection, in the hands of a script."""

    def __init__(self, connection: socket.socket, request: Received, stopping: threading.Event):
        self._connection = connection
        self._stopping = stopping
        self.request = request

    def send(self, data: bytes) -> None:
        """Send, as far as the other side still listens."""
        with contextlib.suppress(OSError):
            self._connection.sendall(data)

    def answer(self, status: str, body: bytes = b"", *headers: str) -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(head).encode() + body)

    def begin_stream(self, *headers: str) -> None:
        head = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *headers]
        if not headers:
            head.append(f"Mesos-Stream-Id: {STREAM_ID}")
        self.send("\r\n".join([*head, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def event(self, event: object) -> None:
        self.chunk(recordio.encode(json.dumps(event).encode()))

    def subscribed(self, heartbeat_seconds: float = 60.0) -> None:
        self.begin_stream()
        self.event(subscribed_event(heartbeat_seconds))

    def hold(self) -> None:
        """Keep the connection open until the other side closes it or the test ends."""
        self._connection.settimeout(0.05)
        while not self._stopping.is_set():
            try:
                if not self._connection.recv(4096):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


Script = Callable[[Peer], None]


def subscribed_event(heartbeat_seconds: float = 60.0) -> dict[str, Any]:
    return {
        "type": "SUBSCRIBED",
        "subscribed": {
            "framework_id": {"value": FRAMEWORK_ID},
            "heartbeat_interval_seconds": heartbeat_seconds,
            "master_info": {"id": "m", "ip": 0, "port": 5050, "version": "1.12.0"},
        },
    }


def offer(number: int, **more: object) -> dict[str, Any]:
    return {
        "id": {"value": f"o-{number}"},
        "framework_id": {"value": FRAMEWORK_ID},
        "agent_id": {"value": f"agent-{number}"},
        "hostname": "127.0.0.11",
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "role": "*"},
            {
                "name": "ports",
                "type": "RANGES",
                "ranges": {"range": [{"begin": 31000, "end": 31099}]},
                "role": "*",
            },
        ],
        **more,
    }


def subscribe_and_hold(peer: Peer) -> None:
    """A well-behaved subscription that brings nothing."""
    peer.subscribed()
    peer.hold()


def accept_call(peer: Peer) -> None:
    peer.answer("202 Accepted")


class ScriptedMaster:
    """Listens on a free port of 127.0.0.1; one thread and one script per connection."""

    def __init__(self) -> None:
        self.on_subscribe: Script = subscribe_and_hold
        self.on_call: Script = accept_call
        self.on_get: Script = accept_call
        self.requests: list[Received] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, name="scripted-master")]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def types(self) -> list[str]:
        """The types of the calls received so far; the method for requests without a body."""
        with self._changed:
            return [request.type for request in self.requests]

    def wait_for(self, kind: str, count: int = 1) -> Received:
        """The `count`-th request of that type."""

        def found() -> list[Received]:
            return [request for request in self.requests if request.type == kind][count - 1 :]

        with self._changed:
            if not self._changed.wait_for(found, timeout=60):
                raise AssertionError(f"no {kind} came, only {[r.type for r in self.requests]}")
            return found()[0]

    def close(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="scripted-peer")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(60)
            try:
                request = _read_request(connection)
            except OSError:
                return
            if request is None:
                return
            with self._changed:
                self.requests.append(request)
                self._changed.notify_all()
            kind = request.type
            scripts = {"SUBSCRIBE": self.on_subscribe, "GET": self.on_get}
            scripts.get(kind, self.on_call)(Peer(connection, request, self._stopping))


def _read_request(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block:
            return None
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
    while len(body) < int(headers.get("content-length", 0)):
        block = connection.recv(65536)
        if not block:
            return None
        body += block
    return Received(method=method, path=path, headers=headers, body=body)
