"""A second network on this machine, with a loopback of its own: who is in it and who is not are
parted from each other, and each side goes on.

Needs the right to make network namespaces (root has it); a test that asks for one is skipped
without it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
