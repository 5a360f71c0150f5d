"""Members go where the operator said, on real processes: zones, constraints, replacements."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.end_to_end.stand import (
    Daemon,
    etcd_binary,
    executor_process,
    local,
    stats,
    until,
)

ETCD = f"-etcd-bin={etcd_binary('3.5.30')}"
THREE_ZONES = tuple(f"-agent-domain=eu/eu-{zone}" for zone in (1, 2, 3))
"""Agents 1 and 4 in the first zone, 2 and 5 in the second, 3 in the third."""


def hosts(address: str) -> dict[str, str]:
    return {member["name"]: member["hostname"] for member in stats(address)["members"]}


def dashboard(daemon: Daemon) -> str:
    return daemon.wait_for("dashboard: http://").split("/")[0]


def test_zones_are_spread_over_and_kept(tmp_path: Path) -> None:
    """Three members are in three zones; a dead one is replaced in its own, which has no other."""
    with local(tmp_path, "-agents=5", *THREE_ZONES, ETCD, "-probe-interval-seconds=0.5") as daemon:
        address = dashboard(daemon)
        assert set(hosts(address).values()) == {"127.0.0.11", "127.0.0.12", "127.0.0.13"}
        os.kill(executor_process(tmp_path, "etcd-3"), signal.SIGKILL)

        def healed() -> dict[str, str]:
            now = stats(address)
            there = {member["name"]: member["hostname"] for member in now["members"]}
            return there if now["phase"] == "healthy" and "etcd-3" not in there else {}

        found: dict[str, str] = until(healed, "healthy without etcd-3")
        assert set(found.values()) == {"127.0.0.11", "127.0.0.12", "127.0.0.13"}


def test_constraints_decide(tmp_path: Path) -> None:
    """Only agents that match get a member; that others do not is said as long as members lack."""
    with local(
        tmp_path,
        "-agents=5",
        *THREE_ZONES,
        "-agent-attributes=node:n%n;disk:ssd",
        "-constraints=node:UNLIKE:n1|n2,disk:CLUSTER:ssd",
        ETCD,
    ) as daemon:
        address = dashboard(daemon)
        assert set(hosts(address).values()) == {"127.0.0.13", "127.0.0.14", "127.0.0.15"}


def test_what_cannot_be_placed_is_said(tmp_path: Path) -> None:
    """Two zones do not hold three members that must be apart: `why` counts who is excluded."""
    with local(
        tmp_path,
        "-agents=4",
        "-agent-domain=eu/eu-1",
        "-agent-domain=eu/eu-2",
        "-constraints=@zone:UNIQUE",
        ETCD,
    ) as daemon:
        daemon.wait_for_part("2 of 3 members have a place (2 agents excluded by @zone:UNIQUE)")
