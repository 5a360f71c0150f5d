"""Starts the built executables on free ports, reads what they say, and ends them."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.end_to_end import diagnosis
from tests.free_ports import block_of_ports

PROJECT = Path(__file__).resolve().parent.parent.parent
BIN = PROJECT / "bin"
LIMIT = 90.0
"""Seconds anything here may take on a busy machine before the test fails."""


def etcd_binary(version: str, name: str = "etcd") -> Path:
    """The program `name` of that etcd, as `make etcd` puts it."""
    return PROJECT / ".cache" / "etcd" / version / name


class Daemon:
    """One of our executables with its output, line by line."""

    def __init__(self, program: str, *arguments: str, prefix: tuple[str, ...] = ()) -> None:
        """`prefix` is a command that execs what follows it."""
        self.program = program
        self.process = subprocess.Popen(
            [*prefix, str(BIN / program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait_for(self, beginning: str) -> str:
        """The rest of the first line that starts with `beginning`."""
        for line in self._following():
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        said = "\n".join(self.lines)
        raise AssertionError(f"no line starts with {beginning!r}:\n{said}")

    def wait_for_part(self, part: str) -> str:
        """The first line that holds `part`."""
        for line in self._following():
            if part in line:
                return line
        said = "\n".join(self.lines)
        raise AssertionError(f"no line holds {part!r}:\n{said}")

    def read_to_the_end(self) -> list[str]:
        """All lines, once the process has closed its output.  Fails if it does not in time."""
        return list(self._following())

    def drain(self) -> list[str]:
        """All lines it has said so far."""
        while not self._queue.empty():
            line = self._queue.get()
            if line is None:
                self._queue.put(None)
                break
            self.lines.append(line)
        return self.lines

    def _following(self) -> Iterator[str]:
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"still runs after {LIMIT:g} s, and said {self.lines}"
                ) from None
            if line is None:
                return
            self.lines.append(line)
            yield line

    def end(self, number: int = signal.SIGINT) -> int:
        """Send the signal and wait for the end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return status


@contextmanager
def local(folder: Path, *arguments: str) -> Iterator[Daemon]:
    """etcd-mesos-local on free ports with everything below `folder`."""
    with block_of_ports() as first_port:
        daemon = Daemon(
            "etcd-mesos-local",
            f"-work-dir={folder}/run",
            "-master-port=0",
            "-agent-port=0",
            "-admin-port=0",
            "-artifact-port=0",
            f"-first-port={first_port}",
            *arguments,
        )
        try:
            yield daemon
        except BaseException:
            diagnosis.tell([daemon], folder)
            raise
        finally:
            daemon.end()


def get(address: str, path: str) -> tuple[int, str]:
    """(status, body) of a GET at host:port."""
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def stats(address: str) -> dict[str, Any]:
    """The body of /stats."""
    body: dict[str, Any] = json.loads(get(address, "/stats")[1])
    return body


def until(condition: Any, what: str, pause: float = 0.1) -> Any:
    """The first true value of `condition`, asked after every `pause` seconds.

    No answer is none: who does not listen yet, or is too busy to answer, is asked again.
    """
    deadline = time.monotonic() + LIMIT
    while True:
        said = ""
        try:
            if value := condition():
                return value
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            said = f": {error!r}"
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT:g} s{said}"
        time.sleep(pause)


def processes_below(folder: Path) -> list[str]:
    """Command lines of all processes whose working folder or arguments are below `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(os.getpid()):
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            working = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(folder) in command or working.startswith(str(folder)):
            found.append(command)
    return found


def etcd_process(folder: Path, member: str) -> int:
    """The pid of the etcd of that name below `folder`."""
    return _process(folder, lambda arguments, _: f"--name={member}" in arguments, member)


def executor_process(folder: Path, member: str) -> int:
    """The pid of the executor that runs the member of that name below `folder`."""
    return _process(
        folder,
        lambda arguments, working: (
            "-etcd-bin=./etcd" in arguments and f"/executors/{member}-" in working
        ),
        f"the executor of {member}",
    )


def _process(folder: Path, matches: Callable[[list[str], str], bool], what: str) -> int:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            working = os.readlink(entry / "cwd")
        except OSError:
            continue
        if working.startswith(str(folder)) and matches(arguments, working):
            return int(entry.name)
    raise AssertionError(f"no process of {what} below {folder}")
