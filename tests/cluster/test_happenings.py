"""What log and /events tell of a step: what is news, once, in one line."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster import events as e
from etcdmesos.cluster.commands import ProbeMember, Teardown
from etcdmesos.cluster.episode import Reseed, Reseeded, Stage
from etcdmesos.cluster.happenings import Kind, happenings
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Change, Record, Step
from etcdmesos.cluster.record import Kind as ChangeKind
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.step import Step as Taken
from tests.cluster import make

START = make.CONTROLLER.start(make.settings())


def told(event: e.Event, before: Model = START) -> list[tuple[Kind, str, bool]]:
    step = make.CONTROLLER.step(before, event, 1.0)
    return [(h.kind, h.text, h.warning) for h in happenings(event, before, step, 1.0)]


def told_of_records(before: Record, after: Record) -> list[str]:
    step: Taken[Model, Record] = Taken(model=evolve(START, record=after))
    model = evolve(START, record=before)
    return [h.text for h in happenings(e.TimerFired(), model, step, 1.0)]


def test_a_state_is_told_once_however_often_mesos_says_it() -> None:
    """Reconciliation repeats what is known every few minutes."""
    starts = e.TaskUpdated(status=make.status("etcd-1-1", TaskState.STARTING))
    assert told(starts) == [(Kind.TASK, "etcd-1-1 is TASK_STARTING", False)]
    after = make.CONTROLLER.step(START, starts, 1.0).model
    assert told(starts, after) == []


def test_an_end_is_a_warning_in_one_line() -> None:
    failed = make.status("etcd-1-1", TaskState.FAILED, message="exited\nwith status 1")
    line = "etcd-1-1 is TASK_FAILED: exited with status 1"
    assert told(e.TaskUpdated(status=failed)) == [(Kind.TASK, line, True)]


def test_health_is_news_though_the_state_is_not() -> None:
    """A leader is lost while every task runs on."""
    runs = e.TaskUpdated(status=make.status("etcd-1-1", TaskState.RUNNING, healthy=True))
    after = make.CONTROLLER.step(START, runs, 1.0).model
    ails = e.TaskUpdated(status=make.status("etcd-1-1", TaskState.RUNNING, healthy=False))
    assert told(ails, after) == [(Kind.TASK, "etcd-1-1 is TASK_RUNNING, unhealthy", True)]


def test_leadership_master_and_record_are_told() -> None:
    lost = told(e.Disconnected(reason="the master went silent"))
    assert lost == [(Kind.MASTER, "disconnected: the master went silent", True)]
    other = told(e.LeaderSeen(holder="node-2"))
    assert other == [(Kind.LEADERSHIP, "leader seen: node-2", True)]
    damaged = told(e.RecordUnavailable(reason="damaged", unreadable=True))
    assert damaged == [(Kind.RECORD, "record unavailable: damaged", True)]


def test_a_failed_probe_is_no_happening_and_another_failure_is() -> None:
    """Probes fail every second while a member is down; its findings say so."""
    probe = ProbeMember(member="etcd-1", client_url="http://10.0.0.1:31001")
    assert told(e.CommandFailed(command=probe, reason="refused")) == []
    unknown = told(e.CommandUnknown(command=Teardown(), reason="no answer"))
    assert unknown == [(Kind.FAILURE, "Teardown may have been carried out: no answer", True)]


def test_members_and_changes_are_told_as_the_record_has_them() -> None:
    one = make.member(1, "a")
    begun = Change(kind=ChangeKind.REMOVE, member=one.name, id="a1", generation=1)
    before = evolve(START.record, members=(one,))
    removing = evolve(before, members=(evolve(one, step=Step.REMOVING),), change=begun)
    over = evolve(removing, change=None)
    assert told_of_records(before, removing) == [
        "etcd-1 is removing (was voter)",
        "remove etcd-1: begun",
    ]
    assert told_of_records(removing, over) == ["remove etcd-1: over"]
    assert told_of_records(over, over) == []


def test_a_change_of_phase_says_why() -> None:
    after = evolve(START, phase="lost")
    step: Taken[Model, Record] = Taken(model=after)
    [only] = happenings(e.TimerFired(), START, step, 1.0)
    assert only.kind is Kind.PHASE
    assert only.text.startswith("recovering -> lost: ")


def test_a_reseed_is_told_stage_by_stage_and_with_what_may_be_missing() -> None:
    """From the loss of quorum to the new cluster; each once."""
    record = make.record(make.member(1, "a"), make.member(2, "b"))
    lost = evolve(record, quorum_lost_at=1.0)
    measuring = Reseed(generation=2, stage=Stage.MEASURING, began=2.0, why="the dead leave none")
    assert told_of_records(record, lost) == ["quorum is gone"]
    begun = evolve(lost, reseed=measuring)
    assert told_of_records(lost, begun) == ["generation 2: measuring, as the dead leave none"]
    seeding = evolve(measuring, stage=Stage.SEEDING, seed="etcd-1", failures={"etcd-2": "is deaf"})
    later = evolve(lost, reseed=seeding)
    assert told_of_records(begun, later) == ["generation 2: seeding from etcd-1", "etcd-2 is deaf"]
    one = Reseeded(
        generation=2,
        at=3.0,
        why="the dead leave none",
        member="etcd-1",
        revision=70,
        bump=0,
        highest_revision=71,
        proven=False,
        by_operator=False,
        past=(),
    )
    assert told_of_records(later, evolve(later, reseed=None, quorum_lost_at=0.0)) == [
        "quorum is there again"
    ]
    (history,) = told_of_records(later, evolve(record, reseeds=(one,)))
    assert history == (
        "1970-01-01T00:00:03Z: reseeded from etcd-1, as the dead leave none; acknowledged writes "
        "above revision 70 may be missing; the highest one ever seen was 71; a second cluster may "
        "have served until its members were killed"
    )
    assert told_of_records(begun, begun) == []
