"""The proxy's daemon beside a Mesos, and clients that use nothing but its address."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.stand import LIMIT, Daemon, etcd_binary
from tests.free_ports import free_port


class Proxy:
    """One proxy, and etcdctl through it."""

    def __init__(self, master: str, version: str, *flags: str) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._etcdctl = str(etcd_binary(version, "etcdctl"))
        self.daemon = Daemon(
            "etcd-mesos-proxy",
            f"-master={master}",
            f"-etcd-bin={etcd_binary(version)}",
            f"-listen-client-urls=http://{self.address}",
            *flags,
        )

    def command(self, *arguments: str) -> list[str]:
        """A command line of etcdctl's, with time-outs of a second."""
        limits = ("--dial-timeout=1s", "--command-timeout=1s")
        return [self._etcdctl, f"--endpoints={self.address}", *limits, *arguments]

    def etcdctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
            env={**os.environ, "ETCDCTL_API": "3"},
        )

    def put(self, key: str, value: str) -> float:
        """Put, and again until it is done, as a client would; returns the seconds it took."""
        began = time.monotonic()
        self._done("put", key, value)
        return time.monotonic() - began

    def value(self, key: str) -> str:
        """Asked for again until there is an answer; "" if there is no such key."""
        return self._done("get", key, "--print-value-only").strip()

    def _done(self, *arguments: str) -> str:
        began = time.monotonic()
        while (done := self.etcdctl(*arguments)).returncode != 0:
            assert time.monotonic() - began < LIMIT, f"{done.stderr}\n{self.said()}"
        return done.stdout

    def said(self) -> str:
        """Its log so far."""
        return "\n".join(self.daemon.drain())

    def end(self, number: int = signal.SIGTERM) -> int:
        return self.daemon.end(number)


@contextmanager
def proxy(master: str, version: str, *flags: str) -> Iterator[Proxy]:
    """One that is ended at the end of the block."""
    made = Proxy(master, version, *flags)
    try:
        yield made
    finally:
        made.end()


class Writer:
    """Puts one value after the other, until told to stop, and knows how long each took."""

    def __init__(self, through: Proxy) -> None:
        self.through = through
        self.written: list[str] = []
        self.took: list[float] = []
        """Seconds, of each."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._thread.start()

    def _write(self) -> None:
        while not self._stopped.is_set():
            value = f"value-{len(self.written)}"
            self.took.append(self.through.put("key", value))
            self.written.append(value)
            self._stopped.wait(0.05)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()


@contextmanager
def watching(through: Proxy, log: Path) -> Iterator[Path]:
    """An `etcdctl watch` of the writer's key, begun once and never again; what it saw."""
    command = [*through.command("watch", "key", "--rev=1")]
    with log.open("wb") as output:
        watcher = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "ETCDCTL_API": "3"}
        )
        try:
            yield log
        finally:
            watcher.kill()
            watcher.wait()
