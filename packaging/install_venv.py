#!/usr/bin/env python3
"""Puts everything the project needs into .venv, exactly as locked, and the project itself editable.

Runs on a bare python3 (>= 3.11), so it may import nothing but the standard library.  It is safe to
run twice or from two shells at once; what is there already stays.
"""

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
BUILD_LOCK = ROOT / "packaging" / "build.lock"
OURS = ["compat/http-parser", "."]
OLDEST_PYTHON = (3, 11)


class Refused(Exception):
    """Cannot go on; the message is one line saying why and what to do."""


def main() -> int:
    if len(sys.argv) != 1:
        print(f"usage: {sys.argv[0]}   (no arguments)", file=sys.stderr)
        return 2
    try:
        with one_at_a_time(ROOT / ".cache" / "venv.lock"):
            make_venv()
            install()
    except Refused as refused:
        print(f"make venv: {refused}", file=sys.stderr)
        return 1
    return 0


class one_at_a_time:  # noqa: N801 - reads as a phrase where it is used
    """Holds a lock on a file; a second process waits for the first."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def make_venv() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise Refused(
            f"needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}: "
            "say `make PYTHON=/path/to/python3.11`"
        )
    if venv_python_version() == f"{sys.version_info.major}.{sys.version_info.minor}":
        return
    ensure_ensurepip()
    print("venv: creating .venv", flush=True)
    # --clear: one of another Python, or half made, is of no use.
    run([sys.executable, "-m", "venv", "--clear", str(VENV)])


def venv_python_version() -> str:
    """The version of the Python in .venv whose pip works, "" if there is none."""
    if not PYTHON.exists():
        return ""
    probe = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run(
        [PYTHON, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return answer.stdout.strip() if answer.returncode == 0 else ""


def ensure_ensurepip() -> None:
    """Debian keeps a part of venv in a package of its own, which a fresh machine lacks."""
    if importlib.util.find_spec("ensurepip") is not None:
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    package = f"python{version}-venv"
    if shutil.which("apt-get") is None:
        raise Refused(f"Python {version} has no ensurepip: install its venv package")
    become_root = [] if os.geteuid() == 0 else ["sudo"]
    if become_root and shutil.which("sudo") is None:
        raise Refused(f"needs {package}: run `apt-get install {package}` as root, then again")
    print(f"venv: installing Debian's {package}", flush=True)
    install_it = [*become_root, "apt-get", "install", "-qq", "-y", "--no-install-recommends"]
    noninteractive = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    if subprocess.run([*install_it, package], env=noninteractive).returncode != 0:
        # A fresh machine has no package lists yet.
        run([*become_root, "apt-get", "update", "-qq"])
        run([*install_it, package], env=noninteractive)


def install() -> None:
    locked = locked_names(BUILD_LOCK) | locked_names(LOCK)
    print(f"venv: {len(locked)} locked packages", flush=True)
    pip_install("--require-hashes", "--requirement", str(BUILD_LOCK))
    # Without isolation the sdists (etcd3, pymesos) are built by the locked setuptools, and not by
    # whatever the registry has today.
    pip_install(
        "--no-build-isolation", "--use-pep517", "--require-hashes", "--requirement", str(LOCK)
    )
    for folder in OURS:
        pip_install("--no-build-isolation", "--editable", str(ROOT / folder))
    remove_what_is_no_longer_locked(locked)


def pip_install(*arguments: str) -> None:
    # Twice quiet: notices about the machine's own pip settings are not ours to show; errors are.
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
    run([*pip, *arguments])


def locked_names(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(), flags=re.MULTILINE))


def remove_what_is_no_longer_locked(locked: set[str]) -> None:
    """A package that left the lock must go, or an import of it would still work here only."""
    listing = "import importlib.metadata as m\nfor d in m.distributions(): print(d.name)"
    answer = subprocess.run([PYTHON, "-c", listing], stdout=subprocess.PIPE, text=True, check=True)
    installed = {re.sub(r"[-_.]+", "-", name).lower() for name in answer.stdout.split()}
    surplus = sorted(installed - locked - {"pip", "etcd-mesos", "http-parser"})
    if surplus:
        run([str(PYTHON), "-m", "pip", "uninstall", "-qq", "--yes", *surplus])


def run(command: Sequence[str], env: dict[str, str] | None = None) -> None:
    status = subprocess.run(command, env=env, cwd=ROOT).returncode
    if status != 0:
        raise Refused(f"`{' '.join(command)}` ended with status {status}")


if __name__ == "__main__":
    sys.exit(main())
