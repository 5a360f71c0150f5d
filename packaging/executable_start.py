"""How an executable in bin/ starts; build_bin.py puts this file into each of them.

The oldest python3 about must get as far as the message, so: nothing newer than 3.6 up here.
"""

import importlib.machinery
import sys

OLDEST_PYTHON = (3, 11)


def start(entry: str, native: "dict[str, dict[str, str]]") -> None:
    """Run main() of the module `entry`.

    `native` says, by name and kind of Python, where in the archive compiled modules lie.
    """
    if sys.version_info < OLDEST_PYTHON:
        start_with_a_newer_python()
    import gc
    import importlib

    # What is imported stays.  To look for garbage in it takes a tenth of the start.
    gc.disable()
    if native:
        sys.meta_path.insert(0, NativeModules(native))
    import prepared_modules

    prepared_modules.use(__loader__)  # type: ignore[name-defined]
    main = importlib.import_module(entry).main
    gc.freeze()
    gc.enable()
    sys.exit(main())


def start_with_a_newer_python() -> None:
    import os
    import shutil
    import subprocess

    for minor in range(OLDEST_PYTHON[1], 30):
        python = shutil.which(f"python3.{minor}")
        # A version manager may put a shim where there is no Python behind it.
        if python and subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(python, [python, "-IS", *sys.argv])  # noqa: S606 - ourselves again
    name = os.path.basename(sys.argv[0])
    version = sys.version.split()[0]
    sys.exit(f"{name}: needs Python 3.11 or newer on this host, and {sys.executable} is {version}")


class NativeModules:
    """Finds the compiled modules in the archive.

    The system's loader wants a file, and nothing may be left behind on the host: so a module is
    unpacked into memory, and loaded from there.
    """

    def __init__(self, native: "dict[str, dict[str, str]]") -> None:
        self._native = native

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> "importlib.machinery.ModuleSpec | None":
        """What importlib asks of a finder; None if the module is not one of ours."""
        if name not in self._native:
            return None
        import importlib.util
        import os

        kind = sys.implementation.cache_tag
        if kind not in self._native[name]:
            raise ImportError(
                f"this executable has {name} for {', '.join(self._native[name])}, not for {kind}"
            )
        content = __loader__.get_data(self._native[name][kind])  # type: ignore[name-defined]
        # The descriptor stays open, a few bytes: what is loaded cannot be unloaded either.
        descriptor = os.memfd_create(name)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        file_name = f"/proc/self/fd/{descriptor}"
        loader = importlib.machinery.ExtensionFileLoader(name, file_name)
        return importlib.util.spec_from_file_location(name, file_name, loader=loader)
