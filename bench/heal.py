"""Time from kill -9 of one executor to a whole cluster, beside its floor measured in the same run.

    python bench/heal.py [-size 3] [-runs 5] ETCD [ETCD ...]

The floor is the same repair done by a bare script that knows at once who died: remove the member,
add a learner, start it, promote it; plus what the same Mesos takes to bring a trivial command task
from its offer to TASK_RUNNING.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import stand

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.embedded import running

CONNECTED = 5.5
"""etcd refuses to add a member while its voters have been connected for less than 5 s."""


def main() -> None:
    """Measure and print a table; exit status 1 when a measurement does not come to its end."""
    parser = argparse.ArgumentParser(description="time from a member's death to a whole cluster")
    parser.add_argument("-size", type=int, default=3)
    parser.add_argument("-runs", type=int, default=5)
    parser.add_argument("etcd", nargs="+", type=Path)
    options = parser.parse_args()
    for etcd in options.etcd:
        rows = [_measure(etcd.resolve(), options.size) for _ in range(options.runs)]
        title = f"one of {options.size} members replaced, {stand.version(etcd)}"
        stand.print_table(title, ("bare etcd", "task", "healed", "floor"), rows)


def _measure(etcd: Path, size: int) -> tuple[float, ...]:
    """Seconds of (bare repair, trivial task, our repair, floor)."""
    with tempfile.TemporaryDirectory(prefix="etcd-mesos-bench-") as name:
        folder = Path(name)
        bare = _bare(etcd, size, folder)
        with running(folder / "mesos", master_port=0, agent_port=0, agents=size + 1) as mesos:
            task = stand.trivial_task(mesos)
            with stand.scheduler(mesos, etcd, size, folder) as admin:
                return bare, task, _healed(admin), bare + task


def _bare(etcd: Path, size: int, folder: Path) -> float:
    members = stand.start_bare_cluster(etcd, size, folder)
    time.sleep(CONNECTED)
    last = members[-1]
    dead = Gateway(f"http://127.0.0.1:{last.client}").status().member_id
    gateway = Gateway(f"http://127.0.0.1:{members[0].client}")
    ports = (stand.free_port(), stand.free_port())
    last.kill()
    began = time.monotonic()
    _until_done(lambda: gateway.remove_member(dead))
    added = gateway.add_learner([f"http://127.0.0.1:{ports[0]}"])
    cluster = ",".join(f"{m.name}=http://127.0.0.1:{m.peer}" for m in members[:-1])
    cluster += f",fresh=http://127.0.0.1:{ports[0]}"
    members[-1] = stand.start_bare(etcd, folder, "fresh", ports, cluster, "existing")
    _until_done(lambda: gateway.promote(added.id))
    taken = time.monotonic() - began
    for member in members:
        member.kill()
    return taken


def _until_done(change: Callable[[], object]) -> None:
    """Ask again for as long as etcd refuses: there may be no leader, or the learner is behind."""

    def done() -> bool:
        try:
            change()
        except GatewayError:
            return False
        return True

    stand.until(done, "the bare repair")


def _healed(admin: int) -> float:
    """Kill the executor of one member; until the cluster is whole without it."""
    stand.until(lambda: stand.get(admin, "/stats").get("phase") == "healthy", "the scheduler")
    time.sleep(CONNECTED)
    victim = next(m for m in stand.get(admin, "/stats")["members"] if not m["leader"])
    began = time.monotonic()
    os.kill(_executor(victim["sandbox"]), signal.SIGKILL)

    def whole() -> bool:
        now = stand.get(admin, "/stats")
        names = [member["name"] for member in now.get("members", [])]
        return now.get("phase") == "healthy" and victim["name"] not in names

    stand.until(whole, "the repair")
    return time.monotonic() - began


def _executor(sandbox: str) -> int:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            if os.readlink(entry / "cwd") == sandbox and b"-etcd-bin=./etcd" in command:
                return int(entry.name)
        except OSError:
            continue
    raise SystemExit(f"bench: no executor in {sandbox}")


if __name__ == "__main__":
    main()
