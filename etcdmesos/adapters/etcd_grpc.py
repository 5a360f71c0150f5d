"""One call of etcd's gRPC interface whose answer is a stream: HTTP/2 by h2, no grpcio.

For snapshots alone: the JSON gateway gives the same bytes five times slower, because etcd writes
them as JSON one by one.  Memory stays constant: nothing is read ahead.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Generator, Iterator
from typing import Any
from urllib.parse import unquote

from etcdmesos.adapters.etcd_gateway import host_and_port
from etcdmesos.errors import EtcdMesosError

_BLOCK_BYTES = 256 * 1024
_WINDOW_BYTES = 16 * 1024 * 1024
"""Large, or etcd would wait for us on a busy machine.  What is not read yet waits in the kernel."""
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""gRPC's own default; etcd's messages of a snapshot have 32 KiB."""
_PREFIX_BYTES = 5
_STREAM = 1


class StreamFailed(EtcdMesosError):
    """The stream did not come to a good end; one line."""


def messages(
    client_url: str, method: str, request: bytes, *, idle_seconds: float, seconds: float
) -> Generator[bytes, None, None]:
    """The messages that answer `request`, a protobuf message, until etcd says that it was all.

    `idle_seconds` is how long etcd may send nothing, `seconds` how long all may take.  Raises
    BadUsage for an address that is none, and StreamFailed.
    """
    address = host_and_port(client_url)
    deadline = time.monotonic() + seconds
    try:
        connection = socket.create_connection(address, min(idle_seconds, seconds))
    except TimeoutError as error:
        raise StreamFailed("no connection in time") from error
    except OSError as error:
        raise StreamFailed(_reason(error)) from error
    with connection:
        try:
            data = _data(connection, address, method, request, deadline)
            yield from _split(data)
        except TimeoutError as error:
            if time.monotonic() > deadline:
                raise StreamFailed(f"not complete within {seconds:g} s") from error
            raise StreamFailed(f"nothing was sent for {idle_seconds:g} s") from error
        except OSError as error:
            raise StreamFailed(_reason(error)) from error


def _data(
    connection: socket.socket,
    address: tuple[str, int],
    method: str,
    request: bytes,
    deadline: float,
) -> Iterator[bytes]:
    """What is sent in the stream, in pieces as they come; its end is the stream's good one."""
    # Not at the top: an executor starts without it.
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
    from h2.exceptions import H2Error
    from h2.settings import SettingCodes, Settings

    config = H2Configuration(
        client_side=True, header_encoding="utf-8", validate_inbound_headers=False
    )
    http2 = H2Connection(config)
    window = {SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES, SettingCodes.ENABLE_PUSH: 0}
    http2.local_settings = Settings(client=True, initial_values=window)
    http2.initiate_connection()
    http2.increment_flow_control_window(_WINDOW_BYTES)
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", f"{address[0]}:{address[1]}"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    http2.send_headers(_STREAM, headers)
    http2.send_data(_STREAM, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
    connection.sendall(http2.data_to_send())
    while block := connection.recv(_BLOCK_BYTES):
        if time.monotonic() > deadline:
            raise TimeoutError
        try:
            events = http2.receive_data(block)
        except H2Error as error:
            raise StreamFailed("what answers does not speak gRPC") from error
        taken, ended = 0, False
        for event in events:
            if isinstance(event, DataReceived):
                taken += event.flow_controlled_length or 0
                yield event.data or b""
            elif isinstance(event, ResponseReceived | TrailersReceived):
                _refuse_complaints(dict(event.headers or ()))
            elif isinstance(event, StreamReset):
                raise StreamFailed("the stream was cut off")
            ended = ended or isinstance(event, StreamEnded)
        if ended:
            return
        if taken:
            http2.acknowledge_received_data(taken, _STREAM)
        connection.sendall(http2.data_to_send())
    raise StreamFailed("the connection was cut within the stream")


def _refuse_complaints(headers: dict[Any, Any]) -> None:
    """Raises StreamFailed for what says that something is wrong."""
    status = headers.get(":status", "200")
    if status != "200":
        raise StreamFailed(f"HTTP status {status}, not an answer of etcd")
    if headers.get("grpc-status", "0") != "0":
        said = unquote(headers.get("grpc-message", "")) or f"code {headers['grpc-status']}"
        raise StreamFailed(f"refused: {' '.join(said.split())}")


def _split(data: Iterator[bytes]) -> Iterator[bytes]:
    """The messages in the stream."""
    held = bytearray()
    for piece in data:
        held += piece
        while len(held) >= _PREFIX_BYTES:
            length = int.from_bytes(held[1:_PREFIX_BYTES], "big")
            if held[0] or length > MESSAGE_BYTES_MAX:
                raise StreamFailed("what answers does not speak like etcd")
            end = _PREFIX_BYTES + length
            if len(held) < end:
                break
            yield bytes(memoryview(held)[_PREFIX_BYTES:end])
            del held[:end]
    if held:
        raise StreamFailed("the stream ended within a message")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__
