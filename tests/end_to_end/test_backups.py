"""Backups of a real cluster by the built executables: taken, listed, tried out, refused, secret."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.adapters.backups.peers import TOKEN, UPLOAD_TOKEN, FileServer, file_server
from tests.end_to_end.stand import (
    BIN,
    Daemon,
    etcd_binary,
    executor_process,
    get,
    local,
    stats,
    until,
)

CLUSTER = "demo"
PLANTED = ("planted-http-secret", "planted-upload-secret")


@frozen
class Stand:
    """A healthy cluster whose backups go to `server`."""

    folder: Path
    daemon: Daemon
    server: FileServer
    admin: str
    endpoints: str
    version: str

    def backups(self) -> dict[str, Any]:
        found: dict[str, Any] = stats(self.admin)["backups"]
        return found

    def manifests(self) -> list[dict[str, Any]]:
        """Of those that count, oldest first."""
        files = [json.loads(path.read_text()) for path in self.server.folder.glob("*-e*.json")]
        return sorted(files, key=lambda one: one["taken_at"])

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                BIN / "etcd-mesos-ctl",
                f"-admin={self.admin}",
                f"-token-file={self.folder}/run/admin-token",
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=90,
            env={"PATH": os.environ["PATH"]},
            check=False,
        )

    def ctl_at_the_target(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Without any scheduler."""
        return self.ctl(
            *arguments,
            f"-backup-url={self.server.url}/etcd",
            f"-backup-credentials-file={self.folder}/credentials",
            f"-cluster-name={CLUSTER}",
        )

    def put(self, count: int) -> None:
        """What is acknowledged then is applied at every member: one that merely follows may be
        behind, and so may its snapshot be."""
        endpoints = self.endpoints.split(",")
        for n in range(count):
            self._etcdctl(endpoints[0], "put", f"key-{n}", "value")
        for endpoint in endpoints:
            self._etcdctl(endpoint, "get", "key-0")

    def _etcdctl(self, endpoint: str, *arguments: str) -> None:
        tool = etcd_binary(self.version, "etcdctl")
        subprocess.run(
            [tool, f"--endpoints={endpoint}", *arguments],
            check=True,
            capture_output=True,
            env={"ETCDCTL_API": "3"},
        )


@contextmanager
def stand(folder: Path, version: str) -> Iterator[Stand]:
    (folder / "credentials").write_text(f"{TOKEN}\n{UPLOAD_TOKEN}\n")
    with (
        file_server(folder / "server") as server,
        local(
            folder,
            "-cluster-size=3",
            f"-cluster-name={CLUSTER}",
            f"-etcd-bin={etcd_binary(version)}",
            f"-backup-url={server.url}/etcd",
            f"-backup-credentials-file={folder}/credentials",
        ) as daemon,
    ):
        endpoints = daemon.wait_for("client endpoints:")
        admin = daemon.wait_for("dashboard: http://").split("/")[0]
        yield Stand(folder, daemon, server, admin, endpoints, version)


@pytest.mark.parametrize("version", ["3.4.23", "3.5.30"])
def test_a_life_with_backups(version: str, tmp_path: Path) -> None:
    """The first is taken at once, the next when asked; both are good by every measure; a target
    that refuses is told and keeps nothing else from being done; no secret shows anywhere."""
    with stand(tmp_path, version) as here:
        until(lambda: here.backups()["count"] == 1, "the first backup")
        here.put(7)
        asked = here.ctl("backup", "now")
        assert asked.returncode == 0, asked.stderr
        until(lambda: here.backups()["count"] == 2, "the second backup")
        _tried_out(here)
        _refused(here)
        _told(here)
        _nothing_secret(here)


def _tried_out(here: Stand) -> None:
    newest = here.backups()["newest"]
    listed = here.ctl("backup", "list")
    assert listed.returncode == 0, listed.stderr
    assert newest["name"] in listed.stdout
    assert here.ctl_at_the_target("backup", "list").stdout == listed.stdout
    read_back = here.ctl_at_the_target("backup", "verify")
    assert "is whole" in read_back.stdout, read_back.stderr
    file = here.folder / "fetched.db"
    fetched = here.ctl_at_the_target("backup", "fetch", f"-to={file}")
    assert fetched.returncode == 0, fetched.stderr
    assert hashlib.sha256(file.read_bytes()).hexdigest() == newest["sha256"]
    assert here.ctl_at_the_target("backup", "fetch", f"-to={file}").returncode == 2
    tried = here.ctl_at_the_target(
        "backup", "verify", "-restore", f"-etcd-bin={etcd_binary(here.version)}"
    )
    assert "is good: 7 keys at revision 8" in tried.stdout, tried.stderr


def _told(here: Stand) -> None:
    """In /events and /metrics."""
    events = json.loads(get(here.admin, "/events")[1])
    told = [one["text"] for one in events if one["kind"] == "backup"]
    assert sum("counts" in text for text in told) == 3, events
    assert sum("refuses it with 507" in text for text in told) == 1, told
    metrics = get(here.admin, "/metrics")[1]
    assert "etcd_mesos_backup_count 3.0" in metrics
    assert 'etcd_mesos_findings{name="backup"} 0.0' in metrics


def _refused(here: Stand) -> None:
    here.server.faults.refuse = 507
    assert here.ctl("backup", "now").returncode == 0
    until(lambda: here.backups()["failures_in_a_row"] == 1, "a failure")
    shown = stats(here.admin)
    assert shown["phase"] == "healthy"
    assert [f["name"] for f in shown["findings"]] == ["backup"]
    assert "refuses it with 507" in shown["why"]
    assert here.backups()["count"] == 2
    here.server.faults.refuse = 0
    assert here.ctl("backup", "now").returncode == 0
    until(lambda: here.backups()["count"] == 3, "the next backup")
    assert stats(here.admin)["findings"] == []
    files = here.server.stored()
    assert sum(name.endswith(".db") for name in files) == 3
    assert sum(name.endswith(".json") for name in files) == 4  # the index, too


def _nothing_secret(here: Stand) -> None:
    """Not in what any process is told or says, and not in what Mesos shows."""
    master = next(p for p in here.daemon.lines if "Mesos master:" in p).split()[2]
    shown = {
        "master's state": get(master.removeprefix("http://"), "/state")[1],
        "argument lists": subprocess.check_output(["ps", "-eww", "-o", "args"], text=True),
        "output": "\n".join(here.daemon.drain()),
        **{
            path: get(here.admin, path)[1] for path in ("/stats", "/backups", "/events", "/metrics")
        },
    }
    for path in (here.folder / "run").rglob("*"):
        if path.is_file() and path.stat().st_size < 1 << 24 and "data" not in path.parts:
            shown[str(path)] = path.read_bytes().decode(errors="replace")
    assert any("executor" in name for name in shown), "the executors' logs were not looked at"
    found = [where for where, text in shown.items() for word in PLANTED if word in text]
    assert found == []
    assert json.loads(shown["/backups"])["backups"]


def test_whoever_dies_on_the_way_leaves_no_half_backup(tmp_path: Path) -> None:
    """The executor is killed while a backup is under way: nothing half is
    listed, the one before stays, and the next one counts."""
    with stand(tmp_path, "3.5.30") as here:
        until(lambda: here.backups()["count"] == 1, "the first backup")
        [first] = _names(here)
        here.server.faults.stall_after = 0
        _begin(here)
        member = here.backups()["under_way"]["member"]
        os.kill(executor_process(tmp_path, member), signal.SIGKILL)
        until(lambda: here.backups()["failures_in_a_row"], "the failure")
        here.server.faults.free.set()
        assert _names(here) == [first]
        here.server.faults.stall_after = -1
        until(lambda: stats(here.admin)["phase"] == "healthy", "health again")
        assert here.ctl("backup", "now").returncode == 0
        until(lambda: here.backups()["count"] > 1, "the next backup")
        assert _names(here)[-1] == first
        for name in _names(here):
            assert f"{name}.db" in here.server.stored()


def test_what_a_reseed_grows_from_is_backed_up_and_what_has_grown(tmp_path: Path) -> None:
    """Two of three die: the survivor's snapshot is sent from its sandbox, and told from those that
    a quorum stood behind; the new cluster has a backup of its own at once."""
    with stand(tmp_path, "3.5.30") as here:
        until(lambda: here.backups()["count"] == 1, "the first backup")
        here.put(7)
        for member in ("etcd-2", "etcd-3"):
            os.kill(executor_process(tmp_path, member), signal.SIGKILL)
        until(lambda: here.backups()["count"] == 3, "the survivor's, and the new cluster's")
        first, survivors, grown = here.manifests()
        assert [one["survivor"] for one in (first, survivors, grown)] == [False, True, False]
        assert (survivors["member"], survivors["revision"]) == ("etcd-1", 8)
        assert survivors["cluster_id"] == first["cluster_id"] != grown["cluster_id"]
        assert (survivors["generation"], grown["generation"]) == (1, 2)
        assert grown["revision"] > 1_000_000_000
        read_back = here.ctl_at_the_target("backup", "verify", f"-backup={survivors['name']}")
        assert "is whole" in read_back.stdout, read_back.stderr


def _begin(here: Stand) -> None:
    """A backup that gets no further."""
    assert here.ctl("backup", "now").returncode == 0
    until(lambda: (here.backups()["under_way"] or {}).get("stage") == "sending", "it is sent")


def _names(here: Stand) -> list[str]:
    """What counts by the target's own word, newest first."""
    listed = here.ctl_at_the_target("backup", "list").stdout.splitlines()
    return [line.split()[0] for line in listed[1:]]
