"""What is to be seen of a test that fails: what the daemons said last, and what they answer.

Printed, so that pytest shows it with the failure and with nothing else; the folders are gone by the
time anybody reads of it.  Nothing here raises: it must not hide the failure.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.request import ProxyHandler, build_opener

LINES = 60
"""Of each daemon's output."""
LOGS = {"executor.log": 25, "etcd.log": 8, "stderr": 5}
"""Lines of each file in a sandbox."""
EVENTS = 40


class Talking(Protocol):
    """A process with its output, line by line."""

    program: str
    process: subprocess.Popen[str]

    def drain(self) -> list[str]: ...


def tell(daemons: Iterable[Talking], folder: Path | None = None) -> None:
    """Print what is known of them now, and of the sandboxes and the record below `folder`."""
    print(*known(daemons, folder), sep="\n")


def known(daemons: Iterable[Talking], folder: Path | None = None) -> Iterator[str]:
    """The same, line by line."""
    for daemon in daemons:
        status, lines = daemon.process.poll(), daemon.drain()
        how = "runs" if status is None else f"ended with {status}"
        yield _title(f"{daemon.program} ({daemon.process.pid}, {how}) said")
        yield from lines[-LINES:]
        if status is None and (admin := _admin(lines)):
            yield _title(f"{admin} answers")
            yield from _answers(admin)
    for path in _files(folder) if folder else ():
        yield _title(str(path))
        yield from _end_of(path, LOGS.get(path.name, 40))


def _admin(lines: Iterable[str]) -> str:
    """Where its scheduler can be asked, by its own word; "" if that is none."""
    found = (re.search(r"(?:dashboard: http://|\badmin=)([^/\s]+)", line) for line in lines)
    return next((one[1] for one in found if one), "")


_direct = build_opener(ProxyHandler({}))


def _get(url: str) -> Any:
    with _direct.open(url, timeout=5) as answer:
        return json.load(answer)


def _answers(admin: str) -> Iterator[str]:
    try:
        yield from _of_stats(_get(f"http://{admin}/stats"))
        events = _get(f"http://{admin}/events")
    except Exception as error:
        yield f"nothing more: {error!r}"
        return
    for event in events[-EVENTS:]:
        yield f"{event['time']} {event['kind']}: {event['text']}"


def _of_stats(said: Mapping[str, Any]) -> Iterator[str]:
    for key in ("role", "phase", "why", "generation", "epoch", "leader", "cluster_reseeds"):
        yield f"{key}: {said.get(key)}"
    for finding in said.get("findings") or ():
        yield f"finding: {finding}"
    for member in said.get("members") or ():
        shown = ("name", "role", "step", "serving", "hostname", "clientURL", "task")
        yield " ".join(f"{key}={member.get(key)}" for key in shown)


def _files(folder: Path) -> list[Path]:
    """Logs of executors and etcds, each sandbox once, and the record."""
    found = [
        path
        for name in LOGS
        for path in folder.glob(f"run/**/executors/*/runs/*/{name}")
        if path.parent.name != "latest"
    ]
    return [*sorted(found), *folder.glob("record/**/record.json")]


def _end_of(path: Path, lines: int) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()[-lines:]
    except OSError as error:
        return [repr(error)]


def _title(text: str) -> str:
    return f"--- at {time.strftime('%H:%M:%S', time.gmtime())} {text}:"
