"""What is wrong with the cluster, in words: one short clause for each thing found.  For people."""

from __future__ import annotations

from etcdmesos.cluster.health import Assessment, progressing, statuses, voters
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member
from etcdmesos.mesos.statuses import TaskState


def findings(model: Model, state: Assessment, now: float) -> list[str]:
    """What is wrong at `now`, `state` being how the cluster stands then."""
    config = voters(model.record)
    found = [
        f"{member.name} {_trouble(model, member)}"
        for member in config
        if member.name not in state.agreeing
    ]
    for member in config:
        latest = model.view(member.name).latest
        if latest is not None and latest.alarms:
            found.append(f"{member.name} raises {' and '.join(latest.alarms)}")
    if state.agreeing and not progressing(model, now):
        failure = model.progress.failure or "not tried yet"
        found.append(f"no proposal is committed ({failure})")
    return found


def _trouble(model: Model, member: Member) -> str:
    """Why `member` is not among those that serve, as the rest of a clause."""
    status = next(iter(statuses(model, member)), None)
    view = model.view(member.name)
    if status is not None and status.dead:
        detail = status.message or status.reason or "no reason given"
        return f"is dead ({status.state.value}: {detail})"
    if status is not None and status.out_of_reach:
        detail = status.message or status.reason or "no reason given"
        answer = f" and does not answer ({view.failure})" if view.failing_since is not None else ""
        return f"is out of reach ({status.state.value}: {detail}){answer}"
    if status is None:
        return "was not heard of yet"
    if status.state is TaskState.STAGING:
        return "is being launched"
    if view.failing_since is not None and status.state is not TaskState.STARTING:
        return f"does not answer ({view.failure})"
    if status.state is TaskState.STARTING:
        return "is starting"
    if view.latest is None:
        return "was not probed yet"
    if view.latest.learner:
        return "is a learner still"
    if not view.latest.leader:
        return "knows no leader"
    if model.record.cluster_id and view.latest.cluster_id != model.record.cluster_id:
        return f"is of another cluster ({view.latest.cluster_id})"
    return f"names another leader ({view.latest.leader}, term {view.latest.term})"
