"""The etcd adapter against real etcd of both versions: what it says, how fast, what it leaves."""

from __future__ import annotations

import gc
import queue
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.adapters.etcd import EtcdAdapter
from etcdmesos.adapters.etcd_progress import NO_LEASE
from etcdmesos.cluster.commands import Decline, ProbeMember, ProbeProgress
from etcdmesos.cluster.events import CommandFailed, Event, MemberProbed, ProgressMade
from etcdmesos.etcd.member_health import Alarm
from tests.adapters.etcd.peers import answering, peer, post
from tests.free_ports import free_port
from tests.real_etcd import PATIENCE, VERSIONS, EtcdCluster, EtcdProcess, etcd_cluster, until

HASTE = 4.0
"""The time-outs where it is the question: an answer that is no failure took less."""


class Probes:
    """An adapter and the events it posted."""

    def __init__(self, **options: Any) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.adapter = EtcdAdapter(self.events.put, **options)

    def next(self) -> Event:
        return self.events.get(timeout=2 * PATIENCE)

    def health(self, member: EtcdProcess) -> Event:
        self.adapter.submit(ProbeMember(member=member.name, client_url=member.client_url))
        return self.next()

    def progress(self, member: EtcdProcess) -> Event:
        self.adapter.submit(ProbeProgress(member=member.name, client_url=member.client_url))
        return self.next()


@pytest.fixture
def probes() -> Iterator[Probes]:
    yield from _open(PATIENCE)


@pytest.fixture
def hasty() -> Iterator[Probes]:
    yield from _open(HASTE)


def _open(seconds: float) -> Iterator[Probes]:
    probes = Probes(probe_timeout=seconds, progress_timeout=seconds)
    yield probes
    probes.adapter.close()
    assert probes.events.empty(), "an event nobody asked for"


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def one(version: str, tmp_path: Path) -> Iterator[EtcdCluster]:
    with etcd_cluster(version, 1, tmp_path / "etcd") as cluster:
        yield cluster


@pytest.fixture
def three(version: str, tmp_path: Path) -> Iterator[EtcdCluster]:
    with etcd_cluster(version, 3, tmp_path / "etcd") as cluster:
        yield cluster


def reason(event: Event) -> str:
    assert isinstance(event, CommandFailed), event
    assert "\n" not in event.reason
    return event.reason


def test_a_single_member_is_healthy_and_makes_progress(one: EtcdCluster, probes: Probes) -> None:
    """The answers name the member that was asked."""
    [member] = one.members
    probed = probes.health(member)
    assert isinstance(probed, MemberProbed)
    assert probed.member == member.name
    assert probed.health == member.status()
    assert probed.health.serving_voter
    assert probes.progress(member) == ProgressMade(member=member.name)


def test_a_hundred_progress_probes_leave_the_revision_alone(
    one: EtcdCluster, probes: Probes
) -> None:
    """Each is one raft entry and nothing else: no revision, no lease, no connection left."""
    [member] = one.members
    before = member.status()
    for _ in range(100):
        assert probes.progress(member) == ProgressMade(member=member.name)
    after = member.status()
    assert before is not None
    assert after is not None
    assert after.revision == before.revision
    assert after.commit_index - before.commit_index >= 100
    leases = post(member.client_url, "/v3/lease/leases", {})
    assert "leases" not in leases


def test_the_lease_that_is_revoked_cannot_exist(one: EtcdCluster) -> None:
    """Asked to grant a lease of that id, etcd grants another one."""
    [member] = one.members
    granted = post(member.client_url, "/v3/lease/grant", {"ID": str(NO_LEASE), "TTL": "60"})
    assert int(granted["ID"]) not in (NO_LEASE, 0)
    leases = post(member.client_url, "/v3/lease/leases", {})
    assert [lease["ID"] for lease in leases["leases"]] == [granted["ID"]]


def test_progress_passes_under_alarms_and_they_are_reported(
    version: str, tmp_path: Path, probes: Probes
) -> None:
    """A full store (really full) and a corrupt one still commit; the alarms show in the health."""
    quota = ("--quota-backend-bytes", "100000")
    with etcd_cluster(version, 1, tmp_path / "etcd", *quota) as cluster:
        [member] = cluster.members
        until(lambda: full(member), "NOSPACE is raised")
        assert probes.progress(member) == ProgressMade(member=member.name)
        probed = probes.health(member)
        assert isinstance(probed, MemberProbed)
        assert probed.health.alarms == (Alarm(probed.health.member_id, "NOSPACE"),)
        corrupt = {
            "action": "ACTIVATE",
            "memberID": str(int(probed.health.member_id, 16)),
            "alarm": "CORRUPT",
        }
        post(member.client_url, "/v3/maintenance/alarm", corrupt)
        assert probes.progress(member) == ProgressMade(member=member.name)


def full(member: EtcdProcess) -> bool:
    post(member.client_url, "/v3/kv/put", {"key": "YQ==", "value": "YWFh" * 5000})
    status = member.status()
    return status is not None and status.alarms == (Alarm(status.member_id, "NOSPACE"),)


def test_a_killed_leader_is_told_and_the_rest_makes_progress(
    three: EtcdCluster, probes: Probes
) -> None:
    """The dead one refuses the connection; the others know a new leader and commit."""
    leader = three.leading()
    old_leader = leader.leader()
    leader.kill()
    assert reason(probes.health(leader)) == "connection refused"
    assert reason(probes.progress(leader)) == "connection refused"
    others = [m for m in three.members if m is not leader]
    for member in others:
        until(lambda m=member: m.leader() not in ("", old_leader), "a new leader")  # type: ignore[misc]
        assert probes.progress(member) == ProgressMade(member=member.name)


def test_without_a_majority_status_answers_and_progress_fails_in_time(
    three: EtcdCluster, hasty: Probes
) -> None:
    """The survivor says that it knows no leader, at once; no probe commits, within the time-out."""
    leader = three.leading()
    survivor, other = (m for m in three.members if m is not leader)
    leader.kill()
    other.kill()
    until(lambda: not survivor.leader(), "the survivor knows no leader")
    probed = hasty.health(survivor)
    assert isinstance(probed, MemberProbed)
    assert probed.health.leader == ""
    assert probed.health.errors == ("etcdserver: no leader",)
    assert not probed.health.serving_voter
    # Many, for the deadline is noticed now here and now there, and each way ends in other words.
    began = time.monotonic()
    command = ProbeProgress(member=survivor.name, client_url=survivor.client_url)
    for _ in range(24):
        hasty.adapter.submit(command)
    reasons = {reason(hasty.next()) for _ in range(24)}
    assert reasons == {"no quorum committed within 4 s"}
    assert time.monotonic() - began < 4 * HASTE, "one after the other"


def test_a_hanging_member_does_not_slow_the_others(three: EtcdCluster, probes: Probes) -> None:
    """A stopped process takes connections and does not answer: its probes wait alone, until their
    time-out or until it goes on."""
    leader = three.leading()
    hanging = next(m for m in three.members if m is not leader)
    hanging.signal(signal.SIGSTOP)
    for member in [hanging, *(m for m in three.members if m is not hanging)]:
        probes.adapter.submit(ProbeMember(member=member.name, client_url=member.client_url))
        probes.adapter.submit(ProbeProgress(member=member.name, client_url=member.client_url))
    prompt = [probes.next() for _ in range(4)]
    assert all(isinstance(event, MemberProbed | ProgressMade) for event in prompt)
    hasty = Probes(probe_timeout=0.3, progress_timeout=0.4)
    assert reason(hasty.health(hanging)) == "no answer within 0.3 s"
    assert reason(hasty.progress(hanging)) == "no quorum committed within 0.4 s"
    hasty.adapter.close()
    assert probes.events.empty()
    hanging.signal(signal.SIGCONT)
    assert {type(probes.next()) for _ in range(2)} == {MemberProbed, ProgressMade}


def test_a_learner_is_flagged_and_refuses_progress(one: EtcdCluster, probes: Probes) -> None:
    """A learner's health says so; it takes no proposals."""
    learner = one.add_learner()
    probed = probes.health(learner)
    assert isinstance(probed, MemberProbed)
    assert probed.health.learner
    assert probed.health.leader
    assert not probed.health.serving_voter
    assert reason(probes.progress(learner)) == "etcdserver: rpc not supported for learner"


def test_a_member_that_comes_up_is_seen_at_once(one: EtcdCluster, hasty: Probes) -> None:
    """No back-off from the time when it was down delays the first probe that can succeed."""
    [member] = one.members
    member.kill()
    for _ in range(20):
        assert reason(hasty.progress(member)) == "connection refused"
    member.start(f"{member.name}={member.peer_url}")
    until(member.leader, "it serves")
    assert hasty.progress(member) == ProgressMade(member=member.name)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n"])
def test_something_else_than_etcd_is_told_as_such(answer: bytes, hasty: Probes) -> None:
    """A wrong port ends in a reason, for either probe, well before a person gives up."""
    with peer(answering(answer)) as url:
        hasty.adapter.submit(ProbeMember(member="m", client_url=url))
        assert "not" in reason(hasty.next())
        hasty.adapter.submit(ProbeProgress(member="m", client_url=url))
        assert reason(hasty.next())


def test_nobody_listens_and_bad_urls(probes: Probes) -> None:
    """Refused connections and URLs that can't work end in one line, never in an exception."""
    url = f"http://127.0.0.1:{free_port()}"
    for kind in (ProbeMember, ProbeProgress):
        probes.adapter.submit(kind(member="m", client_url=url))
        assert reason(probes.next()) == "connection refused"
        probes.adapter.submit(kind(member="m", client_url="https://127.0.0.1:1"))
        assert reason(probes.next()) == "no TLS to etcd yet: 'https://127.0.0.1:1'"


def test_a_command_of_another_port_ends_in_a_failure_not_in_silence(probes: Probes) -> None:
    """Even a bug in the wiring ends in an event."""
    command = Decline(offer_ids=("o",), refuse_seconds=1.0)
    probes.adapter.submit(command)
    assert "a bug in the etcd adapter" in reason(probes.next())


def test_more_probes_than_threads_all_end_within_twice_the_time_out() -> None:
    """Those that could not start in time say so; none is forgotten."""
    stop = threading.Event()
    with peer(lambda _: (stop.wait(60), None)[1]) as url:
        probes = Probes(probe_timeout=0.4, parallel=2)
        for n in range(8):
            probes.adapter.submit(ProbeMember(member=str(n), client_url=url))
        reasons = [reason(probes.next()) for _ in range(8)]
        stop.set()
        probes.adapter.close()
    assert set(reasons) == {
        "no answer within 0.4 s",
        "not tried within 0.4 s: too many probes are under way",
    }


def test_close_ends_everything_submitted_in_events_and_every_thread() -> None:
    """After close() nothing runs, and what was submitted has ended."""
    stop = threading.Event()
    with peer(lambda _: (stop.wait(60), None)[1]) as url:
        probes = Probes(probe_timeout=0.5, progress_timeout=0.5, parallel=2)
        for n in range(4):
            probes.adapter.submit(ProbeMember(member=str(n), client_url=url))
            probes.adapter.submit(ProbeProgress(member=str(n), client_url=url))
        probes.adapter.close()
        reasons = [reason(probes.events.get_nowait()) for _ in range(8)]
        stop.set()
        probes.adapter.submit(ProbeMember(member="late", client_url=url))
        assert reason(probes.events.get_nowait()) == "the adapter is closed"
    # Two were under way, or fewer where one of the two threads still imported gRPC.
    assert reasons.count("the adapter is closed") >= 6
    until(
        lambda: not [t for t in threading.enumerate() if t.name.startswith("etcd-probe")],
        "every thread has ended",
    )


def test_no_channel_stays_open(one: EtcdCluster, probes: Probes) -> None:
    """Each probe closes what it opened: no connection to the member is left."""
    import grpc

    [member] = one.members
    for _ in range(10):
        probes.progress(member)
        probes.health(member)
    gc.collect()
    open_channels = [o for o in gc.get_objects() if isinstance(o, grpc.Channel)]
    assert open_channels == []
    port = f":{int(member.client_url.rsplit(':', 1)[1]):04X}"
    until(lambda: not connections_to(port), "every connection is closed")


def connections_to(port: str) -> list[str]:
    """This process' established TCP connections with that remote port, from the kernel's table."""
    rows = [row.split() for row in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    established = "01"
    mine = "/proc/self/fd"
    inodes = {
        link[8:-1]
        for fd in Path(mine).iterdir()
        if (link := str(fd.readlink()) if fd.is_symlink() else "").startswith("socket:[")
    }
    return [
        row[2]
        for row in rows
        if row[2].endswith(port) and row[3] == established and row[9] in inodes
    ]
