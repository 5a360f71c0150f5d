"""A majority dies with its executors: a new cluster grows from the survivor, with all it had."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.end_to_end.stand import BIN, executor_process, get, stats, until
from tests.end_to_end.test_healing import cluster

BUMP = 1_000_000_000


def test_two_of_three_killed_at_once(tmp_path: Path) -> None:
    """Proven by the dead: at once, under a new cluster id, and revisions only go up.  The dry run
    and the history say so, and the survivor's data is kept aside."""
    with cluster(tmp_path, 3, spare=1) as here:
        before = stats(here.admin)
        revision = _revision(here.etcdctl("get", "key", "-w", "json"))
        assert "quorum is not gone" in _ctl(here.admin, "reseed", "-dry-run=true")
        gone = [name for name in here.members() if name != "etcd-2"]
        for name in gone:
            os.kill(executor_process(tmp_path, name), signal.SIGKILL)
        until(lambda: stats(here.admin)["cluster_reseeds"] and here.serves(), "a cluster serves")
        here.heals_without(*gone)
        after = stats(here.admin)
        (told,) = after["reseeds"]
        assert (told["member"], told["proven"], told["by_operator"]) == ("etcd-2", True, False)
        assert told["revision"] >= revision
        assert after["generation"] > before["generation"]
        assert after["cluster_id"] != before["cluster_id"]
        assert _revision(here.etcdctl("get", "key", "-w", "json")) > BUMP
        assert f"aside/etcd-2-{after['generation']}" in after["kept"]["etcd-2"]
        assert "reseeded from etcd-2" in get(here.admin, "/events")[1]


def _revision(answer: str) -> int:
    return int(json.loads(answer)["header"]["revision"])


def _ctl(admin: str, *words: str) -> str:
    done = subprocess.run(
        [str(BIN / "etcd-mesos-ctl"), f"-admin={admin}", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
