"""The host of ASGI applications: real sockets, no mocks."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from etcdmesos.adapters.http_connection import MOST_CONNECTIONS, Patience
from etcdmesos.adapters.http_server import HttpServer
from etcdmesos.errors import BadUsage


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello\n")


ARRIVED = threading.Event()
"""Set by a request for what is slow."""


async def slow(request: Request) -> Response:
    ARRIVED.set()
    await asyncio.sleep(0.3)
    return PlainTextResponse("late\n")


async def endless(request: Request) -> Response:
    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(ticks())


def app() -> Starlette:
    paths = {"/": hello, "/slow": slow, "/endless": endless}
    return Starlette(routes=[Route(*one, methods=["GET", "POST"]) for one in paths.items()])


@pytest.fixture
def server() -> Iterator[HttpServer]:
    server = HttpServer(app(), "127.0.0.1", 0)
    server.start()
    yield server
    server.close()


def get(server: HttpServer, path: str) -> http.client.HTTPResponse:
    """The answer, to be closed; its connection goes with it.  No proxy of the environment's."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answer = direct.open(f"http://127.0.0.1:{server.port}{path}", timeout=60)
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def test_requests_are_answered_as_soon_as_start_returns() -> None:
    """No waiting, no retry: start() means listening.  The free port taken is told."""
    for _ in range(5):
        server = HttpServer(app(), "127.0.0.1", 0)
        server.start()
        try:
            assert server.port > 0
            with get(server, "/") as response:
                assert (response.status, response.read()) == (200, b"hello\n")
                assert response.getheader("server") is None
        finally:
            server.close()


def test_a_port_in_use_is_a_usage_error(server: HttpServer) -> None:
    """The line names port and host."""
    second = HttpServer(app(), "127.0.0.1", server.port)
    with pytest.raises(BadUsage, match=f"port {server.port} on 127.0.0.1 is in use"):
        second.start()
    second.close()


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("203.0.113.7", 0, "cannot assign requested address"),
        ("no.such.host.invalid", 0, "the host name is not known"),
        ("127.0.0.1", 70000, "70000"),
    ],
)
def test_an_address_that_cannot_be_had_is_a_usage_error(host: str, port: int, reason: str) -> None:
    """One line with the address."""
    with pytest.raises(BadUsage, match=reason) as caught:
        HttpServer(app(), host, port).start()
    assert "\n" not in str(caught.value)


def test_the_port_is_free_after_close() -> None:
    """A restarted scheduler takes the same port at once, even with connections left."""
    first = HttpServer(app(), "127.0.0.1", 0)
    first.start()
    with closing(http.client.HTTPConnection("127.0.0.1", first.port, timeout=60)) as client:
        client.request("GET", "/")
        client.getresponse().read()
        first.close()
        second = HttpServer(app(), "127.0.0.1", first.port)
        second.start()
        second.close()


def test_a_short_answer_under_way_ends_before_close_returns(server: HttpServer) -> None:
    """What takes less than the grace period is not cut."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as client:
        ARRIVED.clear()
        client.request("GET", "/slow")
        assert ARRIVED.wait(60)
        server.close()
        assert client.getresponse().read() == b"late\n"


def test_endless_answers_are_cut_quietly_and_soon(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Streams of events don't hold close() up, and leave no errors in the log."""
    responses = [get(server, "/endless") for _ in range(5)]
    for response in responses:
        assert response.read(5) == b"tick\n"
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(b"GET / HT")
        began = time.monotonic()
        with caplog.at_level(logging.INFO):
            server.close()
        assert time.monotonic() - began < 20.0
    assert caplog.records == []
    assert not [t for t in threading.enumerate() if t.name.startswith("http-")]
    for response in responses:
        response.close()


def test_who_connects_while_it_closes_is_not_left_waiting(server: HttpServer) -> None:
    """Each of many clients gets an answer, an end or a refusal."""
    ends: list[bytes] = []

    def visit() -> None:
        while True:
            try:
                client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            except ConnectionError:
                return
            with client, contextlib.suppress(ConnectionError):
                client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                ends.append(client.recv(1))

    with ThreadPoolExecutor() as pool:
        visits = [pool.submit(visit) for _ in range(4)]
        server.close()
        for one in visits:
            one.result(60)
    assert set(ends) <= {b"H", b""}


@pytest.fixture
def impatient() -> Iterator[HttpServer]:
    """A server that cuts whoever is slow soon, though not whom a busy machine keeps waiting."""
    server = HttpServer(app(), "127.0.0.1", 0, patience=Patience(request=1.0, stall=1.0))
    server.start()
    yield server
    server.close()


def connected(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def until_cut(client: socket.socket) -> bytes:
    """What comes until the server ends the connection, within the client's time-out."""
    came = b""
    with contextlib.suppress(ConnectionError):
        while block := client.recv(65536):
            came += block
    return came


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: h", id="half a head"),
        pytest.param(b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1", id="body"),
    ],
)
def test_a_request_that_does_not_come_to_an_end_is_cut(impatient: HttpServer, sent: bytes) -> None:
    """Slow senders hold a descriptor for a moment only; the rest of a body counts as well."""
    with connected(impatient) as client:
        client.sendall(sent)
        until_cut(client)


def test_a_slow_second_request_is_cut_as_well(impatient: HttpServer) -> None:
    """A connection that was of use once is watched like any other."""
    with connected(impatient) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HT")
        assert until_cut(client).count(b"200 OK") == 1


def test_who_takes_nothing_of_an_answer_is_cut() -> None:
    """Slow readers do not hold a descriptor, nor the answer that waits for them."""
    ended = threading.Event()

    async def hoard(request: Request) -> Response:
        async def blocks() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(1024 * 1024)
                    await asyncio.sleep(0)
            finally:
                ended.set()

        return StreamingResponse(blocks())

    patience = Patience(request=10.0, stall=0.2)
    server = HttpServer(Starlette(routes=[Route("/", hoard)]), "127.0.0.1", 0, patience=patience)
    server.start()
    with connected(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert ended.wait(60)
    server.close()


def test_who_takes_what_is_sent_is_not_cut(impatient: HttpServer) -> None:
    """However long an answer goes on: only what stands still counts."""
    with get(impatient, "/endless") as answer:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert answer.read(5) == b"tick\n"


def test_one_port_takes_so_many_connections_and_no_more(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes beyond is cut at once and said once; those that are there are served."""
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connected(server)) for _ in range(MOST_CONNECTIONS)]
        with connected(server) as late, connected(server) as later:
            assert (until_cut(late), until_cut(later)) == (b"", b"")
        crowd[0].sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in until_cut(crowd[0])
    refusals = [r for r in caplog.records if r.message.startswith("connections are refused")]
    assert len(refusals) == 1


def test_signals_are_left_alone() -> None:
    """The daemon's handlers stay in place.  Which they are depends on who started the tests: a
    shell's background job is born with SIGINT ignored."""
    handled = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(one) for one in handled]
    server = HttpServer(app(), "127.0.0.1", 0)
    server.start()
    while_serving = [signal.getsignal(one) for one in handled]
    server.close()
    assert while_serving == before
    assert [signal.getsignal(one) for one in handled] == before


def test_requests_are_not_logged(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    """Agents and scrapers come every second; nobody wants to read that."""
    with caplog.at_level(logging.DEBUG):
        get(server, "/").close()
    assert [r for r in caplog.records if r.name.startswith("uvicorn")] == []


def test_an_application_that_does_not_start_is_an_error() -> None:
    """start() raises instead of waiting for ever."""

    @asynccontextmanager
    async def broken(app: Starlette) -> AsyncIterator[None]:
        if app.routes == []:
            raise RuntimeError("no")
        yield

    server = HttpServer(Starlette(lifespan=broken), "127.0.0.1", 0)
    with pytest.raises(RuntimeError, match="did not start"):
        server.start()
    server.close()


def test_it_listens_on_ipv6_where_there_is_one() -> None:
    """An IPv6 address needs nothing special."""
    server = HttpServer(app(), "::1", 0)
    try:
        server.start()
    except BadUsage:
        pytest.skip("no IPv6 here")
    with closing(http.client.HTTPConnection("::1", server.port, timeout=60)) as client:
        client.request("GET", "/")
        assert client.getresponse().status == 200
    server.close()
