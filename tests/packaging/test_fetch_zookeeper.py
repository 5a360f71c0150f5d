"""packaging/fetch_zookeeper.py: what cannot be had is said in one line, and nothing half done is
left."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the script alone, whose .cache is its own."""
    shutil.copytree(ROOT / "packaging", tmp_path / "tree" / "packaging")
    return tmp_path / "tree"


def fetch(tree: Path, *, java: str | None) -> subprocess.CompletedProcess[str]:
    """Run it where nothing is on PATH but perhaps a java that is this shell script."""
    programs = tree / "programs"
    programs.mkdir(exist_ok=True)
    if java is not None:
        (programs / "java").write_text(f"#!/bin/sh\n{java}\n")
        (programs / "java").chmod(0o755)
    return subprocess.run(
        [sys.executable, tree / "packaging" / "fetch_zookeeper.py"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
    )


def test_without_apt_it_says_what_to_install(tree: Path) -> None:
    """One line with the packages that would do."""
    done = fetch(tree, java=None)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "zookeeper: there is no apt-get; install the packages zookeeper and "
        "openjdk-17-jre-headless instead\n"
    )
    assert not list((tree / ".cache").glob("*zookeeper*/"))


def test_what_is_there_is_not_fetched_again(tree: Path) -> None:
    """Neither apt nor java is asked."""
    folder = tree / ".cache" / "zookeeper"
    (folder / "lib").mkdir(parents=True)
    (folder / "java").touch()
    done = fetch(tree, java=None)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{folder}\n", "")


def test_a_java_that_runs_no_server_is_refused(tree: Path) -> None:
    """The first line of its complaint is shown, and nothing is kept."""
    script = tree / "packaging" / "fetch_zookeeper.py"
    jars = tree / "jars"
    jars.mkdir()
    for name in ("zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple"):
        (jars / f"{name}.jar").touch()
    for name in ("metrics-core", "snappy-java"):
        (jars / f"{name}.jar").touch()
    script.write_text(script.read_text().replace('Path("/usr/share/java")', f'Path("{jars}")'))
    done = fetch(tree, java="echo Java is too old >&2; echo and more >&2; exit 1")
    assert done.returncode == 1
    assert done.stderr == "zookeeper: it does not run on this machine: Java is too old\n"
    assert not list((tree / ".cache").glob("*zookeeper*/"))
