"""A world in which nothing is left but backups: agents that launch what waits, and the scheduler.

Executors do what `etcdmesos/orders.py` promises of them; etcd answers as a restored one would.
What is under way waits in a queue until `settle` lets it happen; messages and answers may be lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, evolve, field

from etcdmesos import orders
from etcdmesos.backups.names import origin_of
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.member_list import ListedMember, MemberList
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.episode import Point, Stage
from etcdmesos.cluster.settings import Settings
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.mesos.tasks import Task
from etcdmesos.orders import Report, SavedSnapshot, Standing
from etcdmesos.step import Command, Event
from tests.cluster import backed_up, make
from tests.cluster.reseed.survivors import Crash

MOST_STEPS = 5000
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


@define
class Scene:
    """One cluster that was lost, or is new, and its schedulers, one after the other."""

    settings: Settings
    backups: dict[float, bool]
    """By age in seconds: whether it is sound."""
    lost: bool = True
    crash: Crash | None = None
    fails: Callable[[], bool] = lambda: False
    """Whether the next thing that may fail does."""
    now: float = 0.0
    queue: deque[Event] = field(factory=deque)
    wake_at: float | None = 0.0
    stored: Record = field(init=False)
    model: Model = field(init=False)
    records: list[Record] = field(factory=list)
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
        """Another process; what was lent by the one before is gone with it."""
        self.model = make.CONTROLLER.start(self.settings)
        self.queue = deque([e.TimerFired()])
        self.urls = set()

    def settle(self, until: Callable[[Model], bool], steps: int = MOST_STEPS) -> bool:
        """Whether `until` comes to hold within a bounded number of steps."""
        for _ in range(steps):
            if until(self.model):
                return True
            if self._wants_an_offer():
                self._offer()
            elif self.queue:
                self._take(self.queue.popleft())
            elif self.wake_at is None:
                return False
            else:
                self.now = max(self.now, self.wake_at)
                self._take(e.TimerFired())
        return until(self.model)

    def _wants_an_offer(self) -> bool:
        restore = self.model.record.restore
        waits = restore is not None and restore.stage is Stage.LAUNCHING
        return waits and self.model.phase == "restoring" and not self.model.offers

    def _offer(self) -> None:
        self.offers += 1
        agent = AGENTS[self.offers % len(AGENTS)]
        self._take(e.OffersReceived(offers=(make.offer(f"{agent}-{self.offers}"),)))

    def _take(self, event: Event) -> None:
        step = make.CONTROLLER.step(self.model, event, self.now)
        if step.save is not None:
            if self.crash is not None:
                self.crash.saves -= 1
                if self.crash.saves == 0:
                    if self.crash.stored:
                        self._store(step.save)
                    self.crash = None
                    self.start()
                    return
            self._store(step.save)
        self.model, self.wake_at = step.model, step.wake_at
        for command in step.commands:
            self.queue.extend(self._answer(command))
        self._check()

    def _store(self, record: Record) -> None:
        self.stored = record
        self.records.append(record)

    def _check(self) -> None:
        """Promise 9, on what really runs: nothing but a backup is ever started."""
        assert all(node.spec.restores for node in self.nodes.values())
        seeds = [node for node in self.nodes.values() if node.standing is Standing.SEEDED]
        assert len(seeds) <= 1, "two restored clusters serve at once"

    def _answer(self, command: Command) -> list[Event]:
        match command:
            case c.LoadRecord():
                return [e.RecordLoaded(record=self.stored)]
            case c.Subscribe():
                return [e.Subscribed(framework_id="fw-1", master="m:1")]
            case c.ReadMasterState(subscription=number):
                return [e.MasterStateRead(state=make.master_state(), subscription=number)]
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
        identity, name = f"seed-{node.spec.name}", node.spec.name
        if isinstance(asked, c.ProbeMember):
            health = make.health(name, leader="", revision=1_000_000_060)
            return e.MemberProbed(
                member=name,
                health=evolve(health, cluster_id=node.cluster, member_id=identity, leader=identity),
            )
        if isinstance(asked, c.ProbeProgress):
            return e.ProgressMade(member=name)
        entry = ListedMember(
            id=identity,
            name=name,
            peer_urls=(node.spec.peer_url,),
            client_urls=(node.spec.client_url,),
            learner=False,
        )
        return e.MembersListed(members=MemberList(cluster_id=node.cluster, members=(entry,)))
