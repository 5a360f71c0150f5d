"""The event stream may come in any pieces, and large events cost linear work."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from typing import Any

import pytest

from etcdmesos.adapters.mesos_http import MasterAddress
from etcdmesos.adapters.mesos_stream import EventStream, StreamEnded
from etcdmesos.cluster.commands import Subscribe
from etcdmesos.cluster.events import (
    Event,
    OffersReceived,
)
from etcdmesos.mesos import recordio
from tests.adapters.mesos.conftest import Posted, Schedulers
from tests.adapters.mesos.scripted_master import (
    STREAM_ID,
    Peer,
    ScriptedMaster,
    offer,
    subscribed_event,
)

NEW = Subscribe(framework_id="")


class _Collector:
    """Reads an EventStream for a test."""

    stream_id: str | None = None

    def __init__(self) -> None:
        self.events: list[object] = []

    def gen_request(self) -> bytes:
        return b"POST / HTTP/1.1\r\n\r\n"

    def process_event(self, event: object) -> None:
        self.events.append(event)

    def on_close(self) -> None:
        pass


def _read_in_pieces(*pieces: bytes) -> list[object]:
    """What an EventStream makes of `pieces`, each read before the next is sent."""
    collector = _Collector()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = MasterAddress("127.0.0.1", listener.getsockname()[1])
        stream = stack.enter_context(contextlib.closing(EventStream(address, collector)))
        peer = stack.enter_context(listener.accept()[0])
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in filter(None, pieces):
            peer.sendall(piece)
            assert select.select([stream.fileno()], [], [], 10)[0]
            stream.read()
        peer.close()
        assert select.select([stream.fileno()], [], [], 10)[0]
        with pytest.raises(StreamEnded):
            stream.read()
    return collector.events


def _answer(*events: object) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMesos-Stream-Id: {STREAM_ID}\r\n\r\n"
    records = b"".join(recordio.encode(json.dumps(event).encode()) for event in events)
    middle = len(records) // 2  # a chunk's border inside a record
    chunks = [b"%x\r\n%b\r\n" % (len(p), p) for p in (records[:middle], records[middle:])]
    return head.encode() + b"".join(chunks)


def test_a_stream_may_be_split_anywhere() -> None:
    """At every byte boundary, and into single bytes, the same events come out."""
    events = [subscribed_event(), {"type": "HEARTBEAT"}, {"type": "HEARTBEAT"}]
    answer = _answer(*events)
    for at in range(len(answer)):
        assert _read_in_pieces(answer[:at], answer[at:]) == events, at
    assert _read_in_pieces(*(answer[at : at + 1] for at in range(len(answer)))) == events


def _offers_of(megabytes: int) -> dict[str, Any]:
    many = [offer(n, attributes=[]) for n in range(megabytes * 1024 * 1024 // 330)]
    return {"type": "OFFERS", "offers": {"offers": many}}


def test_large_offers_arrive(
    master: ScriptedMaster, schedulers: Schedulers, posted: Posted
) -> None:
    """Of a large cluster all at once; that reading stays linear is looked at below."""
    event = _offers_of(8)
    record = recordio.encode(json.dumps(event).encode())
    assert len(record) > 7 * 1024 * 1024

    def script(peer: Peer) -> None:
        peer.subscribed()
        peer.chunk(record)
        peer.hold()

    master.on_subscribe = script
    schedulers(master.address).submit(NEW)
    _skip_to_offers(posted, len(event["offers"]["offers"]))


def _skip_to_offers(posted: Posted, count: int) -> None:
    event: Event = posted.next(Event, 60)
    while not isinstance(event, OffersReceived):
        event = posted.next(Event, 60)
    assert len(event.offers) == count


def test_reading_stays_linear_in_small_pieces() -> None:
    """The number of bytes copied while reading grows with the bytes, not with their square."""
    begin = time.process_time()
    event = {"type": "HEARTBEAT", "padding": "x" * 8 * 1024 * 1024}
    answer = _answer(event)
    size = 4096  # what pymesos reads at once
    assert _read_in_pieces(*(answer[at : at + size] for at in range(0, len(answer), size))) == [
        event
    ]
    # Quadratic slicing copies 8 GB here, which no machine does in this CPU time.
    assert time.process_time() - begin < 60
