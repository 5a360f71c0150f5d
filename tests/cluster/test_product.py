"""Every (phase, event) of the cluster's chart, from several models of each phase.

The outcome is a legal step, or IllegalEvent exactly where the chart says impossible.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from attrs import evolve

from etcdmesos.backups.source import Source
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.restore.episode import Point
from etcdmesos.cluster.why import why
from etcdmesos.draft import event_name
from etcdmesos.errors import IllegalEvent
from etcdmesos.etcd.member_health import Alarm
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.orders import Report, SavedSnapshot, Sending, Standing, encode
from etcdmesos.step import Command, Event, Exit, LoadRecord
from tests.cluster import backed_up, make
from tests.cluster.stage import Stage

WITHOUT_QUORUM = (
    "given healthy\netcd etcd-1 leader=none progress=lost\ntick 20\n"
    "unreachable etcd-2 etcd-3\nrunning etcd-1 healthy=false"
)
MEASURING = (
    "given healthy size=5\netcd etcd-1 etcd-2 leader=none progress=lost\n"
    "failed etcd-3 etcd-4 etcd-5\ntick 2"
)
HOLDING = (
    f"{MEASURING}\nreport etcd-1 unheld snapshot=9\nreport etcd-2 unheld snapshot=8\ntick 0.01"
)
SEEDING = (
    f"{HOLDING}\nreport etcd-1 held snapshot=9 commit=9\nreport etcd-2 held snapshot=8 commit=8\n"
    "tick 0.01"
)

LOST = "given healthy backups=yes\nfailed etcd-1 etcd-2 etcd-3"
RESTORING = f"{LOST}\nrestore\nchecked\noffers d e\nstarting etcd-4 healthy=false\ntick 0.1"

# How each model came to be, in the directives of the scripts.
STORIES: dict[str, str] = {
    "nothing known": "start",
    "no record in reach": "start\nrecord unavailable away",
    "record in hand": "start\nrecord none",
    "subscribed": "start\nrecord none\nsubscribed fw-1",
    "a standby": "start elected=true\nleader-seen http://x",
    "just elected": "start elected=true\nleadership gained",
    "suspended": "given healthy\nleadership suspended",
    "restarted beside a cluster": "given healthy\nstart\nrecord stored\nsubscribed fw-1\nstate",
    "master lost": "given healthy\ndisconnected cut",
    "save failed": "given healthy\nstore unknown-written\nrunning etcd-1 sandbox=/a",
    "no offers yet": "given connected",
    "gathering": "given connected\noffers a b",
    "held back": "start\nrecord none\nsubscribed fw-1\nstate fw-0=t-1\noffers a b c",
    "launched": "given launched",
    "launch unknown": "given launched\noutcome unknown launch etcd-2",
    "started": "given started",
    "one served": "given started\nprobed etcd-1",
    "giving up": "given launched\nstarting etcd-1\ndropped etcd-2\ndropped etcd-3",
    "pausing": "given started\nfailed etcd-1 etcd-2 etcd-3",
    "healthy": "given healthy",
    "healthy with a stray": "given healthy\nrunning old-1 agent=z",
    "one dead": "given healthy\nfailed etcd-2",
    "unreachable": "given healthy\nunreachable etcd-1\netcd etcd-2 etcd-3\ntick 20",
    "no quorum": "given healthy\netcd\ntick 20",
    "lost": "given healthy\nfailed etcd-1 etcd-2 etcd-3",
    "lost with a stray": "given healthy\nfailed etcd-1 etcd-2 etcd-3\nrunning old-1 agent=z",
    "one member": "given healthy size=1",
    "removing": "given healthy\nfailed etcd-2",
    "adding": "given healthy\nfailed etcd-2\noutcome done remove\noffers d",
    "learner launched": "given healthy\nfailed etcd-2\noutcome done remove\noffers d\n"
    "outcome done add",
    "learner joining": "given healthy\nfailed etcd-2\noutcome done remove\noffers d\n"
    "outcome done add\nstarting etcd-4\ntick 1",
    "promoting": "given healthy\nfailed etcd-2\noutcome done remove\noffers d\n"
    "outcome done add\nstarting etcd-4\netcd etcd-1 etcd-3 etcd-4\ntick 1",
    "framework removed": "given healthy\nstart\nrecord stored\nframework-refused has been removed",
    "uninstalling": "given healthy\nstart errand=uninstall\nrecord stored\nsubscribed fw-1\n"
    "running etcd-1 etcd-2 etcd-3 reconciled\nstate",
    "all torn down": "given connected\nstart errand=uninstall\nrecord stored\n"
    "framework-refused has been removed",
    "nothing to tear down": "start\nrecord none\nstart errand=uninstall\nrecord stored",
    "forgetting": "given healthy\nstart errand=forget\nrecord stored\n"
    "framework-refused has been removed",
    "forgetting what nobody can read": "start errand=forget\nrecord unreadable x",
    "rebuilding": "start errand=rebuild\nrecord none",
    "rebuilding from labels": "given healthy\nwiped\nstart errand=rebuild\nrecord none\n"
    "etcd\nstate fw-1=etcd-1-1,etcd-2-1,etcd-3-1",
    "quorum lost": f"{WITHOUT_QUORUM}\ntick 100",
    "measuring": MEASURING,
    "holding": HOLDING,
    "copying": f"{HOLDING}\nreport etcd-1 held commit=10\ntick 0.01",
    "seeding": SEEDING,
    "verifying": f"{SEEDING}\netcd etcd-1 leader=none\nseeded etcd-1\nreport etcd-1 seeded\ntick 1",
    "reseeded": f"{SEEDING}\netcd etcd-1\nseeded etcd-1\nreport etcd-1 seeded\ntick 1",
    "second seed": f"{SEEDING}\nreport etcd-1 held failed=seed\ntick 0.01",
    "releasing": f"{HOLDING}\netcd etcd-1 etcd-2\ntick 2",
    "backups off": "given healthy\nbackup-now",
    "backup opening": "given healthy backups=yes\ncatalogue",
    "backup sending": "given healthy backups=yes\ncatalogue\nbackup opened",
    "backup counting": "given healthy backups=yes\ncatalogue\nbackup opened\nbackup sent",
    "backup failed": "given healthy backups=yes\ncatalogue\nbackup opened\nbackup failed full",
    "lost and backed up": "given healthy backups=yes\ncatalogue 100\nfailed etcd-1 etcd-2 etcd-3",
    "old backups": "given healthy backups=yes\ncatalogue 10 9000 9001 9002 9003",
    "restore to be chosen": f"{LOST}\nrestore",
    "restore to be launched": f"{LOST}\nrestore\nchecked",
    "restore fetching": f"{RESTORING}\nlent",
    "restore seeding": f"{RESTORING}\nlent\nfetched etcd-4",
    "restore verifying": f"{RESTORING}\nlent\nfetched etcd-4\nrunning etcd-4\n"
    "etcd etcd-4 leader=none\nreport etcd-4 seeded\ntick 1",
    "restore ending": f"{RESTORING}\nreport etcd-4 held failed=fetch reason=x",
    "restore given up": f"{LOST}\nrestore\ndamaged",
    "restored": f"{RESTORING}\nlent\nfetched etcd-4\nrunning etcd-4\nrestored etcd-4\n"
    "report etcd-4 seeded\ntick 1",
    "new from a backup": "given connected backups=yes restore-from=latest\ntick 1\nchecked\n"
    "offers a b c",
    "new from none": "given connected backups=yes restore-from=latest\ntick 1\ndamaged",
    "removal unknown": "given healthy\nfailed etcd-2\noutcome unknown remove",
}


def staged(story: str) -> Stage:
    stage = Stage()
    stage.now = 1.0  # the record has no moment 0: there it means never
    stage.play(story)
    return stage


@cache
def model_of(name: str) -> tuple[Model, float]:
    """The model that a story leads to, and the time then."""
    stage = staged(STORIES[name])
    assert stage.model is not None
    return stage.model, stage.now


def commands_of(model: Model) -> Iterator[Command]:
    """One command of each kind, of a member on record where it has one."""
    member = next(iter(model.record.members), make.member(1, "a"))
    task = member.tasks[0]
    yield c.Subscribe(framework_id="")
    yield c.Teardown()
    yield c.DeleteRecord()
    yield c.PutRecordAside()
    yield c.ReadMasterState(subscription=model.mesos.number)
    yield c.Decline(offer_ids=("x-1",), refuse_seconds=1)
    yield c.Suppress()
    yield c.Revive()
    yield c.Acknowledge(status=make.status(task.id, TaskState.RUNNING, uuid="u"))
    yield c.Reconcile(tasks=())
    yield c.Reconcile(tasks=((task.id, task.agent_id),))
    yield c.Kill(task_id=task.id, agent_id=task.agent_id)
    yield c.Shutdown(executor_id=task.executor_id, agent_id=task.agent_id)
    yield c.ProbeMember(member=member.name, client_url="")
    yield c.ProbeProgress(member=member.name, client_url="")
    yield c.ListMembers(client_url="")
    yield c.SendMessage(executor_id=task.executor_id, agent_id=task.agent_id, data=b"")
    yield c.AddLearner(member=member.name, peer_url=member.peer_url, client_url="")
    yield c.PromoteLearner(member=member.name, id=member.id, client_url="")
    yield c.RemoveMember(member=member.name, id=member.id, client_url="")
    yield c.ReadCatalogue()
    yield c.OpenBackup(origin="0a0b0c0d", generation=1, epoch=1, size=1, seconds=1)
    for name in (BACKUP, backed_up.name_at(1)):
        manifest = backed_up.manifest(name)
        yield c.CountBackup(manifest=manifest, way=backed_up.WAY, tags=(), seconds=1)
        yield c.AbandonBackup(name=name, way=backed_up.WAY)
        yield c.DeleteBackup(name=name)
    yield c.CheckBackup(source=Source(), origin="", refused=(), seconds=1)
    yield c.LendBackup(point=POINT, seconds=1)
    yield c.AnswerOperator(number=1, accepted=True, text="")
    yield c.AnswerOperator(number=1, accepted=False, text="")


def listings_of(model: Model) -> Iterator[Event]:
    """etcd's list as recorded; with strangers; of another cluster; with nobody."""
    entries = tuple(make.listed(m) for m in model.record.members)
    yield e.MembersListed(members=make.listing(*entries))
    for name in ("", "stranger"):
        stranger = make.listed(make.member(99, "y"), id="id-99", name=name)
        yield e.MembersListed(members=make.listing(*entries, stranger))
        yield e.MembersListed(members=make.listing(*entries, evolve(stranger, learner=True)))
    yield e.MembersListed(members=make.listing(*entries, cluster_id="c9"))
    yield e.MembersListed(members=make.listing())


def reports_of(model: Model) -> Iterator[Event]:
    """What executors may say: of this attempt and others, with a snapshot and without."""
    record = model.record
    under_way = record.reseed or record.restore
    attempt = under_way.generation if under_way else 1
    taken = SavedSnapshot(sha256="s", size=1, revision=9, applied_index=9, path="p")
    for member in ("etcd-1", "etcd-2", "etcd-4", "old"):
        for standing in Standing:
            for generation, epoch in ((attempt, record.epoch), (0, 0), (attempt + 7, 99)):
                for snapshot, failed in ((None, ""), (taken, "seed"), (None, "measure")):
                    report = Report(
                        task_id=f"{member}-1",
                        epoch=epoch,
                        generation=generation,
                        standing=standing,
                        commit_index=9,
                        snapshot=snapshot,
                        failed=failed,
                    )
                    yield e.ExecutorSaid(
                        agent_id="a", executor_id=f"{member}-1", data=encode(report)
                    )


BACKUP = backed_up.name_at(0)
"""The one that is under way where the stories have one."""

POINT = Point(name=BACKUP, revision=9, taken_at=1.0, size=3, sha256="ab")

ALARMS = {"alarms": (Alarm(make.member_id("etcd-1"), "CORRUPT"), Alarm("id-77", "NOSPACE"))}


def events_of(model: Model) -> Iterator[Event]:
    """Events of every class: of what is on record, of what is not, and the extremes."""
    yield e.TimerFired()
    yield e.RecordLoaded(record=None)
    yield e.RecordLoaded(record=make.record())
    yield e.RecordLoaded(record=make.record(make.member(1, "a"), size=3))
    yield e.RecordLoaded(record=make.record(size=5))
    yield e.RecordLoaded(record=make.record(epoch=99))
    yield e.RecordUnavailable(reason="x", unreadable=False)
    yield e.RecordUnavailable(reason="x", unreadable=True)
    yield e.RecordUnavailable(reason="x", unreadable=True, too_new=True)
    yield e.RecordPutAside(name="x")
    yield e.SaveFailed(reason="x", conflict=False)
    yield e.SaveFailed(reason="x", conflict=True)
    yield e.LeadershipGained()
    yield e.LeadershipSuspended(reason="x")
    yield e.LeadershipLost(reason="x")
    yield e.LeaderSeen(holder="http://x")
    yield e.LeaderSeen(holder="")
    yield e.Subscribed(framework_id="fw-1", master="m:1")
    yield e.Subscribed(framework_id="fw-2", master="m:2")
    yield e.Disconnected(reason="x")
    yield e.FrameworkRefused(message="x")
    yield e.FrameworkRefused(message="Framework has been removed")
    yield e.OffersReceived(offers=())
    yield e.OffersReceived(offers=tuple(make.offer(f"{a}-77") for a in "abcdef"))
    yield e.OffersReceived(offers=(make.offer("a-78", cpus=0.1), make.offer("a-79", ports=())))
    yield e.OfferRescinded(offer_id="a-1")
    yield e.AgentLost(agent_id="a")
    yield e.ExecutorLost(agent_id="a", executor_id="x", wait_status=9)
    yield e.ExecutorSaid(agent_id="a", executor_id="x", data=b"\xff")
    for master in (make.master_state(), make.master_state(2, {"fw-0": ("t",)})):
        for subscription in (model.mesos.number, model.mesos.number - 1):
            yield e.MasterStateRead(state=master, subscription=subscription)
    yield e.ProgressMade(member="etcd-1")
    yield e.StopAsked()
    yield from reports_of(model)
    yield e.BackupAsked(number=1)
    for name in (BACKUP, backed_up.name_at(1)):
        yield e.BackupOpened(name=name, taken_at=1.0, way=backed_up.WAY)
        yield e.BackupCounted(manifest=backed_up.manifest(name))
        yield e.CatalogueRead(catalogue=backed_up.catalogue(name))
        for sending in Sending:
            report = backed_up.report(name, sending, task_id="etcd-2-1")
            yield e.ExecutorSaid(agent_id="a", executor_id="etcd-2-1", data=encode(report))
    yield e.CatalogueRead(catalogue=backed_up.catalogue())
    for source in (Source(), Source(name=BACKUP), Source(path="/x")):
        yield e.BackupChecked(source=source, point=POINT)
        yield e.BackupDamaged(source=source, name=BACKUP, reason="is damaged")
        yield e.RestoreAsked(number=1, source=str(source), older=True)
    yield e.RestoreAsked(number=1, source="nonsense")
    for point in (POINT, evolve(POINT, sha256="cd"), evolve(POINT, name="x")):
        yield e.BackupLent(point=point, url="http://planted")
    for member in ("", "etcd-1", "etcd-77"):
        yield e.ReseedAsked(number=1, member=member)
    for name in (model.settings.cluster_name, "another"):
        yield e.UninstallAsked(number=1, cluster=name)
        yield e.ForgetAsked(number=1, cluster=name)
    yield from listings_of(model)
    for state in TaskState:
        for task in ("etcd-1-1", "old-1"):
            yield e.TaskUpdated(status=make.status(task, state, uuid="u"))
            yield e.TaskUpdated(status=make.status(task, state, data="bm9uc2Vuc2U="))
    for member in ("etcd-1", "etcd-77"):
        for changes in ({}, {"learner": True}, {"cluster_id": "c9"}, ALARMS):
            yield e.MemberProbed(member=member, health=make.health(member, **changes))
        yield e.MemberProbed(member=member, health=make.health(member, leader=""))
    for command in commands_of(model):
        yield e.CommandDone(command=command)
        yield e.CommandFailed(command=command, reason="x")
        yield e.CommandUnknown(command=command, reason="x")


KINDS = {
    kind for kind in vars(c).values() if isinstance(kind, type) and issubclass(kind, Command)
} | {LoadRecord, Exit}
IMPOSSIBLE = {
    (phase, verdict.on)
    for verdict in make.CONTROLLER.chart.definition.impossible
    for phase in verdict.phases
}


OF_THE_RECORD = (e.RecordLoaded, e.RecordUnavailable)


def test_the_models_cover_every_phase() -> None:
    """The stories lead to several models of each phase."""
    phases = [model_of(name)[0].phase for name in STORIES]
    assert set(phases) == set(make.CONTROLLER.chart.definition.phases)
    assert all(phases.count(phase) >= 2 for phase in phases)


def test_the_events_cover_every_class() -> None:
    """Every event of the chart is tried."""
    model, _ = model_of("healthy")
    definition = make.CONTROLLER.chart.definition
    tried = {event_name(type(event)) for event in events_of(model)}
    assert tried == set(definition.events) - definition.reviews


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("later", [0.0, 0.01, 1000.0])
def test_every_event_in_every_phase(name: str, later: float) -> None:
    """Each cell is a legal step, or IllegalEvent exactly where the chart says so."""
    model, since = model_of(name)
    now = since + later
    for event in events_of(model):
        if (model.phase, event_name(type(event))) in IMPOSSIBLE:
            with pytest.raises(IllegalEvent):
                make.CONTROLLER.step(model, event, now)
            continue
        if isinstance(event, OF_THE_RECORD) and not model.store.loading:
            continue  # nobody can say this: the record is read only when asked for
        step = make.CONTROLLER.step(model, event, now)
        assert step.model.phase in make.CONTROLLER.chart.definition.phases
        assert {type(command) for command in step.commands} <= KINDS
        assert step.wake_at is None or step.wake_at > now
        if step.save is not None:
            assert step.save == step.model.record
            known = model.store.loaded or model.store.rebuilding
            assert known or isinstance(event, e.RecordLoaded)
        if isinstance(event, e.TaskUpdated) and event.status.uuid:
            assert step.commands.count(c.Acknowledge(status=event.status)) == 1
        if isinstance(event, e.OperatorAsked):
            assert sum(isinstance(command, c.AnswerOperator) for command in step.commands) == 1
        assert why(step.model, now).strip()
        assert step.model.settings == model.settings


@pytest.mark.parametrize("name", STORIES)
def test_an_illegal_event_changes_nothing(name: str) -> None:
    """After IllegalEvent the old model still stands and the next event is taken as ever."""
    model, now = model_of(name)
    before = make.CONTROLLER.step(model, e.TimerFired(), now)
    for event in events_of(model):
        if (model.phase, event_name(type(event))) in IMPOSSIBLE:
            with pytest.raises(IllegalEvent):
                make.CONTROLLER.step(model, event, now)
    assert make.CONTROLLER.step(model, e.TimerFired(), now) == before


@pytest.mark.parametrize("name", STORIES)
def test_the_same_event_twice_changes_little(name: str) -> None:
    """A repeated observation costs a step, never a launch: level, not edge."""
    model, now = model_of(name)
    repeatable = (e.TaskUpdated, e.MemberProbed, e.ProgressMade, e.OfferRescinded, e.AgentLost)
    for event in events_of(model):
        if not isinstance(event, repeatable):
            continue
        once = make.CONTROLLER.step(model, event, now).model
        twice = make.CONTROLLER.step(once, event, now)
        assert not [x for x in twice.commands if isinstance(x, c.Launch | c.Kill | c.Shutdown)]
        assert evolve(twice.model.record, sequence=0) == evolve(once.record, sequence=0)
