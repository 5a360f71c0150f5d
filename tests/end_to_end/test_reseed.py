"""A majority is gone: a new cluster grows from the best survivor, and of what was acknowledged
nothing is missing but what is told.

In every story a writer writes until the moment quorum goes, and remembers what was acknowledged.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.acknowledged import call, keys, loss, put
from tests.end_to_end.reseeds import (
    QUICK_TO_LOSE,
    TIMEOUT,
    Cluster,
    cluster,
    etcd_of,
    executor_of,
    running,
    stopped,
)
from tests.end_to_end.schedulers import healthy, listed, seen
from tests.end_to_end.stand import BIN, get, processes_below, until


@pytest.mark.parametrize("version", ["3.4.23", "3.5.30"])
def test_two_of_three_are_killed(tmp_path: Path, version: str) -> None:
    """Proven by the dead: at once, under a new cluster id.  The dry run and the history say so, and
    what the survivor had is kept aside."""
    with cluster(tmp_path, 3, version) as here:
        before = here.stats()
        assert "quorum is not gone" in ctl(here, "reseed", "-dry-run=true")
        with here.writing():
            here.kill("etcd-1", "etcd-2")
        told = here.reseeded()
        assert (told["member"], told["proven"], told["by_operator"]) == ("etcd-3", True, False)
        # Only newer tools can raise revisions.
        assert told["bump"] >= 10**9 if version != "3.4.23" else told["bump"] == 0
        here.kept_what_it_promised(told)
        after = here.stats()
        assert after["cluster_id"] != before["cluster_id"]
        assert after["cluster_reseeds"] == 1
        assert f"aside/etcd-3-{told['generation']}" in after["kept"]["etcd-3"]
        assert "reseeded from etcd-3" in ctl(here, "events")
        assert get(here.scheduler.admin, "/healthz")[0] == 200


def ctl(here: Cluster, *words: str) -> str:
    """What etcd-mesos-ctl prints."""
    command = [str(BIN / "etcd-mesos-ctl"), f"-admin={here.scheduler.admin}", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.4.23", "3.5.30"])
def test_four_of_five_are_killed(tmp_path: Path, version: str) -> None:
    """Then five again, by ordinary healing, with all that the survivor had, and all that clients
    wrote meanwhile."""
    with cluster(tmp_path, 5, version) as here:
        gone = ["etcd-1", "etcd-2", "etcd-4", "etcd-5"]
        with here.writing():
            here.kill(*gone)
            told = here.reseeded()
            assert (told["member"], told["proven"]) == ("etcd-3", True)
            said = healthy(here.scheduler)
        here.kept_what_it_promised(told)
        assert said["cluster_reseeds"] == 1
        assert len(said["members"]) == 5
        assert not set(gone) & set(here.members())
        assert listed(here.stand, here.scheduler) == sorted(here.members())


def test_a_survivor_that_was_restarted_without_quorum_is_measured_on_a_copy(tmp_path: Path) -> None:
    """It answers no client, so there is no live snapshot; the data itself is not changed."""
    with cluster(tmp_path) as here:
        scheduler = here.scheduler.daemon.process.pid
        with here.writing(), stopped(scheduler):
            here.kill("etcd-1", "etcd-2")
            first = etcd_of(here, "etcd-3")
            here.kill_etcds("etcd-3")
            until(lambda: restarted(here, "etcd-3", first), "restarted in place")
        told = here.reseeded()
        assert told["member"] == "etcd-3"
        here.kept_what_it_promised(told)


def restarted(here: Cluster, name: str, before: int) -> bool:
    try:
        return etcd_of(here, name) != before
    except AssertionError:
        return False


def test_a_full_survivor_becomes_the_seed(tmp_path: Path) -> None:
    """NOSPACE: it refuses writes and gives its snapshot; the alarm goes with the data, and is the
    operator's to disarm."""
    with cluster(tmp_path, 3, "3.5.30", "-etcd-option=quota-backend-bytes=2000000") as here:
        with here.writing():
            fill(here.urls["etcd-3"])
        until(lambda: any(f["name"] == "nospace" for f in here.stats()["findings"]), "it is found")
        here.kill("etcd-1", "etcd-2")
        told = here.reseeded()
        url = here.members()["etcd-3"]["clientURL"]
        with pytest.raises(OSError, match="space exceeded"):
            put(url, "more", "than there is")
        until(lambda: "NOSPACE" in get(here.scheduler.admin, "/healthz")[1], "it is said")
        make_room(url)
        here.kept_what_it_promised(told)


def fill(client_url: str) -> None:
    """Write until the store takes no more."""
    with suppress(ConnectionError):
        for _ in range(100):
            put(client_url, "big", "x" * 100_000)
        raise AssertionError("the store takes everything")


def make_room(client_url: str) -> None:
    """As an operator would; what is old was compacted when revisions were raised."""
    call(client_url, "/v3/maintenance/defragment", {})
    for alarm in call(client_url, "/v3/maintenance/alarm", {}).get("alarms", ()):
        call(client_url, "/v3/maintenance/alarm", {"action": "DEACTIVATE", **alarm})


def test_the_best_survivors_disk_is_bad(tmp_path: Path) -> None:
    """Nothing can be written to it any more: the next one is the seed, and what only the best one
    had is missing and told."""
    with cluster(tmp_path, 5) as here:
        (here.sandbox("etcd-4") / "reseed").write_text("where a folder has to be")
        with here.writing("etcd-1", "etcd-2", "etcd-3", "etcd-4") as writer:
            # The others are a quorum without etcd-5, which stands still until it is held.
            with stopped(etcd_of(here, "etcd-5")):
                least = here.highest() + 20
                until(lambda: here.stats()["highest_revision"] > least, "etcd-5 is behind")
                here.kill("etcd-1", "etcd-2", "etcd-3")
                writer.stop()
                told = here.reseeded()
        assert told["member"] == "etcd-5"
        assert "etcd-4 could not be copied" in ctl(here, "events")
        assert here.kept_what_it_promised(told)
        assert told["highest_revision"] > told["revision"]
        until(lambda: "etcd-4" not in here.members(), "etcd-4 is of the past")


def test_the_old_majority_comes_back_before_the_seed_starts(tmp_path: Path) -> None:
    """The holds are released and nothing was reseeded; every etcd serves the same cluster again."""
    with cluster(tmp_path, 5, mesos=QUICK_TO_LOSE) as here:
        before, lost = here.members(), ["etcd-1", "etcd-2", "etcd-3"]
        agents = [before[name]["hostname"] for name in lost]
        away = [etcd_of(here, name) for name in lost]
        held = etcd_of(here, "etcd-5")
        with here.writing() as writer:
            # While its executor stands still, nobody knows whether etcd-4 is held.
            with stopped(etcd_of(here, "etcd-4"), executor_of(here, "etcd-4")):
                with stopped(*away):
                    for agent in agents:
                        here.tell("agent/lose", agent=agent)
                    until(lambda: not running(held), "etcd-5 is held", 0.01)
                    writer.stop()
                    assert here.stage() == "holding"
                for agent in agents:
                    here.tell("agent/return", agent=agent)
                seen(lambda: here.stage() in ("releasing", ""), "the hold is released")
        healthy(here.scheduler)
        assert here.stats()["cluster_reseeds"] == 0
        kept = [(m["name"], m["id"], m["task"]) for m in here.members().values()]
        assert kept == [(m["name"], m["id"], m["task"]) for m in before.values()]
        assert loss(here.writers, here.urls["etcd-5"]).missing == ()


def test_two_of_three_hosts_go_out_of_reach_and_come_back(tmp_path: Path) -> None:
    """Reseeded after the time-out, once Mesos has given them up; then the old members are shut out
    and killed, and not one byte of theirs gets into the new cluster."""
    with cluster(tmp_path, mesos=QUICK_TO_LOSE) as here:
        hosts = {name: here.members()[name]["hostname"] for name in ("etcd-1", "etcd-2")}
        old = [find(here, name) for name in hosts for find in (etcd_of, executor_of)]
        with here.writing() as writer:
            with stopped(*old):
                began = time.monotonic()
                # One host is cut off, the other one stands still.
                here.tell("agent/lose", agent=hosts["etcd-1"])
                here.tell("agent/pause", agent=hosts["etcd-2"])
                writer.stop()
                told = here.reseeded()
                assert time.monotonic() - began >= TIMEOUT
                assert not told["proven"]
                assert "a second cluster may have served" in told["text"]
            with here.writing(*hosts, name="old") as at_the_old_one:
                for agent in hosts.values():
                    here.tell("agent/return", agent=agent)
                until(lambda: not any(map(running, old)), "the old members end")
        assert not set(hosts) & set(here.members())
        here.writers.remove(at_the_old_one)
        here.kept_what_it_promised(told)
        url = here.members()["etcd-3"]["clientURL"]
        assert not [key for key in keys(url) if key.startswith("old")]


def test_every_etcd_is_killed_and_then_every_executor(tmp_path: Path) -> None:
    """The first ends in a restart in place, the second in `lost`: nothing is bootstrapped, and why
    lists where the data lies."""
    with cluster(tmp_path) as here:
        before = here.stats()
        with here.writing():
            here.kill_etcds("etcd-1", "etcd-2", "etcd-3")
            # It may be over before anybody asks: /events has what was.
            until(lambda: "healthy -> degraded" in ctl(here, "events"), "it is noticed")
            healthy(here.scheduler)
        after = here.stats()
        assert (after["cluster_id"], after["cluster_reseeds"]) == (before["cluster_id"], 0)
        assert list(here.members()) == ["etcd-1", "etcd-2", "etcd-3"]
        assert loss(here.writers, here.urls["etcd-1"]).missing == ()
        folders = [str(here.sandbox(name)) for name in here.members()]
        here.kill("etcd-1", "etcd-2", "etcd-3")
        until(lambda: here.stats()["phase"] == "lost", "lost")
        time.sleep(2.0)
        assert here.stats()["phase"] == "lost"
        assert all(folder in here.why() for folder in folders)
        assert here.stats()["generation"] == before["generation"]
        assert not [line for line in processes_below(tmp_path) if "--name=etcd-" in line]
