"""A world after the loss of a majority: survivors that obey orders, and the scheduler.

Executors do what `etcdmesos/orders.py` promises of them; etcd answers as such members would.  What
is under way waits in a queue, in order, until `settle` lets it happen; messages may be lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, evolve, field

from etcdmesos import orders
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.health import voters
from etcdmesos.cluster.member_list import ListedMember, MemberList
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Member, Record
from etcdmesos.cluster.settings import Settings
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.orders import Report, SavedSnapshot, Standing
from etcdmesos.step import Command, Event
from tests.cluster import make

MOST_STEPS = 5000


@define
class Survivor:
    """A living executor with its member; `index` is how far its log is committed."""

    member: Member
    index: int
    answers: bool = True
    """Its etcd answers on its own data; otherwise only as a seed."""
    bad_disk: bool = False
    """Nothing can be restored on it."""
    deaf: bool = False
    """Orders do not reach it."""
    epoch: int = 0
    generation: int = 0
    standing: Standing = Standing.UNHELD
    snapshot: SavedSnapshot | None = None
    failed: str = ""
    seeded_in: int = 0

    @property
    def task_id(self) -> str:
        return self.member.tasks[-1].id

    def obey(self, order: orders.Order) -> Report | None:
        """Carry `order` out, as an executor would; None: nothing is said."""
        if self.deaf or not isinstance(order, orders.ReseedOrder):
            return None
        if order.epoch >= self.epoch and order.generation >= self.generation:
            self.epoch = order.epoch
            if order.generation > self.generation:
                self.generation, self.failed = order.generation, ""
            self._carry_out(order)
        return Report(
            task_id=self.task_id,
            epoch=self.epoch,
            generation=self.generation,
            standing=self.standing,
            cluster_id="c1" if not self.seeded_in else f"seed-{self.seeded_in}",
            commit_index=0 if self.standing is Standing.UNHELD else self.index,
            snapshot=self.snapshot,
            failed=self.failed,
        )

    def _carry_out(self, order: orders.ReseedOrder) -> None:
        match order:
            case orders.TakeSnapshot():
                if self.standing is Standing.UNHELD and self.answers:
                    self._save()
            case orders.Hold(in_force=in_force):
                # As the executors have it: in the generation of its own seed, a hold is late.
                if self.seeded_in != order.generation:
                    assert not self.seeded_in or self.seeded_in > in_force
                    self.standing, self.seeded_in = Standing.HELD, 0
            case orders.MeasureCopy():
                self._save()
            case orders.Seed() if not self.seeded_in:
                taken = self.snapshot
                assert taken is not None
                assert taken.sha256 == order.snapshot_sha256
                assert self.standing is Standing.HELD
                if self.bad_disk:
                    self.failed = "seed"
                else:
                    self.standing, self.seeded_in = Standing.SEEDED, order.generation
            case orders.Release():
                self.standing, self.seeded_in = Standing.UNHELD, 0
            case _:
                pass

    def _save(self) -> None:
        self.snapshot = SavedSnapshot(
            sha256=f"{self.member.name}@{self.index}",
            size=1,
            revision=self.index,
            applied_index=self.index,
            path="p",
        )


@define
class Crash:
    """The scheduler dies at its n-th save from now, which is stored or not."""

    saves: int
    stored: bool


@define
class Scene:
    """One cluster without quorum, and its schedulers, one after the other."""

    survivors: dict[str, Survivor]
    dead: tuple[Member, ...]
    away: tuple[Member, ...]
    settings: Settings
    crash: Crash | None = None
    lose: Callable[[], bool] = lambda: False
    """Whether the next message is lost."""
    now: float = 0.0
    queue: deque[Event] = field(factory=deque)
    wake_at: float | None = 0.0
    stored: Record = field(init=False)
    model: Model = field(init=False)
    records: list[Record] = field(factory=list)
    takeovers: int = 0

    def __attrs_post_init__(self) -> None:
        living = [one.member for one in self.survivors.values()]
        everybody = sorted([*living, *self.dead, *self.away], key=lambda m: m.name)
        size = len(everybody)
        self.stored = make.record(*everybody, size=size, highest_revision=50)
        self._start()

    def _start(self) -> None:
        self.model = make.CONTROLLER.start(self.settings)
        self.queue = deque([e.TimerFired()])

    def settle(self, until: Callable[[Model], bool], steps: int = MOST_STEPS) -> bool:
        """Whether `until` comes to hold within a bounded number of steps."""
        for _ in range(steps):
            if until(self.model):
                return True
            if self.queue:
                self._take(self.queue.popleft())
            elif self.wake_at is None:
                return False
            else:
                self.now = max(self.now, self.wake_at)
                self._take(e.TimerFired())
        return until(self.model)

    def _take(self, event: Event) -> None:
        step = make.CONTROLLER.step(self.model, event, self.now)
        if step.save is not None:
            if self.crash is not None:
                self.crash.saves -= 1
                if self.crash.saves == 0:
                    if self.crash.stored:
                        self._store(step.save)
                    self.crash, self.takeovers = None, self.takeovers + 1
                    self._start()
                    return
            self._store(step.save)
        self.model, self.wake_at = step.model, step.wake_at
        for command in step.commands:
            self._release(command)
        self._check()

    def _store(self, record: Record) -> None:
        self.stored = record
        self.records.append(record)

    def _check(self) -> None:
        """Promises 7 and 8, on what really runs."""
        seeds = [one for one in self.survivors.values() if one.standing is Standing.SEEDED]
        assert len(seeds) <= 1, "two seeds serve at once"
        reseed = self.model.record.reseed
        if not seeds or reseed is None or not reseed.proven:
            return
        config = {m.name for m in voters(self.model.record)}
        free = {n for n, one in self.survivors.items() if one.standing is Standing.UNHELD}
        free |= {m.name for m in self.away}
        assert not has_quorum(len(config & free), len(config)), "a second cluster could serve"

    def _release(self, command: Command) -> None:
        if isinstance(command, c.SendMessage):
            order = orders.decode(command.data)
            assert isinstance(order, orders.Order)
            owner = next(
                (one for one in self.survivors.values() if one.task_id == order.task_id), None
            )
            if owner is None or self.lose():
                return
            report = owner.obey(order)
            if report is not None and not self.lose():
                self.queue.append(
                    e.ExecutorSaid(
                        agent_id=command.agent_id,
                        executor_id=command.executor_id,
                        data=orders.encode(report),
                    )
                )
            return
        self.queue.extend(self._answers(command))

    def _answers(self, command: Command) -> list[Event]:
        match command:
            case c.LoadRecord():
                return [e.RecordLoaded(record=self.stored)]
            case c.Subscribe():
                return [e.Subscribed(framework_id="fw-1", master="m:1")]
            case c.ReadMasterState(subscription=number):
                return [e.MasterStateRead(state=make.master_state(), subscription=number)]
            case c.Reconcile(tasks=tasks):
                asked = {task_id for task_id, _ in tasks}
                return [
                    e.TaskUpdated(status=status)
                    for status in self._statuses()
                    if not asked or status.task_id in asked
                ]
            case c.Kill(task_id=task_id, agent_id=agent_id):
                one = next((s for s in self.survivors.values() if s.task_id == task_id), None)
                if one is None:
                    return []
                del self.survivors[one.member.name]
                self.dead = (*self.dead, one.member)
                return [
                    e.TaskUpdated(status=make.status(task_id, TaskState.KILLED, agent_id, uuid="u"))
                ]
            case c.ProbeMember() | c.ProbeProgress() | c.ListMembers():
                return [self._of_etcd(command)]
            case _:
                return []

    def _statuses(self) -> list[TaskStatus]:
        states = [(m, TaskState.FAILED, None) for m in self.dead]
        states += [(m, TaskState.UNREACHABLE, None) for m in self.away]
        living: list[tuple[Member, TaskState, bool | None]] = [
            (s.member, TaskState.RUNNING, False) for s in self.survivors.values()
        ]
        return [
            evolve(make.status(m.tasks[-1].id, state, m.agent_id), healthy=healthy)
            for m, state, healthy in [*states, *living]
        ]

    def _of_etcd(self, asked: c.ProbeMember | c.ProbeProgress | c.ListMembers) -> Event:
        one = next(
            (s for s in self.survivors.values() if s.member.client_url == asked.client_url), None
        )
        running = one is not None and one.standing in (Standing.UNHELD, Standing.SEEDED)
        if one is None or not running:
            return e.CommandFailed(command=asked, reason="connection refused")
        seeded = one.standing is Standing.SEEDED
        if not seeded and not one.answers:
            return e.CommandFailed(command=asked, reason="timed out")
        identity = f"seed-{one.member.name}"
        if isinstance(asked, c.ProbeMember):
            health = make.health(one.member.name, leader="", commit_index=one.index)
            health = evolve(health, applied_index=one.index, revision=one.index)
            if seeded:
                cluster = f"seed-{one.seeded_in}"
                health = evolve(health, cluster_id=cluster, member_id=identity, leader=identity)
            return e.MemberProbed(member=one.member.name, health=health)
        if not seeded:
            return e.CommandFailed(command=asked, reason="no quorum")
        if isinstance(asked, c.ProbeProgress):
            return e.ProgressMade(member=one.member.name)
        entry = ListedMember(
            id=identity,
            name=one.member.name,
            peer_urls=(one.member.peer_url,),
            client_urls=(one.member.client_url,),
            learner=False,
        )
        listed = MemberList(cluster_id=f"seed-{one.seeded_in}", members=(entry,))
        return e.MembersListed(members=listed)
