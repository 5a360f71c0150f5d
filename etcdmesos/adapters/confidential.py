"""Commands whose carrying out knows secrets: how they ended, in one event that gives none away.

An error of our own is told by its kind alone: its text and its trace may hold an address or a
header that lets somebody in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from etcdmesos.step import Command, CommandFailed, Event

log = logging.getLogger(__name__)


def outcome(
    command: Command,
    carry_out: Callable[[], Event],
    *,
    expected: tuple[type[Exception], ...],
    process: str,
) -> Event:
    """What `carry_out` says, or that `command` failed; raises nothing.

    Errors that are `expected` hold no secret and are told in full, on one line; `process` is where
    all others came from, for people.
    """
    try:
        return carry_out()
    except expected as error:
        return CommandFailed(command=command, reason=" ".join(str(error).split()))
    except Exception as error:
        kind = type(error).__name__
        log.error("an error of our own", extra={"command": type(command).__name__, "kind": kind})
        return CommandFailed(command=command, reason=f"an error in the {process}: {kind}")
