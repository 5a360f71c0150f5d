"""What a controller relies on in etcd, held to the real one of both lines and to the simulated one.

Whoever changes the simulated etcd must keep these true on the real one; whoever learns a new fact
about the real one adds it here first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etcdmesos.adapters.etcd_gateway import GatewayError, ListedMember, MemberList, Outcome
from etcdmesos.cluster.member_health import MemberHealth
from tests.real_etcd import VERSIONS
from tests.simulation.etcd.contract import Cluster, Real, Simulated, until

HEALTHY_AFTER = 5.3
"""Seconds a connection must have stood before etcd lets the list be changed."""


@pytest.fixture(
    params=[
        pytest.param((kind, version), id=f"{kind}-{version}", marks=marks)
        for kind, marks in (("simulated", []), ("real", [pytest.mark.real]))
        for version in VERSIONS
    ]
)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    kind, version = request.param
    cluster = Simulated(version) if kind == "simulated" else Real(version, tmp_path)
    yield cluster
    cluster.close()


def health(cluster: Cluster, number: int) -> MemberHealth:
    answer = cluster.status(number)
    assert isinstance(answer, MemberHealth), answer
    return answer


def serves(cluster: Cluster, number: int) -> bool:
    answer = cluster.status(number)
    return isinstance(answer, MemberHealth) and answer.leader != ""


def bootstrap(cluster: Cluster, size: int) -> None:
    for number in range(size):
        cluster.start(number, range(size))
    for number in range(size):
        until(cluster, lambda number=number: serves(cluster, number))  # type: ignore[misc]


def written(cluster: Cluster, number: int, key: str) -> int:
    """Write until it is acknowledged; an answer that was lost may have been a yes."""
    answers: list[int | GatewayError] = []

    def again() -> int | None:
        answers.append(cluster.put(number, key))
        return answers[-1] if isinstance(answers[-1], int) else None

    until(cluster, lambda: again() is not None)
    answer = answers[-1]
    assert isinstance(answer, int)
    return answer


def leader_of(cluster: Cluster, numbers: range | list[int]) -> int:
    found = [health(cluster, number) for number in numbers]
    ids = [one.member_id for one in found]
    return numbers[ids.index(found[0].leader)]


def ends(cluster: Cluster, number: int) -> int:
    until(cluster, lambda: cluster.exit_status(number) is not None)
    status = cluster.exit_status(number)
    assert status is not None
    return status


def error(answer: object) -> tuple[Outcome, str]:
    assert isinstance(answer, GatewayError), answer
    return answer.outcome, str(answer)


def listed(answer: MemberList | GatewayError) -> tuple[ListedMember, ...]:
    assert isinstance(answer, MemberList), answer
    return answer.members


def test_a_new_cluster_of_one_serves(cluster: Cluster) -> None:
    """Status, writes, and a progress probe that leaves the revision alone."""
    bootstrap(cluster, 1)
    before = health(cluster, 0)
    assert before.serving_voter
    assert before.leader == before.member_id
    assert before.version == cluster.version
    assert (before.revision, before.term) == (1, 2)
    assert before.applied_index == before.commit_index
    assert cluster.put(0, "a") == 2
    assert cluster.put(0, "b") == 3
    index = health(cluster, 0).commit_index
    assert cluster.progress(0) is None
    after = health(cluster, 0)
    assert (after.revision, after.commit_index) == (3, index + 1)
    assert cluster.get(0, "a", serializable=False) == 2
    assert cluster.get(0, "nothing", serializable=True) == 0


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
        cluster.put(number, f"k{number}")
    until(cluster, lambda: health(cluster, 0).revision == 4)
    cluster.kill(1)
    cluster.kill(2)
    until(cluster, lambda: health(cluster, 0).leader == "")
    alone = health(cluster, 0)
    assert alone.errors == ("etcdserver: no leader",)
    assert not alone.serving_voter
    assert alone.revision == 4
    assert cluster.get(0, "k2", serializable=True) == 4
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
    cluster.kill(0)
    cluster.start(0, range(3))
    cluster.wait(0.5)
    assert error(cluster.status(0))[0] is Outcome.UNKNOWN
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
    assert error(cluster.status(old))[0] is Outcome.UNKNOWN
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
    until(cluster, lambda: health(cluster, old).leader not in ("", new_id), 5.0)


def test_a_learner_joins_and_is_promoted(cluster: Cluster) -> None:
    """One at a time, not before it has caught up, and it refuses nearly every call."""
    bootstrap(cluster, 1)
    for number in range(20):
        cluster.put(0, f"k{number}")
    learner = cluster.add(0, 1)
    assert isinstance(learner, ListedMember)
    assert (learner.name, learner.learner) == ("", True)
    assert error(cluster.add(0, 2)) == (
        Outcome.REFUSED,
        "etcdserver: too many learner members in cluster",
    )
    assert error(cluster.promote(0, learner.id)) == (
        Outcome.REFUSED,
        "etcdserver: can only promote a learner member which is in sync with leader",
    )
    # A learner that never started does not count: the single voter still commits.
    assert cluster.progress(0) is None
    cluster.start(1, [0, 1], state="existing")
    until(cluster, lambda: serves(cluster, 1))
    one = health(cluster, 1)
    assert (one.member_id, one.learner, one.serving_voter) == (learner.id, True, False)
    not_here = Outcome.REFUSED, "etcdserver: rpc not supported for learner"
    assert error(cluster.put(1, "no")) == not_here
    assert error(cluster.members(1, linearizable=False)) == not_here
    until(cluster, lambda: cluster.get(1, "k19", serializable=True) == 21)
    until(cluster, lambda: cluster.promote(0, learner.id) is None)
    until(cluster, lambda: health(cluster, 1).serving_voter)
    assert error(cluster.promote(0, learner.id)) == (
        Outcome.REFUSED,
        "etcdserver: can only promote a learner member",
    )
    names = {member.name: member.learner for member in listed(cluster.members(1, linearizable=True))}
    assert names == {"m0": False, "m1": False}


def test_a_learner_goes_on_naming_a_dead_leader(cluster: Cluster) -> None:
    """It never campaigns, so it never finds out: a learner's word on the leader proves nothing."""
    bootstrap(cluster, 1)
    learner = cluster.add(0, 1)
    assert isinstance(learner, ListedMember)
    cluster.start(1, [0, 1], state="existing")
    until(cluster, lambda: serves(cluster, 1))
    cluster.kill(0)
    cluster.wait(1.0)
    assert health(cluster, 1).leader != ""


def test_changes_of_the_list(cluster: Cluster) -> None:
    """Adds and removals look at who is connected; removed members end and never come back."""
    bootstrap(cluster, 5)
    unhealthy = Outcome.REFUSED, "etcdserver: unhealthy cluster"
    assert error(cluster.add(0, 5)) == unhealthy, "not connected for long enough"
    cluster.wait(HEALTHY_AFTER)
    not_found = Outcome.REFUSED, "etcdserver: member not found"
    assert error(cluster.remove(0, "00000000000000ff")) == not_found
    taken = Outcome.REFUSED, "etcdserver: Peer URLs already exists"
    assert error(cluster.add(0, 1)) == taken
    leader = leader_of(cluster, range(5))
    dead, removed, dead_too, last = ((leader + n) % 5 for n in range(1, 5))
    ids = [health(cluster, number).member_id for number in range(5)]

    # One of five is dead: before 3.5.30 every add is refused while any voter is unreachable.
    cluster.kill(dead)
    answer = cluster.add(leader, 5)
    if cluster.version.startswith("3.4"):
        assert error(answer) == unhealthy
    else:
        assert isinstance(answer, ListedMember)
        assert cluster.remove(leader, answer.id) is None
    assert cluster.remove(leader, ids[dead]) is None

    # One of four is removed while it runs, and ends.
    assert cluster.remove(leader, ids[removed]) is None
    assert ends(cluster, removed) == 0
    assert cluster.logged(removed, "the member has been permanently removed from the cluster")
    assert error(cluster.remove(leader, ids[removed])) == not_found
    cluster.start(removed, range(5))
    assert ends(cluster, removed) in ((0,) if cluster.version.startswith("3.4") else (0, 1))
    cluster.wipe(removed)
    cluster.start(removed, range(5), state="existing")
    assert ends(cluster, removed) == 1
    assert cluster.logged(removed, "member count is unequal")

    # One of three is dead: no version adds, for of the four to come three must be connected.
    cluster.kill(dead_too)
    assert error(cluster.add(leader, 6)) == unhealthy
    assert error(cluster.remove(leader, ids[last])) == unhealthy
    assert cluster.remove(leader, ids[dead_too]) is None
    assert isinstance(cluster.add(leader, 6), ListedMember)
    assert cluster.progress(leader) is None

    # Without quorum the refusal comes at once: the member that is asked looks at its own links.
    cluster.kill(last)
    until(cluster, lambda: health(cluster, leader).leader == "")
    assert error(cluster.add(leader, 7)) == unhealthy


def test_starts_that_are_refused(cluster: Cluster) -> None:
    """A directory decides who a member is; without one, the others' list does."""
    cluster.start(0, [0, 1], state="existing")
    assert ends(cluster, 0) == 1
    assert cluster.logged(0, "cannot fetch cluster info from peer urls")
    cluster.wipe(0)
    bootstrap(cluster, 3)
    follower = (leader_of(cluster, range(3)) + 1) % 3
    cluster.put(0, "a")
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
    cluster.put(0, "a")
    cluster.put(0, "b")
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
    cluster.wait(0.5)
    assert cluster.exit_status(1) is None
    assert error(cluster.status(1))[0] is Outcome.UNKNOWN
    assert len(listed(cluster.members(0, linearizable=True))) == 1
    cluster.kill(1)
    learner = cluster.add(0, 2)
    assert isinstance(learner, ListedMember)
    cluster.wipe(2)
    cluster.start(2, [0, 2], state="existing")
    until(cluster, lambda: serves(cluster, 2))
    until(cluster, lambda: cluster.get(2, "c", serializable=True) == 4)
    until(cluster, lambda: cluster.promote(0, learner.id) is None)


def test_force_new_cluster_keeps_the_cluster_id(cluster: Cluster) -> None:
    """One member, the same ids, and the others are removed for ever."""
    bootstrap(cluster, 3)
    for number in range(40):
        cluster.put(0, f"k{number}")
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
    assert health(cluster, follower).revision == 40
    assert cluster.get(follower, "k39", serializable=False) == 0


def test_no_space(cluster: Cluster) -> None:
    """Writes are refused, progress and reads are not, and Status says why."""
    cluster.start(0, [0], quota=1024 * 1024)
    until(cluster, lambda: serves(cluster, 0))
    answers = [cluster.put(0, f"k{number}", 300_000) for number in range(8)]
    assert answers[0] == 2
    no_space = Outcome.REFUSED, "etcdserver: mvcc: database space exceeded"
    refused = [answer for answer in answers if isinstance(answer, GatewayError)]
    if refused:
        assert error(refused[0])[1] == no_space[1]
    assert error(cluster.put(0, "small"))[1] == no_space[1]
    full = health(cluster, 0)
    assert full.alarms == ("NOSPACE",)
    assert full.serving_voter
    assert cluster.progress(0) is None
    assert health(cluster, 0).revision == full.revision
    assert cluster.get(0, "k0", serializable=False) == 2
    cluster.disarm(0, full.member_id)
    assert health(cluster, 0).alarms == ()
    assert error(cluster.put(0, "again", 300_000))[1] == no_space[1]
    assert health(cluster, 0).alarms == ("NOSPACE",)
