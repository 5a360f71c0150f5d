"""One reading of a master's state, in a process of its own: what `state.py` measures.

    python bench/state_reading.py ours|floor PORT FRAMEWORK

Prints the CPU seconds of the reading and the most memory in MB that the process ever had.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Read, and print."""
    how, port, framework = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    read = _ours() if how == "ours" else _floor()
    began = time.process_time()
    count = read(port, framework)
    taken = time.process_time() - began
    assert count == 1
    print(taken, _most_memory())


def _most_memory() -> float:
    # Not getrusage: its figure outlives exec, and is our parent's, which holds the whole state.
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _ours() -> Callable[[int, str], int]:
    from etcdmesos.adapters.master_reading import STATE_PATHS, MasterReader
    from etcdmesos.adapters.mesos_framework import FixedMaster
    from etcdmesos.mesos.master_state import StateReading

    def read(port: int, framework: str) -> int:
        reader = MasterReader(FixedMaster(f"127.0.0.1:{port}"))
        state = reader.read(STATE_PATHS, StateReading(framework))
        return len(state.frameworks[0].tasks)

    return read


def _floor() -> Callable[[int, str], int]:
    import http.client
    import json

    def read(port: int, framework: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/state")
        frameworks = json.loads(connection.getresponse().read())["frameworks"]
        return len(next(f for f in frameworks if f["name"] == framework)["tasks"])

    return read


if __name__ == "__main__":
    main()
