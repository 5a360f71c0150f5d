"""What the scripts in this folder share: how a step is run, refused, and kept to one at a time.

They run on a bare python3 (>= 3.11), so nothing here or in them imports more than the standard
library.  This folder must never get an ``__init__.py``: it would hide PyPI's ``packaging``.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
OLDEST_PYTHON = (3, 11)


class Refused(Exception):
    """Cannot go on; the message is one line saying why and what to do."""


@contextlib.contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """While this is held, whoever asks for the same name waits; it ends with the process."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def print_fetched(name: str, fetched: Callable[[], Path]) -> int:
    """All that a script does which fetches one thing: print its folder; the exit status."""
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise Refused(f"needs Python 3.11 or newer, {sys.executable} is older")
        with one_at_a_time(name):
            print(fetched())
    except Refused as refused:
        say(f"{name}: {refused}")
        return 1
    return 0


def run(command: Sequence[str], env: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Run a command whose output the user sees; its failure is ours."""
    # Standard output carries this script's own answer (a path, say) and nothing else.
    status = subprocess.run(command, env=env, cwd=cwd, stdout=sys.stderr.fileno()).returncode
    if status != 0:
        raise Refused(f"`{' '.join(command)}` ended with status {status}")


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(text, file=sys.stderr, flush=True)


def as_root() -> list[str]:
    """What a command must start with to run as root."""
    return [] if os.geteuid() == 0 else ["sudo"]
