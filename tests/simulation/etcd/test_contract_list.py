"""What a controller relies on in etcd: the member list and its changes.

Held to the real etcd of both lines and to the simulated one: whoever changes the simulated etcd
must keep these true on the real one; whoever learns a new fact about it adds it here first.
"""

from __future__ import annotations

import time

from etcdmesos.adapters.etcd_gateway import ListedMember, Outcome
from tests.simulation.etcd.contract import (
    HEALTHY_AFTER,
    NOTICED_AFTER,
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


def test_a_learner_joins_and_is_promoted(cluster: Cluster) -> None:
    """One at a time, not before it has caught up, and it refuses nearly every call."""
    bootstrap(cluster, 1)
    for number in range(20):
        assert cluster.put(0, f"k{number}") == number + 2
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
    names = {
        member.name: member.learner for member in listed(cluster.members(1, linearizable=True))
    }
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
    began = time.monotonic()
    bootstrap(cluster, 5)
    unhealthy = Outcome.REFUSED, "etcdserver: unhealthy cluster"
    answer = cluster.add(0, 5)
    if time.monotonic() - began < HEALTHY_AFTER - 1.0:
        assert error(answer) == unhealthy, "not connected for long enough"
    elif isinstance(answer, ListedMember):  # A busy machine took so long.
        assert cluster.remove(0, answer.id) is None
    cluster.wait(HEALTHY_AFTER)
    not_found = Outcome.REFUSED, "etcdserver: member not found"
    assert error(cluster.remove(0, "00000000000000ff")) == not_found
    taken = Outcome.REFUSED, "etcdserver: Peer URLs already exists"
    # On a busy machine an election swallows a proposal now and then: asked again.
    until(cluster, lambda: error(cluster.add(0, 1)) == taken)
    leader = leader_of(cluster, range(5))
    dead, removed, dead_too, last = ((leader + n) % 5 for n in range(1, 5))
    ids = [health(cluster, number).member_id for number in range(5)]

    # One of five is dead: before 3.5.30 every add is refused while any voter is unreachable.
    cluster.kill(dead)
    cluster.wait(NOTICED_AFTER)
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
    cluster.wait(NOTICED_AFTER)
    assert error(cluster.add(leader, 6)) == unhealthy
    assert error(cluster.remove(leader, ids[last])) == unhealthy
    assert cluster.remove(leader, ids[dead_too]) is None
    assert isinstance(cluster.add(leader, 6), ListedMember)
    assert cluster.progress(leader) is None

    # Without quorum the refusal comes at once: the member that is asked looks at its own links.
    cluster.kill(last)
    until(cluster, lambda: health(cluster, leader).leader == "")
    assert error(cluster.add(leader, 7)) == unhealthy


def test_the_last_voter_may_forget_a_removal(cluster: Cluster) -> None:
    """Of two, one is removed, and the other is killed -9: the commit index gets to disk with the
    next entry only, so without one it waits for the removed member for ever."""
    bootstrap(cluster, 2)
    cluster.wait(HEALTHY_AFTER)
    last = leader_of(cluster, range(2))
    assert cluster.remove(last, health(cluster, 1 - last).member_id) is None
    assert ends(cluster, 1 - last) == 0
    cluster.kill(last)
    cluster.start(last)
    until(cluster, lambda: silent(cluster, last))
    assert silent(cluster, last)
