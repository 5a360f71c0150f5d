"""The model as operators and their tools see it: the bodies of /stats, /members and /healthz.

Field names of the original come first and never change.  Pure; reads the model, changes nothing.
"""

from __future__ import annotations

from typing import Any

from etcdmesos.cluster.alarms import kinds_of
from etcdmesos.cluster.backups import telling as backups
from etcdmesos.cluster.findings import Finding, findings
from etcdmesos.cluster.health import Assessment, assess
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Member, Step
from etcdmesos.cluster.reseed import telling
from etcdmesos.cluster.restore import telling as restoring
from etcdmesos.cluster.restore.permission import under_way
from etcdmesos.cluster.revisions import highest_revision
from etcdmesos.cluster.why import standing_by, why
from etcdmesos.mesos.statuses import TaskState

STANDBY = "standby"


def stats(model: Model, now: float) -> dict[str, Any]:
    """The body of GET /stats."""
    state, record = assess(model, now), model.record
    running = [m for m in record.members if _task_state(model, m) is TaskState.RUNNING]
    return {
        "running_servers": len(running),
        "launched_servers": model.counters.launched,
        "failed_servers": model.counters.failed,
        "cluster_livelocks": record.quorum_losses,
        "cluster_reseeds": record.reseed_count,
        "healthy": int(state.serving),
        "role": role(model),
        "holder": model.leadership.holder,
        "phase": model.phase,
        "phase_seconds": round(now - model.phase_since, 3),
        "why": why(model, now),
        "cluster_name": record.cluster_name,
        "cluster_size": record.target_size,
        "cluster_id": record.cluster_id,
        "generation": record.generation,
        "epoch": record.epoch,
        "framework_id": record.framework_id,
        "master": model.mesos.master,
        "leader": _leader_name(record.members, state),
        "highest_revision": highest_revision(model),
        **telling.stats(model, now),
        **restoring.stats(model),
        "backups": backups.stats(model, now),
        "findings": [
            {"name": f.kind.value, "member": f.member, "text": f.text} for f in found(model, now)
        ],
        "members": members(model, now),
    }


def found(model: Model, now: float) -> list[Finding]:
    """What is wrong, as far as this scheduler can know: one that stands by hears of nobody."""
    return [] if role(model) == STANDBY else findings(model, assess(model, now), now)


def members(model: Model, now: float) -> list[dict[str, Any]]:
    """The body of GET /members: every member on record that is not gone.

    One that is being restored is not announced before it serves.
    """
    state, record = assess(model, now), model.record
    return [
        _member(model, member, state, kinds_of(model, member, now))
        for member in (record.members if under_way(model) is None else record.lost_members)
        if member.step is not Step.GONE
    ]


def health(model: Model, now: float) -> tuple[bool, str]:
    """Whether the *cluster* serves reads and writes, and one line that says how."""
    if role(model) == STANDBY:
        return False, f"not known to this scheduler: {standing_by(model)}"
    state = assess(model, now)
    if state.serving and state.alarms:
        return False, f"refuses writes, {model.phase}: {why(model, now)}"
    if state.healthy:
        noted = "; ".join(f.text for f in findings(model, state, now))
        counted = f"healthy: {len(state.agreeing)} of {model.settings.cluster_size} members"
        return True, counted + (f", but {noted}" if noted else "")
    if state.serving:
        return True, f"serving, {model.phase}: {why(model, now)}"
    return False, f"not serving, {model.phase}: {why(model, now)}"


def role(model: Model) -> str:
    """What this scheduler is to the cluster: leader, standby, or suspended in between."""
    if model.leadership.held:
        return "leader"
    return "suspended" if model.leadership.epoch else STANDBY


def _member(model: Model, member: Member, state: Assessment, alarms: list[str]) -> dict[str, Any]:
    latest = model.view(member.name).latest
    if latest is not None and latest.cluster_id != model.record.cluster_id:
        latest = None  # the word of another cluster, or of one that is not announced yet
    task = _task_state(model, member)
    return {
        "name": member.name,
        "host": member.host,
        "rpcPort": member.peer_port,
        "clientPort": member.client_port,
        "httpPort": member.client_port,
        "type": member.initial_state,
        "slaveID": member.agent_id,
        "id": member.id,
        "role": member.role.value,
        "step": member.step.value,
        "serving": member.name in state.agreeing and state.serving,
        "leader": bool(member.id) and member.id == state.leader,
        "peerURL": member.peer_url,
        "clientURL": member.client_url,
        "hostname": member.hostname,
        "version": member.etcd_version,
        "task": member.tasks[-1].id if member.tasks else "",
        "taskState": task.value if task else "",
        "sandbox": member.sandbox,
        "revision": latest.revision if latest else None,
        "dbSize": latest.db_size if latest else None,
        "alarms": alarms,
    }


def _task_state(model: Model, member: Member) -> TaskState | None:
    status = model.tasks.get(member.tasks[-1].id) if member.tasks else None
    return status.state if status else None


def _leader_name(members: tuple[Member, ...], state: Assessment) -> str:
    return next((m.name for m in members if m.id and m.id == state.leader), "")
