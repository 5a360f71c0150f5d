"""A world in which nothing is left but backups: agents that launch what waits, and the scheduler.

Executors do what `etcdmesos/orders.py` promises of them; etcd answers as a restored one would.
Messages and answers may be lost.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field

from etcdmesos import orders
from etcdmesos.backups.names import origin_of
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.restore.episode import Point, Stage
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.mesos.tasks import Task
from etcdmesos.orders import Report, SavedSnapshot, Standing
from etcdmesos.step import Command, Event
from tests.cluster import backed_up, make
from tests.cluster.taken_over import World, alone, identity

AGENTS = "pqrst"


@define
class Node:
    """An executor that was launched to restore, and its member."""

    task: Task
    spec: MemberSpec
    epoch: int
    standing: Standing = Standing.HELD
    snapshot: SavedSnapshot | None = None
    failed: str = ""
    bad_disk: bool = False
    """Nothing can be restored on it."""

    @property
    def cluster(self) -> str:
        return f"seed-{self.spec.generation}"

    def obey(self, order: orders.Order, urls: set[str]) -> Report:
        """Carry `order` out, as an executor would; `urls` are those at which something is lent."""
        assert isinstance(order, orders.FetchBackup | orders.Seed)
        if order.epoch >= self.epoch and order.generation == self.spec.generation:
            self.epoch = order.epoch
            self._carry_out(order, urls)
        return Report(
            task_id=self.task.id,
            epoch=self.epoch,
            generation=self.spec.generation,
            standing=self.standing,
            cluster_id=self.cluster if self.standing is Standing.SEEDED else "",
            snapshot=self.snapshot,
            failed=self.failed,
        )

    def _carry_out(self, order: orders.FetchBackup | orders.Seed, urls: set[str]) -> None:
        if isinstance(order, orders.FetchBackup):
            if order.url in urls:
                self.failed, self.snapshot = "", saved(order)
            elif self.snapshot is None:
                self.failed = "fetch"
        elif self.standing is Standing.HELD:
            assert self.snapshot is not None
            assert order.snapshot_sha256 == self.snapshot.sha256, "another snapshot is restored"
            if self.bad_disk:
                self.failed = "seed"
            else:
                self.standing = Standing.SEEDED


def saved(order: orders.FetchBackup) -> SavedSnapshot:
    return SavedSnapshot(
        sha256=order.sha256, size=order.size, revision=order.revision, applied_index=0, path="p"
    )


@define(kw_only=True)
class Scene(World):
    """One cluster that was lost, or is new, and its schedulers."""

    backups: dict[float, bool]
    """By age in seconds: whether it is sound."""
    lost: bool = True
    fails: Callable[[], bool] = lambda: False
    """Whether the next thing that may fail does."""
    nodes: dict[str, Node] = field(factory=dict)
    generations: list[int] = field(factory=list)
    urls: set[str] = field(factory=set)
    offers: int = 0

    def __attrs_post_init__(self) -> None:
        dead = [make.member(n, agent) for n, agent in ((1, "a"), (2, "b"), (3, "c"))]
        ended = [
            evolve(m, tasks=tuple(evolve(t, ended="TASK_FAILED") for t in m.tasks)) for m in dead
        ]
        self.stored = make.record(*(ended if self.lost else ()), highest_revision=50)
        self.start()

    def start(self) -> None:
        """What was lent by the process before is gone with it."""
        super().start()
        self.urls = set()

    def happens(self) -> Event | None:
        """An offer, when one is waited for."""
        restore = self.model.record.restore
        waits = restore is not None and restore.stage is Stage.LAUNCHING
        if not waits or self.model.phase != "restoring" or self.model.offers:
            return None
        self.offers += 1
        agent = AGENTS[self.offers % len(AGENTS)]
        return e.OffersReceived(offers=(make.offer(f"{agent}-{self.offers}"),))

    def check(self) -> None:
        """Promise 9, on what really runs: nothing but a backup is ever started."""
        assert all(node.spec.restores for node in self.nodes.values())
        seeds = [node for node in self.nodes.values() if node.standing is Standing.SEEDED]
        assert len(seeds) <= 1, "two restored clusters serve at once"

    def answers(self, command: Command) -> list[Event]:
        match command:
            case c.Reconcile(tasks=tasks):
                return [self._status(task_id, agent) for task_id, agent in tasks]
            case c.Launch():
                return self._launch(command)
            case c.Kill(task_id=task_id) if task_id in self.nodes:
                return [self._end(task_id)]
            case c.SendMessage():
                return self._send(command)
            case c.CheckBackup() | c.LendBackup():
                return [self._of_the_backup(command)]
            case c.ProbeMember() | c.ProbeProgress() | c.ListMembers():
                return [self._of_etcd(command)]
        return []

    # Mesos

    def _launch(self, command: c.Launch) -> list[Event]:
        """It is launched, or not, or nobody knows which."""
        [task] = command.tasks
        spec = MemberSpec.from_json(task.data)
        assert spec.generation not in self.generations, "a generation was used twice"
        self.generations.append(spec.generation)
        answered = not self.fails()
        if self.fails():
            if answered:
                return [e.CommandFailed(command=command, reason="refused")]
            return [e.CommandUnknown(command=command, reason="cut")]
        node = Node(task=task, spec=spec, epoch=spec.epoch, bad_disk=self.fails())
        self.nodes[task.id] = node
        unknown: list[Event] = [e.CommandUnknown(command=command, reason="cut")]
        return [*([] if answered else unknown), self._status(task.id, task.agent_id)]

    def _status(self, task_id: str, agent: str) -> Event:
        there = task_id in self.nodes
        state = TaskState.STARTING if there else TaskState.GONE
        return e.TaskUpdated(status=make.status(task_id, state, agent, uuid="u" if there else ""))

    def _end(self, task_id: str) -> Event:
        node = self.nodes.pop(task_id)
        status = make.status(task_id, TaskState.KILLED, node.task.agent_id, uuid="u")
        return e.TaskUpdated(status=status)

    def _send(self, command: c.SendMessage) -> list[Event]:
        order = orders.decode(command.data)
        assert isinstance(order, orders.Order)
        node = self.nodes.get(order.task_id)
        if node is None or self.fails():
            return []
        report = node.obey(order, self.urls)
        if self.fails():
            return []
        data = orders.encode(report)
        return [
            e.ExecutorSaid(agent_id=command.agent_id, executor_id=command.executor_id, data=data)
        ]

    # The target

    def _of_the_backup(self, command: c.CheckBackup | c.LendBackup) -> Event:
        if self.fails():
            return e.CommandFailed(command=command, reason="the target does not answer")
        if isinstance(command, c.LendBackup):
            url = f"http://x/{len(self.records)}-{self.offers}-{self.now}"
            self.urls = {url}
            return e.BackupLent(point=command.point, url=url)
        assert command.origin == (origin_of("fw-1") if self.lost else "")
        names = {backed_up.name_at(age): (age, sound) for age, sound in self.backups.items()}
        left = sorted((name for name in names if name not in command.refused), reverse=True)
        if not left:
            return e.BackupDamaged(source=command.source, name="", reason="there is no backup")
        age, sound = names[left[0]]
        if not sound:
            return e.BackupDamaged(source=command.source, name=left[0], reason="is damaged")
        taken_at = backed_up.READ_AT - age
        point = Point(
            name=left[0], revision=int(100 - age), taken_at=taken_at, size=3, sha256=left[0]
        )
        return e.BackupChecked(source=command.source, point=point)

    # etcd

    def _of_etcd(self, asked: c.ProbeMember | c.ProbeProgress | c.ListMembers) -> Event:
        node = next((n for n in self.nodes.values() if n.spec.client_url == asked.client_url), None)
        if node is None or node.standing is not Standing.SEEDED or self.fails():
            return e.CommandFailed(command=asked, reason="connection refused")
        name, own = node.spec.name, identity(node.spec.name)
        if isinstance(asked, c.ProbeMember):
            health = make.health(name, leader="", revision=1_000_000_060)
            health = evolve(health, cluster_id=node.cluster, member_id=own, leader=own)
            return e.MemberProbed(member=name, health=health)
        if isinstance(asked, c.ProbeProgress):
            return e.ProgressMade(member=name)
        listed = alone(name, node.cluster, node.spec.peer_url, node.spec.client_url)
        return e.MembersListed(members=listed)
