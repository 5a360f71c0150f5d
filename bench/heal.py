"""Time from kill -9 of one executor to a whole cluster, beside its floor measured in the same run.

    python bench/heal.py [-size 3] [-runs 5] ETCD [ETCD ...]

The floor is the same repair done by a bare script that knows at once who died: remove the member,
add a learner, start it, promote it; plus what the same Mesos takes to bring a trivial command task
from its offer to TASK_RUNNING.

The columns before ours tell where the time goes: when the death was known, when the new member's
task was launched (the dead one removed, the new one added), and when its executor was up.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stand

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.embedded import running

STEPS = 4
"""Noticed, launched, starting, healed."""
CONNECTED = 5.5
"""etcd refuses to add a member while its voters have been connected for less than 5 s."""


def main() -> None:
    """Measure and print a table; exit status 1 when a measurement does not come to its end."""
    stand.measure(
        "time from a member's death to a whole cluster",
        lambda size: f"one of {size} members replaced",
        ("bare etcd", "task", "noticed", "launched", "starting", "healed", "floor"),
        _measure,
    )


def _measure(etcd: Path, size: int, block: int) -> tuple[float, ...]:
    """Seconds of each column."""
    with tempfile.TemporaryDirectory(prefix="etcd-mesos-bench-") as name:
        folder = Path(name)
        bare = _bare(etcd, size, folder, block)
        options = {"master_port": 0, "agent_port": 0, "agents": size + 1, "first_port": block}
        with running(folder / "mesos", **options) as mesos:
            task = stand.trivial_task(mesos)
            with stand.scheduler(mesos, etcd, size, folder, block) as admin:
                return bare, task, *_healed(admin, size), bare + task


def _bare(etcd: Path, size: int, folder: Path, block: int) -> float:
    members = stand.start_bare_cluster(etcd, size, folder, block)
    time.sleep(CONNECTED)
    last = members[-1]
    dead = Gateway(f"http://127.0.0.1:{last.client}").status().member_id
    gateway = Gateway(f"http://127.0.0.1:{members[0].client}")
    ports = stand.bare_ports(block, size)
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


def _healed(admin: int, size: int) -> tuple[float, ...]:
    """Kill the executor of one member; seconds until each step, the last one being that
    the cluster is whole without it."""
    stand.until(lambda: stand.get(admin, "/stats").get("phase") == "healthy", "the scheduler")
    time.sleep(CONNECTED)
    victim = next(m for m in stand.get(admin, "/stats")["members"] if not m["leader"])
    executor = stand.executor_of(victim["sandbox"])
    reached: list[float] = []
    began = time.monotonic()
    os.kill(executor, signal.SIGKILL)

    def whole() -> bool:
        done = _steps_done(stand.get(admin, "/stats"), victim["name"], size)
        reached.extend([time.monotonic() - began] * (done - len(reached)))
        return done == STEPS

    stand.until(whole, "the repair")
    return tuple(reached)


def _steps_done(stats: dict[str, Any], dead: str, size: int) -> int:
    """How many of noticed, launched, starting and healed have come to pass."""
    if stats.get("phase") == "healthy":
        gone = all(member["name"] != dead for member in stats["members"])
        return STEPS if gone and len(stats["members"]) == size else 0
    steps = [member["step"] for member in stats.get("members", []) if member["type"] == "existing"]
    if "joining" in steps or "voter" in steps:
        return 3
    return 2 if "launching" in steps else int("members" in stats)


if __name__ == "__main__":
    main()
