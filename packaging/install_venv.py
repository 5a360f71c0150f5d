#!/usr/bin/env python3
"""Puts everything the project needs into .venv, exactly as locked, and the project itself editable.

Runs on a bare python3 (>= 3.11), so it may import nothing but the standard library.  It is safe to
run twice or from two shells at once; what is there already stays.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from steps import OLDEST_PYTHON, ROOT, Refused, as_root, one_at_a_time, run, say

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
BUILD_LOCK = ROOT / "packaging" / "build.lock"
OURS = ["compat/http-parser", "."]


def main() -> int:
    if len(sys.argv) != 1:
        say(f"usage: {sys.argv[0]}   (no arguments)")
        return 2
    try:
        with one_at_a_time("venv"):
            make_venv()
            install()
    except Refused as refused:
        say(f"make venv: {refused}")
        return 1
    return 0


def make_venv() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise Refused(
            f"needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}: "
            "say `make PYTHON=/path/to/python3.11`"
        )
    if venv_python_version() == f"{sys.version_info.major}.{sys.version_info.minor}":
        return
    ensure_ensurepip()
    say("venv: creating .venv")
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
    become_root = as_root()
    if become_root and shutil.which("sudo") is None:
        raise Refused(f"needs {package}: run `apt-get install {package}` as root, then again")
    say(f"venv: installing Debian's {package}")
    install_it = [*become_root, "apt-get", "install", "-qq", "-y", "--no-install-recommends"]
    noninteractive = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    if subprocess.run([*install_it, package], env=noninteractive).returncode != 0:
        # A fresh machine has no package lists yet.
        run([*become_root, "apt-get", "update", "-qq"])
        run([*install_it, package], env=noninteractive)


def install() -> None:
    locked = locked_names(BUILD_LOCK) | locked_names(LOCK)
    say(f"venv: {len(locked)} locked packages")
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


if __name__ == "__main__":
    sys.exit(main())
