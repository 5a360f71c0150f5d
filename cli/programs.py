"""The programs of others that a daemon runs or hands on: where they are, and which version they
are."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etcdmesos.errors import BadUsage, Unavailable

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
    given that cannot be run, or does not restore.
    """
    name = "etcdutl" if version >= (3, 5) else "etcdctl"
    flag, given = f"{name}-bin", values[f"{name}_bin"]
    try:
        found = binary(flag, given, name, etcd.parent)
        if "--data-dir" not in _help_of_restoring(found):
            raise BadUsage(
                f"-{flag}={found}: cannot restore: its snapshot restore has no --data-dir"
            )
    except BadUsage:
        if given:
            raise
        return None
    return found


def raises_revisions(restorer: Path) -> bool:
    """Whether it can raise the revision of a snapshot that it restores."""
    return "--bump-revision" in _help_of_restoring(restorer)


def _help_of_restoring(program: Path) -> str:
    try:
        return help_of(program, "snapshot", "restore")
    except (OSError, subprocess.TimeoutExpired):
        return ""


def help_of(program: Path, *command: str) -> str:
    """What it says of that command.  Raises OSError and subprocess.TimeoutExpired."""
    done = _ran(program, *command, "--help")
    return done.stdout + done.stderr


def check_options(etcd: Path, options: Sequence[str]) -> None:
    """Raises BadUsage for options (--NAME=VALUE) that this etcd does not know, or whose values are
    of another kind; it reads all of them before it says its version."""
    done = _run_etcd(etcd, *options, "--version") if options else None
    if done is not None and done.returncode:
        said = (done.stderr + done.stdout).strip().partition("\n")[0]
        raise BadUsage(f"-etcd-option: {etcd} says: {said[:200]}")


def _ran(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=VERSION_LIMIT, check=False
    )


def etcd_version(path: Path) -> tuple[int, ...]:
    """What `path` says of its version.

    Raises BadUsage when it is no etcd that can be run here, Unavailable when it takes too long.
    """
    match = re.search(r"etcd Version: (\d+)\.(\d+)\.(\d+)", _run_etcd(path, "--version").stdout)
    if match is None:
        raise BadUsage(f"-etcd-bin={path}: is no etcd: --version does not say so")
    version = tuple(int(part) for part in match.groups())
    if version < OLDEST_ETCD:
        raise BadUsage(f"-etcd-bin={path}: is etcd {match[0].split()[-1]}, 3.4 is the oldest known")
    return version


def _run_etcd(etcd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Raises BadUsage and Unavailable."""
    try:
        return _ran(etcd, *arguments)
    except OSError as error:
        raise BadUsage(f"-etcd-bin={etcd}: cannot be run: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        said = f"does not say its version within {VERSION_LIMIT:g} s"
        raise Unavailable(f"-etcd-bin={etcd}: {said}: is this machine overloaded?") from None


def _on_path(name: str) -> list[Path]:
    return [Path(folder) / name for folder in os.get_exec_path() if folder]
