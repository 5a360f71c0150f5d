"""What a good end is, and what is none: `oracles/liveness.py`."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.mesos.statuses import TaskState, TaskStatus
from tests.simulation.oracles import make

DEAD = TaskStatus(task_id="etcd-1-1", state=TaskState.FAILED, agent_id="agent-1")


def test_health_is_no_good_end_while_etcd_lists_somebody_else() -> None:
    assert make.verdict("it_ends_well", make.settled(voters=3, listed=3)) == ""
    said = make.verdict("it_ends_well", make.settled(voters=3, listed=4))
    assert "etcd lists 3 voters, 4 members" in said


def test_a_cluster_that_kept_its_quorum_must_end_healthy() -> None:
    left = frozenset({"etcd-2-1", "etcd-3-1"})
    said = make.verdict("it_ends_well", make.settled(phase="degraded", alive=left, voters=3))
    assert "a majority of the 3 voters is left" in said


def test_a_lost_cluster_that_names_its_members_ends_well() -> None:
    dead = {t: evolve(DEAD, task_id=t) for m in make.SERVED.members for t in [m.tasks[0].id]}
    lost = make.model(make.SERVED, "lost", tasks=dead)
    assert (
        make.verdict(
            "it_ends_well", make.settled(alive=frozenset(), model=lost, lost_majority=True)
        )
        == ""
    )


def test_a_cluster_with_a_dead_member_must_say_so() -> None:
    degraded = make.settled(
        phase="degraded",
        alive=frozenset({"etcd-2-1", "etcd-3-1"}),
        lost_majority=True,
        sound=False,
    )
    assert "does not say that etcd-1 is lost" in make.verdict("it_ends_well", degraded)


def test_a_survivor_with_data_must_end_in_a_reseed() -> None:
    """Unless the operator is waited for, and does not answer."""
    waiting = make.settled(
        phase="degraded", alive=frozenset({"etcd-3-1"}), lost_majority=True, operator=True
    )
    assert "could be a new cluster" in make.verdict("it_ends_well", waiting)
