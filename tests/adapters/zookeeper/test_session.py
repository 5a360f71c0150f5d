"""The session outlives what ends kazoo's own thread."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from etcdmesos.adapters.zookeeper import AnswerLost, NotConnected, ZooKeeperSession, ZooKeeperUrl
from tests.real_etcd import until


class Nonsense:
    """A server that takes every session and answers its first question out of order."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.taken = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.recv(1024)
                # ConnectResponse: protocol 0, time-out 4000 ms, session 17, its password.
                answer = struct.pack(">iiqi16s", 0, 4000, 17, 16, b"x" * 16)
                client.sendall(struct.pack(">i", len(answer)) + answer)
                self.taken += 1
                client.recv(1024)
                # A reply to a request that was never sent (ReplyHeader: xid, zxid, error).
                header = struct.pack(">iqi", 4711, 1, 0)
                client.sendall(struct.pack(">i", len(header)) + header)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def nonsense() -> Iterator[Nonsense]:
    server = Nonsense()
    yield server
    server.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_client_that_ended_is_started_again(nonsense: Nonsense) -> None:
    """kazoo's thread ends at a reply out of order, which is a lost answer; whoever asks next has it
    started again."""
    url = ZooKeeperUrl.parse(f"zk://127.0.0.1:{nonsense.port}/path")
    session = ZooKeeperSession(url, timeout_seconds=4.0)
    try:
        until(lambda: session.connected)
        with pytest.raises(AnswerLost, match="makes no sense"):
            session.ask(lambda client: client.exists_async("/"))
        until(lambda: asked_in_vain(session) and nonsense.taken > 1, "connected anew")
    finally:
        session.close()


def asked_in_vain(session: ZooKeeperSession) -> bool:
    try:
        session.ask(lambda client: client.exists_async("/"), seconds=0.2)
    except (AnswerLost, NotConnected):
        return True
    return False


def test_a_server_that_does_not_answer_is_given_up_before_the_session_is_lost() -> None:
    """A server that was just started may take a connection and forget about it."""
    timeout = 6.0
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = ZooKeeperUrl.parse(f"zk://127.0.0.1:{mute.getsockname()[1]}/path")
        session = ZooKeeperSession(url, timeout_seconds=timeout)
        try:
            client, _ = mute.accept()
            began = time.monotonic()
            with client:
                while client.recv(1024):
                    pass
            assert time.monotonic() - began < 0.8 * timeout
        finally:
            session.close()
