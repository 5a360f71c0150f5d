"""An agent's executor API that does what a test says: answers, stays silent, goes and comes back.

Events and answers have the form that a real agent's have in the recordings.
"""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.free_ports import free_port
from tests.quiet_server import QuietServer

Json = dict[str, Any]


class _Server(QuietServer):
    daemon_threads = True
    agent: ScriptedAgent


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.agent.take(self, call)

    def log_message(self, *_: object) -> None:
        pass


class ScriptedAgent:
    """`start` and `stop` make it come and go, always on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.subscriptions: queue.Queue[Json] = queue.Queue()
        self.updates: queue.Queue[Json] = queue.Queue()
        """Statuses that arrived, by UPDATE or named in SUBSCRIBE, each time they arrive."""
        self.messages: queue.Queue[Json] = queue.Queue()
        """Framework messages for the scheduler, read as JSON."""
        self.acknowledges = True
        self.refuses: tuple[int, str] | None = None
        """Status and text with which SUBSCRIBE is refused."""
        self.on_subscribed: list[Json] = []
        """Events sent right after SUBSCRIBED."""
        self._server: _Server | None = None
        self._stream: _Handler | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._over.clear()
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.agent = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Die: the stream ends without a word, the port is closed."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        self.cut()

    def cut(self) -> None:
        """End the event stream, as a dying agent's kernel would."""
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError):  # the executor may have gone first
                stream.connection.shutdown(socket.SHUT_RDWR)
        self._over.set()

    def take(self, handler: _Handler, call: Json) -> None:
        if call["type"] == "SUBSCRIBE":
            self._subscribe(handler, call)
        else:
            handler.send_response(202)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            if call["type"] == "UPDATE":
                self._store(call["update"]["status"])
            elif call["type"] == "MESSAGE":
                self.messages.put(json.loads(base64.b64decode(call["message"]["data"])))

    def _subscribe(self, handler: _Handler, call: Json) -> None:
        if self.refuses is not None:
            status, text = self.refuses
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text.encode())
            self.subscriptions.put(call["subscribe"])
            return
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        self._over.clear()
        with self._lock:
            self._stream = handler
        self.send({"type": "SUBSCRIBED", "subscribed": {"container_id": {"value": "c"}}})
        for event in self.on_subscribed:
            self.send(event)
        for update in call["subscribe"]["unacknowledged_updates"]:
            self._store(update["status"])
        self.subscriptions.put(call["subscribe"])
        self._over.wait()
        handler.close_connection = True

    def _store(self, status: Json) -> None:
        self.updates.put(status)
        if self.acknowledges:
            named = {"task_id": status["task_id"], "uuid": status["uuid"]}
            self.send({"type": "ACKNOWLEDGED", "acknowledged": named})

    def send(self, event: Json) -> None:
        """Send one event over the current stream."""
        self.send_bytes(json.dumps(event).encode())

    def send_bytes(self, record: bytes) -> None:
        framed = b"%d\n%b" % (len(record), record)
        with self._lock:
            assert self._stream is not None, "nobody is subscribed"
            self._stream.wfile.write(b"%x\r\n%b\r\n" % (len(framed), framed))
            self._stream.wfile.flush()

    def launch(self, task_id: str, data: bytes) -> None:
        task = {
            "name": "etcd-server",
            "task_id": {"value": task_id},
            "agent_id": {"value": "a"},
            "data": base64.b64encode(data).decode(),
        }
        self.send({"type": "LAUNCH", "launch": {"task": task}})

    def message(self, data: bytes) -> None:
        """A framework message from the scheduler."""
        self.send({"type": "MESSAGE", "message": {"data": base64.b64encode(data).decode()}})

    def kill(self, task_id: str, grace_seconds: float | None = None) -> None:
        kill: Json = {"task_id": {"value": task_id}}
        if grace_seconds is not None:
            nanoseconds = int(grace_seconds * 1e9)
            kill["kill_policy"] = {"grace_period": {"nanoseconds": nanoseconds}}
        self.send({"type": "KILL", "kill": kill})

    def next_update(self, seconds: float = 90.0, **wanted: object) -> Json:
        """Skip to the next status with these fields."""

        def fits(status: Json) -> bool:
            return all(status.get(key) == value for key, value in wanted.items())

        return _next(self.updates, fits, seconds, f"an update with {wanted}")

    def next_message(self, seconds: float = 90.0, **wanted: object) -> Json:
        """Skip to the next framework message with these fields."""

        def fits(message: Json) -> bool:
            return all(message.get(key) == value for key, value in wanted.items())

        return _next(self.messages, fits, seconds, f"a message with {wanted}")

    def next_subscription(self, seconds: float = 90.0) -> Json:
        return _next(self.subscriptions, lambda _: True, seconds, "a SUBSCRIBE")


def _next(
    found: queue.Queue[Json], fits: Callable[[Json], bool], seconds: float, what: str
) -> Json:
    until = time.monotonic() + seconds
    seen: list[Json] = []
    while (left := until - time.monotonic()) > 0:
        try:
            seen.append(found.get(timeout=left))
        except queue.Empty:
            break
        if fits(seen[-1]):
            return seen[-1]
    raise AssertionError(f"no {what} within {seconds:g} s; there were {seen}")
