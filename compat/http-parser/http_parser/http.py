"""``HttpParser``: reads one HTTP response, fed in pieces of any size.

It answers the calls that pymesos 0.3.15 makes in ``process.py`` with the meaning the compiled
``http_parser.http.HttpParser`` gave them.  One parser reads one response: pymesos opens a new
connection (and a new parser) for each long-lived stream.  Nothing here opens a socket.

Two names must never appear on the class: ``errno`` and ``errstr``.  By their presence pymesos
would take it for the old pure-Python parser and import a module that does not exist here.
"""

import enum
import logging

import h11

__all__ = ["HttpParser", "ParseErrno"]

_log = logging.getLogger(__name__)

# The request matters to h11 only in that its method is neither HEAD nor CONNECT, whose responses
# have no body.  Every Mesos stream is the answer to a POST.
_REQUEST = h11.Request(method="POST", target="/", headers=[("Host", "mesos")])


class ParseErrno(enum.IntEnum):
    """What :meth:`HttpParser.get_errno` answers; 0 means no error, as in the compiled parser."""

    OK = 0
    MALFORMED = 1
    UNEXPECTED_END = 2


class HttpParser:
    """Reads one HTTP/1.x response.

    Feed it with :meth:`execute`; then ask.  No method raises on bad input: a malformed response
    shows in the number :meth:`execute` returns and in :meth:`get_errno`.
    """

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        self._connection.send(_REQUEST)
        self._connection.send(h11.EndOfMessage())
        self._response: h11.Response | None = None
        self._body: list[bytes] = []
        self._complete = False
        self._errno = ParseErrno.OK

    def execute(self, data: bytes, length: int) -> int:
        """Take in the first ``length`` bytes of ``data``; empty data says the peer has closed.

        Returns ``length`` if they were accepted, any other number if the response is malformed or
        ended too early.  Bytes after the end of the response are accepted and dropped: nobody
        asked for a second one, and pymesos would end its whole driver over them.
        """
        if self._errno is not ParseErrno.OK:
            return 0 if length else 1
        if self._complete:
            return length
        try:
            self._connection.receive_data(data[:length])
            self._take_events()
        except h11.RemoteProtocolError as error:
            self._errno = ParseErrno.MALFORMED if length else ParseErrno.UNEXPECTED_END
            # pymesos prints only the number, so the reason is said here.
            _log.warning("unreadable HTTP response: %s", error)
            return 0 if length else 1
        return length

    def _take_events(self) -> None:
        while not self._complete:
            event = self._connection.next_event()
            match event:
                case h11.Response():
                    self._response = event
                case h11.Data():
                    # h11 hands out a view type at times; the callers slice and match bytes.
                    self._body.append(bytes(event.data))
                case h11.EndOfMessage():
                    self._complete = True
                case h11.InformationalResponse():
                    continue  # 100 Continue and its like: the real response is still to come
                case _:
                    return

    def is_headers_complete(self) -> bool:
        """Whether status line and headers have been read."""
        return self._response is not None

    def get_status_code(self) -> int:
        """The response's status code; 0 while it is not known."""
        return 0 if self._response is None else self._response.status_code

    def get_headers(self) -> dict[str, str]:
        """The headers by the names the peer gave them; a repeated one is joined with commas.

        Names that differ only in case are one header, under the name seen first.
        """
        joined: dict[str, str] = {}
        if self._response is None:
            return joined
        first_name: dict[str, str] = {}
        for raw_name, raw_value in self._response.headers.raw_items():
            value = raw_value.decode("latin-1")
            name = raw_name.decode("latin-1")
            name = first_name.setdefault(name.lower(), name)
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined

    def is_chunked(self) -> bool:
        """Whether the body comes in chunks, as every Mesos event stream does."""
        if self._response is None:
            return False
        return (b"transfer-encoding", b"chunked") in [
            (name, value.lower()) for name, value in self._response.headers
        ]

    def is_partial_body(self) -> bool:
        """Whether there are body bytes that :meth:`recv_body` has not handed out yet."""
        return bool(self._body)

    def recv_body(self) -> bytes:
        """The body bytes that came in since the last call, without the chunks' framing."""
        body = b"".join(self._body)
        self._body.clear()
        return body

    def is_message_complete(self) -> bool:
        """Whether the response has been read to its end."""
        return self._complete

    def get_errno(self) -> int:
        """0, or a :class:`ParseErrno` saying why :meth:`execute` refused its input."""
        return self._errno
