"""A small world around the controller in which one scheduler may die at any write of the record.

What is under way waits in a queue, in order, until `settle` lets it happen.  Who answers what, and
what must hold, is a world's own to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.settings import Settings
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.step import Command, Event
from tests.cluster import make

MOST_STEPS = 5000


@define
class Crash:
    """The scheduler dies at its n-th save from now, which is stored or not."""

    saves: int
    stored: bool


@define(kw_only=True)
class World:
    """One cluster and its schedulers, one after the other."""

    settings: Settings
    crash: Crash | None = None
    """None again once it has happened."""
    now: float = 0.0
    queue: deque[Event] = field(factory=deque)
    wake_at: float | None = 0.0
    stored: Record = field(init=False)
    model: Model = field(init=False)
    records: list[Record] = field(factory=list)

    def start(self) -> None:
        """Another scheduler process."""
        self.model = make.CONTROLLER.start(self.settings)
        self.queue = deque([e.TimerFired()])

    def settle(self, until: Callable[[Model], bool], steps: int = MOST_STEPS) -> bool:
        """Whether `until` comes to hold within a bounded number of steps."""
        for _ in range(steps):
            if until(self.model):
                return True
            event = self.happens() or (self.queue.popleft() if self.queue else None)
            if event is None:
                if self.wake_at is None:
                    return False
                self.now, event = max(self.now, self.wake_at), e.TimerFired()
            self._take(event)
        return until(self.model)

    def _take(self, event: Event) -> None:
        step = make.CONTROLLER.step(self.model, event, self.now)
        if step.save is not None and self._dies(step.save):
            self.start()
            return
        self.model, self.wake_at = step.model, step.wake_at
        for command in step.commands:
            self.queue.extend(self._answers(command))
        self.check()

    def _dies(self, record: Record) -> bool:
        """Whether this save is the last that its scheduler asks for; stored, unless it says not."""
        if self.crash is not None:
            self.crash.saves -= 1
        last = self.crash if self.crash is not None and self.crash.saves == 0 else None
        if last is None or last.stored:
            self.stored = record
            self.records.append(record)
        if last is not None:
            self.crash = None
        return last is not None

    def _answers(self, command: Command) -> list[Event]:
        match command:
            case c.LoadRecord():
                return [e.RecordLoaded(record=self.stored)]
            case c.Subscribe():
                return [e.Subscribed(framework_id="fw-1", master="m:1")]
            case c.ReadMasterState(subscription=number):
                return [e.MasterStateRead(state=make.master_state(), subscription=number)]
            case _:
                return self.answers(command)

    # A world's own

    def happens(self) -> Event | None:
        """What the outside does by itself now, before anything else; None: nothing."""
        return None

    def answers(self, command: Command) -> list[Event]:
        """What `command` leads to."""
        raise NotImplementedError

    def check(self) -> None:
        """What must hold after every step."""
        raise NotImplementedError


def identity(name: str) -> str:
    """etcd's id of a member that was grown into a cluster of its own."""
    return f"seed-{name}"


def alone(name: str, cluster: str, peer_url: str, client_url: str) -> MemberList:
    """What a cluster of this member alone lists."""
    entry = ListedMember(
        id=identity(name),
        name=name,
        peer_urls=(peer_url,),
        client_urls=(client_url,),
        learner=False,
    )
    return MemberList(cluster_id=cluster, members=(entry,))
