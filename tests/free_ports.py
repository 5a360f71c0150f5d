"""Ports for servers that tests start: each is given out once, to one process of this machine alone.

A port that was found free and let go could be drawn by another test process before its server
listens.  So each process takes whole blocks, each by binding its first port on an address that no
server of any test has.  However the process ends, the block is free again, and no file is left.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Both lie below the ports from which the kernel takes its own.
_SINGLE = range(15000, 20000, 100)
"""The first port of each block from which single ports are drawn."""
_OFFERED = range(20000, 31000, 1000)
"""The same of those that the agents of one embedded Mesos offer.  None is 31000: a local cluster
that somebody runs beside the tests offers that one."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at, and that nobody else is given."""
    return next(_drawn)


@contextmanager
def block_of_ports() -> Iterator[int]:
    """The first of 1,000 ports that are this test's alone until the end; bench/ takes them so, too.

    Members get the ports that agents offer, so two runs on one machine must not offer the same.
    """
    for first in random.sample(_OFFERED, len(_OFFERED)):
        with socket.socket() as token:
            if _take(token, first) and all(
                _is_free(f"127.0.0.{11 + n}", first + 100 * n) for n in range(10)
            ):
                yield first
                return
    raise AssertionError("no block of ports is free")


def _draw() -> Iterator[int]:
    """The ports of one block after the other; a block is kept until the process ends."""
    kept = []
    for first in random.sample(_SINGLE, len(_SINGLE)):
        kept.append(socket.socket())
        if _take(kept[-1], first):
            for port in range(first, first + _SINGLE.step):
                if _can_be_bound(port):
                    yield port
    raise AssertionError("no port is free")


_drawn = _draw()


def _take(token: socket.socket, first: int) -> bool:
    """Whether the block that begins there is ours from now on, as long as `token` is open."""
    try:
        token.bind(("127.0.0.10", first))
    except OSError:
        return False
    return True


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0
