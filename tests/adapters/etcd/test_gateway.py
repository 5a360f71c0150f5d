"""etcd's JSON gateway against real etcd of both versions, and against peers that are none."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError, Outcome
from etcdmesos.errors import BadUsage
from etcdmesos.etcd.member_health import Alarm
from tests.adapters.etcd.peers import answering, peer, post
from tests.free_ports import free_port
from tests.real_etcd import PATIENCE, VERSIONS, EtcdCluster, binary, etcd_cluster, until


def refusal(call: Callable[[], object]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def one(version: str, tmp_path: Path) -> Iterator[EtcdCluster]:
    with etcd_cluster(version, 1, tmp_path / "etcd") as cluster:
        yield cluster


def test_status_of_a_single_member_is_what_etcdctl_says(one: EtcdCluster) -> None:
    """Ids, indexes, sizes and revision agree with etcdctl's own reading."""
    [member] = one.members
    post(member.client_url, "/v3/kv/put", {"key": "YQ==", "value": "Yg=="})
    health = Gateway(member.client_url, PATIENCE).status()
    etcdctl = [str(binary(one.version, "etcdctl")), "--endpoints", member.client_url]
    answer = subprocess.run(
        [*etcdctl, "endpoint", "status", "-w", "json"],
        capture_output=True,
        check=True,
        env={"ETCDCTL_API": "3"},
    )
    status = json.loads(answer.stdout)[0]["Status"]
    assert health.version == one.version
    assert health.cluster_id == f"{status['header']['cluster_id']:016x}"
    assert health.member_id == f"{status['header']['member_id']:016x}" == health.leader
    assert health.revision == status["header"]["revision"] == 2
    assert health.term == status["raftTerm"]
    assert health.commit_index == status["raftIndex"] > 0
    assert health.applied_index == status["raftAppliedIndex"] > 0
    assert health.db_size == status["dbSize"] >= health.db_size_in_use > 0
    assert health.serving_voter
    assert (health.alarms, health.errors) == ((), ())


def test_alarms_are_read_without_a_proposal(one: EtcdCluster) -> None:
    """NOSPACE and CORRUPT show in Status, and reading them leaves the commit index alone."""
    gateway = Gateway(one.members[0].client_url, PATIENCE)
    member_id = str(int(gateway.status().member_id, 16))
    for alarm in ("NOSPACE", "CORRUPT"):
        activate = {"action": "ACTIVATE", "memberID": member_id, "alarm": alarm}
        post(one.members[0].client_url, "/v3/maintenance/alarm", activate)
    before = gateway.status()
    assert before.alarms == (
        Alarm(before.member_id, "CORRUPT"),
        Alarm(before.member_id, "NOSPACE"),
    )
    assert before.errors == ()
    assert gateway.status().commit_index == before.commit_index


def test_a_learner_is_added_refused_promoted_removed(version: str, tmp_path: Path) -> None:
    """The way of a member through etcd's list, with etcd's own words where it refuses."""
    with etcd_cluster(version, 1, tmp_path / "etcd") as cluster:
        gateway = Gateway(cluster.members[0].client_url, PATIENCE)
        unstarted = gateway.add_learner([f"http://127.0.0.1:{free_port()}"])
        assert unstarted.learner
        assert unstarted.name == ""
        refused = refusal(lambda: gateway.promote(unstarted.id))
        assert refused.outcome is Outcome.REFUSED
        assert "in sync" in str(refused)
        refused = refusal(lambda: gateway.add_learner(list(unstarted.peer_urls)))
        assert (refused.outcome, refused.code) == (Outcome.REFUSED, 9)
        gateway.remove_member(unstarted.id)
        refused = refusal(lambda: gateway.remove_member(unstarted.id))
        assert (refused.outcome, refused.code) == (Outcome.REFUSED, 5)

        learner = cluster.add_learner()
        health = Gateway(learner.client_url, PATIENCE).status()
        assert health.learner
        assert health.leader
        assert not health.serving_voter
        refused = refusal(Gateway(learner.client_url, PATIENCE).list_members)
        assert refused.certain
        assert "learner" in str(refused)

        listed = {m.name: m for m in gateway.list_members().members}
        assert listed["m1"].learner
        assert listed["m1"].peer_urls == (learner.peer_url,)
        assert listed["m1"].id == health.member_id
        until(lambda: promoted(gateway, health.member_id), "the learner is promoted")
        until(lambda: (s := learner.status()) and s.serving_voter, "it serves as a voter")
        listed = {m.name: m for m in gateway.list_members().members}
        assert not listed["m1"].learner
        assert listed["m1"].client_urls == (learner.client_url,)


def promoted(gateway: Gateway, member_id: str) -> bool:
    try:
        gateway.promote(member_id)
    except GatewayError:
        return False
    return True


def test_without_quorum_status_answers_and_the_list_does_not(version: str, tmp_path: Path) -> None:
    """The linearizable list fails within the time-out; the local one and Status still answer."""
    with etcd_cluster(version, 3, tmp_path / "etcd") as cluster:
        survivor = next(m for m in cluster.members if m is not cluster.leading())
        for member in cluster.members:
            if member is not survivor:
                member.kill()
        until(lambda: not survivor.leader(), "the survivor knows no leader")
        gateway = Gateway(survivor.client_url, 2.0)
        health = gateway.status()
        assert health.errors == ("etcdserver: no leader",)
        began = time.monotonic()
        failed = refusal(gateway.list_members)
        assert time.monotonic() - began < 6.0, "etcd itself gives up after 7 s"
        assert failed.outcome is Outcome.UNKNOWN
        assert len(gateway.list_members_without_quorum().members) == 3
        failed = refusal(lambda: gateway.remove_member(health.member_id))
        assert not failed.certain or "unhealthy" in str(failed)


def test_nobody_listens() -> None:
    """A refused connection is certain: nothing was sent."""
    failed = refusal(Gateway(f"http://127.0.0.1:{free_port()}").status)
    assert (failed.outcome, str(failed)) == (Outcome.UNREACHABLE, "connection refused")
    assert failed.certain


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", Outcome.NOT_ETCD, "the answer is not HTTP"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Outcome.NOT_ETCD, "HTTP status 404, not an answer of"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Outcome.UNKNOWN, "HTTP status 502, not an answer of"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", Outcome.NOT_ETCD, "HTTP status 200, not an answer of"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", Outcome.NOT_ETCD, "not an answer of etcd's gateway"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            Outcome.UNKNOWN,
            "the connection was cut",
        ),
        (b"", Outcome.UNKNOWN, "the connection was cut before the answer was complete"),
        (
            b'HTTP/1.1 503 X\r\n\r\n{"message":"etcdserver: request timed\\nout","code":14}',
            Outcome.UNKNOWN,
            "etcdserver: request timed out",
        ),
        (
            b'HTTP/1.1 503 X\r\n\r\n{"message":"etcdserver: unhealthy cluster","code":14}',
            Outcome.REFUSED,
            "etcdserver: unhealthy cluster",
        ),
    ],
)
def test_answers_that_are_none(answer: bytes, outcome: Outcome, reason: str) -> None:
    """Each has its class and one line; only a refusal by etcd itself is certain."""
    with peer(answering(answer)) as url:
        failed = refusal(Gateway(url).status)
    assert str(failed).startswith(reason)
    assert failed.outcome is outcome
    assert failed.certain is (outcome is Outcome.REFUSED)


def test_ids_keep_their_leading_zeros_and_what_is_zero_is_left_out() -> None:
    """An id is always 16 hex digits; the gateway omits zero, false and empty fields."""
    header = b'{"cluster_id":"1","member_id":"18446744073709551615"}'
    body = b'{"header":%b,"version":"3.5.30","errors":["x","memberID:1 alarm:NOSPACE "]}' % header
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with peer(answering(answer)) as url:
        health = Gateway(url).status()
    assert (health.cluster_id, health.member_id) == ("0" * 15 + "1", "f" * 16)
    assert (health.leader, health.learner, health.commit_index) == ("", False, 0)
    assert (health.alarms, health.errors) == ((Alarm("0" * 15 + "1", "NOSPACE"),), ("x",))


def test_a_peer_that_dribbles_does_not_stretch_the_call() -> None:
    """The time-out bounds the call as a whole, not each byte."""

    def dribble(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with peer(dribble) as url:
        began = time.monotonic()
        failed = refusal(Gateway(url, 0.5).status)
        assert time.monotonic() - began < 20.0
    assert (failed.outcome, str(failed)) == (Outcome.UNKNOWN, "no answer within 0.5 s")


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:2379", "http://", "http://h", "http://h:x", "http://h:1/p", "https://h:1"],
)
def test_bad_client_urls_are_refused(url: str) -> None:
    """A URL that can't work is a usage error that shows it."""
    with pytest.raises(BadUsage, match=r"URL|TLS"):
        Gateway(url)


def test_a_bad_member_id_is_refused_before_it_is_sent() -> None:
    """Decimal ids, or none, never reach etcd."""
    with pytest.raises(BadUsage, match="not a member id"):
        Gateway(f"http://127.0.0.1:{free_port()}").remove_member("42")


def test_the_gateway_needs_no_heavy_package() -> None:
    """The executor imports it: grpc, etcd3, kazoo, starlette, cattrs must stay out."""
    # A .pth file of protobuf loads `google` into every interpreter: only what comes on top counts.
    program = (
        "import sys; before = set(sys.modules); import etcdmesos.adapters.etcd_gateway; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    roots = {name.split(".")[0] for name in loaded.stdout.decode().split()}
    assert not roots & {"grpc", "etcd3", "kazoo", "starlette", "uvicorn", "cattrs", "google"}
