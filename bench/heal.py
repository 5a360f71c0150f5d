"""Time from kill -9 of one executor to a whole cluster, beside its floor measured in the same run.

    python bench/heal.py [-size 3] [-runs 5] ETCD [ETCD ...]

The floor is the same repair done by a bare script that knows at once who died: remove the member,
add a learner, start it, promote it; plus what the same Mesos takes to bring a trivial command task
from its offer to TASK_RUNNING.

The columns before ours tell where the time goes: when the death was known, when the new member's
task was launched (the dead one removed, the new one added), when its executor was about to start
etcd, and when that had caught up and its promotion began.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import stand

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.embedded import running

STEPS = (
    ("task", "is TASK_FAILED"),
    ("launch", ""),
    ("member", "is joining"),
    ("change", "promote"),
    ("phase", "-> healthy"),
)
"""Kind and words of the first event of each step."""
CONNECTED = 5.5
"""etcd refuses to add a member while its voters have been connected for less than 5 s."""


def main() -> None:
    """Measure and print a table; exit status 1 when a measurement does not come to its end."""
    stand.measure(
        "time from a member's death to a whole cluster",
        lambda size: f"one of {size} members replaced",
        ("bare etcd", "task", "noticed", "launched", "starting", "caught up", "healed", "floor"),
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
    said = [Gateway(f"http://127.0.0.1:{member.client}").status() for member in members]
    # As in ours, nobody has to be elected.
    follower = next(n for n, word in enumerate(said) if word.member_id != word.leader)
    dead, victim = said[follower].member_id, members.pop(follower)
    gateway = Gateway(f"http://127.0.0.1:{members[0].client}")
    ports = stand.bare_ports(block, size)
    victim.kill()
    began = time.monotonic()
    _until_done(lambda: gateway.remove_member(dead))
    added = gateway.add_learner([f"http://127.0.0.1:{ports[0]}"])
    cluster = ",".join(f"{m.name}=http://127.0.0.1:{m.peer}" for m in members)
    cluster += f",fresh=http://127.0.0.1:{ports[0]}"
    members.append(stand.start_bare(etcd, folder, "fresh", ports, cluster, "existing"))
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
    the cluster is whole without it.

    They are worked out from the scheduler's own events: whoever asks it all the time slows it down.
    """
    stand.until(lambda: stand.get(admin, "/stats").get("phase") == "healthy", "the scheduler")
    time.sleep(CONNECTED)
    victim = next(m for m in stand.get(admin, "/stats")["members"] if not m["leader"])
    executor = stand.executor_of(victim["sandbox"])
    began = datetime.now(UTC)
    os.kill(executor, signal.SIGKILL)
    stand.until(lambda: _whole(stand.get(admin, "/stats"), victim["name"], size), "the repair", 0.1)
    since = [
        (event["kind"], event["text"], (at - began).total_seconds())
        for event in stand.get(admin, "/events")
        if (at := datetime.fromisoformat(event["time"])) >= began
    ]
    return tuple(
        next(after for kind, text, after in since if kind == of and words in text)
        for of, words in STEPS
    )


def _whole(stats: dict[str, Any], dead: str, size: int) -> bool:
    names = [member["name"] for member in stats.get("members", [])]
    return stats.get("phase") == "healthy" and len(names) == size and dead not in names


if __name__ == "__main__":
    main()
