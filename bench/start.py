"""Time from scheduler start to a healthy cluster, beside its floor measured in the same run.

    python bench/start.py [-size 3] [-runs 5] ETCD [ETCD ...]

The floor is the least that any framework needs: the same number of bare etcd processes, started by
a script, each once the one before answers its peers, until every one of them serves; plus what the
same Mesos takes to bring a trivial command task from its offer to TASK_RUNNING.  The three are
measured in turn, run by run, on one machine.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import stand

from etcdmesos.embedded import running


def main() -> None:
    """Measure and print a table; exit status 1 when a measurement does not come to its end."""
    stand.measure(
        "time from scheduler start to healthy",
        lambda size: f"start of {size} members",
        ("bare etcd", "task", "healthy", "floor"),
        _measure,
    )


def _measure(etcd: Path, size: int, block: int) -> tuple[float, ...]:
    """Seconds of (bare etcd, trivial task, scheduler to healthy, floor)."""
    with tempfile.TemporaryDirectory(prefix="etcd-mesos-bench-") as name:
        folder = Path(name)
        bare = _bare(etcd, size, folder, block)
        options = {"master_port": 0, "agent_port": 0, "agents": size, "first_port": block}
        with running(folder / "mesos", **options) as mesos:
            task = stand.trivial_task(mesos)
            began = time.monotonic()
            with stand.scheduler(mesos, etcd, size, folder, block) as admin:
                stand.until(
                    lambda: stand.get(admin, "/stats").get("phase") == "healthy", "the scheduler"
                )
                return bare, task, time.monotonic() - began, bare + task


def _bare(etcd: Path, size: int, folder: Path, block: int) -> float:
    began = time.monotonic()
    members = stand.start_bare_cluster(etcd, size, folder, block)
    taken = time.monotonic() - began
    for member in members:
        member.kill()
    return taken


if __name__ == "__main__":
    main()
