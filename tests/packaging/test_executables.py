"""bin/: each executable is one file that runs anywhere and leaves nothing behind.

They are built by `make`; `make test` sees to it.
"""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = [
    "etcd-mesos-scheduler",
    "etcd-mesos-executor",
    "etcd-mesos-local",
    "etcd-mesos-sim",
    "etcd-mesos-ctl",
]
BUILD = ROOT / "packaging" / "build_bin.py"

# Imports every module of ours in an archive, as the archive's own start would.
IMPORT_ALL = """
import importlib, re, sys, zipfile
archive = sys.argv[1]
sys.path.insert(0, archive)
with zipfile.ZipFile(archive) as content:
    names = content.namelist()
    start = content.read("__main__.py").decode()
import executable_start
native = eval(re.search(r"^start\\('[^']*', (.*)\\)$", start, re.MULTILINE)[1])
sys.meta_path.insert(0, executable_start.NativeModules(native))
for name in names:
    if name.startswith("etcdmesos/") and name.endswith(".py"):
        importlib.import_module(name[:-3].removesuffix("/__init__").replace("/", "."))
"""

# Starts an archive, and prints what of ours and of attrs' was compiled on the way to its help.
COMPILED_AT_THE_START = """
import re, sys, zipimport
archive = sys.argv[1]
sys.path.insert(0, archive)
import executable_start
main = zipimport.zipimporter(archive).get_source("__main__")
entry, native = re.search(r"^start\\('([^']*)', (.*)\\)$", main, re.MULTILINE).groups()
compiled = []
sys.addaudithook(lambda event, given: event == "compile" and compiled.append(str(given[1])))
sys.argv = ["it", "--help"]
sys.stdout = sys.stderr
try:
    executable_start.start(entry, eval(native))
finally:
    ours = [name for name in compiled if "etcdmesos/" in name or name.startswith("<attrs ")]
    print(*ours, sep="\\n", file=sys.__stdout__)
"""

SHOWN_BY_TRACEBACK = """
import sys, traceback
sys.path.insert(0, sys.argv[1])
import prepared_modules
prepared_modules.use(prepared_modules.__loader__)
import etcdmesos.draft
try:
    etcdmesos.draft.react(None, None)
except AttributeError:
    traceback.print_exc()
"""


def executable(name: str) -> Path:
    path = ROOT / "bin" / name
    if not path.exists():
        pytest.fail(f"{path} is not there: run `make` first")
    return path


# Debian's own Python where there is one.
BARE_PATH = f"/usr/bin:/bin:{sys.base_prefix}/bin"


def run_bare(
    *command: str | Path, home: Path, path: str = BARE_PATH
) -> subprocess.CompletedProcess[str]:
    """Run on what a bare host has."""
    return subprocess.run(
        command, env={"PATH": path, "HOME": str(home)}, cwd=home, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_in_a_bare_environment_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    answer = run_bare(executable(name), "--help", home=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"usage: {name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_says_its_version(name: str, tmp_path: Path) -> None:
    """Though an executable holds no distribution that could be asked."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    answer = run_bare(executable(name), "-version", home=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, f"{name} {declared}\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_flag_is_bad_usage(name: str, tmp_path: Path) -> None:
    answer = run_bare(executable(name), "-no-such-flag=1", home=tmp_path)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("name", NAMES)
def test_all_that_its_modules_import_is_in_it(name: str, tmp_path: Path) -> None:
    """Without the site packages of this Python: only the archive and the standard library count."""
    answer = run_bare(sys.executable, "-IS", "-c", IMPORT_ALL, executable(name), home=tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_the_executor_is_small_and_has_nothing_compiled() -> None:
    path = executable("etcd-mesos-executor")
    assert path.stat().st_size < 3_500_000
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert [name for name in names if name.endswith(".so")] == []
    top = {name.split("/")[0] for name in names}
    assert top.isdisjoint(
        {"grpc", "etcd3", "google", "kazoo", "starlette", "uvicorn", "hypothesis"}
    )
    assert {"etcdmesos", "pymesos", "http_parser", "h11", "attr", "transitions", "yaml"} <= top


@pytest.mark.parametrize("name", NAMES)
def test_its_start_compiles_nothing(name: str, tmp_path: Path) -> None:
    """By the Python that built it; others compile what they import."""
    command = (sys.executable, "-IS", "-c", COMPILED_AT_THE_START, executable(name))
    answer = run_bare(*command, home=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.startswith("usage: ")
    assert answer.stdout.split() == []


def test_a_traceback_shows_the_source(tmp_path: Path) -> None:
    """Also of modules whose code lies ready."""
    path = executable("etcd-mesos-executor")
    answer = run_bare(sys.executable, "-IS", "-c", SHOWN_BY_TRACEBACK, path, home=tmp_path)
    assert re.search(r'File "etcdmesos/draft.py", line .*\n    \w', answer.stderr), answer.stderr


@pytest.mark.parametrize("name", NAMES)
def test_licences_and_data_travel_along(name: str) -> None:
    with zipfile.ZipFile(executable(name)) as archive:
        names = archive.namelist()
    assert any(re.match(r"attrs-[^/]*\.dist-info/.*LICENSE", member) for member in names)
    if "etcdmesos/chart.py" in names:
        assert any(member.startswith("etcdmesos/statecharts/") for member in names)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Agents and the scheduler know an executor by the hash of its archive."""
    built = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, BUILD, "etcd-mesos-executor", "--into", folder],
            env=dict(os.environ, PYTHONHASHSEED=seed, TZ=f"UTC+{seed}"),
            check=True,
            capture_output=True,
        )
        built.append((folder / "etcd-mesos-executor").read_bytes())
    assert built[0] == built[1]


def test_an_unknown_executable_is_bad_usage() -> None:
    answer = subprocess.run([sys.executable, BUILD, "etcdctl"], capture_output=True, text=True)
    assert answer.returncode == 2
    assert "no executable 'etcdctl'" in answer.stderr


def test_without_any_python_it_says_so_in_one_line(tmp_path: Path) -> None:
    path = executable("etcd-mesos-executor")
    answer = run_bare("/bin/sh", path, home=tmp_path, path=str(tmp_path))
    assert answer.returncode == 1
    assert answer.stderr == f"{path}: needs Python 3.11 or newer on this host\n"


def test_with_an_old_python_alone_it_says_so_in_one_line(tmp_path: Path) -> None:
    pretend = (
        "import sys; sys.argv[0] = 'etcd-mesos-executor'; import executable_start as it;"
        "it.OLDEST_PYTHON = (3, 99); it.start('os', {})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", pretend], cwd=ROOT / "packaging", capture_output=True, text=True
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("etcd-mesos-executor: needs Python 3.11 or newer on this host")
    assert answer.stderr.count("\n") == 1
