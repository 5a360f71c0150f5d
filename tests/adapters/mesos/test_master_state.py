"""ReadMasterState ends in the state of the leading master, or in a failure that says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.master_reading import StateLimits
from etcdmesos.adapters.master_state import MasterStateReader
from etcdmesos.adapters.mesos_framework import FixedMaster
from etcdmesos.cluster.commands import ReadMasterState
from etcdmesos.cluster.events import CommandFailed, MasterStateRead
from tests.adapters.mesos.conftest import Posted
from tests.adapters.mesos.scripted_master import Peer, Script, ScriptedMaster

CAPTURES = Path(__file__).parents[2] / "data" / "mesos-captures"
EMPTY = json.dumps({"slaves": [], "frameworks": []}).encode()
READ = ReadMasterState(subscription=1)

Reader = Callable[..., MasterStateReader]


@pytest.fixture
def reader(master: ScriptedMaster, posted: Posted) -> Iterator[Reader]:
    made: list[MasterStateReader] = []

    def make(limits: StateLimits | None = None, address: str = "") -> MasterStateReader:
        made.append(
            MasterStateReader(
                detector=FixedMaster(address or master.address),
                framework_name="life",
                post=posted,
                limits=limits,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def paths(master: ScriptedMaster) -> list[str]:
    return [request.path for request in master.requests]


def on_path(path: str, body: bytes) -> Script:
    def script(peer: Peer) -> None:
        if peer.request.path == path:
            peer.answer("200 OK", body, "Content-Type: application/json")
        else:
            peer.answer("404 Not Found", b"404 Not Found.")

    return script


@pytest.mark.parametrize("path", ["/state", "/master/state", "/state.json"])
def test_the_path_of_the_masters_age(
    master: ScriptedMaster, posted: Posted, reader: Reader, path: str
) -> None:
    """The newest first; a 404 leads to the next."""
    master.on_get = on_path(path, EMPTY)
    reader().submit(READ)
    assert posted.next(MasterStateRead).state.frameworks == ()
    assert paths(master)[-1] == path


def test_a_recorded_state(master: ScriptedMaster, posted: Posted, reader: Reader) -> None:
    """The answer of a real master, byte for byte."""
    raw = (CAPTURES / "get_state_running.txt").read_bytes().split(b"<<< RESPONSE\n", 1)[1]
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    master.on_get = lambda peer: peer.send(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
    reader().submit(READ)
    state = posted.next(MasterStateRead).state
    assert len(state.registered_agents) == 5
    [framework] = [f for f in state.frameworks if f.active]
    assert framework.name == "life"
    assert framework.tasks


def test_a_follower_redirects(master: ScriptedMaster, posted: Posted, reader: Reader) -> None:
    """The leader's address is in the Location, as recorded."""
    follower = ScriptedMaster()
    location = f"Location: //{master.address}/master/state"
    follower.on_get = lambda peer: peer.answer("307 Temporary Redirect", b"", location)
    master.on_get = on_path("/state", EMPTY)
    try:
        reader(address=follower.address).submit(READ)
        posted.next(MasterStateRead)
    finally:
        follower.close()


def test_redirects_in_a_circle(master: ScriptedMaster, posted: Posted, reader: Reader) -> None:
    """After three it is over."""
    location = f"Location: //{master.address}/master/state"
    master.on_get = lambda peer: peer.answer("307 Temporary Redirect", b"", location)
    reader().submit(READ)
    assert "redirected more than 3 times" in posted.next(CommandFailed).reason
    assert len(paths(master)) == 4


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (lambda peer: peer.answer("404 Not Found", b"no"), "answered 404: no"),
        (lambda peer: peer.answer("401 Unauthorized"), "answered 401"),
        (lambda peer: peer.answer("503 Service Unavailable", b"recovering"), "recovering"),
        (lambda peer: peer.answer("307 Temporary Redirect"), "redirected to ''"),
        (lambda peer: peer.answer("200 OK", b"<html>"), "makes no sense"),
        (lambda peer: peer.answer("200 OK", b"[" * 200_000), "makes no sense"),
        (lambda peer: peer.answer("200 OK", b"[]"), "makes no sense"),
        (lambda peer: peer.answer("200 OK", b'{"slaves":[],"frameworks":[7]}'), "makes no sense"),
        (lambda peer: peer.answer("200 OK", b'{"slaves":[]}'), "KeyError('frameworks')"),
        (lambda peer: peer.send(b""), "no answer"),
        (lambda peer: peer.send(b"garbage\r\n\r\n"), "no answer"),
        (
            lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
            "after 1 bytes",
        ),
        (lambda peer: peer.answer("200 OK", b" " * 2000), "larger than 1000 bytes"),
    ],
)
def test_a_failure_says_why(
    master: ScriptedMaster, posted: Posted, reader: Reader, script: Script, said: str
) -> None:
    """Nothing is changed by reading, so it is never unknown."""
    master.on_get = script
    limit = 1000 if "larger" in said else 1_000_000
    reader(StateLimits(body_bytes=limit)).submit(READ)
    assert said in posted.next(CommandFailed).reason
    posted.nothing_more(0.05)


def test_a_master_that_says_nothing(master: ScriptedMaster, posted: Posted, reader: Reader) -> None:
    """The time-out is for the whole reading, also when bytes keep trickling in."""

    def trickle(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
        while not peer._stopping.wait(0.05) and not posted.all:
            peer.send(b" ")

    for script in (Peer.hold, trickle):
        posted.all.clear()
        master.on_get = script
        reader(StateLimits(seconds=0.3)).submit(READ)
        posted.next(CommandFailed)


def test_a_master_that_is_not_there(posted: Posted, reader: Reader) -> None:
    """Refused."""
    reader(address="127.0.0.1:1").submit(READ)
    assert "Connection refused" in posted.next(CommandFailed).reason


def test_closing_gives_up(master: ScriptedMaster, posted: Posted, reader: Reader) -> None:
    """What is under way, what waits and what comes later all end in CommandFailed."""
    master.on_get = Peer.hold
    state = reader()
    state.submit(READ)
    state.submit(READ)
    master.wait_for("GET")
    state.close()
    state.submit(READ)
    for _ in range(3):
        posted.next(CommandFailed)
    posted.nothing_more()
