"""Loads an executable's modules from code that lies ready; byte_code.py makes that, and says why.

build_bin.py puts this file into each executable.  Imported before anything else, so it imports next
to nothing itself.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
import zlib
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is imported by what follows, not by this
    from collections.abc import Callable
    from types import CodeType, ModuleType
    from zipimport import zipimporter

PREPARED = "prepared.bin"
"""The file in the archive: the magic number of the Python that it is for, and the code."""
METHODS_MADE_BY = "attr._make"
"""The module that writes, and compiles, the methods of attrs' classes."""


def use(archive: zipimporter) -> None:
    """Have imports served from the prepared code of `archive`, if it is for this Python.

    Otherwise they come from the sources, as those of all other modules do.
    """
    magic = importlib.util.MAGIC_NUMBER
    content = memoryview(archive.get_data(PREPARED))
    if content[: len(magic)] == magic:
        modules, methods = marshal.loads(content[len(magic) :])  # noqa: S302 - our own archive
        sys.meta_path.insert(0, PreparedModules(archive, modules, methods))


class PreparedModules:
    """Finder and loader of the modules in `modules`: by name, the file in the archive and its code.

    `methods` holds, by source, the code that attrs would compile.
    """

    def __init__(
        self,
        archive: zipimporter,
        modules: dict[str, tuple[str, bytes]],
        methods: dict[str, bytes],
    ) -> None:
        self._archive = archive
        self._modules = modules
        self._methods = methods

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        """What importlib asks of a finder; None if the module is not one of these."""
        if name not in self._modules:
            return None
        file_name = f"{self._archive.archive}/{self._modules[name][0]}"
        spec = ModuleSpec(name, self, origin=file_name)  # type: ignore[arg-type]
        spec.has_location = True
        if file_name.endswith("/__init__.py"):
            spec.submodule_search_locations = [file_name.rpartition("/")[0]]
        return spec

    def create_module(self, _spec: ModuleSpec) -> None:
        """An ordinary one."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        if module.__name__ == METHODS_MADE_BY:
            give_methods(module, self._compiled)
        _, code = self._modules[module.__name__]
        exec(marshal.loads(code), module.__dict__)  # noqa: S102, S302 - our own archive

    def _compiled(self, script: str, file_name: str, mode: str) -> CodeType:
        code = self._methods.get(script)
        if code is None:
            return compile(script, file_name, mode)
        return marshal.loads(code)  # type: ignore[no-any-return]  # noqa: S302 - our own archive

    def get_source(self, name: str) -> str:
        """For tracebacks."""
        return self.get_data(self._modules[name][0]).decode()

    def get_data(self, path: str) -> bytes:
        """The file of that name in the archive; the archive's own path may come before it."""
        return self._archive.get_data(path)


def give_methods(module: ModuleType, compiled: Callable[[str, str, str], CodeType]) -> None:
    """Let the module METHODS_MADE_BY, which is about to run, call `compiled` instead of `compile`.

    It puts a hash into the methods that it writes.  Of a text that is another one in every process,
    so it gets one that stays, or no method would be known again.
    """

    def stable_hash(value: object) -> int:
        return zlib.crc32(value.encode()) if isinstance(value, str) else hash(value)

    module.__dict__.update(compile=compiled, hash=stable_hash)
