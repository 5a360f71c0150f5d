"""The answer to one SUBSCRIBE, read off its socket: pymesos' Connection with a linear-time read.

It turns bytes into events, or into the reason why there are none (any more).  What an event means,
deadlines and threads are `mesos_connection`'s.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Mapping
from typing import Any, Protocol

from etcdmesos.adapters.mesos_http import READ_BYTES, MasterAddress, one_line, reason_of
from etcdmesos.adapters.pymesos_import import Connection
from etcdmesos.errors import BadUsage, EtcdMesosError
from etcdmesos.mesos.recordio import Decoder
from http_parser.http import HttpParser

logger = logging.getLogger(__name__)

_REFUSAL_BYTES_MAX = 4096


class StreamEnded(EtcdMesosError):
    """There is no event stream (any more); the text says why."""


class Redirected(EtcdMesosError):
    """This master does not lead, `address` does."""

    def __init__(self, address: MasterAddress) -> None:
        super().__init__(f"redirected to {address}")
        self.address = address


class StreamReader(Protocol):
    """Whom an event stream serves; pymesos calls it the connection's callback."""

    stream_id: str | None

    def gen_request(self) -> bytes: ...

    def process_event(self, event: object) -> None: ...

    def on_close(self) -> None: ...


class EventStream(Connection):  # type: ignore[misc]
    """One connection to one master: sends the SUBSCRIBE and reads what comes back.

    pymesos reads 4 KiB at a time and slices a growing buffer, which is quadratic in an event's
    size; it raises on answers other than 200.  Here `read` is linear, and every end of the stream
    is a StreamEnded with a reason, or a Redirected.
    """

    peer = "master"
    fenced = True
    """Whether the answer must carry a Mesos-Stream-Id: a master's does, an agent's does not."""

    def __init__(self, address: MasterAddress, reader: StreamReader) -> None:
        """Begin to connect.  Raises StreamEnded when that fails at once."""
        self._addr = (address.host, address.port)
        self._address = address
        self._callback = reader
        self._parser = HttpParser()
        self._decoder = Decoder()
        self._refusal = b""
        self._stream_id: str | None = None
        self._request = reader.gen_request()
        self.connected = False
        self.records = 0
        self._sock = socket.socket()
        try:
            self._sock.setblocking(False)
            self._sock.connect(self._addr)
        except BlockingIOError:
            pass
        except (OSError, UnicodeError) as error:
            self._sock.close()
            raise self._not_connected(reason_of(error)) from error

    def finish_connecting(self) -> None:
        """Call once the socket is writable.  Raises StreamEnded when nobody listens."""
        if not self.connected and (error := self.handle_connect_event()):
            raise self._not_connected(error)

    def write(self) -> None:
        """Send what the socket takes.  Raises StreamEnded."""
        try:
            sent = self._sock.send(self._request)
        except BlockingIOError:
            return
        except OSError as error:
            raise StreamEnded(
                f"the connection to {self._address} broke: {reason_of(error)}"
            ) from error
        self._request = self._request[sent:]

    def read(self) -> None:
        """Take in one block and hand over the events it completes.

        Raises StreamEnded or Redirected.  Events before that have been handed over, except those
        that share a block with a malformed frame; Mesos repeats what matters of them.
        """
        try:
            block = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise StreamEnded(
                f"the connection to {self._address} broke: {reason_of(error)}"
            ) from error
        accepted = not block or self._parser.execute(block, len(block)) == len(block)
        if self._parser.is_headers_complete():
            self._take_head()
            self._take_body(at_end=not (block and accepted))
        if self._parser.is_message_complete():
            raise StreamEnded(f"the {self.peer} at {self._address} ended the event stream")
        if not block:
            raise StreamEnded(f"the {self.peer} at {self._address} closed the connection")
        if not accepted:
            raise StreamEnded(f"{self._address} sent something that is no HTTP answer")

    def state(self) -> str:
        """How far it has come, for the reason of a time-out."""
        if not self.connected:
            return f"no connection to {self._address}"
        if not self._parser.is_headers_complete():
            return f"{self._address} accepted the connection and answered nothing"
        if self._stream_id is None:
            return self._refused()
        return f"{self._address} sent no SUBSCRIBED"

    def close(self) -> None:
        self._sock.close()
        self.connected = False
        self._callback.on_close()

    def _take_head(self) -> None:
        if self._stream_id is not None:
            return
        status = self._parser.get_status_code()
        headers = {name.upper(): value for name, value in self._parser.get_headers().items()}
        if status == 307:
            raise Redirected(self._redirect_target(headers))
        if status != 200 or not self._parser.is_chunked():
            return
        self._stream_id = headers.get("MESOS-STREAM-ID", "")
        if self.fenced and not self._stream_id:
            # Without it no call could be fenced against a newer subscription.
            raise StreamEnded(f"{self._address} sent no Mesos-Stream-Id: not a Mesos master?")
        self._callback.stream_id = self._stream_id

    def _redirect_target(self, headers: Mapping[str, str]) -> MasterAddress:
        try:
            return MasterAddress.of_redirect(headers.get("LOCATION", ""))
        except BadUsage as error:
            raise StreamEnded(f"{self._address}: {error}") from error

    def _take_body(self, *, at_end: bool) -> None:
        body = self._parser.recv_body()
        if self._stream_id is None:
            self._refusal += body
            done = at_end or self._parser.is_message_complete()
            if done or len(self._refusal) > _REFUSAL_BYTES_MAX:
                raise StreamEnded(self._refused())
            return
        try:
            records = self._decoder.feed(body)
        except ValueError as error:
            raise StreamEnded(f"{self._address} sent no event stream: {error}") from error
        for record in records:
            self.records += 1
            self._take_record(record)

    def _take_record(self, record: bytes) -> None:
        try:
            event: Any = json.loads(record)
        except (ValueError, RecursionError) as error:
            logger.warning("skipped an event that is no JSON", extra={"reason": str(error)})
            return
        self._callback.process_event(event)

    def _not_connected(self, error: str) -> StreamEnded:
        return StreamEnded(f"could not connect to {self._address}: {error}")

    def _refused(self) -> str:
        status = self._parser.get_status_code()
        chunked = "" if status != 200 else ", but not as an event stream"
        text = one_line(self._refusal)
        return f"{self._address} answered {status}{chunked}" + (f": {text}" if text else "")
