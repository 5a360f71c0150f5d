"""Tells a trace what the scheduler does, in words short enough for one line each.

Probes and timers are left out unless they change something: what is told are state changes.
"""

from __future__ import annotations

from etcdmesos import orders
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.episode import Reseed
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.episode import Restore
from etcdmesos.cluster.why import why
from etcdmesos.simulation.trace import Trace
from etcdmesos.step import Command, Event, Step

__all__ = ["Narrator"]

QUIET_EVENTS = (e.TimerFired, e.MemberProbed, e.ProgressMade, e.CommandDone)
QUIET_COMMANDS = (c.ProbeMember, c.ProbeProgress)


class Narrator:
    """Writes a scheduler's steps to a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def stepped(
        self, process: int, event: Event, before: Model, step: Step[Model, Record], now: float
    ) -> None:
        """Lines for one step: the event, the record, the commands, the phase."""
        who = f"scheduler {process}"
        if not isinstance(event, QUIET_EVENTS) and not _of_a_probe(event):
            self._trace.say(who, f"hears {_event(event)}")
        if step.save is not None:
            self._trace.say(who, f"saves {_record(before.record, step.save)}")
        for command in step.commands:
            if not isinstance(command, QUIET_COMMANDS):
                self._trace.say(who, f"asks  {_command(command)}")
        if step.model.phase != before.phase:
            sentence = why(step.model, now)
            self._trace.say(who, f"{before.phase} -> {step.model.phase}: {sentence}")


def _of_a_probe(event: Event) -> bool:
    return isinstance(getattr(event, "command", None), QUIET_COMMANDS)


def _event(event: Event) -> str:
    name = type(event).__name__
    if isinstance(event, e.TaskUpdated):
        status = event.status
        again = "" if status.uuid else " (reconciled)"
        detail = status.message or status.reason
        return f"{status.task_id} {status.state.value}{again}{': ' if detail else ''}{detail}"
    if isinstance(event, e.OffersReceived):
        return "offers " + ", ".join(f"{o.id} of {o.hostname}" for o in event.offers)
    if isinstance(event, e.OfferRescinded):
        return f"{event.offer_id} rescinded"
    if isinstance(event, e.CommandFailed | e.CommandUnknown):
        kind = "failed" if isinstance(event, e.CommandFailed) else "unknown"
        return f"{_command(event.command)} {kind}: {event.reason}"
    if isinstance(event, e.RecordLoaded):
        record = event.record
        return "no record" if record is None else f"record of epoch {record.epoch}"
    if isinstance(event, e.MasterStateRead):
        return f"master's state: {event.state.outstanding_agents} agents outstanding"
    if isinstance(event, e.CatalogueRead):
        found = event.catalogue
        return f"{len(found.backups)} backups, {len(found.unfinished)} unfinished ones"
    if isinstance(event, e.BackupOpened):
        return f"a way in for {event.name}"
    if isinstance(event, e.BackupCounted):
        return f"{event.manifest.name} counts"
    if isinstance(event, e.BackupChecked):
        return f"{event.point.name} is sound"
    if isinstance(event, e.BackupDamaged):
        return f"{event.name} {event.reason}".strip()
    if isinstance(event, e.ExecutorSaid):
        return _message(event.data)
    reason = getattr(event, "reason", "") or getattr(event, "agent_id", "")
    return f"{name}{': ' if reason else ''}{reason}"


def _command(command: Command) -> str:
    name = type(command).__name__
    if isinstance(command, c.Launch):
        return f"{name} {', '.join(f'{t.id} on {t.agent_id}' for t in command.tasks)}"
    if isinstance(command, c.Acknowledge):
        return f"{name} {command.status.task_id} {command.status.state.value}"
    if isinstance(command, c.Kill):
        return f"{name} {command.task_id}"
    if isinstance(command, c.Shutdown):
        return f"{name} {command.executor_id}"
    if isinstance(command, c.Decline):
        return f"{name} {', '.join(command.offer_ids)}"
    if isinstance(command, c.Reconcile):
        return f"{name} {', '.join(task for task, _ in command.tasks) or 'everything'}"
    if isinstance(command, c.SendMessage):
        return _message(command.data)
    if isinstance(command, c.AbandonBackup | c.DeleteBackup):
        return f"{name} {command.name}"
    if isinstance(command, c.Exit):
        return f"{name} {command.status} {command.reason}"
    return name


def _message(data: bytes) -> str:
    """An order, or what an executor says of itself."""
    message = orders.decode(data)
    name, task = type(message).__name__, message.task_id
    if isinstance(message, orders.Report):
        failed = f", {message.failed} failed: {message.reason}" if message.failed else ""
        saved = f", snapshot of {message.snapshot.revision}" if message.snapshot else ""
        at = f"{message.epoch}, generation {message.generation}"
        return f"{task} is {message.standing.value}, epoch {at}{saved}{failed}"
    if isinstance(message, orders.Backup | orders.CancelBackup):
        return f"{name} {task}, {message.name}"
    if isinstance(message, orders.BackupReport):
        failed = f": {message.reason}" if message.reason else ""
        return f"{task} says {message.name} is {message.sending.value}{failed}"
    generation = getattr(message, "generation", 0)
    return f"{name} {task}, generation {generation}"


def _record(before: Record, after: Record) -> str:
    """What of the record changed."""
    changes = []
    for name in ("epoch", "generation", "served", "cluster_id", "framework_id", "failed_attempts"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            changes.append(f"{name}={new}")
    old_members = {m.name: m for m in before.members}
    for member in after.members:
        known = old_members.pop(member.name, None)
        if known is None:
            changes.append(f"{member.name} {member.step.value} on {member.agent_id}")
        elif known.step is not member.step:
            changes.append(f"{member.name} {member.step.value}")
    changes += [f"without {name}" for name in old_members]
    if before.reseed != after.reseed:
        changes.append(_reseed(after.reseed))
    if before.restore != after.restore:
        changes.append(_restore(after.restore))
    return f"{after.epoch}.{after.sequence}: {', '.join(changes) or 'details'}"


def _restore(restore: Restore | None) -> str:
    if restore is None:
        return "no restore"
    point = f" {restore.point.name}" if restore.point is not None else ""
    failed = f" (before: {restore.failure})" if restore.failure else ""
    return f"restore {restore.generation} {restore.stage.value}{point}{failed}"


def _reseed(reseed: Reseed | None) -> str:
    if reseed is None:
        return "no reseed"
    seed = f" from {reseed.seed}" if reseed.seed else ""
    return f"reseed {reseed.generation} {reseed.stage.value}{seed}"
