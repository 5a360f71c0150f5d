"""What a controller relies on in etcd: leaders, quorum, and what is answered without.

Held to the real etcd of both lines and to the simulated one: whoever changes the simulated etcd
must keep these true on the real one; whoever learns a new fact about it adds it here first.
"""

from __future__ import annotations

from etcdmesos.adapters.etcd_gateway import Outcome
from tests.simulation.etcd.contract import (
    PATIENCE,
    Cluster,
    bootstrap,
    ends,
    error,
    health,
    leader_of,
    listed,
    serves,
    settled,
    silent,
    until,
    written,
)


def test_a_new_cluster_of_one_serves(cluster: Cluster) -> None:
    """Status, writes, and a progress probe that leaves the revision alone."""
    bootstrap(cluster, 1)
    # The cluster's version is agreed on through raft, too, a moment after the first leader.
    until(cluster, lambda: settled(cluster, 0))
    before = health(cluster, 0)
    assert before.serving_voter
    assert before.leader == before.member_id
    assert before.version == cluster.version
    assert (before.revision, before.term) == (1, 2)
    assert cluster.put(0, "a") == 2
    assert cluster.put(0, "b") == 3
    index = health(cluster, 0).commit_index
    assert cluster.progress(0) is None
    after = health(cluster, 0)
    assert (after.revision, after.commit_index) == (3, index + 1)
    assert cluster.get(0, "a", serializable=False) == 2
    assert cluster.get(0, "nothing", serializable=True) == 0


def test_the_loss_of_a_leader(cluster: Cluster) -> None:
    """The others elect another one, in a higher term; the old one catches up."""
    bootstrap(cluster, 3)
    old = leader_of(cluster, range(3))
    term = health(cluster, old).term
    assert cluster.put(old, "a") == 2
    cluster.kill(old)
    others = [number for number in range(3) if number != old]
    gone = health(cluster, others[0]).leader
    until(cluster, lambda: health(cluster, others[0]).leader not in ("", gone))
    revision = written(cluster, others[0], "b")
    assert health(cluster, others[0]).term > term
    assert error(cluster.status(old))[0] is Outcome.UNREACHABLE
    cluster.start(old, range(3))
    until(cluster, lambda: serves(cluster, old))
    until(cluster, lambda: cluster.get(old, "b", serializable=True) == revision)


def test_the_loss_of_a_majority(cluster: Cluster) -> None:
    """Who was up when quorum went answers what needs none; who is restarted answers nothing."""
    bootstrap(cluster, 3)
    for number in range(3):
        assert isinstance(cluster.put(number, f"k{number}"), int)
    until(cluster, lambda: health(cluster, 0).revision == 4)
    cluster.kill(1)
    cluster.kill(2)
    until(cluster, lambda: health(cluster, 0).leader == "")
    alone = health(cluster, 0)
    assert alone.errors == ("etcdserver: no leader",)
    assert not alone.serving_voter
    assert alone.revision == 4
    assert cluster.get(0, "k2", serializable=True) == 4
    cluster.timeout = 0.7
    assert error(cluster.progress(0))[0] is Outcome.UNKNOWN
    assert error(cluster.put(0, "lost"))[0] is Outcome.UNKNOWN
    assert len(listed(cluster.members(0, linearizable=False))) == 3
    answer = cluster.members(0, linearizable=True)
    if cluster.version.startswith("3.4"):
        assert len(listed(answer)) == 3
    else:
        assert error(answer)[0] is Outcome.UNKNOWN
    assert health(cluster, 0).term == alone.term
    cluster.snapshot(0)
    cluster.timeout = PATIENCE
    cluster.kill(0)
    cluster.start(0, range(3))
    until(cluster, lambda: silent(cluster, 0))
    assert silent(cluster, 0)
    cluster.start(1, range(3))
    until(cluster, lambda: serves(cluster, 0) and serves(cluster, 1))
    assert cluster.get(1, "k2", serializable=False) == 4
    assert cluster.progress(0) is None


def test_a_paused_leader_is_replaced_and_follows(cluster: Cluster) -> None:
    """SIGSTOP looks like a partition; resumed, it learns of the new leader."""
    bootstrap(cluster, 3)
    old = leader_of(cluster, range(3))
    other = (old + 1) % 3
    old_id = health(cluster, old).member_id
    cluster.pause(old)
    until(cluster, lambda: health(cluster, other).leader not in ("", old_id))
    assert silent(cluster, old)
    revision = written(cluster, other, "a")
    cluster.resume(old)
    until(cluster, lambda: serves(cluster, old) and health(cluster, old).leader != old_id)
    until(cluster, lambda: cluster.get(old, "a", serializable=True) == revision)


def test_leadership_is_handed_over(cluster: Cluster) -> None:
    """By the leader's word only, to a voter, and by a leader that is told to end."""
    bootstrap(cluster, 3)
    old = leader_of(cluster, range(3))
    new = (old + 1) % 3
    new_id = health(cluster, new).member_id
    refusal = Outcome.REFUSED, "etcdserver: not leader"
    assert error(cluster.move_leader(new, new_id)) == refusal
    bad = Outcome.REFUSED, "etcdserver: bad leader transferee"
    assert error(cluster.move_leader(old, "00000000000000ff")) == bad
    assert cluster.move_leader(old, new_id) is None
    until(cluster, lambda: leader_of(cluster, range(3)) == new)
    cluster.terminate(new)
    assert ends(cluster, new) == -15
    until(cluster, lambda: health(cluster, old).leader not in ("", new_id))
