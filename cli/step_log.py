"""What the scheduler logs of each step: one line for what people ask about first."""

from __future__ import annotations

import logging
import time

from etcdmesos.cluster.commands import Kill, Launch, ProbeMember, ProbeProgress, Shutdown
from etcdmesos.cluster.events import (
    CommandFailed,
    CommandUnknown,
    Disconnected,
    FrameworkRefused,
    LeaderSeen,
    LeadershipGained,
    LeadershipLost,
    LeadershipSuspended,
    RecordPutAside,
    RecordUnavailable,
    TaskUpdated,
)
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.why import why
from etcdmesos.step import Event, Step

SELDOM = (
    LeaderSeen,
    LeadershipGained,
    LeadershipLost,
    LeadershipSuspended,
    FrameworkRefused,
    RecordPutAside,
    RecordUnavailable,
)
"""Events that people want to know of whatever they lead to."""

log = logging.getLogger("etcdmesos.scheduler")


def log_step(event: Event, before: Model, step: Step[Model, Record]) -> None:
    """One line for what people ask about first: phases, launches, kills, the ends of tasks."""
    model = step.model
    if isinstance(event, SELDOM):
        log.warning(type(event).__name__, extra={"why": why(model, time.monotonic())})
    if model.phase != before.phase:
        log.info(
            "phase",
            extra={"was": before.phase, "now": model.phase, "why": why(model, time.monotonic())},
        )
    if isinstance(event, TaskUpdated):
        status = event.status
        log.info(
            "task",
            extra={"task": status.task_id, "state": status.state.value, "said": status.message},
        )
    elif isinstance(event, CommandFailed | CommandUnknown | Disconnected):
        log.log(
            logging.DEBUG if _is_probe(event) else logging.WARNING,
            type(event).__name__,
            extra={"reason": event.reason, "command": _command_name(event)},
        )
    for command in step.commands:
        log.debug("command", extra={"command": type(command).__name__})
        if isinstance(command, Launch):
            for task in command.tasks:
                log.info("launch", extra={"task": task.id, "agent": task.agent_id})
        elif isinstance(command, Kill | Shutdown):
            log.info("end", extra={"how": type(command).__name__, "agent": command.agent_id})


def _is_probe(event: Event) -> bool:
    return isinstance(getattr(event, "command", None), ProbeMember | ProbeProgress)


def _command_name(event: Event) -> str:
    command = getattr(event, "command", None)
    return type(command).__name__ if command is not None else ""
