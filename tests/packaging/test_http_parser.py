"""compat/http-parser answers pymesos as the compiled http_parser did, however the bytes arrive."""

import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_parser.http import HttpParser, ParseErrno

EVENTS = b'20\n{"type":"HEARTBEAT"}' + b"3\n\xc3\xa9!"
STREAM = (
    b"HTTP/1.1 200 OK\r\n"
    b"Date: Sun, 01 Nov 2026 10:00:00 GMT\r\n"
    b"Mesos-Stream-Id: 130ae4e3\r\n"
    b"Content-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"\r\n"
    b"17\r\n" + EVENTS[:23] + b"\r\n"
    b"5;name=value\r\n" + EVENTS[23:] + b"\r\n"
    b"0\r\n\r\n"
)
REDIRECT = (
    b"HTTP/1.1 307 Temporary Redirect\r\n"
    b"Location: //10.0.0.2:5050/api/v1/scheduler\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)
REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 18\r\n"
    b"\r\n"
    b"Failed to validate"
)


def fed(*pieces: bytes) -> HttpParser:
    parser = HttpParser()
    for piece in pieces:
        assert parser.execute(piece, len(piece)) == len(piece)
    return parser


def test_a_chunked_stream_is_read_whole() -> None:
    parser = fed(STREAM)
    assert parser.is_headers_complete()
    assert parser.get_status_code() == 200
    assert parser.is_chunked()
    assert parser.get_headers()["Mesos-Stream-Id"] == "130ae4e3"
    assert parser.is_partial_body()
    assert parser.recv_body() == EVENTS
    assert not parser.is_partial_body()
    assert parser.recv_body() == b""
    assert parser.is_message_complete()
    assert parser.get_errno() == 0


@pytest.mark.parametrize("response", [STREAM, REDIRECT, REFUSAL])
def test_the_answer_does_not_depend_on_where_the_bytes_are_split(response: bytes) -> None:
    whole = fed(response)
    expected = (whole.get_status_code(), whole.get_headers(), whole.recv_body())
    for cut in range(1, len(response)):
        parser = fed(response[:cut], response[cut:])
        assert (parser.get_status_code(), parser.get_headers(), parser.recv_body()) == expected
        assert parser.is_message_complete()
    one_by_one = fed(*(response[i : i + 1] for i in range(len(response))))
    assert one_by_one.recv_body() == expected[2]
    assert one_by_one.is_message_complete()


def test_nothing_is_said_before_it_is_known() -> None:
    parser = fed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunk")
    assert not parser.is_headers_complete()
    assert parser.get_status_code() == 0
    assert parser.get_headers() == {}
    assert not parser.is_chunked()
    assert not parser.is_partial_body()
    assert not parser.is_message_complete()


def test_body_bytes_are_handed_out_before_their_chunk_is_whole() -> None:
    """Mesos may hold back the rest of a chunk for as long as it likes."""
    head, _, _ = STREAM.partition(b"17\r\n")
    parser = fed(head, b"17\r\n" + EVENTS[:10])
    assert parser.recv_body() == EVENTS[:10]
    assert not parser.is_message_complete()


def test_a_redirect_names_the_new_master() -> None:
    parser = fed(REDIRECT)
    assert parser.get_status_code() == 307
    assert parser.get_headers()["Location"] == "//10.0.0.2:5050/api/v1/scheduler"
    assert not parser.is_chunked()
    assert parser.is_message_complete()
    assert not parser.is_partial_body()


def test_an_error_has_a_body_that_is_not_chunked() -> None:
    parser = fed(REFUSAL)
    assert parser.get_status_code() == 400
    assert not parser.is_chunked()
    assert parser.recv_body() == b"Failed to validate"
    assert parser.is_message_complete()


def test_a_body_without_length_ends_with_the_connection() -> None:
    parser = fed(b"HTTP/1.1 503 Service Unavailable\r\n\r\nNo leader")
    assert not parser.is_message_complete()
    assert parser.execute(b"", 0) == 0
    assert parser.recv_body() == b"No leader"
    assert parser.is_message_complete()


def test_a_continue_comes_before_the_real_response() -> None:
    parser = fed(b"HTTP/1.1 100 Continue\r\n\r\n", STREAM)
    assert parser.get_status_code() == 200
    assert parser.recv_body() == EVENTS


def test_only_the_given_length_is_read() -> None:
    """pymesos passes a buffer and how much of it counts."""
    parser = HttpParser()
    assert parser.execute(STREAM + b"garbage", len(STREAM)) == len(STREAM)
    assert parser.recv_body() == EVENTS


def test_what_follows_the_response_is_dropped() -> None:
    """Refusing it would make pymesos end its thread instead of handling the response it has."""
    parser = fed(REDIRECT, STREAM)
    assert parser.get_status_code() == 307
    assert not parser.is_partial_body()


def test_repeated_headers_are_one() -> None:
    parser = fed(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n")
    assert parser.get_headers() == {"X-A": "1, 2", "Content-Length": "0"}


@pytest.mark.parametrize(
    "malformed",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: " + b"a" * 20_000,
    ],
)
def test_malformed_input_is_refused_by_number_never_by_exception(malformed: bytes) -> None:
    parser = HttpParser()
    assert parser.execute(malformed, len(malformed)) != len(malformed)
    assert parser.get_errno() == ParseErrno.MALFORMED
    # It stays refused: there is no finding the way back into a broken stream.
    assert parser.execute(STREAM, len(STREAM)) != len(STREAM)
    assert not parser.is_message_complete()


@pytest.mark.parametrize("so_far", [STREAM[:10], STREAM[:-5], REFUSAL[:-1]])
def test_an_early_end_is_an_error(so_far: bytes) -> None:
    parser = fed(so_far)
    assert parser.execute(b"", 0) != 0
    assert parser.get_errno() == ParseErrno.UNEXPECTED_END


def test_body_before_the_fault_is_not_lost() -> None:
    head, _, _ = STREAM.partition(b"17\r\n")
    parser = HttpParser()
    broken = head + b"2\r\nok\r\nzz\r\n"
    assert parser.execute(broken, len(broken)) != len(broken)
    assert parser.recv_body() == b"ok"


def test_it_is_not_taken_for_the_old_pure_parser() -> None:
    """pymesos tells the two apart by these names and would import a module that we lack."""
    assert not hasattr(HttpParser(), "errno")
    assert not hasattr(HttpParser(), "errstr")


@given(
    body=st.binary(max_size=2000),
    chunk=st.integers(1, 300),
    pieces=st.lists(st.integers(1, 500), min_size=1),
)
def test_any_body_in_any_chunks_over_any_reads(body: bytes, chunk: int, pieces: list[int]) -> None:
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for start in range(0, len(body), chunk):
        part = body[start : start + chunk]
        response += b"%x\r\n%s\r\n" % (len(part), part)
    response += b"0\r\n\r\n"
    parser = HttpParser()
    received = b""
    for piece in split(response, pieces):
        assert parser.execute(piece, len(piece)) == len(piece)
        if parser.is_partial_body():
            received += parser.recv_body()
    assert received == body
    assert parser.is_message_complete()


def split(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        for size in sizes:
            yield data[start : start + size]
            start += size


class Recorder:
    """What pymesos' Connection asks of the process that owns it."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.stream_id = ""
        self.new_master = ""

    def gen_request(self) -> bytes:
        return b"POST /api/v1/scheduler HTTP/1.1\r\n\r\n"

    def process_event(self, event: object) -> None:
        self.events.append(event)

    def change_master(self, new_master: str) -> None:
        self.new_master = new_master

    def on_close(self) -> None:
        pass


def read_by_pymesos(response: bytes) -> Recorder:
    """Let pymesos' own Connection read a response from a real socket until it is done with it."""
    from pymesos.process import Connection

    recorder = Recorder()
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = Connection(f"127.0.0.1:{server.getsockname()[1]}", recorder)
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(response)
        connection._sock.setblocking(1)
        try:
            while connection.read():
                pass
        finally:
            connection.close()
    return recorder


def test_pymesos_reads_an_event_stream_with_it() -> None:
    events = [{"type": "SUBSCRIBED", "id": "é" * 3000}, {"type": "HEARTBEAT"}]
    body = b""
    for event in events:
        text = json.dumps(event).encode()
        body += b"%d\n%s" % (len(text), text)
    head, _, _ = STREAM.partition(b"17\r\n")
    recorder = read_by_pymesos(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert recorder.events == events
    assert recorder.stream_id == "130ae4e3"


def test_pymesos_follows_a_redirect_with_it() -> None:
    assert read_by_pymesos(REDIRECT).new_master == "10.0.0.2:5050"


def test_pymesos_reports_a_refusal_with_it() -> None:
    with pytest.raises(RuntimeError, match=r"Failed with HTTP 400.*Failed to validate"):
        read_by_pymesos(REFUSAL)
