"""A second network on this machine, with a loopback of its own: who is in it and who is not are
parted from each other, and each side goes on.

Needs the right to make network namespaces (root has it); a test that asks for one is skipped
without it.
"""

from __future__ import annotations

import ctypes
import functools
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x41))
print("up", flush=True)
input()
"""
"""SIOCSIFFLAGS with IFF_UP and IFF_RUNNING; then it stays until its input is closed."""


@contextmanager
def other_network() -> Iterator[tuple[str, ...]]:
    """The beginning of every command line that is to be run in there."""
    holder = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", _LOOPBACK_UP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != "up\n":
            assert holder.stderr is not None
            pytest.skip(f"no network of our own: {holder.stderr.read().strip()}")
        # unshare has become the holder: it execs.
        yield ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
        assert holder.stdin is not None
        holder.stdin.close()


def move(sandbox: Path, prefix: tuple[str, ...]) -> None:
    """From its next start on, the etcd of this sandbox runs in there."""
    etcd = sandbox / "etcd"
    etcd.rename(sandbox / "etcd.moved")
    etcd.write_text(f'#!/bin/sh\nexec {" ".join(prefix)} ./etcd.moved "$@"\n')
    etcd.chmod(0o755)


class Doors:
    """Lets connections through between this network and the other one, address by address."""

    def __init__(self, prefix: tuple[str, ...]) -> None:
        """`prefix` is that of the other network."""
        self._other = prefix[1].removeprefix("--net=")
        self._open: dict[str, list[socket.socket]] = {}

    def inward(self, address: str) -> None:
        """Who is in there reaches this address out here."""
        host, port = address.split(":")
        listener = self._there(lambda: socket.create_server((host, int(port))))
        self._serve(address, listener, lambda: socket.create_connection((host, int(port))))

    def outward(self, address: str) -> None:
        """Who is out here reaches this address in there."""
        host, port = address.split(":")
        connect = functools.partial(socket.create_connection, (host, int(port)))
        listener = socket.create_server((host, int(port)))
        self._serve(address, listener, lambda: self._there(connect))

    def shut(self, address: str) -> None:
        """Nothing gets through any more, and what is under way breaks off."""
        for one in self._open.pop(address):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def shut_all(self) -> None:
        for address in list(self._open):
            self.shut(address)

    def _there(self, make: Callable[[], socket.socket]) -> socket.socket:
        """A socket made in the other network.  A thread enters it, and ends with that."""
        made: list[socket.socket] = []

        def enter() -> None:
            with Path(self._other).open() as namespace:
                if ctypes.CDLL(None).setns(namespace.fileno(), _CLONE_NEWNET) == 0:
                    with suppress(OSError):
                        made.append(make())

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if not made:
            raise ConnectionError("no socket in the other network")
        return made[0]

    def _serve(
        self, address: str, listener: socket.socket, connect: Callable[[], socket.socket]
    ) -> None:
        self._open[address] = [listener]

        def accept() -> None:
            with suppress(OSError, KeyError):
                while True:
                    one, _ = listener.accept()
                    try:
                        other = connect()
                    except OSError:
                        one.close()
                        continue
                    self._open[address] += [one, other]
                    for source, target in ((one, other), (other, one)):
                        _thread(functools.partial(_pass_on, source, target))

        _thread(accept)


_CLONE_NEWNET = 0x40000000


def _thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
