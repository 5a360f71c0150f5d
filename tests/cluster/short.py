"""Steps in a short stable form: how the scripts show what the controller does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etcdmesos.cluster import commands as c
from etcdmesos.cluster.episode import Reseed
from etcdmesos.cluster.record import Change, Member, Record
from etcdmesos.cluster.restore.episode import Restore
from etcdmesos.orders import Backup, CancelBackup, Discard, ReseedOrder, Seed, decode, name_of
from etcdmesos.step import Command


def command(asked: Command) -> str:
    """One line for one command."""
    said = _WORDS.get(type(asked))
    return said(asked) if said is not None else type(asked).__name__.lower()


def record(saved: Record) -> str:
    """One line for one save: version, then what a reader of a story wants to know."""
    parts = [f"save {saved.epoch}.{saved.sequence}"]
    if saved.framework_id:
        parts.append(saved.framework_id)
    parts.append(f"gen {saved.generation}")
    if saved.failed_attempts:
        parts.append(f"failed {saved.failed_attempts}")
    if saved.served:
        parts.append(f"served as {saved.cluster_id}")
    parts.append(" ".join(map(member, saved.members)) or "no members")
    if saved.change is not None:
        parts.append(change(saved.change))
    if saved.reseed is not None:
        parts.append(reseed(saved.reseed))
    if saved.quorum_lost_at and saved.reseed is None:
        parts.append("quorum is gone")
    if saved.reseeds:
        last = saved.reseeds[-1]
        parts.append(f"reseeded from {last.member} at {last.revision} of {last.highest_revision}")
    if saved.restore is not None:
        parts.append(restore(saved.restore))
    if saved.restores:
        done = saved.restores[-1]
        parts.append(f"restored from {done.source} at {done.revision} of {done.highest_revision}")
    if saved.uninstalling:
        parts.append("uninstalling")
    return ", ".join(parts)


def member(recorded: Member) -> str:
    ends = {task.ended.removeprefix("TASK_").lower() for task in recorded.tasks if task.ended}
    ended = f"({', '.join(sorted(ends))})" if ends else ""
    return f"{recorded.name}={recorded.step.value}@{recorded.agent_id}{ended}"


def change(recorded: Change) -> str:
    """The change in flight; a member we never knew goes by etcd's id."""
    return f"to {recorded.kind.value} {recorded.member or recorded.id}"


def reseed(recorded: Reseed) -> str:
    """An attempt to reseed: its stage, what was chosen, who is out of it."""
    parts = [f"{recorded.stage.value} in gen {recorded.generation}"]
    if recorded.seed:
        parts.append(recorded.seed)
    if recorded.chosen is not None:
        parts.append(f"at {recorded.chosen.commit_index}")
        parts.append("proven" if recorded.proven else "unproven")
    if recorded.failures:
        parts.append(f"without {' '.join(recorded.failures)}")
    return " ".join(parts)


def restore(recorded: Restore) -> str:
    """A restore: its stage, what is restored, what failed."""
    parts = [f"{recorded.stage.value} from {recorded.source}"]
    if recorded.generation:
        parts.append(f"in gen {recorded.generation}")
    if recorded.point is not None:
        parts.append(f"at {recorded.point.revision}")
    if recorded.refused:
        parts.append(f"without {' '.join(recorded.refused)}")
    if recorded.attempts:
        parts.append(f"after {recorded.attempts} attempts")
    return " ".join(parts)


def _order(message: c.SendMessage) -> str:
    order = decode(message.data)
    if isinstance(order, Backup | CancelBackup):
        return f"order {order.epoch} {name_of(type(order))} {order.task_id}@{message.agent_id}"
    if isinstance(order, Discard):
        before = f" before {order.before}" if order.before else ""
        return f"order {order.epoch} discard{before} {order.task_id}@{message.agent_id}"
    assert isinstance(order, ReseedOrder)
    more = f" {order.snapshot_sha256} as {order.token}" if isinstance(order, Seed) else ""
    task = f"{order.task_id}@{message.agent_id}"
    return f"order {order.epoch}.{order.generation} {name_of(type(order))} {task}{more}"


def _launch(launch: c.Launch) -> str:
    tasks = " ".join(
        f"{task.id}@{task.agent_id}:{'+'.join(str(port.number) for port in task.ports)}"
        for task in launch.tasks
    )
    return f"launch {tasks} from {' '.join(launch.offer_ids)}"


def _reconcile(asked: c.Reconcile) -> str:
    return f"reconcile {' '.join(task for task, _ in asked.tasks) or 'everything'}"


_WORDS: dict[type[Command], Callable[[Any], str]] = {
    c.Subscribe: lambda a: f"subscribe as {a.framework_id or 'a new framework'}",
    c.SendMessage: _order,
    c.ReadMasterState: lambda _: "read the master's state",
    c.LoadRecord: lambda _: "load the record",
    c.DeleteRecord: lambda _: "delete the record",
    c.PutRecordAside: lambda _: "put the record aside",
    c.Teardown: lambda _: "tear the framework down",
    c.Launch: _launch,
    c.Decline: lambda a: f"decline {' '.join(a.offer_ids)} for {a.refuse_seconds:g} s",
    c.Acknowledge: lambda a: f"acknowledge {a.status.uuid}",
    c.Reconcile: _reconcile,
    c.Kill: lambda a: f"kill {a.task_id}@{a.agent_id}",
    c.Shutdown: lambda a: f"shutdown {a.executor_id}@{a.agent_id}",
    c.ProbeMember: lambda a: f"probe {a.member}",
    c.ProbeProgress: lambda a: f"probe progress by {a.member}",
    c.CheckBackup: lambda a: f"check {a.source} of {a.origin or 'anybody'}",
    c.LendBackup: lambda a: f"lend {a.point.name}",
    c.ListMembers: lambda _: "list etcd's members",
    c.AddLearner: lambda a: f"add learner {a.member} at {a.peer_url}",
    c.PromoteLearner: lambda a: f"promote {a.member} ({a.id})",
    c.RemoveMember: lambda a: f"remove {a.member or 'one unknown'} ({a.id})",
    c.ReadCatalogue: lambda _: "read what is backed up",
    c.OpenBackup: lambda a: f"open a backup of {a.size} bytes",
    c.CountBackup: lambda a: f"count the backup of {a.manifest.member} at {a.manifest.revision}",
    c.AbandonBackup: lambda _: "abandon the backup",
    c.DeleteBackup: lambda a: f"delete backup {a.name}",
    c.AnswerOperator: lambda a: f"answer {'accepted' if a.accepted else 'refused'}: {a.text}",
    c.Exit: lambda a: f"exit {a.status}" + (f": {a.reason}" if a.reason else ""),
}
