"""What installs: cli/ as etcdmesos.cli and statecharts/ as etcdmesos.statecharts, nowhere else."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in a wheel that is built from a copy of the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in ("etcdmesos", "cli", "statecharts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--wheel-dir", folder, tree], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return archive.namelist()


def test_commands_and_charts_are_inside_the_package(wheel: list[str]) -> None:
    assert "etcdmesos/cli/__init__.py" in wheel
    assert "etcdmesos/statecharts/__init__.py" in wheel
    assert "etcdmesos/py.typed" in wheel
    charts = {
        f"etcdmesos/statecharts/{path.name}" for path in (ROOT / "statecharts").glob("*.yaml")
    }
    assert charts <= set(wheel)


def test_nothing_else_lands_in_site_packages(wheel: list[str]) -> None:
    assert {re.sub(r"-.*", "", name.split("/")[0]) for name in wheel} == {"etcdmesos", "etcd_mesos"}


def test_every_module_of_ours_is_in_the_wheel(wheel: list[str]) -> None:
    """A folder without __init__.py would be missing only in what is installed."""
    modules = {
        os.path.relpath(os.path.join(folder, file), ROOT)
        for folder, _, files in os.walk(ROOT / "etcdmesos", followlinks=True)
        for file in files
        if file.endswith(".py")
    }
    assert modules - set(wheel) == set()


def test_the_links_stay_links() -> None:
    """A copy in their place would be a second truth."""
    assert (ROOT / "etcdmesos" / "cli").readlink() == Path("../cli")
    assert (ROOT / "etcdmesos" / "statecharts").readlink() == Path("../statecharts")


def test_the_scripts_folder_hides_no_package() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_the_lock_is_hashed_and_names_no_place() -> None:
    for lock in (ROOT / "requirements.lock", ROOT / "packaging" / "build.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert "file:" not in text
        blocks = re.findall(r"^[a-z0-9-]+==[^\n]*\n(?: [^\n]*\n)*", text, flags=re.MULTILINE)
        assert blocks
        assert all("--hash=sha256:" in block for block in blocks)


def test_the_lock_has_what_the_project_asks_for() -> None:
    """`make lock` was run after the last change of a dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["simulation"],
        *project["dependency-groups"]["dev"],
    ]
    names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in asked}
    locked = set(
        re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    assert names - {"http-parser"} - locked == set()
