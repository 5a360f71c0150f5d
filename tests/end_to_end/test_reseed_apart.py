"""Who cannot be seen may serve all the same: what happens when a majority, or the scheduler, is
parted from the rest."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.acknowledged import PREFIX, Writer, loss
from tests.end_to_end.networks import Doors, move, other_network
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
from tests.end_to_end.schedulers import healthy
from tests.end_to_end.stand import etcd_binary, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

PARTED = ("etcd-1", "etcd-2")


def test_a_majority_that_is_parted_and_serves(tmp_path: Path) -> None:
    """By the policy `proven` nothing is begun.  By `timeout` it is, once Mesos has given them up,
    and a second cluster is said to be possible, which there is; it is killed when it comes back,
    and what was written to it is missing and told."""
    with (
        other_network() as elsewhere,
        cluster(tmp_path, 3, "3.5.30", *PROVEN, mesos=QUICK_TO_LOSE) as here,
    ):
        hosts = {name: here.members()[name]["hostname"] for name in PARTED}
        survivor = etcd_of(here, "etcd-3")
        with here.writing():
            for name, agent in hosts.items():
                here.tell("agent/lose", agent=agent)
                move(here.sandbox(name), elsewhere)
            here.kill_etcds(*PARTED)
            until(lambda: "may still serve out of reach" in here.why(), "the policy holds it back")
        old = Writer(())
        here.writers.append(old)
        until(lambda: put_elsewhere(here, elsewhere, old), "the majority serves")

        time.sleep(2 * TIMEOUT)
        assert "may still serve out of reach" in here.why()
        assert (here.stage(), here.stats()["generation"]) == ("", here.generation)
        assert etcd_of(here, "etcd-3") == survivor

        here.restart_scheduler("-reseed-policy=timeout")
        began = time.monotonic()
        told = here.reseeded()
        assert time.monotonic() - began >= TIMEOUT
        assert not told["proven"]
        assert "a second cluster may have served" in told["text"]
        assert put_elsewhere(here, elsewhere, old)
        processes = [find(here, name) for name in PARTED for find in (etcd_of, executor_of)]
        for agent in hosts.values():
            here.tell("agent/return", agent=agent)
        until(lambda: not any(map(running, processes)), "the old members end")
        assert not put_elsewhere(here, elsewhere, old)
        missing = here.kept_what_it_promised(told)
        assert set(old.acknowledged.values()) <= set(missing)


PROVEN = ("-reseed-policy=proven",)


def put_elsewhere(here: Cluster, elsewhere: tuple[str, ...], old: Writer) -> bool:
    """Whether a write is acknowledged by those that were parted."""
    key = f"{PREFIX}old-{len(old.acknowledged)}"
    etcdctl = str(etcd_binary(here.version, "etcdctl"))
    endpoints = ",".join(here.urls[name] for name in PARTED)
    done = subprocess.run(
        [
            *(*elsewhere, etcdctl, f"--endpoints={endpoints}", "--command-timeout=2s"),
            *("put", key, key, "-w=json"),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    if done.returncode == 0:
        old.acknowledged[key] = json.loads(done.stdout)["header"]["revision"]
    return done.returncode == 0


def test_an_executor_that_does_not_confirm_the_hold(tmp_path: Path) -> None:
    """It is ended by SHUTDOWN and is no candidate, though it has the newest data."""
    with cluster(tmp_path, 5) as here:
        with here.writing("etcd-1", "etcd-2", "etcd-3", "etcd-5") as writer:
            deaf = [executor_of(here, "etcd-5"), etcd_of(here, "etcd-5")]
            with stopped(etcd_of(here, "etcd-4")):
                least = here.highest() + 20
                until(lambda: here.stats()["highest_revision"] > least, "etcd-4 is behind")
                with stopped(*deaf):
                    here.kill("etcd-1", "etcd-2", "etcd-3")
                    writer.stop()
                    until(lambda: "etcd-5 to confirm the hold" in here.why(), "it is waited for")
                    told = here.reseeded()
                    until(lambda: not any(map(running, deaf)), "it is ended by force")
        assert told["member"] == "etcd-4"
        assert here.kept_what_it_promised(told)
        assert "etcd-5" not in here.members()


def test_a_scheduler_that_is_cut_off_from_four_of_five(tmp_path: Path) -> None:
    """It cannot reach them, and in the end Mesos cannot either; but the fifth names a leader.  So
    nobody is held and nothing is changed; and all is well when they are seen again."""
    with other_network() as elsewhere, cluster(tmp_path, 5, mesos=QUICK_TO_LOSE) as here:
        doors = Doors(elsewhere)
        before = here.members()
        addresses = {name: url.removeprefix("http://") for name, url in here.urls.items()}
        pids = here.stand.etcds(*before)
        cut = list(before)[:4]
        for address in (here.stand.master, *addresses.values()):
            doors.inward(address)
        here.restart_scheduler(prefix=elsewhere)
        doors.outward(here.scheduler.admin)
        try:
            healthy(here.scheduler)
            for name in cut:
                doors.shut(addresses[name])
            until(lambda: "does not serve with 1 of 5" in here.why(), "it reaches one of five")
            for name in cut:
                here.tell("agent/lose", agent=before[name]["hostname"])
            until(lambda: "etcd-4 is out of reach" in here.why(), "Mesos does not reach them")
            with here.writing():
                time.sleep(2 * TIMEOUT)
            said = here.stats()
            assert (here.stage(), said["quorum_lost_at"], said["generation"]) == ("", "", 1)
            for name in cut:
                here.tell("agent/return", agent=before[name]["hostname"])
            # First Mesos: whoever is out of its reach when a quorum is seen again is replaced.
            until(lambda: "is out of reach" not in here.why(), "Mesos reaches them")
            for name in cut:
                doors.inward(addresses[name])
            healthy(here.scheduler)
        finally:
            doors.shut_all()
        assert here.stand.etcds(*before) == pids
        assert loss(here.writers, here.urls["etcd-1"]).missing == ()
