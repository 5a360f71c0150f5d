"""A gRPC peer that answers one call with a stream, and may break off: HTTP/2 by h2."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping

from attrs import field, frozen
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

GOOD = {"grpc-status": "0", "grpc-message": ""}
CHUNK = 16 * 1024


@frozen(kw_only=True)
class Answer:
    """What is sent of it."""

    headers: Mapping[str, str] = {":status": "200", "content-type": "application/grpc"}
    data: Iterable[bytes]
    trailers: Mapping[str, str] | None = field(factory=lambda: dict(GOOD))
    """None: the connection ends without."""
    stays: bool = False
    """It stays open instead."""


def framed(message: bytes) -> bytes:
    """A gRPC message as it travels."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def serving(answer: Answer) -> Callable[[socket.socket], None]:
    """For `peer`: answers one request so."""

    def serve(connection: socket.socket) -> None:
        http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        http2.initiate_connection()
        connection.sendall(http2.data_to_send())
        while not any(isinstance(e, StreamEnded) for e in _heard(connection, http2)):
            pass
        http2.send_headers(1, list(answer.headers.items()))
        for data in answer.data:
            _send(connection, http2, data)
        if answer.trailers is not None:
            http2.send_headers(1, list(answer.trailers.items()), end_stream=True) if (
                answer.trailers
            ) else http2.end_stream(1)
        connection.sendall(http2.data_to_send())
        if answer.stays:
            connection.recv(1)
            connection.recv(1 << 20)
        else:
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    return serve


def _heard(connection: socket.socket, http2: H2Connection) -> list[object]:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    events: list[object] = list(http2.receive_data(data))
    connection.sendall(http2.data_to_send())
    return events


def _send(connection: socket.socket, http2: H2Connection, data: bytes) -> None:
    while data:
        while not (room := http2.local_flow_control_window(1)):
            _heard(connection, http2)
        chunk, data = data[: min(room, CHUNK)], data[min(room, CHUNK) :]
        http2.send_data(1, chunk)
        connection.sendall(http2.data_to_send())
