"""A cluster by one command: it comes up, serves, survives a crash of etcd, and leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.stand import (
    Daemon,
    etcd_binary,
    etcd_process,
    get,
    local,
    processes_below,
    stats,
    until,
)


def etcdctl(version: str, endpoints: str, *arguments: str) -> str:
    """What etcdctl prints; fails the test if it fails."""
    done = subprocess.run(
        [
            str(etcd_binary(version, "etcdctl")),
            f"--endpoints={endpoints}",
            "--command-timeout=30s",
            *arguments,
        ],
        capture_output=True,
        text=True,
        env={"ETCDCTL_API": "3"},
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def admin_of(daemon: Daemon) -> str:
    """host:port of the scheduler's admin interface, from what the local command prints."""
    return daemon.wait_for("dashboard: http://").split("/")[0]


@pytest.mark.parametrize(
    ("size", "version"), [(3, "3.5.30"), (3, "3.4.23"), (1, "3.5.30"), (5, "3.4.23")]
)
def test_a_gang_becomes_a_healthy_cluster(tmp_path: Path, size: int, version: str) -> None:
    """All members serve on agents of their own, and Ctrl-C leaves no process and no port."""
    etcd = etcd_binary(version)
    with local(tmp_path, f"-cluster-size={size}", f"-etcd-bin={etcd}") as daemon:
        endpoints = daemon.wait_for("client endpoints:")
        admin = admin_of(daemon)
        said = etcdctl(version, endpoints, "endpoint", "health")
        assert said.count("is healthy") == size
        assert get(admin, "/healthz") == (200, f"healthy: {size} of {size} members\n")
        said_of = stats(admin)
        assert (said_of["phase"], said_of["healthy"]) == ("healthy", 1)
        status, page = get(admin, "/")
        assert status == 200
        assert all(member["clientURL"] in page for member in said_of["members"])
        assert len({member["slaveID"] for member in said_of["members"]}) == size
        assert all(member["version"] == version for member in said_of["members"])
        assert daemon.end(signal.SIGINT) == 0
    assert processes_below(tmp_path) == []
    ports = [(m["host"], m["clientPort"]) for m in said_of["members"]]
    for address in [*ports, tuple(admin.split(":"))]:
        with socket.socket() as probe:
            assert probe.connect_ex((address[0], int(address[1]))) != 0


def test_an_etcd_killed_with_9_is_restarted_in_place_with_its_data(tmp_path: Path) -> None:
    """The same member, the same task, the same data; and the cluster is healthy again."""
    version = "3.5.30"
    with local(tmp_path, f"-etcd-bin={etcd_binary(version)}") as daemon:
        endpoints = daemon.wait_for("client endpoints:")
        admin = admin_of(daemon)
        etcdctl(version, endpoints, "put", "key", "kept")
        before = {m["name"]: (m["id"], m["task"]) for m in stats(admin)["members"]}
        pid = etcd_process(tmp_path, "etcd-1")
        os.kill(pid, signal.SIGKILL)
        until(lambda: _other_pid(tmp_path, pid), "a new etcd process of etcd-1")
        first = endpoints.split(",")[0]
        until(lambda: _answers(version, first), "etcd-1 serves again")
        assert etcdctl(version, first, "get", "key", "--print-value-only").strip() == "kept"
        until(lambda: stats(admin)["phase"] == "healthy", "healthy again")
        assert {m["name"]: (m["id"], m["task"]) for m in stats(admin)["members"]} == before


def _other_pid(folder: Path, pid: int) -> bool:
    try:
        return etcd_process(folder, "etcd-1") != pid
    except AssertionError:
        return False


def _answers(version: str, endpoint: str) -> bool:
    try:
        etcdctl(version, endpoint, "endpoint", "health", "--command-timeout=2s")
    except AssertionError:
        return False
    return True


def test_the_daemons_started_one_by_one_work_the_same_way(tmp_path: Path) -> None:
    """The seed's own invocation, against a Mesos that runs on its own."""
    etcd = etcd_binary("3.5.30")
    with local(tmp_path, "-mesos-only", "-agents=3") as mesos:
        master = mesos.wait_for("Mesos master: http://").split(" ")[0]
        scheduler = Daemon(
            "etcd-mesos-scheduler",
            f"-log_dir={tmp_path}/log",
            f"-master={master}",
            "--cluster-name",
            "mycluster",
            "-cluster-size=3",
            f"-executor-bin={Path('bin/etcd-mesos-executor').resolve()}",
            f"-etcd-bin={etcd}",
            "-admin-port=0",
            "-artifact-port=0",
        )
        try:
            log = tmp_path / "log" / "etcd-mesos-scheduler.log"
            until(lambda: log.exists() and "-> healthy: " in log.read_text(), "healthy")
            assert '"name":"etcd-mycluster"' in get(master, "/state")[1].replace(": ", ":")
        finally:
            assert scheduler.end(signal.SIGTERM) == 0
        # The cluster goes on without its scheduler: the framework's failover time-out has begun.
        assert etcd_process(tmp_path, "etcd-1")
