"""The promises a run of the controller must keep, each checked on every step from the outside.

Nothing here reads the planners: what was saved, released, delivered is kept in books of its own.
A message quotes the promise (design: "Promises (safety)").
"""

from __future__ import annotations

import json
from collections import Counter

from attrs import define, field

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster import report
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import quorum
from etcdmesos.cluster.record import Kind, Record, Role
from etcdmesos.cluster.record import Step as MemberStep
from etcdmesos.cluster.settings import Settings
from etcdmesos.cluster.why import why
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.mesos.tasks import Task
from etcdmesos.step import Command, Event, Step
from tests.cluster.world_etcd import MEMBERSHIP, Etcd

CHANGES = (c.Launch, c.Kill, c.Shutdown, *MEMBERSHIP)
STARTED = (TaskState.STARTING, TaskState.RUNNING)


@define
class Books:
    """What one scheduler process was told."""

    heard: set[str] = field(factory=set)
    """Tasks heard of in this subscription."""
    dead: set[str] = field(factory=set)
    """Tasks said to have ended, or to have never begun."""
    started: set[str] = field(factory=set)
    serving: set[str] = field(factory=set)
    """Tokens of generations of which a member was seen serving."""
    state_read: bool = False
    subscribed: bool = False
    subscriptions: int = 0
    offered: set[str] = field(factory=set)
    """Offers in hand in this subscription; leaves when used, given back or rescinded."""
    launched_here: set[str] = field(factory=set)


class Oracles:
    """Watches one run."""

    def __init__(self, settings: Settings, etcd: Etcd) -> None:
        self.settings = settings
        self.etcd = etcd
        self.durable: Record | None = None
        self.launched: Counter[str] = Counter()
        self.generation_of: dict[str, int] = {}
        self.books = Books()

    def process_started(self) -> None:
        self.books = Books()

    def saved(self, record: Record) -> None:
        """`record` is durable."""
        for member in record.members:
            known = self.generation_of.setdefault(member.name, member.generation)
            assert known == member.generation, (
                f"a member's name is never used by another member: {member.name}"
            )
        if self.durable is not None:
            assert record.epoch >= self.durable.epoch, "epochs never go back"
            assert record.generation >= self.durable.generation, "generations never go back"
            assert record.next_member >= self.durable.next_member, "numbers never go back"
            if self.durable.served:
                assert record.served, "a cluster that has served stays one that has"
                assert record.generation == self.durable.generation, (
                    "a cluster that has ever served is never bootstrapped empty again"
                )
        self.durable = record

    def released(self, command: Command) -> None:
        """`command` leaves for the outside: its step's save, if any, is durable."""
        if isinstance(command, c.Launch):
            for task in command.tasks:
                self.launched[task.id] += 1
                self.books.launched_here.add(task.id)
                assert self.launched[task.id] == 1, f"{task.id} was launched twice"
                assert self.durable is not None
                assert self.durable.owner(task.id) is not None, (
                    "intent before effect: no launch without the record that says so"
                )
                self._check_joining(task)
        if isinstance(command, MEMBERSHIP):
            self._check_membership(command)
        if isinstance(command, c.Subscribe):
            assert self.durable is not None, "takeover is read, compare-and-set, SUBSCRIBE"

    def _check_joining(self, task: Task) -> None:
        """A task of a cluster that has served joins it, as a member that etcd lists."""
        assert self.durable is not None
        owner = self.durable.owner(task.id)
        cluster = self.etcd.clusters.get(self.durable.token)
        if not self.durable.served:
            return
        assert owner is not None
        assert owner.initial_state == "existing", "a cluster that has served is not bootstrapped"
        assert owner.role is Role.LEARNER, "members added after the bootstrap join as learners"
        entries = cluster.entries if cluster is not None else []
        # Listed when the list was read; since then somebody may have removed it.
        known = {x.id for x in entries} | (cluster.removed if cluster is not None else set())
        assert owner.id in known, "nothing is launched that etcd does not list"

    def _check_membership(self, command: c.AddLearner | c.PromoteLearner | c.RemoveMember) -> None:
        assert self.durable is not None
        change = self.durable.change
        assert change is not None, "intent before effect: no change without the record of it"
        assert change.member == command.member
        kinds: dict[type[Command], Kind] = {
            c.AddLearner: Kind.ADD,
            c.PromoteLearner: Kind.PROMOTE,
            c.RemoveMember: Kind.REMOVE,
        }
        assert change.kind is kinds[type(command)]
        cluster = self.etcd.clusters[self.durable.token]
        if isinstance(command, c.AddLearner):
            listed = len(cluster.entries) + (not self.etcd.late)
            assert listed <= self.settings.cluster_size or any(
                x.peer_url == command.peer_url for x in cluster.entries
            ), "etcd's list never holds more than cluster-size members"
        if isinstance(command, c.RemoveMember):
            entry = cluster.entry(command.id)
            assert entry is None or entry.learner or entry.name == "" or len(cluster.entries) > 1, (
                "the last member is never removed"
            )

    def check(self, before: Model, event: Event, step: Step[Model, Record], now: float) -> None:
        self._note(before, event)
        model = step.model
        assert step.wake_at is None or step.wake_at > now, "would wake at once, for ever"
        self._check_shape(before, event, step)
        self._check_acknowledgements(event, step)
        self._check_changes(step)
        self._check_offers(step)
        self._check_members(model)
        self._check_giving_up(before, step)
        self._check_words(model, now)

    # What was told

    def _note(self, before: Model, event: Event) -> None:
        books = self.books
        if isinstance(event, e.Subscribed):
            books.heard, books.launched_here, books.offered = set(), set(), set()
            books.subscribed, books.state_read = True, False
            books.subscriptions += 1
        elif isinstance(event, e.Disconnected):
            books.offered, books.subscribed, books.state_read = set(), False, False
        elif isinstance(event, e.MasterStateRead):
            books.state_read |= event.subscription == books.subscriptions
        elif isinstance(event, e.OffersReceived):
            books.offered |= {offer.id for offer in event.offers}
        elif isinstance(event, e.OfferRescinded):
            books.offered.discard(event.offer_id)
        elif isinstance(event, e.TaskUpdated):
            books.heard.add(event.status.task_id)
            if event.status.dead:
                books.dead.add(event.status.task_id)
            if event.status.state in STARTED:
                books.started.add(event.status.task_id)
        elif isinstance(event, e.CommandFailed) and isinstance(event.command, c.Launch):
            books.dead |= {task.id for task in event.command.tasks}
        elif isinstance(event, e.RecordLoaded):
            loaded = event.record
            unknown = {i for i in books.dead if loaded is None or loaded.owner(i) is None}
            books.dead -= unknown  # those were never launched under that record
            members = loaded.members if loaded is not None else ()
            books.dead |= {t.id for m in members for t in m.tasks if t.ended}
        elif isinstance(event, e.MemberProbed):
            member = before.record.member(event.member)
            if event.health.serving_voter and member and member.step is not MemberStep.REMOVING:
                books.serving.add(before.record.token)

    # One step

    def _check_shape(self, before: Model, event: Event, step: Step[Model, Record]) -> None:
        loaded = before.store.loaded or isinstance(event, e.RecordLoaded)
        if step.save is not None:
            assert loaded, "nothing is saved before the record was read"
            assert step.save == step.model.record
        for command in step.commands:
            if isinstance(command, c.Exit):
                assert step.commands == (command,), "an exit is the last word"

    def _check_acknowledgements(self, event: Event, step: Step[Model, Record]) -> None:
        said = [x.status.uuid for x in step.commands if isinstance(x, c.Acknowledge)]
        due = [event.status.uuid] if isinstance(event, e.TaskUpdated) and event.status.uuid else []
        assert said == due, "every update is acknowledged once per delivery, when it is taken in"
        if due and isinstance(event, e.TaskUpdated):
            status = step.model.tasks.get(event.status.task_id)
            owned = step.model.record.owner(event.status.task_id) is not None
            assert status is not None or not owned, "acknowledged and not taken in"

    def _check_changes(self, step: Step[Model, Record]) -> None:
        changes = [x for x in step.commands if isinstance(x, CHANGES)]
        if not changes:
            return
        books, record = self.books, step.model.record
        assert step.model.store.loaded, "without the record nothing is changed"
        assert books.subscribed, "without the Mesos master nothing is changed"
        assert books.state_read, "before any change the master's state is read"
        launches = [x for x in changes if isinstance(x, c.Launch)]
        fresh = {task.id for launch in launches for task in launch.tasks}
        accounted = books.heard | books.dead | books.launched_here | fresh
        recorded = {task.id for member in record.members for task in member.tasks}
        assert recorded <= accounted, "without a finished reconciliation nothing is changed"
        for launch in launches:
            assert step.save is not None, "no launch without the record that says so"
            assert {task.agent_id for task in launch.tasks} <= {
                m.agent_id for m in step.save.members
            }
            for task in launch.tasks:
                assert step.save.owner(task.id) is not None, "launched and not on record"

    def _check_offers(self, step: Step[Model, Record]) -> None:
        for command in step.commands:
            if isinstance(command, c.Launch):
                for offer_id in command.offer_ids:
                    assert offer_id in self.books.offered, (
                        f"{offer_id} was rescinded, used, given back or of another subscription"
                    )
                self.books.offered -= set(command.offer_ids)
        for command in step.commands:
            if isinstance(command, c.Decline):
                self.books.offered -= set(command.offer_ids)

    def _check_members(self, model: Model) -> None:
        members, settings = model.record.members, self.settings
        learners = [m for m in members if m.role is Role.LEARNER]
        assert len(learners) <= 1, "one learner at a time"
        assert len(members) <= settings.cluster_size, "never more members than the cluster's size"
        agents = [m.agent_id for m in members]
        if settings.single_instance_per_agent:
            assert len(set(agents)) == len(agents), "never two members on one agent"
        ports = [(m.agent_id, p) for m in members for p in (m.peer_port, m.client_port)]
        assert len(set(ports)) == len(ports), "no port of an agent is given twice"

    def _check_giving_up(self, before: Model, step: Step[Model, Record]) -> None:
        """The members of an attempt may leave only if it is hopeless."""
        old, new = before.record, step.model.record
        if not before.store.loaded or not step.model.store.loaded or not old.members:
            return
        served = old.served or old.token in self.books.serving
        left = () if served else (MemberStep.REMOVING,)
        gone = {m.name for m in old.members if m.step not in left} - {
            m.name for m in new.members if m.step not in left
        }
        if not gone:
            return
        books = self.books
        if served:
            cluster = self.etcd.clusters.get(old.token)
            listed = {x.id for x in cluster.entries} if cluster is not None else set()
            ids = {m.id for m in old.members if m.name in gone}
            assert len(gone) == 1, "members of a cluster that has served leave one by one"
            assert not ids & listed, "a member leaves the record once etcd's list lacks it"
            return
        tasks = [{task.id for task in m.tasks} for m in old.members]
        started = sum(bool(ids & books.started) for ids in tasks)
        recorded = sum(m.step in (MemberStep.JOINING, MemberStep.VOTER) for m in old.members)
        dead = all(ids <= books.dead for ids in tasks)
        assert dead or max(started, recorded) < quorum(len(old.members)), (
            "given up although a quorum of its tasks had started"
        )

    def _check_words(self, model: Model, now: float) -> None:
        sentence = why(model, now)
        assert sentence, "why() always says something"
        assert "\n" not in sentence, "why() is one sentence"
        json.dumps(report.stats(model, now))
        good, line = report.health(model, now)
        assert line
        assert good or "not serving" in line
