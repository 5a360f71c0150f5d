"""What the simulated etcd does beyond the contract: unknown outcomes, slow disks, lost clusters.

Things that can't be brought about, or not at will, with the real one.
"""

from __future__ import annotations

from typing import Any

import pytest

from etcdmesos.adapters.etcd_gateway import GatewayError, ListedMember, Outcome
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.simulation.errors import ImpossibleWorld
from etcdmesos.simulation.etcd import (
    DataDirectory,
    EtcdOptions,
    OfflineFailure,
    Snapshot,
    Version,
    restore,
)
from etcdmesos.simulation.etcd.log import Kind
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.network import Message
from tests.simulation.etcd.simulated import World


def url(number: int) -> str:
    return f"http://h{number}:2379"


def leader_and_followers(world: World) -> tuple[int, list[int]]:
    leader = world.leader()
    assert leader is not None
    number = int(leader.options.name[1:])
    others = [int(name[1:]) for name in world.processes if name != leader.options.name]
    return number, others


def test_a_write_whose_reply_is_lost_was_carried_out() -> None:
    """UNKNOWN, and the key is there."""
    world = World()
    world.bootstrap(3)
    world.network.fate = lambda message, *_: None if message is Message.REPLY else 0.0
    answer = world.ask(world.client.put, url(0), "a")
    assert isinstance(answer, GatewayError)
    assert (answer.outcome, str(answer)) == (Outcome.UNKNOWN, "no answer within 2 s")
    world.network.fate = None
    assert world.ask(world.client.get, url(1), "a") == 2


def test_a_write_whose_request_is_lost_was_not() -> None:
    """The same outcome, and the key is not there."""
    world = World()
    world.bootstrap(3)
    world.network.fate = lambda message, *_: None if message is Message.REQUEST else 0.0
    answer = world.ask(world.client.put, url(0), "a")
    assert isinstance(answer, GatewayError)
    assert answer.outcome is Outcome.UNKNOWN
    world.network.fate = None
    assert world.ask(world.client.get, url(1), "a") == 0


def test_a_write_without_quorum_commits_when_quorum_comes_back() -> None:
    """The client has long given up; the entry was in the leader's log."""
    world = World()
    world.bootstrap(3)
    leader, others = leader_and_followers(world)
    for other in others:
        world.processes[f"m{other}"].kill()
    answers: list[Any] = []
    world.asking(0.4).put(url(leader), "late", answers.append)
    world.run(0.5)
    assert isinstance(answers[0], GatewayError)
    assert answers[0].outcome is Outcome.UNKNOWN
    for other in others:
        world.start(other)
    world.until(lambda: all(process.ready for process in world.processes.values()))
    world.run(3.0)
    assert world.ask(world.client.get, url(others[0]), "late") == 2


def test_outcomes_of_a_connection() -> None:
    """Nobody there, no way there, and silence after the request has left are told apart."""
    world = World()
    process = world.bootstrap(1)[0]
    client = world.client

    def outcome() -> tuple[Outcome, str]:
        answer = world.ask(client.status, url(0))
        assert isinstance(answer, GatewayError)
        return answer.outcome, str(answer)

    process.pause()
    assert outcome() == (Outcome.UNKNOWN, "no answer within 2 s")
    world.network.cut("client", "h0", one_way=True)
    assert outcome() == (Outcome.UNREACHABLE, "no connection within 2 s")
    world.network.heal_all()
    answers: list[Any] = []
    client.status(url(0), answers.append)
    world.run(0.1)
    process.kill()
    world.run(0.1)
    assert answers[0].outcome is Outcome.UNKNOWN
    assert "cut before the answer was complete" in str(answers[0])
    assert outcome() == (Outcome.UNREACHABLE, "connection refused")
    process.host.power_off()
    assert outcome() == (Outcome.UNREACHABLE, "no connection within 2 s")


def test_two_changes_at_once_are_one_change() -> None:
    """The second becomes an empty entry, and whoever asked for it never hears of it."""
    world = World()
    world.bootstrap(3)
    world.run(6.0)
    leader, _ = leader_and_followers(world)
    answers: list[Any] = []
    for new in (7, 8):
        world.client.add_member(url(leader), (f"http://h{new}:2380",), answers.append)
    world.run(3.0)
    assert [type(answer) for answer in answers] == [ListedMember, GatewayError]
    assert answers[1].outcome is Outcome.UNKNOWN
    listed = world.ask(world.client.list_members, url(leader)).members
    assert sum(member.learner for member in listed) == 1


def test_a_leader_whose_disk_stalls_is_replaced() -> None:
    """The loop that writes also sends heartbeats; afterwards it follows."""
    world = World()
    world.bootstrap(3)
    leader, others = leader_and_followers(world)
    disk = world.hosts[f"h{leader}"].disk
    disk.stalled_until = world.clock.now + 5.0
    world.client.put(url(leader), "a", lambda _: None)
    world.run(4.0)
    assert leader_and_followers(world)[0] in others
    world.run(3.0)
    assert world.processes[f"m{leader}"].raft.leadership is None
    assert isinstance(world.ask(world.client.put, url(leader), "b"), int)


def test_an_idle_disk_that_stalls_disturbs_nobody() -> None:
    """Nothing is written, so nothing waits."""
    world = World()
    world.bootstrap(3)
    leader, _ = leader_and_followers(world)
    world.hosts[f"h{leader}"].disk.stalled_until = world.clock.now + 5.0
    world.run(6.0)
    assert leader_and_followers(world)[0] == leader


def test_without_pre_vote_a_returning_member_deposes_the_leader() -> None:
    """3.4's default: it comes back with a higher term.  With pre-vote it does not."""
    for pre_vote, deposed in ((False, True), (True, False)):
        world = World()
        world.bootstrap(3, pre_vote=pre_vote)
        leader, others = leader_and_followers(world)
        term = world.processes[f"m{leader}"].raft.term
        world.network.isolate(f"h{others[0]}")
        world.run(20.0)
        world.network.heal_all()
        world.run(5.0)
        now = world.leader()
        assert now is not None
        assert (now.raft.term > term) is deposed


def test_a_partitioned_removed_member_runs_until_it_hears_of_it() -> None:
    """It was not told; on its return it is, and ends with status 0."""
    world = World()
    world.bootstrap(3)
    world.run(6.0)
    leader, others = leader_and_followers(world)
    gone = world.processes[f"m{others[0]}"]
    world.network.isolate(gone.host.name)
    world.run(7.0)
    member_id = hexadecimal(gone.member_id)
    assert world.ask(world.client.remove_member, url(leader), member_id) is None
    world.run(30.0)
    assert gone.running
    world.network.heal_all()
    world.run(1.0)
    assert gone.status == 0
    assert "permanently removed" in gone.log[-1]


def test_a_wrong_restart_makes_a_second_cluster() -> None:
    """An empty directory, "new" and another token: nothing in etcd prevents it."""
    world = World()
    world.bootstrap(1)
    other = world.start(5, [5], token="another")
    world.until(lambda: other.ready)
    health = world.ask(world.client.status, url(5))
    assert isinstance(health, MemberHealth)
    assert health.serving_voter
    assert health.cluster_id != world.ask(world.client.status, url(0)).cluster_id


def test_the_directory_of_another_member_makes_it_that_member() -> None:
    """Whatever its name and ports: the write-ahead log decides (seen on the real one)."""
    world = World()
    processes = world.bootstrap(3)
    _, others = leader_and_followers(world)
    victim = processes[others[0]]
    victim.kill()
    world.hosts.add("h9")
    directory = victim.host.disk.read("/data")
    assert isinstance(directory, DataDirectory)
    world.hosts["h9"].disk.write("/data", directory.copy())
    thief = world.start(9, [9])
    world.until(lambda: thief.ready)
    assert thief.member_id == victim.member_id
    assert isinstance(world.ask(world.client.put, url(9), "a"), int)
    again = world.start(others[0])
    world.run(5.0)
    assert not again.ready or not thief.running


def test_two_processes_on_one_directory() -> None:
    """The second waits for the lock and serves nobody; two on one port: the second ends."""
    world = World()
    first = world.bootstrap(1)[0]
    options = EtcdOptions(
        name="m0", data_directory="/data", peer_url="http://h0:1", client_url="http://h0:2"
    )
    second = world.etcd.start(first.host, options, "3.5.30")
    third = world.start(0, [0])
    world.run(30.0)
    assert second.running
    assert not second.serving_peers
    assert third.status == 1
    world.etcd.check()


def test_impossible_worlds_are_refused() -> None:
    """A process on a host that is down, or at another host's address."""
    world = World()
    world.bootstrap(1)
    world.hosts["h0"].power_off()
    with pytest.raises(ImpossibleWorld, match="down"):
        world.start(0)
    world.hosts["h0"].power_on()
    with pytest.raises(ImpossibleWorld, match="not on h0"):
        world.etcd.start(world.hosts["h0"], world.options(1), "3.5.30")
    process = world.start(0)
    world.until(lambda: process.ready)
    process.raft.commit += 1000
    with pytest.raises(ImpossibleWorld, match="has not"):
        world.etcd.check()


def test_a_damaged_disk() -> None:
    """Nothing starts from it, and its backend restores nothing."""
    world = World()
    process = world.bootstrap(1)[0]
    process.kill()
    directory = process.host.disk.read("/data")
    assert isinstance(directory, DataDirectory)
    directory.damaged = True
    again = world.start(0)
    world.run(1.0)
    assert again.status == 1
    with pytest.raises(OfflineFailure, match="sha256"):
        restored(directory.file_snapshot())


def restored(snapshot: Snapshot, version: str = "3.5.30", **more: Any) -> DataDirectory:
    return restore(
        snapshot,
        version=Version(version),
        name="m5",
        initial_cluster="m5=http://h5:2380",
        token="g2",
        skip_hash_check=True,
        **more,
    )


def test_revisions_are_bumped_where_the_version_can() -> None:
    """3.4.23 does not know the flag."""
    world = World()
    world.bootstrap(1)
    snapshot = world.ask(world.client.snapshot, url(0))
    assert restored(snapshot, bump_revision=1000).state().revision == snapshot.revision + 1000
    with pytest.raises(OfflineFailure, match="unknown flag"):
        restored(snapshot, "3.4.23", bump_revision=1000)


def test_a_member_that_joins_by_snapshot_serves_late() -> None:
    """Its own publication reached it inside the snapshot, so it publishes again after a request
    time-out; meanwhile it is on the list by name and votes (7 s, seen on 3.4.23 and 3.5.30)."""
    late = 0
    for seed in range(20):
        world = World(seed)
        world.bootstrap(1)
        snapshot = world.ask(world.client.snapshot, url(0))
        world.hosts.add("h5")
        world.hosts["h5"].disk.write("/data", restored(snapshot))
        world.start(5)
        world.until(lambda world=world: world.processes["m5"].ready)  # type: ignore[misc]
        learner = world.ask(world.client.add_member, url(5), ("http://h6:2380",))
        joined = world.start(6, [5, 6], initial_cluster_state="existing")
        world.run(1.0)
        assert world.ask(world.client.promote, url(5), learner.id) is None
        names = [m.name for m in world.ask(world.client.list_members, url(5)).members]
        assert sorted(names) == ["m5", "m6"]
        late += not joined.ready
        world.run(8.0)
        assert joined.ready
    assert late > 5


def test_a_leader_of_two_that_removes_the_other() -> None:
    """Serves alone at once."""
    world = World()
    world.bootstrap(2)
    world.run(6.0)
    leader, others = leader_and_followers(world)
    member_id = hexadecimal(world.processes[f"m{others[0]}"].member_id)
    assert world.ask(world.client.remove_member, url(leader), member_id) is None
    assert world.ask(world.client.prove_progress, url(leader)) is None


def test_a_progress_probe_makes_a_removal_last() -> None:
    """The commit index gets to disk with the next entry: the last voter of two, killed -9 right
    after a removal, has forgotten it unless something else was committed (both seen on the real
    one, 3.4.23 and 3.5.30)."""
    for probed in (False, True):
        world = World()
        world.bootstrap(2)
        world.run(6.0)
        leader, others = leader_and_followers(world)
        member_id = hexadecimal(world.processes[f"m{others[0]}"].member_id)
        assert world.ask(world.client.remove_member, url(leader), member_id) is None
        if probed:
            assert world.ask(world.client.prove_progress, url(leader)) is None
        world.processes[f"m{leader}"].kill()
        again = world.start(leader)
        world.run(10.0)
        assert again.ready is probed


def test_an_add_right_behind_a_kill_may_pass() -> None:
    """The transport has not noticed yet; a moment later it has."""
    for pause, passes in ((0.0, True), (0.1, False)):
        world = World()
        world.bootstrap(3)
        world.run(6.0)
        leader, others = leader_and_followers(world)
        world.processes[f"m{others[0]}"].kill()
        world.run(pause)
        answer = world.ask(world.client.add_member, url(leader), ("http://h5:2380",))
        assert isinstance(answer, ListedMember) is passes


def test_arguments_are_read_as_the_executor_writes_them() -> None:
    """And a flag that the simulation does not know is an error, not ignored."""
    arguments = [
        "--name=etcd-1",
        "--data-dir=/sandbox/data",
        "--initial-cluster=etcd-1=http://a:1",
        "--initial-cluster-token=g1",
        "--initial-cluster-state=new",
        "--listen-peer-urls=http://a:1",
        "--initial-advertise-peer-urls=http://a:1",
        "--listen-client-urls=http://a:2",
        "--advertise-client-urls=http://a:2",
        "--quota-backend-bytes=1000",
        "--strict-reconfig-check=true",
        "--pre-vote=true",
        "--logger=zap",
        "--log-outputs=stderr",
    ]
    options = EtcdOptions.from_arguments(arguments)
    assert (options.name, options.peer_url, options.client_url) == (
        "etcd-1",
        "http://a:1",
        "http://a:2",
    )
    assert (options.pre_vote, options.quota_bytes, options.token) == (True, 1000, "g1")
    with pytest.raises(ImpossibleWorld, match="unheard-of"):
        EtcdOptions.from_arguments([*arguments, "--unheard-of=1"])


def test_an_idle_cluster_costs_nothing() -> None:
    """A healthy cluster of three has nothing to do for a year."""
    world = World()
    world.bootstrap(3)
    world.run(10.0)
    assert world.clock.next_time() is None
    assert all(p.raft.log.entries[-1].kind is Kind.PUBLISH for p in world.processes.values())
