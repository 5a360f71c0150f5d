"""A scheduler's core and its admin interface, without a Mesos or an etcd: enough to be asked."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from attrs import define

from etcdmesos.adapters.admin import admin_app
from etcdmesos.adapters.event_log import EventLog
from etcdmesos.adapters.http_server import HttpServer
from etcdmesos.adapters.operator import Operator
from etcdmesos.adapters.record_memory import MemoryStore
from etcdmesos.cli.step_log import step_log
from etcdmesos.cluster.controller import Controller
from etcdmesos.cluster.events import Event, LeaderSeen, StopAsked, TimerFired
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.runtime import Runtime
from etcdmesos.step import Step
from tests.cluster import make

TOKEN = "correct-horse-battery-staple"
HOLDER = "node-2, process 7, admin 10.0.0.2:23400"


@define(eq=False)
class Scheduler:
    """Of cluster "c"; `address` is where it can be asked."""

    runtime: Runtime[Model, Record]
    address: str

    def asked(
        self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and body of the answer."""
        with closing(http.client.HTTPConnection(self.address, timeout=60)) as connection:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@contextmanager
def scheduler(*, token: str = TOKEN, standby: bool = False) -> Iterator[Scheduler]:
    """One that has loaded its empty record, or stands by and knows for whom."""
    ready = threading.Event()

    events = EventLog()
    say = step_log(events)

    def watch(event: Event, before: Model, step: Step[Model, Record]) -> None:
        say(event, before, step)
        if step.model.store.loaded or isinstance(event, LeaderSeen):
            ready.set()

    controller = Controller()
    runtime: Runtime[Model, Record] = Runtime(
        step=controller.step,
        model=controller.start(make.settings(elected=standby)),
        store=MemoryStore(),
        clock=time.monotonic,
        on_step=watch,
    )
    operator = Operator(runtime.post)
    runtime.attach(operator)
    app = admin_app(
        lambda: (runtime.model, time.monotonic()),
        operator,
        token,
        events,
        tuple(controller.chart.definition.phases),
    )
    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    thread = threading.Thread(target=runtime.run, args=(TimerFired(),))
    with closing(server):
        thread.start()
        if standby:
            runtime.post(LeaderSeen(holder=HOLDER))
        try:
            assert ready.wait(60)
            yield Scheduler(runtime, f"127.0.0.1:{server.port}")
        finally:
            runtime.post(StopAsked())
            thread.join(60)
            assert not thread.is_alive()
