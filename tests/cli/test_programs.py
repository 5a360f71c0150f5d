"""Where the programs of others are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from etcdmesos.cli import programs
from etcdmesos.errors import BadUsage
from tests.real_etcd import VERSIONS, binary


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_is_found_beside(tmp_path: Path) -> None:
    """Without a flag the program beside ours is taken, then one on PATH."""
    beside = executable(tmp_path / "etcd")
    assert programs.binary("etcd-bin", "", "etcd", tmp_path) == beside


def test_a_program_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH is searched when there is none beside ours."""
    found = executable(tmp_path / "etcd")
    monkeypatch.setenv("PATH", f"{tmp_path / 'empty'}{os.pathsep}{tmp_path}")
    assert programs.binary("etcd-bin", "", "etcd", tmp_path / "elsewhere") == found


def test_a_program_that_is_given_is_the_one(tmp_path: Path) -> None:
    """A path that was given is not replaced by anything found elsewhere."""
    executable(tmp_path / "etcd")
    with pytest.raises(BadUsage, match="-etcd-bin"):
        programs.binary("etcd-bin", str(tmp_path / "other"), "etcd", tmp_path)
    with pytest.raises(BadUsage, match="-etcd-bin"):
        programs.binary("etcd-bin", str(tmp_path), "etcd", tmp_path)


def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    """An unreadable or not executable file is refused by its path."""
    file = tmp_path / "etcd"
    file.write_text("x")
    file.chmod(0o644)
    with pytest.raises(BadUsage, match="cannot be read and run"):
        programs.binary("etcd-bin", str(file), "etcd", tmp_path)


def test_no_program_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said where it was looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadUsage, match=f"there is no file {tmp_path}/etcd or on PATH"):
        programs.binary("etcd-bin", "", "etcd", tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--heartbeat-intervall=200", "flag provided but not defined: -heartbeat-intervall"),
        ("--heartbeat-interval=often", 'invalid value "often" for flag -heartbeat-interval'),
    ],
)
def test_an_option_that_etcd_does_not_know(version: str, option: str, says: str) -> None:
    """Otherwise every member would fail by it, one after the other."""
    etcd = binary(version)
    programs.check_options(etcd, ("--heartbeat-interval=200", "--log-level=warn"))
    with pytest.raises(BadUsage, match=says):
        programs.check_options(etcd, ("--log-level=warn", option))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_cannot_restore_is_no_restorer(version: str, tmp_path: Path) -> None:
    """Given, it is refused; found beside etcd, it is as if there were none."""
    name = "etcdutl" if version >= "3.5" else "etcdctl"
    flag, release = f"{name}_bin", tuple(int(part) for part in version.split("."))
    etcd, tool = tmp_path / "etcd", executable(tmp_path / name)
    assert programs.restorer({flag: ""}, etcd, release) is None
    with pytest.raises(BadUsage, match=f"-{name}-bin={tool}: cannot restore"):
        programs.restorer({flag: str(tool)}, etcd, release)
    good = binary(version, name)
    assert programs.restorer({flag: str(good)}, etcd, release) == good
