"""What an executable holds so that its start compiles nothing: code, as this Python marshals it.

One file holds the modules that the start imports, and the methods that attrs writes for its
classes: the importer of zips unpacks every module twice, and compiling those methods is a quarter
of an executor's start.  Every other module has a .pyc beside its source, which that importer finds
by itself.  docs/dependencies.md has the figures.

All of it must be the same bytes whoever builds, because an executor is known by its hash.
"""

import json
import marshal
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER, source_hash

from steps import ROOT, Refused

# The flag in a .pyc (PEP 552) that says: valid without a look at the source.
HASH_NOT_CHECKED = 0b01

# Prints what an import of its argument imports, and what attrs has compiled meanwhile.
WATCH_THE_START = """
import importlib, importlib.machinery, json, sys
import prepared_modules
scripts = {}

class Watched:
    def find_spec(self, name, path=None, target=None):
        if name != prepared_modules.METHODS_MADE_BY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def exec_module(module):
            prepared_modules.give_methods(module, compiled)
            run(module)
        spec.loader.exec_module = exec_module
        return spec

def compiled(script, file_name, mode):
    scripts[script] = file_name
    return compile(script, file_name, mode)

sys.meta_path.insert(0, Watched())
before = set(sys.modules)
importlib.import_module(sys.argv[1])
json.dump([sorted(sys.modules.keys() - before), sorted(scripts.items())], sys.stdout)
"""


def beside_source(name: str, source: bytes) -> bytes:
    """What the .pyc of the archive's file `name` holds; valid without a look at the source.

    Another Python than this one finds the wrong magic number in it and compiles the source.
    """
    head = MAGIC_NUMBER + HASH_NOT_CHECKED.to_bytes(4, "little") + source_hash(source)
    return head + code_of(source, name)


@dataclass(frozen=True)
class ForStart:
    """What the start of an executable finds ready."""

    file: bytes
    """The content of PREPARED, as prepared_modules.py reads it."""
    sources: frozenset[str]
    """The archive's files whose code is in it."""


def for_start(entry: str, content: Mapping[str, bytes]) -> ForStart:
    """The code, out of the archive's `content`, that importing `entry` needs."""
    imported, scripts = watched_start(entry)
    modules = {}
    for module in imported:
        base = module.replace(".", "/")
        for name in (f"{base}/__init__.py", f"{base}.py"):
            if name in content:
                modules[module] = (name, code_of(content[name], name))
                break
    methods = {script: code_of(script.encode(), name) for script, name in scripts}
    return ForStart(
        file=MAGIC_NUMBER + marshal.dumps((modules, methods), 2),
        sources=frozenset(name for name, _ in modules.values()),
    )


def watched_start(entry: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The modules that importing `entry` imports, and the scripts of attrs with their names."""
    folders = os.pathsep.join([str(ROOT), str(ROOT / "packaging")])
    done = subprocess.run(
        [sys.executable, "-c", WATCH_THE_START, entry],
        env={**os.environ, "PYTHONPATH": folders},
        stdout=subprocess.PIPE,
    )
    if done.returncode != 0:
        raise Refused(f"{entry} cannot be imported: see above")
    imported, scripts = json.loads(done.stdout)
    return imported, [(script, name) for script, name in scripts]


def code_of(source: bytes, name: str) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    # Version 2 of marshal writes values only; later ones also write which objects happened to be
    # shared in memory, and that differs from run to run.
    return marshal.dumps(code, 2)
