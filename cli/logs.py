"""Where a daemon's log goes: stderr, and a rotated file under -log_dir; one `key=value` line
each."""

from __future__ import annotations

import logging
import logging.handlers
import time
from pathlib import Path

from logfmter import Logfmter

from etcdmesos.errors import BadUsage

FILE_BYTES = 64 * 1024 * 1024
FILES_KEPT = 5


def log_to(program: str, directory: str, *, on_stderr: bool = True) -> None:
    """Log everything of this process.  Raises BadUsage when `directory` cannot be written to."""
    handlers: list[logging.Handler] = [logging.StreamHandler()] if on_stderr else []
    if directory:
        path = Path(directory) / f"{program}.log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(
                logging.handlers.RotatingFileHandler(
                    path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT
                )
            )
        except OSError as error:
            raise BadUsage(f"-log_dir={directory}: cannot write {path}: {error.strerror}") from None
    formatter = Logfmter(
        keys=["at", "level", "where"],
        mapping={"at": "asctime", "level": "levelname", "where": "name"},
    )
    # UTC to the millisecond: lines of several hosts are read side by side.
    formatter.converter = time.gmtime
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03dZ"
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
