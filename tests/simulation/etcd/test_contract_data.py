"""What a controller relies on in etcd: data directories, restores, forced starts, full disks.

Held to the real etcd of both lines and to the simulated one: whoever changes the simulated etcd
must keep these true on the real one; whoever learns a new fact about it adds it here first.
"""

from __future__ import annotations

from etcdmesos.adapters.etcd_gateway import GatewayError, ListedMember, Outcome
from etcdmesos.etcd.member_health import Alarm
from etcdmesos.simulation.etcd import Version
from tests.simulation.etcd.contract import (
    Cluster,
    bootstrap,
    ends,
    error,
    health,
    leader_of,
    listed,
    serves,
    silent,
    until,
)


def test_the_ids_hang_on_urls_and_token(cluster: Cluster) -> None:
    """The same member under another token has another id, in another cluster."""
    cluster.start(0, [0], token="one")
    until(cluster, lambda: serves(cluster, 0))
    one = health(cluster, 0)
    cluster.kill(0)
    cluster.start(0, [0], token="ignored where there is data")
    until(cluster, lambda: serves(cluster, 0))
    assert health(cluster, 0).cluster_id == one.cluster_id
    cluster.kill(0)
    cluster.wipe(0)
    cluster.start(0, [0], token="two")
    until(cluster, lambda: serves(cluster, 0))
    two = health(cluster, 0)
    assert two.member_id != one.member_id
    assert two.cluster_id != one.cluster_id


def test_starts_that_are_refused(cluster: Cluster) -> None:
    """A directory decides who a member is; without one, the others' list does."""
    cluster.start(0, [0, 1], state="existing")
    assert ends(cluster, 0) == 1
    assert cluster.logged(0, "cannot fetch cluster info from peer urls")
    cluster.wipe(0)
    bootstrap(cluster, 3)
    follower = (leader_of(cluster, range(3)) + 1) % 3
    assert cluster.put(0, "a") == 2
    until(cluster, lambda: health(cluster, follower).revision == 2)
    cluster.kill(follower)
    cluster.wipe(follower)
    cluster.start(follower, range(3))
    assert ends(cluster, follower) == 1
    assert cluster.logged(follower, "has already been bootstrapped")
    # With "existing" it gets its old id, and the leader's word of what it once acknowledged.
    cluster.wipe(follower)
    cluster.start(follower, range(3), state="existing")
    assert ends(cluster, follower) == 2
    assert cluster.logged(follower, "Was the raft log corrupted, truncated, or lost?")


def test_a_restore_under_a_new_token_is_another_cluster(cluster: Cluster) -> None:
    """One member, another cluster id, the same data; nobody of the old one can join it."""
    bootstrap(cluster, 3)
    assert cluster.put(0, "a") == 2
    assert cluster.put(0, "b") == 3
    old = health(cluster, 0)
    until(cluster, lambda: health(cluster, 0).revision == 3)
    snapshot = cluster.snapshot(0)
    for number in range(3):
        cluster.kill(number)
    cluster.copy_data(0, 7)
    cluster.wipe(0)
    cluster.restore(snapshot, 0, "generation-2")
    cluster.start(0, [0])
    until(cluster, lambda: serves(cluster, 0))
    seed = health(cluster, 0)
    assert seed.cluster_id != old.cluster_id
    assert seed.member_id != old.member_id
    assert seed.revision == 3
    assert [member.name for member in listed(cluster.members(0, linearizable=True))] == ["m0"]
    assert cluster.get(0, "b", serializable=False) == 3
    assert cluster.put(0, "c") == 4
    # An old member that comes back finds nobody of its own cluster.
    cluster.start(1, range(3))
    until(cluster, lambda: silent(cluster, 1))
    assert silent(cluster, 1)
    assert cluster.exit_status(1) is None
    assert len(listed(cluster.members(0, linearizable=True))) == 1
    cluster.kill(1)
    learner = cluster.add(0, 2)
    assert isinstance(learner, ListedMember)
    cluster.wipe(2)
    cluster.start(2, [0, 2], state="existing")
    # It joins by a snapshot, that may hold its own publication: then it takes part at once, and
    # answers its clients only once it has published itself again, after a request time-out.
    until(cluster, lambda: cluster.promote(0, learner.id) is None)
    until(cluster, lambda: cluster.progress(0) is None)
    names = [member.name for member in listed(cluster.members(0, linearizable=True))]
    assert sorted(names) == ["m0", "m2"]


def test_a_snapshot_can_be_restored_by_a_member_that_never_was(cluster: Cluster) -> None:
    """Under another name, at another address; revisions go on above all that were ever seen, where
    the tool can raise them."""
    bootstrap(cluster, 3)
    assert cluster.put(0, "a") == 2
    assert cluster.put(0, "b") == 3
    old = health(cluster, 0)
    follower = next(n for n in range(3) if health(cluster, n).member_id != old.leader)
    until(cluster, lambda: health(cluster, follower).revision == 3)
    snapshot = cluster.snapshot(follower)
    assert cluster.put(0, "missing") == 4
    for number in range(3):
        cluster.kill(number)
    bump = 1000 if Version(cluster.version).bumps_revisions else 0
    cluster.restore(snapshot, 8, "generation-2", bump=bump)
    cluster.start(8, [8])
    until(cluster, lambda: serves(cluster, 8))
    seed = health(cluster, 8)
    assert seed.cluster_id != old.cluster_id
    assert seed.revision == 3 + bump
    assert [member.name for member in listed(cluster.members(8, linearizable=True))] == ["m8"]
    assert cluster.get(8, "b", serializable=False) == 3
    assert cluster.get(8, "missing", serializable=False) == 0
    assert cluster.put(8, "c") == 4 + bump


def test_force_new_cluster_keeps_the_cluster_id(cluster: Cluster) -> None:
    """One member, the same ids, and the others are removed for ever."""
    bootstrap(cluster, 3)
    for number in range(40):
        assert cluster.put(0, f"k{number}") == number + 2
    until(cluster, lambda: health(cluster, 1).revision == 41)
    cluster.wait(0.3)
    old = health(cluster, 1)
    for number in range(3):
        cluster.kill(number)
    cluster.start(1, range(3), force=True)
    until(cluster, lambda: serves(cluster, 1))
    forced = health(cluster, 1)
    assert (forced.cluster_id, forced.member_id) == (old.cluster_id, old.member_id)
    assert [member.name for member in listed(cluster.members(1, linearizable=True))] == ["m1"]
    # The backend had been written, so nothing is missing even if raft's log is cut short.
    assert cluster.get(1, "k39", serializable=False) == 41
    assert cluster.put(1, "new") == 42
    cluster.start(0, range(3))
    assert ends(cluster, 0) in (0, 1)
    assert cluster.logged(0, "the member has been permanently removed from the cluster")


def test_force_new_cluster_drops_what_it_does_not_know_to_be_committed(cluster: Cluster) -> None:
    """The commit index gets to disk with the next entry only: kill -9 right after a write that was
    acknowledged, and a follower's forced start lacks it."""
    bootstrap(cluster, 3)
    follower = (leader_of(cluster, range(3)) + 1) % 3
    cluster.wait(0.3)
    for number in range(40):
        assert cluster.put(follower, f"k{number}") == number + 2
    for number in (follower, (follower + 1) % 3, (follower + 2) % 3):
        cluster.kill(number)
    cluster.start(follower, range(3), force=True)
    until(cluster, lambda: serves(cluster, follower))
    # The last commit index is on disk or not, as the follower's buffer happened to be written.
    assert health(cluster, follower).revision in (40, 41)
    assert cluster.get(follower, "k39", serializable=False) == 0


def test_no_space(cluster: Cluster) -> None:
    """Writes are refused, progress and reads are not, and Status says why."""
    cluster.start(0, [0], quota=1024 * 1024)
    until(cluster, lambda: serves(cluster, 0))
    assert cluster.put(0, "k0", 300_000) == 2
    # How large it is a member knows as of its last commit to disk: the quota may be overrun before.
    answers: list[int | GatewayError] = []

    def refused() -> bool:
        answers.append(cluster.put(0, f"k{len(answers) + 1}", 300_000))
        return isinstance(answers[-1], GatewayError)

    until(cluster, refused)
    no_space = Outcome.REFUSED, "etcdserver: mvcc: database space exceeded"
    assert error(answers[-1])[1] == no_space[1]
    assert error(cluster.put(0, "small"))[1] == no_space[1]
    full = health(cluster, 0)
    assert full.alarms == (Alarm(full.member_id, "NOSPACE"),)
    assert full.serving_voter
    assert cluster.progress(0) is None
    assert health(cluster, 0).revision == full.revision
    assert cluster.get(0, "k0", serializable=False) == 2
    cluster.disarm(0, full.member_id)
    assert health(cluster, 0).alarms == ()
    assert error(cluster.put(0, "again", 300_000))[1] == no_space[1]
    assert health(cluster, 0).alarms == full.alarms
