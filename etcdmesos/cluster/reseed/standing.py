"""How members stand in an attempt to reseed: who is dead, in reach, held or released.

Read from task states and from the executors' own reports; a report counts only for the attempt and
the epoch that it answers.
"""

from __future__ import annotations

from etcdmesos.cluster.health import statuses
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member, Role
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.orders import Report, Standing

IN_REACH = (TaskState.STARTING, TaskState.RUNNING)
"""The executor is there to take orders."""

STOPPED = (Standing.HELD, Standing.MEASURING)
"""No etcd runs on the member's own data, and no seed made of them."""

OUT_OF_THE_WAY = (*STOPPED, Standing.SEEDING, Standing.SEEDED)
"""The old cluster can't have this member's vote."""


def dead(model: Model) -> frozenset[str]:
    """Members every task of which is proven to have ended."""
    return frozenset(m.name for m in model.record.members if model.ended(m))


def in_reach(model: Model) -> tuple[Member, ...]:
    """Members whose executors can be given orders, as recorded."""
    return tuple(
        member
        for member in model.record.members
        if any(status.state in IN_REACH for status in statuses(model, member))
    )


def out_of_reach(model: Model, member: Member) -> bool:
    """Whether Mesos says that nobody vouches for the member, nor will while it is like that.

    UNKNOWN and LOST count only of an agent that is not registered.
    """
    state = model.mesos.state
    heard = [status for status in statuses(model, member) if not status.dead]
    return bool(heard) and all(
        status.state is TaskState.UNREACHABLE
        or (
            status.out_of_reach
            and state is not None
            and status.agent_id not in state.registered_agents
        )
        for status in heard
    )


def learns(model: Model, member: Member) -> bool:
    """Whether the member is a learner, as recorded and as far as it said itself.

    One whose promotion was in flight may know that it is a voter.
    """
    if member.role is not Role.LEARNER:
        return False
    latest = model.view(member.name).latest
    return latest is None or latest.learner or latest.cluster_id != model.record.cluster_id


def only_learners(model: Model) -> tuple[Member, ...]:
    """The members in reach if all of them are learners, which may have next to nothing yet."""
    reach = in_reach(model)
    return reach if all(learns(model, member) for member in reach) else ()


def silent(model: Model, member: Member) -> bool:
    """Whether the member's etcd did not answer its last probe.

    Who was not asked yet, as this scheduler has just taken over, is not silent.
    """
    return model.ended(member) or model.view(member.name).failing_since is not None


def last_report(model: Model, member: Member) -> Report | None:
    """What the member's executor said last, of whatever attempt."""
    return model.reports.get(member.tasks[-1].id) if member.tasks else None


def report_of(model: Model, member: Member) -> Report | None:
    """What the member's executor said of the attempt to reseed, or to restore, that is under way,
    to this scheduler."""
    attempt = model.record.reseed or model.record.restore
    report = last_report(model, member)
    if report is None or attempt is None or model.ended(member):
        return None
    current = (report.epoch, report.generation) == (model.record.epoch, attempt.generation)
    return report if current else None


def stands(model: Model, member: Member, *standings: Standing) -> bool:
    """Whether the member's executor said that it stands like one of `standings`."""
    report = report_of(model, member)
    return report is not None and report.standing in standings


def held(model: Model) -> frozenset[str]:
    """Members that are confirmed not to vote in the old cluster."""
    return frozenset(m.name for m in model.record.members if stands(model, m, *OUT_OF_THE_WAY))


def not_released(model: Model) -> tuple[Member, ...]:
    """Members that may be held still, as recorded, but for those that never answer."""
    reseed = model.record.reseed
    left_alone = reseed.disobedient if reseed is not None else ()
    return tuple(
        member
        for member in model.record.members
        if member.name not in left_alone
        and member.tasks
        and not model.ended(member)
        and not stands(model, member, Standing.UNHELD)
    )
