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

from etcdmesos.adapters.http_server import HttpServer
from etcdmesos.errors import BadUsage


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello\n")


async def slow(request: Request) -> Response:
    await asyncio.sleep(0.3)
    return PlainTextResponse("late\n")


async def endless(request: Request) -> Response:
    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(ticks())


def app() -> Starlette:
    return Starlette(routes=[Route("/", hello), Route("/slow", slow), Route("/endless", endless)])


@pytest.fixture
def server() -> Iterator[HttpServer]:
    server = HttpServer(app(), "127.0.0.1", 0)
    server.start()
    yield server
    server.close()


def get(server: HttpServer, path: str) -> http.client.HTTPResponse:
    """The answer, to be closed; its connection goes with it.  No proxy of the environment's."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answer = direct.open(f"http://127.0.0.1:{server.port}{path}", timeout=5)
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
    with closing(http.client.HTTPConnection("127.0.0.1", first.port, timeout=5)) as client:
        client.request("GET", "/")
        client.getresponse().read()
        first.close()
        second = HttpServer(app(), "127.0.0.1", first.port)
        second.start()
        second.close()


def test_a_short_answer_under_way_ends_before_close_returns(server: HttpServer) -> None:
    """What takes less than the grace period is not cut."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as client:
        client.request("GET", "/slow")
        time.sleep(0.1)  # The request has to arrive; nothing tells when it has.
        server.close()
        assert client.getresponse().read() == b"late\n"


def test_endless_answers_are_cut_quietly_within_three_seconds(
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
        assert time.monotonic() - began < 3.0
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
                client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            except ConnectionError:
                return
            with client, contextlib.suppress(ConnectionError):
                client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                ends.append(client.recv(1))

    with ThreadPoolExecutor() as pool:
        visits = [pool.submit(visit) for _ in range(4)]
        server.close()
        for one in visits:
            one.result(10)
    assert set(ends) <= {b"H", b""}


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
    with closing(http.client.HTTPConnection("::1", server.port, timeout=5)) as client:
        client.request("GET", "/")
        assert client.getresponse().status == 200
    server.close()
