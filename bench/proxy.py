"""How long clients of the proxy wait while all members are replaced, beside clients that know them.

    python bench/proxy.py [-size 3] [-runs 3] [-front grpc-proxy] ETCD [ETCD ...]

Two clients put a value every 20 ms by etcdctl, each request with time-outs of 1 s and again until
it is done: one at the proxy's address, one at the members' own, of which it is told after every
change (the floor).  Meanwhile the executors of all first members are killed, one after the other,
each once the cluster is whole again.  The columns are the medians and the longest of the requests.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import stand

from etcdmesos.embedded import running

FRONT = 991
"""Within the block of ports of a run: where the proxy listens."""
BETWEEN = 0.02


def main() -> None:
    """Measure and print a table; exit status 1 when a measurement does not come to its end."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-front", default="grpc-proxy")
    options, rest = parser.parse_known_args()
    stand.measure(
        "how long clients of the proxy wait",
        lambda size: f"{options.front}, {size} members replaced",
        ("via median", "direct", "via longest", "direct"),
        lambda etcd, size, block: _measure(etcd, size, block, options.front),
        rest,
    )


def _measure(etcd: Path, size: int, block: int, front: str) -> tuple[float, ...]:
    """Seconds of each column."""
    with tempfile.TemporaryDirectory(prefix="etcd-mesos-bench-") as name:
        folder = Path(name)
        options = {"master_port": 0, "agent_port": 0, "agents": size + 1, "first_port": block}
        with (
            running(folder / "mesos", **options) as mesos,
            stand.scheduler(mesos, etcd, size, folder, block) as admin,
            _proxy(mesos.master, etcd, folder, block + FRONT, front),
        ):
            _until_whole(admin, set(), size)
            at = [f"127.0.0.1:{block + FRONT}"]
            direct = _endpoints(admin)
            with _client(etcd, at) as via, _client(etcd, direct) as floor:
                time.sleep(2.0)
                gone = set[str]()
                for member in stand.get(admin, "/stats")["members"]:
                    gone.add(member["name"])
                    os.kill(stand.executor_of(member["sandbox"]), signal.SIGKILL)
                    _until_whole(admin, gone, size)
                    direct[:] = _endpoints(admin)
                time.sleep(2.0)
            medians = statistics.median(via), statistics.median(floor)
            return (*medians, max(via), max(floor))


def _endpoints(admin: int) -> list[str]:
    return [m["clientURL"] for m in stand.get(admin, "/stats")["members"]]


def _until_whole(admin: int, gone: set[str], size: int) -> None:
    def whole() -> bool:
        stats = stand.get(admin, "/stats")
        names = {member["name"] for member in stats.get("members", [])}
        return stats.get("phase") == "healthy" and not names & gone and len(names) == size

    stand.until(whole, "the cluster")


@contextmanager
def _proxy(master: str, etcd: Path, folder: Path, port: int, front: str) -> Iterator[None]:
    command = [
        str(stand.PROJECT / "bin" / "etcd-mesos-proxy"),
        f"-master={master}",
        "-cluster-name=bench",
        f"-etcd-bin={etcd}",
        f"-front={front}",
        f"-listen-client-urls=http://127.0.0.1:{port}",
        f"-data-dir={folder}/proxy",
    ]
    with (folder / "proxy.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def _client(etcd: Path, endpoints: list[str]) -> Iterator[list[float]]:
    """One that puts until the end of the block, at whatever `endpoints` hold; how long each
    took."""
    taken: list[float] = []
    stopped = threading.Event()

    def put() -> None:
        while not stopped.wait(BETWEEN):
            began = time.monotonic()
            stand.until(lambda: _put(etcd, endpoints), "a request")
            taken.append(time.monotonic() - began)

    stand.until(lambda: _put(etcd, endpoints), "the first request")
    thread = threading.Thread(target=put)
    thread.start()
    try:
        yield taken
    finally:
        stopped.set()
        thread.join()


def _put(etcd: Path, endpoints: list[str]) -> bool:
    done = subprocess.run(
        [
            *(str(etcd.with_name("etcdctl")), f"--endpoints={','.join(endpoints)}"),
            *("--dial-timeout=1s", "--command-timeout=1s", "put", "key", "value"),
        ],
        env={**os.environ, "ETCDCTL_API": "3"},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


if __name__ == "__main__":
    main()
