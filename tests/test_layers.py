"""The laws of the tree, read off the source: who may import whom, what nobody calls, how long
things may be.

A law that is broken names the place and what to do.  The rooms are those of `docs/` and of the
picture in README.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "etcdmesos"

LINES_OF_A_FUNCTION = 60
LINES_OF_A_FILE = 400

CORE = (
    "version.py",
    "chart.py",
    "chart_definition.py",
    "chart_yaml.py",
    "chart_picture.py",
    "draft.py",
    "step.py",
    "ports.py",
    "backoff.py",
    "errors.py",
    "kept.py",
    "member_spec.py",
    "moments.py",
    "orders.py",
    "plain_values.py",
    "backups",
    "cluster",
    "etcd",
    "executor",
    "finding",
    "mesos",
    "proxy",
)
"""Pure: same arguments, same result; every moment and every outcome is an argument."""

OUTSIDE = ("adapters", "runtime", "embedded", "cli", "simulation")
IMPURE = {
    "asyncio",
    "ctypes",
    "datetime",
    "fcntl",
    "http",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "queue",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    # other people's
    "addict",
    "etcd3",
    "grpc",
    "h11",
    "http_parser",
    "kazoo",
    "pymesos",
    "requests",
    "starlette",
    "uvicorn",
}
MAY = {("chart.py", "logging"), ("plans.py", "signal")}
"""chart.py silences the logger of `transitions`; the executor's plans name signals by number."""

EXECUTOR_SIDE = (
    "executor",
    "adapters/mesos_executor.py",
    "adapters/child_process.py",
    "adapters/process.py",
    "adapters/member_probe.py",
    "adapters/etcd_gateway.py",
    "cli/executor.py",
)
TOO_BIG_FOR_EXECUTORS = {"cattrs", "etcd3", "grpc", "kazoo", "starlette", "uvicorn"}
"""The executor is fetched and started on every launch: it stays small and quick to start."""

INSTEAD = {
    "datetime.datetime.utcnow": "datetime.now(timezone.utc)",
    "os.system": "subprocess.run with a list",
    "os._exit": "raise SystemExit, so that ports are closed",
    "_thread.interrupt_main": "post an event",
    "eval": "a table of functions",
    "exec": "a table of functions",
    "pickle.loads": "json",
    "yaml.unsafe_load": "etcdmesos.chart_yaml.load",
    "yaml.safe_load": "etcdmesos.chart_yaml.load, which refuses a key given twice",
    "breakpoint": "a test",
}
MAY_CALL = {("child_process.py", "os._exit")}
"""In the child, between fork and exec, there is nothing to clean up."""
IN_THE_PACKAGE = {"print": "logging with fields (cli/ may print)"}


def sources(*places: str) -> list[Path]:
    """The Python files of `places`, each a file or a folder under etcdmesos/ (or cli/)."""
    found: list[Path] = []
    for place in places:
        path = ROOT / place if place.startswith("cli") else PACKAGE / place
        if path.is_dir():
            found += sorted(p for p in path.rglob("*.py") if "__pycache__" not in p.parts)
        elif path.is_file():
            found.append(path)
    return found


def everything() -> list[Path]:
    """Every file of the package and of cli/, each once (etcdmesos/cli is a link)."""
    ours = (p for p in sorted(PACKAGE.rglob("*.py")) if p.resolve().is_relative_to(PACKAGE))
    return [*(p for p in ours if "__pycache__" not in p.parts), *sources("cli")]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def dotted(path: Path) -> str:
    """The name a file is imported under."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "cli":
        parts.insert(0, "etcdmesos")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """(line, dotted name) of everything `path` imports, wherever in the file; names imported
    from a module count as possible modules of their own.  Imports for types alone do not run."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    typing_only = {
        id(child)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree(path)):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = dotted(path).split(".")
                package = package if path.name == "__init__.py" else package[:-1]
                package = package[: len(package) - node.level + 1]
                base = ".".join([*package, *([node.module] if node.module else [])])
            yield node.lineno, base
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


MODULES = {dotted(path): path for path in everything()}


def reached(path: Path) -> dict[str, str]:
    """Every module that importing `path` imports, however indirectly, to the file that does."""
    found: dict[str, str] = {}
    waiting, seen = [path], {path}
    while waiting:
        here = waiting.pop()
        for line, name in imports(here):
            found.setdefault(name, f"{shown(here)}:{line}")
            parents = [name.rsplit(".", n)[0] for n in range(name.count(".") + 1)]
            for module in parents:
                target = MODULES.get(module)
                if target is not None and target not in seen:
                    seen.add(target)
                    waiting.append(target)
    return found


def outermost(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("path", sources(*CORE), ids=shown)
def test_the_core_is_pure(path: Path) -> None:
    """The core imports neither adapters nor runtime, and nothing that has a clock, a thread, a
    socket, a file or a dice."""
    for line, name in imports(path):
        place = f"{shown(path)}:{line} imports {name}"
        room = name.split(".")[1] if name.startswith("etcdmesos.") else ""
        assert room not in OUTSIDE, f"{place}: the core decides, it does not act; use an event"
        if (path.name, name) not in MAY:
            assert outermost(name) not in IMPURE, f"{place}: make it an argument or an event"


def test_only_the_chart_knows_transitions() -> None:
    """`transitions` is imported in one file."""
    users = {
        shown(path)
        for path in everything()
        for _, n in imports(path)
        if outermost(n) == "transitions"
    }
    assert users == {"etcdmesos/chart.py"}


@pytest.mark.parametrize("path", sources(*EXECUTOR_SIDE), ids=shown)
def test_the_executor_stays_small(path: Path) -> None:
    """Nothing on the executor's side imports grpc and the like, not even through others."""
    for name, place in reached(path).items():
        assert outermost(name) not in TOO_BIG_FOR_EXECUTORS, (
            f"{shown(path)} comes to import {name} at {place}: "
            "the executor is fetched on every launch; move what it needs out of there"
        )


@pytest.mark.parametrize("path", sources("adapters", "embedded"), ids=shown)
def test_adapters_know_no_command_line(path: Path) -> None:
    """Adapters are built by cli/ and know nothing of it, nor of the loop that drives them."""
    for line, name in imports(path):
        assert not name.startswith("etcdmesos.cli"), f"{shown(path)}:{line}: pass it in instead"
    if "adapters" in path.parts:
        for line, name in imports(path):
            assert not name.startswith("etcdmesos.runtime"), f"{shown(path)}:{line}: use ports.Post"


@pytest.mark.parametrize("path", everything(), ids=shown)
def test_nobody_calls_what_is_banned(path: Path) -> None:
    """Some calls have something better in their place; it is named here."""
    banned = dict(INSTEAD)
    if shown(path).startswith("etcdmesos/"):
        banned |= IN_THE_PACKAGE
    for call, called in calls(path):
        if (path.name, called) not in MAY_CALL:
            place = f"{shown(path)}:{call.lineno}"
            assert called not in banned, f"{place} calls {called}: use {banned[called]}"


@pytest.mark.parametrize("path", everything(), ids=shown)
def test_durations_come_from_a_clock_that_never_goes_back(path: Path) -> None:
    """The wall clock may stamp what others read; nothing is added to it or compared with it."""
    stamps = {id(call) for call, called in calls(path) if called in ("time.time", "time.time_ns")}
    for node in ast.walk(tree(path)):
        operands: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            operands = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        assert not stamps & {id(operand) for operand in operands}, (
            f"{shown(path)}:{operands[0].lineno} reckons with time.time: use time.monotonic"
        )


@cache
def calls(path: Path) -> tuple[tuple[ast.Call, str], ...]:
    """Every call in `path` with the full name of what it calls, as far as imports tell."""
    return tuple(_calls(path))


def _calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    names = dict(aliases(path))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            first, _, rest = ast.unparse(node.func).partition(".")
            yield node, ".".join(part for part in (names.get(first, first), rest) if part)


def aliases(path: Path) -> Iterator[tuple[str, str]]:
    """(name in the file, full name) of what it imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                full = alias.name if alias.asname else outermost(alias.name)
                yield alias.asname or full, full
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}"


@pytest.mark.parametrize("path", everything(), ids=shown)
def test_functions_fit_on_a_screen(path: Path) -> None:
    """A longer function does two things: split it where its comment says "now ..."."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= LINES_OF_A_FUNCTION, (
                f"{shown(path)}:{node.lineno} {node.name} has {lines} lines, "
                f"at most {LINES_OF_A_FUNCTION}: split it"
            )


@pytest.mark.parametrize("path", everything(), ids=shown)
def test_files_are_rooms(path: Path) -> None:
    """A longer file is two rooms: split it by what its docstring joins with "and"."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES_OF_A_FILE, (
        f"{shown(path)} has {lines} lines, at most {LINES_OF_A_FILE}: split it"
    )


@pytest.mark.parametrize("path", everything(), ids=shown)
def test_every_room_says_what_it_is_for(path: Path) -> None:
    """A module opens with a docstring."""
    assert ast.get_docstring(tree(path)), (
        f"{shown(path)}: say what it is for, and what is not in it"
    )


# The laws themselves


def module(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_imports_are_found_wherever_they_hide(tmp_path: Path) -> None:
    """In functions, under other names, from packages; not those for types alone."""
    path = module(
        tmp_path,
        "import os.path as p\nfrom time import time as now\n"
        "if TYPE_CHECKING:\n    import grpc\ndef f():\n    import socket\n",
    )
    assert {name for _, name in imports(path)} == {"os.path", "time", "time.time", "socket"}


def test_the_core_is_not_empty() -> None:
    """The laws above look at the real files."""
    assert {"controller.py", "chart.py", "resources.py"} <= {p.name for p in sources(*CORE)}
    assert len(MODULES) > 60


def test_indirect_imports_are_followed() -> None:
    """The etcd adapter reaches grpc only through etcd3: what it imports by itself is known."""
    assert "transitions" in reached(PACKAGE / "cluster" / "controller.py")
    assert "etcdmesos.mesos.statuses" in reached(PACKAGE / "cluster" / "controller.py")


def test_aliases_do_not_hide_a_call(tmp_path: Path) -> None:
    """`from time import time as now` is still time.time."""
    path = module(tmp_path, "from time import time as now\nimport os as o\nnow() - o.nice(1)\n")
    assert {called for _, called in calls(path)} == {"time.time", "os.nice"}
    with pytest.raises(AssertionError):
        test_durations_come_from_a_clock_that_never_goes_back(path)
