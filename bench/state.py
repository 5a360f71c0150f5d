"""What reading a large master's state costs, beside reading it at once by the json module.

    python bench/state.py [-tasks 50000] [-runs 3]

A server on this machine sends the state, made of tasks such as Mesos 1.12 lists them.  Ours is
what schedulers do, and proxies where the master has nothing smaller; the floor is one GET and
json.loads.  Each reading is a process of its own: CPU seconds of the reading, and the most memory
that the process ever had.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import stand

READING = Path(__file__).with_name("state_reading.py")
AT_ONCE = 100
"""Tasks that the server sends at once."""
FRAMEWORK = "etcd-bench"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="the cost of reading a large state")
    parser.add_argument("-tasks", type=int, default=50_000)
    parser.add_argument("-runs", type=int, default=3)
    options = parser.parse_args()
    blocks = _blocks(options.tasks)
    size = sum(map(len, blocks)) / 1e6
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, blocks))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = [
        (*_measured("ours", server.server_port), *_measured("floor", server.server_port))
        for _ in range(options.runs)
    ]
    server.shutdown()
    title = f"a state of {options.tasks} tasks, {size:.0f} MB"
    stand.print_table(f"{title}: CPU", ("ours", "floor"), [(r[0], r[2]) for r in rows])
    stand.print_table(f"{title}: memory", ("ours", "floor"), [(r[1], r[3]) for r in rows], "MB")


def _measured(how: str, port: int) -> tuple[float, float]:
    """CPU seconds and megabytes of a process that reads."""
    command = [sys.executable, str(READING), how, str(port), FRAMEWORK]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(said[0]), float(said[1])


def _task(number: int) -> dict[str, object]:
    status = {
        "state": "TASK_RUNNING",
        "timestamp": 1795332052.490669,
        "container_status": {
            "container_id": {"value": "a5114a2b-d21a-48f8-aa9a-ef4709300bfb"},
            "network_infos": [{"ip_addresses": [{"protocol": "IPv4", "ip_address": "127.0.0.13"}]}],
        },
    }
    return {
        "id": f"web.{number:08d}",
        "name": "web",
        "framework_id": "d558b78c-d632-4e2f-83f8-db3f1fcd699c-0005",
        "executor_id": "",
        "slave_id": "d558b78c-d632-4e2f-83f8-db3f1fcd699c-S4",
        "state": "TASK_RUNNING",
        "resources": {"disk": 0.0, "mem": 32.0, "gpus": 0.0, "cpus": 0.1},
        "role": "*",
        "statuses": [status, status],
        "labels": [{"key": f"key-{n}", "value": "value " * 8} for n in range(8)],
        "discovery": {
            "visibility": "CLUSTER",
            "name": "web",
            "ports": {"ports": [{"number": 31000, "name": "http", "protocol": "tcp"}]},
        },
    }


def _blocks(tasks: int) -> list[bytes]:
    """The body: one framework with all the tasks but one, and ours with that."""
    blocks = [b'{"slaves":[],"frameworks":[{"id":"F","name":"web","active":true,"tasks":[']
    for first in range(0, tasks - 1, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, tasks - 1))
        comma = b"" if first == 0 else b","
        blocks.append(comma + b",".join(json.dumps(_task(n)).encode() for n in numbers))
    ours = {"id": "G", "name": FRAMEWORK, "active": True, "tasks": [_task(tasks)]}
    return [*blocks, b"]}," + json.dumps(ours).encode() + b"]}"]


class _Handler(BaseHTTPRequestHandler):
    """Sends the blocks, whatever it is asked."""

    def __init__(self, blocks: list[bytes], *arguments: object) -> None:
        self._blocks = blocks
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(sum(map(len, self._blocks))))
        self.end_headers()
        for block in self._blocks:
            self.wfile.write(block)

    def log_message(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    main()
