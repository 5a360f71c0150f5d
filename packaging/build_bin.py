#!/usr/bin/env python3
"""Builds the executables in bin/: each one a zip of Python modules that runs as it is.

Run by the Python of .venv, which holds what goes in.  An executable holds the modules of ours that
its command reaches by imports, the whole of every distribution those need, and for compiled ones
the module for each supported Python.  Modules are imported straight from the zip: nothing is
unpacked on the host.  docs/dependencies.md says why so, with figures.

The same content gives the same bytes, because executors are known by the hash of their archive:
fixed times and order, and byte code that does not depend on the run that compiled it.
"""

import argparse
import ast
import importlib.metadata
import io
import json
import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

import byte_code
import yaml
from packaging.requirements import Requirement
from prepared_modules import PREPARED

from steps import CACHE, ROOT, Refused, one_at_a_time, run, say

OURS = "etcdmesos"
BIN = ROOT / "bin"
WHEELS = CACHE / "wheels"


@dataclass(frozen=True)
class Executable:
    """One file in bin/."""

    entry: str
    """The module whose main() it runs."""
    forbidden: frozenset[str] = frozenset()
    """Distributions that must not get in, not even through somebody else's import."""


EXECUTABLES = {
    "etcd-mesos-scheduler": Executable("etcdmesos.cli.scheduler"),
    # Fetched to every agent and started there: small, quick, and nothing compiled.
    "etcd-mesos-executor": Executable(
        "etcdmesos.cli.executor",
        forbidden=frozenset(
            {"botocore", "etcd3", "grpcio", "hypothesis", "kazoo", "protobuf", "starlette"}
            | {"uvicorn"}
        ),
    ),
    "etcd-mesos-local": Executable("etcdmesos.cli.local"),
    "etcd-mesos-proxy": Executable("etcdmesos.cli.proxy"),
    "etcd-mesos-sim": Executable("etcdmesos.cli.sim"),
    "etcd-mesos-ctl": Executable(
        "etcdmesos.cli.ctl",
        forbidden=frozenset({"etcd3", "grpcio", "kazoo", "pymesos", "starlette", "uvicorn"}),
    ),
}

# On a newer Python an executable without compiled parts runs too.
PYTHONS = ["3.11", "3.12", "3.13"]

# Compiled distributions.  What an executable carries for each of them: a module for every Python
# named here, or nothing, because it does without.
COMPILED = {
    "grpcio": PYTHONS,
    "pyyaml": [],
}

# What a distribution asks for and none of our commands reaches.
NOT_NEEDED = {
    # pymesos asks ZooKeeper for the master only when it is given a zk:// address; ours finds the
    # master by itself.
    "pymesos": {"kazoo"},
}

# Folders that none of our commands reads: botocore's descriptions of every service of AWS.
LEFT_OUT = ("botocore/data/",)

START = b"""\
#!/bin/sh
# A zip of Python modules follows.  -I and -S: only what is in it counts, not what the host has.
for python in python3 python3.11 python3.12 python3.13 python3.14; do
  command -v "$python" >/dev/null 2>&1 && exec "$python" -IS "$0" "$@"
done
echo "$0: needs Python 3.11 or newer on this host" >&2
exit 1
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="build the executables in bin/")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument("--into", type=Path, default=BIN, metavar="FOLDER")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in EXECUTABLES:
            parser.error(f"no executable {name!r}: there are {', '.join(EXECUTABLES)}")
    try:
        with one_at_a_time("bin"):
            for name in arguments.names or EXECUTABLES:
                build(name, EXECUTABLES[name], arguments.into)
    except Refused as refused:
        say(f"make: {refused}")
        return 1
    return 0


def build(name: str, executable: Executable, folder: Path) -> None:
    modules = reached_from(executable.entry)
    distributions = needed_by(modules)
    if intruders := sorted(executable.forbidden & distributions.keys()):
        raise Refused(f"{name} must do without {', '.join(intruders)}: see who imports it")
    content: dict[str, bytes] = {}
    for module, path in modules.items():
        content[archive_path(module, path)] = path.read_bytes()
        if path.name == "__init__.py":
            content |= data_beside(module, path.parent)
    native: dict[str, dict[str, str]] = {}
    for distribution in distributions.values():
        content |= content_of(distribution)
        for compiled in compiled_modules(distribution):
            native.setdefault(compiled.module, {})[compiled.cache_tag] = compiled.path
            content[compiled.path] = compiled.content
    for file_name in ("executable_start.py", "prepared_modules.py"):
        content[file_name] = (ROOT / "packaging" / file_name).read_bytes()
    content["__main__.py"] = main_module(executable.entry, native)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    archive = START + packed(content, byte_code.for_start(executable.entry, content))
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".partial-", delete=False) as partial:
        partial.write(archive)
    Path(partial.name).chmod(0o755)
    Path(partial.name).replace(target)
    say(f"{name}: {len(archive) / 1e6:.1f} MB")


# --- our own modules


def reached_from(entry: str) -> dict[str, Path]:
    """Our modules that importing `entry` may import, now or later, and their files."""
    reached: dict[str, Path] = {}
    waiting = [entry]
    while waiting:
        module = waiting.pop()
        if module in reached or (path := file_of(module)) is None:
            continue
        reached[module] = path
        package, _, _ = module.rpartition(".")
        waiting += [package, *(name for name in imports(module, path) if is_ours(name))]
    if entry not in reached:
        raise Refused(f"there is no module {entry} yet")
    return reached


def file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if module and path.exists()), None)


def is_ours(module: str) -> bool:
    return module == OURS or module.startswith(OURS + ".")


def imports(module: str, path: Path) -> Iterator[str]:
    """Every name a module may import, those within functions too.

    A string that is the name of one of our modules counts: that is how packages of data and
    modules loaded late are named.  `from a import b` counts as a and as a.b.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes_that_run(ast.parse(path.read_bytes(), str(path))):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                parts = package.split(".")
                start = ".".join(parts[: len(parts) - level + 1]) + "." if level else ""
                origin = (start + (source or "")).rstrip(".")
                if is_ours(origin) and file_of(origin) is None:
                    raise Refused(f"{module} imports {origin}, which does not exist")
                yield origin
                yield from (f"{origin}.{name.name}" for name in names)
            case ast.Constant(value=str(text)) if is_ours(text):
                yield text


def nodes_that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from (inner for branch in node.orelse for inner in ast.walk(branch))
        else:
            yield node
            yield from nodes_that_run(node)


def archive_path(module: str, path: Path) -> str:
    base = module.replace(".", "/")
    return f"{base}/__init__.py" if path.name == "__init__.py" else f"{base}.py"


def data_beside(package: str, folder: Path) -> dict[str, bytes]:
    """What lies in a package and is no module: charts, pages."""
    base = package.replace(".", "/")
    return {
        f"{base}/{path.name}": as_json(path) if path.suffix == ".yaml" else path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix in (".yaml", ".json", ".html", ".css", ".js", ".svg")
    }


def as_json(path: Path) -> bytes:
    """The same data, still YAML, and quicker to read: that is a fifth of an executor's start."""
    return json.dumps(yaml.safe_load(path.read_bytes())).encode()


# --- other people's


def needed_by(modules: dict[str, Path]) -> dict[str, Distribution]:
    """The distributions that the modules import, and what those ask for in turn."""
    providers = importlib.metadata.packages_distributions()
    needed: dict[str, Distribution] = {}
    waiting: list[str] = []
    for module, path in modules.items():
        for name in imports(module, path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top == OURS:
                continue
            if top not in providers:
                raise Refused(f"{module} imports {top}, which is not in .venv: add it, `make lock`")
            waiting += providers[top]
    while waiting:
        name = canonical(waiting.pop())
        if name not in needed:
            needed[name] = importlib.metadata.distribution(name)
            waiting += set(asked_for_by(needed[name])) - NOT_NEEDED.get(name, set())
    return dict(sorted(needed.items()))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for_by(distribution: Distribution) -> Iterator[str]:
    """What the distribution needs on any of the Pythons that the executables run on."""
    for line in distribution.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or any(
            requirement.marker.evaluate(
                {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
            )
            for python in PYTHONS
        ):
            yield canonical(requirement.name)


def content_of(distribution: Distribution) -> dict[str, bytes]:
    """The Python files and data of a distribution, and its licence."""
    content: dict[str, bytes] = {}
    for name, path in files_of(distribution):
        if goes_in(PurePosixPath(name)):
            content[name] = path.read_bytes()
    if not content:
        raise Refused(f"{distribution.name} has no files: install .venv again with `make venv`")
    return content


def goes_in(path: PurePosixPath) -> bool:
    if path.parts[0].endswith(".dist-info"):
        return re.match(r"METADATA$|LICEN[CS]E|COPYING|NOTICE", path.name) is not None
    if path.parts[0] == "..":  # what an installation puts into bin/ and share/
        return False
    if "tests" in path.parts or "__pycache__" in path.parts:
        return False
    if path.as_posix().startswith(LEFT_OUT):
        return False
    return path.suffix not in (".so", ".c", ".pth", ".pxd", ".pxi", ".pyc", ".pyi", ".pyx")


def files_of(distribution: Distribution) -> Iterator[tuple[str, Path]]:
    if canonical(distribution.name) == "http-parser":
        # Ours and installed editable, so its list of files names none of its modules.
        package = ROOT / "compat" / "http-parser"
        for path in sorted((package / "http_parser").glob("*.py")):
            yield path.relative_to(package).as_posix(), path
        return
    for file in distribution.files or []:
        yield file.as_posix(), Path(str(file.locate()))


@dataclass(frozen=True)
class CompiledModule:
    """A compiled module for one Python, as it goes into an archive."""

    module: str
    cache_tag: str
    path: str
    content: bytes


def compiled_modules(distribution: Distribution) -> Iterator[CompiledModule]:
    name = canonical(distribution.name)
    if not any(path.suffix == ".so" for _, path in files_of(distribution)):
        return
    if name not in COMPILED:
        raise Refused(f"{name} has compiled modules: say in build_bin.py how to ship it")
    for version in COMPILED[name]:
        cache_tag = "cpython-" + version.replace(".", "")
        with zipfile.ZipFile(wheel_for(name, distribution.version, version)) as wheel:
            for member in sorted(wheel.namelist()):
                if member.endswith(".so"):
                    module = member.partition(".")[0].replace("/", ".")
                    path = f"native/{cache_tag}/{module}.so"
                    yield CompiledModule(module, cache_tag, path, wheel.read(member))


def wheel_for(name: str, release: str, python: str) -> Path:
    """The wheel for another Python than this one, checked against the lock."""
    tag = "cp" + python.replace(".", "")
    pattern = f"{name}-{release}-{tag}-{tag}-*{platform.machine()}.whl"
    if not list(WHEELS.glob(pattern)):
        say(f"bin: fetching {name} {release} for Python {python}")
        WHEELS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WHEELS, prefix=".partial-") as partial:
            requirement = Path(partial) / "requirement.txt"
            requirement.write_text(locked(name))
            platforms = ["manylinux_2_28", "manylinux_2_17", "manylinux2014"]
            run(
                [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
                + ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", partial]
                + ["--python-version", python, "--implementation", "cp", "--abi", tag]
                + [f"--platform={system}_{platform.machine()}" for system in platforms]
                + ["--requirement", str(requirement)]
            )
            for wheel in Path(partial).glob("*.whl"):
                wheel.replace(WHEELS / wheel.name)
    return next(WHEELS.glob(pattern))


def locked(name: str) -> str:
    """The lines of requirements.lock about one distribution."""
    text = (ROOT / "requirements.lock").read_text()
    match = re.search(rf"^{re.escape(name)}==.*\n(?: .*\n)+", text, flags=re.MULTILINE)
    if match is None:
        raise Refused(f"{name} is not in requirements.lock: `make lock`")
    return match[0]


# --- the archive


def main_module(entry: str, native: dict[str, dict[str, str]]) -> bytes:
    return f"from executable_start import start\n\nstart({entry!r}, {native!r})\n".encode()


def packed(content: dict[str, bytes], start: byte_code.ForStart) -> bytes:
    """A zip of the files and of the byte code of those that are modules."""
    members = content | {PREPARED: start.file}
    for name, source in content.items():
        if name.endswith(".py") and name not in start.sources:
            members[name + "c"] = byte_code.beside_source(name, source)
    # The importer of the zip finds a package without __init__.py (google) only by its folder.
    folders = {f"{parent}/" for name in members for parent in PurePosixPath(name).parents} - {"./"}
    out = io.BytesIO()
    out.write(START)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted([*members, *folders]):
            member = zipfile.ZipInfo(name)  # the year 1980, whoever builds it and when
            member.external_attr = 0o644 << 16
            # What every start reads is not unpacked at every start.
            stored = name == PREPARED
            member.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(member, members.get(name, b""))
    return out.getvalue().removeprefix(START)


if __name__ == "__main__":
    sys.exit(main())
