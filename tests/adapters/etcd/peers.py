"""Peers for the tests of this room: etcd through urllib, and servers that are no etcd."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Without the proxy that the environment may name.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url: str, path: str, request: dict[str, str]) -> dict[str, Any]:
    """One call of the JSON gateway by other means than ours; its answer or complaint."""
    body = json.dumps(request).encode()
    try:
        answer = _direct.open(url + path, body, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        result: dict[str, Any] = json.load(answer)
    return result


@contextmanager
def peer(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server that lets `serve` handle each connection, on a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def handle(connection: socket.socket) -> None:
        with connection:
            with suppress(OSError):
                serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        # Closed with something unread, the connection would be reset and the answer lost.
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    return serve
