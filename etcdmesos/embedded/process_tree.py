"""Which processes belong to a container, and their end. Also the watchdog, run as a script.

A container is what descends from its first process plus whatever shares a session
or a process group with any of that: what the posix launcher of Mesos kills. Only
the standard library, and no package import: the watchdog runs with nothing else.
"""

import contextlib
import os
import signal
import sys
import time


def _stat(pid: int) -> tuple[int, int, int, str] | None:
    """Parent, process group, session and state of a process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[2]), int(fields[3]), fields[0].decode()


def _processes() -> dict[int, tuple[int, int, int, str]]:
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = _stat(int(name))
            if found is not None and found[3] != "Z":
                table[int(name)] = found
    return table


def members(leaders: set[int], marks: tuple[str, ...] = ()) -> set[int]:
    """Living processes of the containers whose first processes are (or were) `leaders`.

    `marks` are sandbox directories: a process that still carries one as MESOS_SANDBOX
    belongs to it even after it made a session of its own and lost its parent.
    """
    table = _processes()
    own = {os.getpid(), 0, 1}
    found = {pid for pid in leaders if pid in table}
    sessions, groups = set(leaders), set(leaders)
    for pid in table:
        if marks and _marked(pid, marks):
            found.add(pid)
    while True:
        for pid in found:
            groups.add(table[pid][1])
            sessions.add(table[pid][2])
        own_group, own_session = os.getpgrp(), os.getsid(0)
        groups -= {own_group, 0}
        sessions -= {own_session, 0}
        more = {
            pid
            for pid, (parent, group, session, _) in table.items()
            if parent in found or group in groups or session in sessions
        }
        if more <= found:
            return found - own
        found |= more


def _marked(pid: int, marks: tuple[str, ...]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return False
    prefix = b"MESOS_SANDBOX="
    return any(
        variable.startswith(prefix + mark.encode()) for variable in variables for mark in marks
    )


def kill(leaders: set[int], marks: tuple[str, ...] = ()) -> None:
    """SIGKILL the containers; again until none is left, because a process may fork meanwhile."""
    for _ in range(100):
        found = members(leaders, marks)
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def watch(lines: int) -> None:
    """Keep book of containers told on a pipe; when it ends, end those that are left.

    Lines are `+pid`, `-pid` and `=directory`, under which all sandboxes lie.
    """
    leaders: set[int] = set()
    marks: set[str] = set()
    with os.fdopen(lines) as pipe:
        for line in pipe:
            sign, rest = line[0], line[1:].rstrip("\n")
            if sign == "+":
                leaders.add(int(rest))
            elif sign == "-":
                leaders.discard(int(rest))
            elif sign == "=":
                marks.add(rest)
    kill(leaders, tuple(marks))


if __name__ == "__main__":
    # Ctrl-C and the like are for the one we watch; our turn comes when it is gone.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(int(sys.argv[1]))
