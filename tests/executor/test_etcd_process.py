"""etcd's process and probes, with real etcds: what is in the way, how it ends, what peers say."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from etcdmesos.adapters.child_process import CannotStart, environment, shorten, tail
from etcdmesos.adapters.etcd_gateway import Gateway
from etcdmesos.adapters.member_probe import MemberProbe, members_listed_by
from etcdmesos.adapters.process import EtcdProcess, etcd_version, prepare
from etcdmesos.adapters.sandbox_record import FILE, SandboxRecord
from etcdmesos.errors import RecordUnreadable, StoreUnavailable
from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import AskPeers, Prepare, ProbeMember, SignalEtcd, StartEtcd
from etcdmesos.executor.crashes import says_removed
from etcdmesos.executor.model import ExecutorRecord
from tests.executor.test_agent import Posted
from tests.executor.test_daemon import gone
from tests.free_ports import free_port
from tests.real_etcd import VERSIONS, binary, etcd_cluster, until

pytestmark = pytest.mark.real

PREPARE = Prepare(data_directory="data/etcd-1", host="127.0.0.1", ports=(), room_bytes=1)


@pytest.fixture
def posted() -> Posted:
    return Posted()


@pytest.fixture
def process(posted: Posted, tmp_path: Path) -> Iterator[EtcdProcess]:
    process = EtcdProcess(posted, sandbox=tmp_path, binary=str(binary(VERSIONS[-1])))
    yield process
    process.close()


def script(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


# Preparing


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_in_the_way(posted: Posted, tmp_path: Path, version: str) -> None:
    """The data directory is made, for nobody else to read, and the version told."""
    process = EtcdProcess(posted, sandbox=tmp_path, binary=str(binary(version)))
    process.submit(evolve(PREPARE, ports=(free_port(), free_port())))
    assert posted.next(ev.EtcdPrepared).version == version
    assert (tmp_path / "data/etcd-1").stat().st_mode & 0o777 == 0o700
    process.close()


def test_what_is_no_etcd_fails_the_preparation(posted: Posted, tmp_path: Path) -> None:
    """Although it was asked for its version before there was a task."""
    process = EtcdProcess(posted, sandbox=tmp_path, binary=script(tmp_path, "echo hello"))
    process.submit(PREPARE)
    failed = posted.next(ev.CommandFailed)
    assert failed.command == PREPARE
    assert failed.reason.endswith("program --version does not say that it is etcd")
    process.close()


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """A new member never starts on old data."""
    (tmp_path / "data/etcd-1/member").mkdir(parents=True)
    with pytest.raises(CannotStart, match="data/etcd-1 is not empty"):
        prepare(PREPARE, tmp_path)


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    """Also one whose listener lets others bind."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"127.0.0.1:{port}: Address already in use"):
            prepare(evolve(PREPARE, ports=(port,)), tmp_path)


def test_an_address_of_another_host_is_refused(tmp_path: Path) -> None:
    """etcd could not listen there."""
    with pytest.raises(CannotStart, match=r"192\.0\.2\.1"):
        prepare(evolve(PREPARE, host="192.0.2.1", ports=(1,)), tmp_path)


def test_a_disk_without_room_for_the_quota_is_refused(tmp_path: Path) -> None:
    """Or it would be full before etcd says NOSPACE."""
    with pytest.raises(CannotStart, match="MiB free, the quota is"):
        prepare(evolve(PREPARE, room_bytes=1 << 60), tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "there is no etcd binary"),
        ("echo hello", "does not say that it is etcd"),
        ("echo etcd Version: 3.3.25", "3.3.25 is too old"),
        ("exit 1", "does not say that it is etcd"),
    ],
)
def test_a_binary_that_is_none_is_refused(tmp_path: Path, text: str | None, reason: str) -> None:
    """In words for whoever gave the scheduler its -etcd-bin."""
    path = script(tmp_path, text) if text is not None else str(tmp_path / "missing")
    with pytest.raises(CannotStart, match=reason):
        etcd_version(path)


def test_a_binary_that_is_not_executable_is_refused(tmp_path: Path) -> None:
    """Where the fetcher was not told to make it so."""
    path = tmp_path / "etcd"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o644)
    with pytest.raises(CannotStart, match="not executable"):
        etcd_version(str(path))


def test_etcd_reads_no_options_from_the_environment() -> None:
    """ETCD_NAME and the like would contradict the arguments; etcd then refuses to start."""
    given = {"PATH": "/bin", "ETCD_NAME": "x", "ETCD_MESOS_LOG_DIR": "y"}
    assert environment(given) == {"PATH": "/bin"}


# Running


def test_a_process_from_start_to_reaping(process: EtcdProcess, posted: Posted) -> None:
    """Started, signalled, reaped: an event for each, and a signal to a reaped one fails."""
    port = free_port()
    process.submit(
        StartEtcd(run=1, arguments=("--data-dir=d", f"--listen-peer-urls=http://127.0.0.1:{port}"))
    )
    pid = posted.next(ev.EtcdStarted).pid
    process.submit(SignalEtcd(run=1, signal=signal.SIGKILL))
    posted.next(ev.CommandDone)
    exited = posted.next(ev.EtcdExited)
    assert exited.wait_status == -signal.SIGKILL
    assert gone(pid)
    process.submit(SignalEtcd(run=1, signal=signal.SIGTERM))
    assert posted.next(ev.CommandFailed).reason == "that etcd has ended"


def test_a_start_that_fails_says_why(posted: Posted, tmp_path: Path) -> None:
    """Nothing runs then."""
    process = EtcdProcess(posted, sandbox=tmp_path, binary="./missing")
    process.submit(StartEtcd(run=1, arguments=()))
    assert posted.next(ev.CommandFailed).reason == "No such file or directory"
    process.close()


def test_the_tail_is_of_this_run_only(posted: Posted, tmp_path: Path) -> None:
    """What an earlier run said about being removed does not count for the next."""
    path = script(tmp_path, 'echo "run $1"; exit "$1"')
    process = EtcdProcess(posted, sandbox=tmp_path, binary=path)
    for run in (1, 2):
        process.submit(StartEtcd(run=run, arguments=(str(run),)))
        posted.next(ev.EtcdStarted)
        exited = posted.next(ev.EtcdExited)
        assert (exited.wait_status, exited.log_tail) == (run, f"run {run}\n")
    assert (tmp_path / "etcd.log").read_text() == "run 1\nrun 2\n"
    process.close()


def test_closing_kills_and_reaps(process: EtcdProcess, posted: Posted) -> None:
    """Whatever made the executor close in a hurry."""
    port = free_port()
    process.submit(
        StartEtcd(run=1, arguments=("--data-dir=d", f"--listen-peer-urls=http://127.0.0.1:{port}"))
    )
    pid = posted.next(ev.EtcdStarted).pid
    process.close()
    assert gone(pid)


def test_the_child_dies_with_a_process_that_is_killed(tmp_path: Path) -> None:
    """PR_SET_PDEATHSIG, set by a thread that does not end before the process."""
    code = f"""
        import sys, time
        from pathlib import Path
        from etcdmesos.adapters.process import EtcdProcess
        from etcdmesos.executor.commands import StartEtcd
        post = lambda event: print(getattr(event, "pid", event), flush=True)
        process = EtcdProcess(post, sandbox=Path({str(tmp_path)!r}), binary="/bin/sleep")
        process.submit(StartEtcd(run=1, arguments=("1000",)))
        time.sleep(1000)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE
    ) as executor:
        assert executor.stdout is not None
        pid = int(executor.stdout.readline())
        os.kill(pid, 0)
        executor.kill()
    until(lambda: gone(pid), "the child is gone")


def test_a_long_log_is_set_aside(tmp_path: Path) -> None:
    """Its writer goes on in the same file; what was there is in .1."""
    path = tmp_path / "etcd.log"
    with open(path, "ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        shorten(path, 99)
        writer.write(b"b")
    assert path.read_bytes() == b"b"
    assert (tmp_path / "etcd.log.1").read_bytes() == b"a" * 100
    assert tail(path, 100) == "b"


# Probing


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_removed_member_and_its_peers_say(
    version: str, posted: Posted, tmp_path: Path
) -> None:
    """Its own last words, and the list of those that remain, tell that it was removed."""
    with etcd_cluster(version, 1, tmp_path) as cluster:
        alone = cluster.members[0]
        learner = cluster.add_learner()
        probe = MemberProbe(posted)
        probe.submit(ProbeMember(run=1, client_url=alone.client_url))
        health = posted.next(ev.MemberProbed).health
        assert health.serving_voter
        listed = members_listed_by(alone.peer_url, 2.0)
        assert listed.cluster_id == health.cluster_id
        member_id = learner.member_id()
        assert {one for one, _ in listed.members} == {health.member_id, member_id}
        assert learner.process is not None
        Gateway(alone.client_url, 5.0).remove_member(member_id)
        learner.process.wait(60)
        words = ev.EtcdExited(run=1, wait_status=0, log_tail=learner.log())
        assert says_removed(words)
        assert not says_removed(evolve(words, log_tail=alone.log()))
        nobody = f"http://127.0.0.1:{free_port()}"
        probe.submit(AskPeers(run=1, peer_urls=(alone.peer_url, nobody)))
        (answer,) = posted.next(ev.PeersAnswered).answers
        assert [one for one, _ in answer.members] == [health.member_id]
        probe.submit(ProbeMember(run=1, client_url=nobody))
        assert "refused" in posted.next(ev.CommandFailed).reason
        probe.close()


# The record


def test_the_record_is_kept(tmp_path: Path) -> None:
    """What was saved is loaded, and nothing before that."""
    store = SandboxRecord(tmp_path)
    assert store.load() is None
    store.save(ExecutorRecord(epoch=3, task_id="t"))
    assert SandboxRecord(tmp_path).load() == ExecutorRecord(epoch=3, task_id="t")


def test_a_damaged_record_is_not_an_empty_one(tmp_path: Path) -> None:
    """And a folder that cannot be written to is said to be one."""
    (tmp_path / FILE).write_text("{")
    with pytest.raises(RecordUnreadable):
        SandboxRecord(tmp_path).load()
    with pytest.raises(StoreUnavailable, match="No such file"):
        SandboxRecord(tmp_path / "missing").save(ExecutorRecord())
