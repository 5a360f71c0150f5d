"""A world after the loss of a majority: survivors that obey orders, and the scheduler.

Executors do what `etcdmesos/orders.py` promises of them; etcd answers as such members would.
Messages may be lost.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve

from etcdmesos import orders
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.health import voters
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Member
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.orders import Report, SavedSnapshot, Standing
from etcdmesos.step import Command, Event
from tests.cluster import make
from tests.cluster.taken_over import World, alone, identity


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


@define(kw_only=True)
class Scene(World):
    """One cluster without quorum, and its schedulers."""

    survivors: dict[str, Survivor]
    dead: tuple[Member, ...]
    away: tuple[Member, ...]
    lose: Callable[[], bool] = lambda: False
    """Whether the next message is lost."""

    def __attrs_post_init__(self) -> None:
        living = [one.member for one in self.survivors.values()]
        everybody = sorted([*living, *self.dead, *self.away], key=lambda m: m.name)
        size = len(everybody)
        self.stored = make.record(*everybody, size=size, highest_revision=50)
        self.start()

    def check(self) -> None:
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

    def answers(self, command: Command) -> list[Event]:
        match command:
            case c.SendMessage():
                return self._send(command)
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

    def _send(self, command: c.SendMessage) -> list[Event]:
        order = orders.decode(command.data)
        assert isinstance(order, orders.Order)
        owner = next((s for s in self.survivors.values() if s.task_id == order.task_id), None)
        if owner is None or self.lose():
            return []
        report = owner.obey(order)
        if report is None or self.lose():
            return []
        data = orders.encode(report)
        return [
            e.ExecutorSaid(agent_id=command.agent_id, executor_id=command.executor_id, data=data)
        ]

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
        name, cluster = one.member.name, f"seed-{one.seeded_in}"
        if isinstance(asked, c.ProbeMember):
            health = make.health(name, leader="", commit_index=one.index)
            health = evolve(health, applied_index=one.index, revision=one.index)
            if seeded:
                own = identity(name)
                health = evolve(health, cluster_id=cluster, member_id=own, leader=own)
            return e.MemberProbed(member=name, health=health)
        if not seeded:
            return e.CommandFailed(command=asked, reason="no quorum")
        if isinstance(asked, c.ProbeProgress):
            return e.ProgressMade(member=name)
        listed = alone(name, cluster, one.member.peer_url, one.member.client_url)
        return e.MembersListed(members=listed)
