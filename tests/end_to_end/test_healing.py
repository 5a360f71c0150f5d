"""What is lost is replaced: N voters again, all data there, every survivor's process untouched.

One cluster of five goes through most of it, one thing after the other, as a cluster does in its
life: etcd lets nobody join one whose members were not connected for 5 s, so a new cluster for every
story would mostly wait.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.end_to_end.stand import (
    Daemon,
    etcd_binary,
    etcd_process,
    executor_process,
    get,
    local,
    stats,
    until,
)

VERSION = "3.5.30"
MEMBER_TIMEOUT = 6.0


@frozen
class Cluster:
    """A healthy cluster that holds one key."""

    daemon: Daemon
    folder: Path
    admin: str
    control: str
    size: int

    def members(self) -> dict[str, dict[str, Any]]:
        return {member["name"]: member for member in stats(self.admin)["members"]}

    def oldest(self, count: int = 1) -> list[str]:
        """The names of the members that were added first."""
        return list(self.members())[:count]

    def others(self, *gone: str) -> dict[str, int]:
        """The pids of the etcds of all other members."""
        return self.processes(*(name for name in self.members() if name not in gone))

    def etcdctl(self, *arguments: str) -> str:
        endpoints = ",".join(m["clientURL"] for m in self.members().values() if m["serving"])
        done = subprocess.run(
            [str(etcd_binary(VERSION, "etcdctl")), f"--endpoints={endpoints}", *arguments],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def tell(self, path: str, **body: Any) -> None:
        """A call of the embedded Mesos' control API."""
        connection = http.client.HTTPConnection(self.control, timeout=30)
        connection.request("POST", f"/control/{path}", json.dumps(body))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def finds(self, name: str) -> list[str]:
        """The members with a finding of this name; "" stands for the cluster."""
        return [f["member"] for f in stats(self.admin)["findings"] if f["name"] == name]

    def serves(self) -> bool:
        """Whether /healthz says so."""
        return get(self.admin, "/healthz")[0] == 200

    def processes(self, *names: str) -> dict[str, int]:
        """The pids of these members' etcds."""
        return {name: etcd_process(self.folder, name) for name in names}

    def heals_without(self, *gone: str) -> None:
        """Waits until all is well again without these members, and looks at what survived."""
        until(lambda: self._well_without(gone), f"healthy without {', '.join(gone)}")
        assert self.etcdctl("get", "key", "--print-value-only") == "kept"
        listed = self.etcdctl("member", "list").splitlines()
        assert len(listed) == self.size
        assert all("started" in line and line.endswith("false") for line in listed)

    def _well_without(self, gone: tuple[str, ...]) -> bool:
        now = stats(self.admin)
        names = {member["name"] for member in now["members"]}
        return now["phase"] == "healthy" and not names & set(gone)


@contextmanager
def cluster(folder: Path, size: int = 3, *flags: str, spare: int = 2) -> Iterator[Cluster]:
    """One that is healthy, with so many spare agents; `flags` are for etcd-mesos-local."""
    with local(
        folder,
        *flags,
        f"-cluster-size={size}",
        f"-agents={size + spare}",
        f"-etcd-bin={etcd_binary(VERSION)}",
        f"-member-timeout={MEMBER_TIMEOUT:g}",
        "-probe-interval-seconds=0.5",
    ) as daemon:
        control = daemon.wait_for("control of the embedded Mesos: http://")
        admin = daemon.wait_for("dashboard: http://").split("/")[0]
        made = Cluster(daemon, folder, admin, control, size)
        made.etcdctl("put", "key", "kept")
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("five")
    with cluster(folder, 5, "-agent-ping-timeout-seconds=0.5", spare=4) as made:
        yield made


@pytest.fixture
def here(shared: Cluster) -> Cluster:
    """The cluster of five, as well as it was left by the story before."""
    shared.heals_without()
    return shared


def test_an_executor_killed_is_replaced(tmp_path: Path) -> None:
    """A fresh name on another place; the survivors' processes are the same as before."""
    with cluster(tmp_path) as here:
        before = here.processes("etcd-1", "etcd-3")
        os.kill(executor_process(tmp_path, "etcd-2"), signal.SIGKILL)
        here.heals_without("etcd-2")
        assert here.processes("etcd-1", "etcd-3") == before


def test_two_of_five_killed_at_once_are_replaced(here: Cluster) -> None:
    """The most that a quorum of five survives."""
    gone = here.oldest(2)
    before = here.others(*gone)
    for name in gone:
        os.kill(executor_process(here.folder, name), signal.SIGKILL)
    here.heals_without(*gone)
    assert here.processes(*before) == before


def test_the_leader_killed_is_replaced(here: Cluster) -> None:
    """The others elect another one first."""
    leader = stats(here.admin)["leader"]
    before = here.others(leader)
    os.kill(executor_process(here.folder, leader), signal.SIGKILL)
    here.heals_without(leader)
    assert here.processes(*before) == before


def test_a_member_whose_data_is_destroyed_is_replaced(here: Cluster) -> None:
    """It never starts empty under its old name."""
    (name,) = here.oldest()
    pid = etcd_process(here.folder, name)
    shutil.rmtree(Path(os.readlink(f"/proc/{pid}/cwd")) / "data")
    os.kill(pid, signal.SIGKILL)
    here.heals_without(name)


def test_a_host_that_is_lost_is_replaced_after_the_time_out(here: Cluster) -> None:
    """Agent, executor and etcd end at once, and Mesos takes its time to say so."""
    (name,) = here.oldest()
    here.tell("agent/gone", agent=here.members()[name]["hostname"])
    here.heals_without(name)


def test_a_member_added_by_hand_and_never_started_is_removed(here: Cluster) -> None:
    """It would raise the quorum, and nobody will ever start it."""
    add = ("member", "add", "by-hand", "--peer-urls=http://127.0.0.99:1")
    # etcd refuses while its members have not been connected for 5 s.
    until(lambda: " added to cluster" in _said(here, *add), "the member is added")
    until(lambda: _all_have_started(_said(here, "member", "list")), "it is removed")
    here.heals_without()


def _all_have_started(listed: str) -> bool:
    return ", started," in listed and "unstarted" not in listed


def _said(here: Cluster, *arguments: str) -> str:
    """What etcdctl prints, also where it fails."""
    try:
        return here.etcdctl(*arguments)
    except AssertionError as error:
        return str(error)


def test_a_member_paused_for_too_long_is_replaced_and_never_let_in_again(here: Cluster) -> None:
    """SIGSTOP for longer than the time-out, then continued."""
    (name,) = here.oldest()
    pid = etcd_process(here.folder, name)
    os.kill(pid, signal.SIGSTOP)
    try:
        here.heals_without(name)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: not Path(f"/proc/{pid}").exists(), "the old etcd ends")
    here.heals_without(name)


def test_a_member_out_of_reach_is_replaced_and_killed_when_it_comes_back(here: Cluster) -> None:
    """Its agent was cut off, and comes back with the task, which is never let in again."""
    (name,) = here.oldest()
    before = here.others(name)
    agent, pid = here.members()[name]["hostname"], etcd_process(here.folder, name)
    # Paused, it cannot find out by itself that it was removed, and end.
    os.kill(pid, signal.SIGSTOP)
    try:
        here.tell("agent/lose", agent=agent)
        until(lambda: here.finds("out_of_reach") == [name], "the task is out of reach")
        here.heals_without(name)
        assert Path(f"/proc/{pid}").exists()
        here.tell("agent/return", agent=agent)
        until(lambda: _is_asked_to_end(pid), "it is asked to end")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: not Path(f"/proc/{pid}").exists(), "the old etcd ends")
    here.heals_without(name)
    assert here.processes(*before) == before


def _is_asked_to_end(pid: int) -> bool:
    """Whether SIGTERM waits for the process, which is stopped."""
    status = Path(f"/proc/{pid}/status").read_text()
    pending = next(line for line in status.splitlines() if line.startswith("ShdPnd"))
    return bool(int(pending.split()[1], 16) & 1 << signal.SIGTERM - 1)


def test_a_replacement_killed_while_joining_is_replaced(here: Cluster) -> None:
    """It is taken off the list again, and another one joins elsewhere."""
    (gone,) = here.oldest()
    before = here.others(gone)
    os.kill(executor_process(here.folder, gone), signal.SIGKILL)
    name, pid = until(lambda: _joining(here), "the replacement starts", 0.005)
    # An executor that stands still starts no etcd, so nobody can promote it before it is killed.
    os.kill(pid, signal.SIGSTOP)
    assert here.members()[name]["role"] == "learner"
    os.kill(pid, signal.SIGKILL)
    here.heals_without(gone, name)
    assert here.processes(*before) == before


def _joining(here: Cluster) -> tuple[str, int] | None:
    """The member that joins, and its executor once that runs."""
    for member in here.members().values():
        if member["role"] == "learner":
            with suppress(AssertionError):
                return member["name"], executor_process(here.folder, member["name"])
    return None


def test_a_full_store_is_found_and_cleared_by_the_operator(tmp_path: Path) -> None:
    """NOSPACE: reported until there is space and the alarm is disarmed; nobody is replaced."""
    with cluster(tmp_path, 3, "-etcd-option=quota-backend-bytes=2000000") as here:
        before = here.processes("etcd-1", "etcd-2", "etcd-3")
        value = "x" * 100_000
        until(lambda: "space exceeded" in _said(here, "put", "big", value), "the store is full", 0)
        until(lambda: here.finds("nospace"), "it is found")
        assert not here.serves()
        assert "raises NOSPACE" in stats(here.admin)["why"]
        revision = json.loads(here.etcdctl("get", "big", "-w=json"))["header"]["revision"]
        here.etcdctl("compaction", str(revision), "--physical")
        here.etcdctl("defrag")
        here.etcdctl("alarm", "disarm")
        until(lambda: here.serves() and not stats(here.admin)["findings"], "it is cleared")
        here.etcdctl("put", "big", "small")
        here.heals_without()
        assert here.processes("etcd-1", "etcd-2", "etcd-3") == before


def test_a_corrupt_member_is_replaced(here: Cluster) -> None:
    """As etcd's own check would say it; its alarm is left to the operator."""
    (name,) = here.oldest()
    before = here.others(name)
    bad = here.members()[name]
    _raise_corrupt(bad["clientURL"], bad["id"])
    here.heals_without(name)
    assert here.finds("corrupt") == [""]
    here.etcdctl("alarm", "disarm")
    until(here.serves, "writes are taken again")
    here.etcdctl("put", "after", "all")
    assert here.processes(*before) == before


def test_ports_that_somebody_else_took_are_left_to_him(tmp_path: Path) -> None:
    """Those of a member that died, and the first one of the only other agent: others are tried."""
    with cluster(tmp_path, spare=1) as here, ExitStack() as foreign:
        taken = {(m["hostname"], m["rpcPort"]) for m in here.members().values()}
        offered = {(f"127.0.0.{11 + n}", min(taken)[1] + 100 * n) for n in range(4)}
        (spare,) = offered - taken
        _listen(foreign, *spare)
        dead = here.members()["etcd-2"]
        pid = etcd_process(tmp_path, "etcd-2")
        os.kill(executor_process(tmp_path, "etcd-2"), signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists(), "the old etcd ends", 0)
        _listen(foreign, dead["hostname"], dead["rpcPort"])
        here.heals_without("etcd-2")
        assert stats(here.admin)["launched_servers"] <= 5


def _listen(foreign: ExitStack, host: str, port: int) -> None:
    """From here on somebody else has that port."""
    listener = foreign.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()


def _raise_corrupt(client_url: str, member_id: str) -> None:
    connection = http.client.HTTPConnection(client_url.removeprefix("http://"), timeout=60)
    body = {"action": "ACTIVATE", "memberID": str(int(member_id, 16)), "alarm": "CORRUPT"}
    connection.request("POST", "/v3/maintenance/alarm", json.dumps(body))
    assert connection.getresponse().status == 200
    connection.close()
