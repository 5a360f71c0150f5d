"""The programs of others that a daemon runs or hands on: where they are, and which version they
are."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etcdmesos.errors import BadUsage

OLDEST_ETCD = (3, 4, 0)
INCONSISTENT_ETCD = ((3, 5, 0), (3, 5, 2))
"""First and last release that can lose acknowledged writes on a crash (etcd issue 13766)."""
VERSION_LIMIT = 10.0
"""Seconds that `etcd --version` may take."""


def binary(flag: str, given: str, name: str, beside: Path) -> Path:
    """The program called `name`: as given, else in the folder `beside`, else on PATH.

    Raises BadUsage when there is none, or it cannot be read and run.
    """
    candidates = [Path(given)] if given else [beside / name, *_on_path(name)]
    for candidate in candidates:
        if candidate.is_file():
            if not os.access(candidate, os.R_OK | os.X_OK):
                raise BadUsage(f"-{flag}={candidate}: cannot be read and run by this user")
            return candidate
    where = given or f"{beside}/{name} or on PATH"
    raise BadUsage(f"-{flag}: there is no file {where}")


def restorer(values: Mapping[str, Any], etcd: Path, version: tuple[int, ...]) -> Path | None:
    """The program that restores snapshots for this etcd: etcdutl, or before 3.5 etcdctl.

    As given, else beside etcd, else on PATH; None when there is none.  Raises BadUsage when one was
    given that cannot be run.
    """
    name = "etcdutl" if version >= (3, 5) else "etcdctl"
    given = values[f"{name}_bin"]
    try:
        return binary(f"{name}-bin", given, name, etcd.parent)
    except BadUsage:
        if given:
            raise
        return None


def raises_revisions(restorer: Path) -> bool:
    """Whether it can raise the revision of a snapshot that it restores."""
    try:
        return "--bump-revision" in help_of(restorer, "snapshot", "restore")
    except (OSError, subprocess.TimeoutExpired):
        return False


def help_of(program: Path, *command: str) -> str:
    """What it says of that command.  Raises OSError and subprocess.TimeoutExpired."""
    done = subprocess.run(
        [program, *command, "--help"],
        capture_output=True,
        text=True,
        timeout=VERSION_LIMIT,
        check=False,
    )
    return done.stdout + done.stderr


def etcd_version(path: Path) -> tuple[int, ...]:
    """What `path` says of its version.  Raises BadUsage when it is no etcd that can be run here."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadUsage(f"-etcd-bin={path}: cannot be run: {error}") from None
    match = re.search(r"etcd Version: (\d+)\.(\d+)\.(\d+)", done.stdout)
    if match is None:
        raise BadUsage(f"-etcd-bin={path}: is no etcd: --version does not say so")
    version = tuple(int(part) for part in match.groups())
    if version < OLDEST_ETCD:
        raise BadUsage(f"-etcd-bin={path}: is etcd {match[0].split()[-1]}, 3.4 is the oldest known")
    return version


def _on_path(name: str) -> list[Path]:
    return [Path(folder) / name for folder in os.get_exec_path() if folder]
