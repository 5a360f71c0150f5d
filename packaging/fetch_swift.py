#!/usr/bin/env python3
"""Puts OpenStack Swift into .cache/swift/, an environment of its own, and prints that folder.

It is an S3 server that checks credentials, for tests only.  Everything is taken as
packaging/swift.lock has it, wheels alone.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from steps import CACHE, ROOT, print_fetched, run, say

# Resolved: the scripts in an environment name it by its path.
STORE = (CACHE / "swift").resolve()
LOCK = ROOT / "packaging" / "swift.lock"


def main() -> int:
    return print_fetched("swift", fetched)


def fetched() -> Path:
    """The folder, filled unless what the lock says is there."""
    installed = STORE / "installed.lock"
    if installed.is_file() and installed.read_bytes() == LOCK.read_bytes():
        return STORE
    shutil.rmtree(STORE, ignore_errors=True)
    say("swift: an S3 server for tests")
    # In its place from the beginning: an environment cannot be moved.  What is half done has no
    # copy of the lock in it.
    run([sys.executable, "-m", "venv", "--clear", str(STORE)])
    pip = [str(STORE / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-deps"]
    run(
        [
            *pip,
            *("--disable-pip-version-check", "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", str(LOCK)),
        ]
    )
    with tempfile.NamedTemporaryFile(dir=STORE, delete=False) as copy:
        copy.write(LOCK.read_bytes())
    Path(copy.name).replace(installed)
    return STORE


if __name__ == "__main__":
    sys.exit(main())
