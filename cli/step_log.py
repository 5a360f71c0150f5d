"""What the scheduler says of each step: to its log, and to the event log behind GET /events."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from etcdmesos.adapters.event_log import EventLog
from etcdmesos.cluster.happenings import happenings
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.step import Event, Step

log = logging.getLogger("etcdmesos.scheduler")


def step_log(events: EventLog) -> Callable[[Event, Model, Step[Model, Record]], None]:
    """What the runtime is to call after each step; happenings go to `events` as well."""

    def say(event: Event, before: Model, step: Step[Model, Record]) -> None:
        now = time.monotonic()
        for happening in happenings(event, before, step, now):
            if events.add(happening, now):
                level = logging.WARNING if happening.warning else logging.INFO
                log.log(level, happening.kind.value, extra={"said": happening.text})
        for command in step.commands:
            log.debug("command", extra={"command": type(command).__name__})

    return say
