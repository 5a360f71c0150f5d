"""What the real cores make of the worst moments to lose a quorum in."""

from __future__ import annotations

from etcdmesos.cluster.why import why
from etcdmesos.simulation.schedule import settle
from tests.simulation.worst_moments import (
    AHEAD,
    a_removal_is_in_flight,
    a_stranger_votes,
    durable,
    one_is_behind,
    phase,
)


def test_the_one_that_has_more_is_the_seed() -> None:
    world = one_is_behind()
    settle(world)
    assert [one.member for one in durable(world).reseeds] == [AHEAD]
    assert phase(world) == "healthy"


def test_a_removal_in_flight_may_leave_a_quorum_to_those_out_of_reach() -> None:
    """They are waited for until Mesos has given them up, and it is said that they may serve."""
    world = a_removal_is_in_flight()
    assert [(one.member, one.proven) for one in durable(world).reseeds] == [("etcd-5", False)]
    settle(world)
    assert phase(world) == "healthy"


def test_a_stranger_is_never_given_up() -> None:
    """Mesos knows nothing of a voter that somebody else added: the operator is waited for."""
    world = a_stranger_votes()
    assert durable(world).reseeds == ()
    model = world.scheduler.model
    assert model is not None
    assert "waits until Mesos gives up" in why(model, world.scheduler.now)
    settle(world)
    assert phase(world) == "healthy"
    assert durable(world).reseeds == ()
