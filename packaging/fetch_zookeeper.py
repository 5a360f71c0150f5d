#!/usr/bin/env python3
"""Puts a ZooKeeper server into .cache/zookeeper/ and prints that folder.

    .cache/zookeeper/lib/*.jar      the class path
    .cache/zookeeper/java           the Java that runs it

For tests only; in production the operator brings ZooKeeper.  What is installed here is taken as it
is; the rest comes out of Debian's packages, without root and without installing anything: a server
of Debian 12 needs four packages of jars, and a Java when there is none on PATH.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from debian import private_apt, unpack, why_no_apt
from steps import CACHE, Refused, print_fetched, say

STORE = CACHE / "zookeeper"
SUITE = "bookworm"
PACKAGES = ["libzookeeper-java", "libslf4j-java", "libdropwizard-metrics-java", "libsnappy-java"]
"""Of libzookeeper-java's dependencies those that a server loads with its admin server off."""
JARS = ["zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "metrics-core", "snappy-java"]
INSTALLED = Path("/usr/share/java")
JAVA_PACKAGE = "openjdk-17-jre-headless"
VERSION_LIMIT = 30.0
"""Seconds that the new server may take to say its version."""


def main() -> int:
    return print_fetched("zookeeper", fetched)


def fetched() -> Path:
    """The folder, filled unless it is there."""
    if (STORE / "lib").is_dir() and (STORE / "java").exists():
        return STORE
    # We hold the lock, so what lies half done is from a run that was interrupted.
    for left_over in CACHE.glob(".zookeeper-*"):
        shutil.rmtree(left_over)
    shutil.rmtree(STORE, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=".zookeeper-", dir=CACHE))
    try:
        fill(partial / "ready", partial)
        (partial / "ready").rename(STORE)
    finally:
        shutil.rmtree(partial)
    return STORE


def fill(ready: Path, partial: Path) -> None:
    """Lay out the folder in `ready`; downloads lie in `partial`."""
    java = shutil.which("java")
    jars = [INSTALLED / f"{name}.jar" for name in JARS]
    packages = [] if all(jar.exists() for jar in jars) else list(PACKAGES)
    if java is None:
        packages.append(JAVA_PACKAGE)
    (ready / "lib").mkdir(parents=True)
    if packages:
        download(packages, ready / "debian", partial)
    for jar in jars:
        unpacked = ready / "debian" / jar.relative_to("/")
        link(ready / "lib" / jar.name, unpacked if PACKAGES[0] in packages else jar)
    link(ready / "java", Path(java) if java else unpacked_java(ready / "debian"))
    check(ready)


def download(packages: list[str], folder: Path, partial: Path) -> None:
    if (reason := why_no_apt()) is not None:
        raise Refused(f"{reason}; install the packages zookeeper and {JAVA_PACKAGE} instead")
    say(f"zookeeper: fetching {', '.join(packages)} from Debian {SUITE}")
    folder.mkdir()
    unpack(private_apt(SUITE, partial / "apt"), packages, folder)
    for package_file in folder.glob("*.deb"):
        package_file.unlink()


def unpacked_java(folder: Path) -> Path:
    """The java in `folder`, its settings found there and not in /etc."""
    for home in (folder / "usr" / "lib" / "jvm").glob("java-17-openjdk-*"):
        for path in home.rglob("*"):
            if path.is_symlink() and (target := Path(os.readlink(path))).is_absolute():
                path.unlink()
                link(path, folder / target.relative_to("/"))
        return home / "bin" / "java"
    raise Refused(f"{JAVA_PACKAGE} holds no Java 17")


def link(path: Path, target: Path) -> None:
    """A symbolic link; relative within the folder, which is moved when it is ready."""
    inside = target.is_relative_to(CACHE)
    path.symlink_to(os.path.relpath(target, path.parent) if inside else target)


def check(ready: Path) -> None:
    """Refuse what does not run here."""
    command = [
        str(ready / "java"),
        "-cp",
        f"{ready}/lib/*",
        "org.apache.zookeeper.version.VersionInfoMain",
    ]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=VERSION_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"its java does not run on this machine: {error}") from None
    if answer.returncode != 0 or "ZooKeeper, version" not in answer.stdout:
        complaint = ((answer.stderr + answer.stdout).strip().splitlines() or ["no output"])[0]
        raise Refused(f"it does not run on this machine: {complaint}")


if __name__ == "__main__":
    sys.exit(main())
