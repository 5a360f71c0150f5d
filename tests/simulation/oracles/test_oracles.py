"""Every oracle accepts a trace that keeps its promise and refuses one that breaks it."""

from __future__ import annotations

import pytest
from attrs import evolve, frozen

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.record import Change, Kind
from etcdmesos.cluster.record import Step as MemberStep
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.oracles import registered
from etcdmesos.step import Step
from tests.simulation.oracles import (
    backed_up,
    leaderships,
    make,
    reconfigurations,
    reseedings,
    restorings,
)

DEAD = TaskStatus(task_id="etcd-1-1", state=TaskState.FAILED, agent_id="agent-1")
KILL = c.Kill(task_id="etcd-1-1", agent_id="agent-1")
ACKNOWLEDGE = c.Acknowledge(status=make.updated("etcd-1-1", TaskState.FAILED, "u").status)
REMOVING = evolve(
    make.THREE, members=tuple(evolve(m, step=MemberStep.REMOVING) for m in make.THREE.members)
)
JOINING = evolve(
    make.THREE, members=tuple(evolve(m, step=MemberStep.JOINING) for m in make.THREE.members)
)
ACCOUNTED = (
    make.subscribed(),
    make.state_read(),
    *(make.heard(f"etcd-{n}-1") for n in (1, 2, 3)),
)
SERVING = (*(make.probed(f"etcd-{n}") for n in (1, 2, 3)), make.progressed())


@frozen
class Case:
    """Two traces for one oracle."""

    keeps: tuple[f.Fact, ...]
    breaks: tuple[f.Fact, ...]
    says: str
    """Part of what it says of the second one."""


CASES = {
    "names_are_used_once": Case(
        keeps=(make.stored(make.THREE), make.stored(evolve(make.THREE, epoch=2))),
        breaks=(
            make.stored(make.THREE),
            make.stored(make.record(make.member(1, generation=2), generation=2, next_member=4)),
        ),
        says="etcd-1 of generation 1 is used again",
    ),
    "data_belongs_to_one_member": Case(
        keeps=(make.etcd_started(1), make.etcd_started(1), make.etcd_started(2)),
        breaks=(make.etcd_started(1), make.etcd_started(2, directory="agent-1:/s/etcd-1")),
        says="starts on the data of etcd-1",
    ),
    "removed_members_stay_away": Case(
        keeps=(make.etcd_started(1),),
        breaks=(make.etcd_started(1), make.etcd_started(1, removed=True)),
        says="is started again",
    ),
    "one_change_at_a_time": Case(
        keeps=(make.stored(make.THREE), make.stored(_change := make.record(make.member(1)))),
        breaks=(
            make.stored(evolve(_change, change=Change(kind=Kind.ADD, member="a", generation=1))),
            make.stored(evolve(_change, change=Change(kind=Kind.REMOVE, member="b", generation=1))),
        ),
        says="remove of b begins during add of a",
    ),
    "members_are_few_and_apart": Case(
        keeps=(make.stored(make.THREE),),
        breaks=(make.stored(make.record(make.member(1, "agent-1"), make.member(2, "agent-1"))),),
        says="two members on one agent",
    ),
    "members_are_where_they_may_be": Case(
        keeps=(
            make.offered("o1", agent="agent-1", zone="z"),
            make.stored(make.record(make.member(1, zone="z"))),
        ),
        breaks=(
            make.offered("o1", agent="agent-1", hostname="forbidden"),
            make.stored(make.record(make.member(1))),
        ),
        says="etcd-1 on forbidden breaks hostname:UNLIKE:forbidden",
    ),
    "launches_stay_within_the_size": Case(
        keeps=(make.stored(make.LAUNCHING), make.released(make.launch())),
        breaks=(
            make.stored(make.LAUNCHING),
            make.released(make.launch()),
            make.released(make.launch(make.record(make.member(4)))),
        ),
        says="4 tasks may run",
    ),
    "etcds_are_apart": Case(
        keeps=(make.stored(make.THREE), make.etcd_started(1), make.etcd_started(2)),
        breaks=(
            make.stored(make.THREE),
            make.etcd_started(1),
            make.etcd_started(2, directory="agent-1:/s/etcd-2"),
        ),
        says="both run an etcd on agent-1",
    ),
    "launches_are_on_record": Case(
        keeps=(make.stored(make.LAUNCHING), make.released(make.launch())),
        breaks=(make.released(make.launch()), make.stored(make.LAUNCHING)),
        says="not on the durable record",
    ),
    "kills_are_on_record": Case(
        keeps=(make.stored(REMOVING), make.released(KILL)),
        breaks=(make.stored(make.THREE), make.released(KILL)),
        says="is voter on record",
    ),
    "epochs_have_one_holder": Case(
        keeps=(make.stored(make.THREE), make.stored(evolve(make.THREE, epoch=2), process=2)),
        breaks=(make.stored(make.THREE), make.stored(make.THREE, process=2)),
        says="share the epoch 1",
    ),
    "subscribes_after_takeover": Case(
        keeps=(make.stored(make.THREE), make.released(c.Subscribe(framework_id=""))),
        breaks=(make.stored(make.THREE), make.released(c.Subscribe(framework_id=""), process=2)),
        says="before a record with its own epoch",
    ),
    "executors_obey_the_highest_epoch": Case(
        keeps=(make.etcd_started(1, epoch=2, epoch_seen=2),),
        breaks=(make.etcd_started(1, epoch=1, epoch_seen=2),),
        says="obeys epoch 1 and has seen 2",
    ),
    "the_deposed_order_nothing": Case(
        keeps=(make.order_heard(epoch=1, recorded=False), make.order_heard(epoch=2, recorded=True)),
        breaks=(make.order_heard(epoch=1, recorded=True),),
        says="obeys an order of epoch 1, has seen 2",
    ),
    "nothing_changes_without_links": Case(
        keeps=(*ACCOUNTED, make.stepped(None, KILL)),
        breaks=(*ACCOUNTED[:-1], make.stepped(None, KILL)),
        says="before anything was heard of etcd-3-1",
    ),
    "only_the_proven_dead_are_dead": Case(
        keeps=(
            *(make.heard(f"etcd-{n}-1", TaskState.FAILED) for n in (1, 2, 3)),
            make.stepped(before=make.model(), after=make.model(phase="lost")),
        ),
        breaks=(
            *(make.heard(f"etcd-{n}-1", TaskState.FAILED) for n in (1, 2)),
            make.heard("etcd-3-1", TaskState.UNKNOWN),
            make.stepped(before=make.model(), after=make.model(phase="lost")),
        ),
        says="nobody has said that etcd-3-1 ended",
    ),
    "served_is_for_ever": Case(
        keeps=(make.stored(make.SERVED), make.stored(evolve(make.SERVED, epoch=2))),
        breaks=(make.stored(make.SERVED), make.stored(evolve(make.SERVED, generation=2))),
        says="generation 2 begins after 1 has served",
    ),
    "serving_is_noted": Case(
        keeps=(evolve(SERVING[0], step=Step(model=make.model(make.SERVED))),),
        breaks=(SERVING[0],),
        says="does not say that the cluster has served",
    ),
    "nothing_grows_beside_written_data": Case(
        keeps=(f.WriteAcknowledged(key="k", token="t1"), make.etcd_started(1)),
        breaks=(f.WriteAcknowledged(key="k", token="t0"), make.etcd_started(1)),
        says="but t0 has acknowledged k",
    ),
    "looks_around_before_a_bootstrap": Case(
        keeps=(
            make.subscribed(),
            make.state_read(),
            make.stepped(None, make.launch(), before=make.model(make.record())),
        ),
        breaks=(
            make.subscribed(),
            make.state_read(make.namesake("t")),
            make.stepped(None, make.launch(), before=make.model(make.record())),
        ),
        says="beside the tasks of framework other",
    ),
    "only_the_hopeless_are_given_up": Case(
        keeps=(
            make.heard("etcd-1-1", TaskState.STARTING),
            make.stepped(before=make.model(make.LAUNCHING), after=make.model(REMOVING)),
        ),
        breaks=(
            make.heard("etcd-1-1", TaskState.STARTING),
            make.heard("etcd-2-1", TaskState.STARTING),
            make.stepped(before=make.model(JOINING), after=make.model(REMOVING)),
        ),
        says="had started",
    ),
    "strays_are_ended": Case(
        keeps=(
            make.stepped(
                make.updated("stray", TaskState.RUNNING), c.Kill(task_id="stray", agent_id="a")
            ),
            make.stepped(now=12.0),
        ),
        breaks=(make.heard("stray"), make.stepped(now=12.0)),
        says="stray lives, is not on record",
    ),
    "no_stray_survives": Case(
        keeps=(make.settled(),),
        breaks=(make.settled(alive=frozenset({"stray"})),),
        says="stray still runs",
    ),
    "acknowledges_what_it_took_in": Case(
        keeps=(
            make.stepped(
                make.updated("etcd-1-1", TaskState.FAILED, "u"),
                ACKNOWLEDGE,
                before=make.model(),
                after=make.model(tasks={"etcd-1-1": DEAD}),
            ),
        ),
        breaks=(make.stepped(make.updated("etcd-1-1", TaskState.FAILED, "u"), ACKNOWLEDGE),),
        says="is acknowledged and not taken in",
    ),
    "updates_reach_their_agents": Case(
        keeps=(make.settled(),),
        breaks=(make.settled(unsaid=("etcd-1-1",)),),
        says="never reached its agent",
    ),
    "offers_stand_when_used": Case(
        keeps=(make.subscribed(), make.offered("o1"), make.stepped(None, make.launch())),
        breaks=(
            make.subscribed(),
            make.offered("o1"),
            make.stepped(e.OfferRescinded(offer_id="o1")),
            make.stepped(None, make.launch()),
        ),
        says="o1 was rescinded",
    ),
    "one_etcd_per_executor": Case(
        keeps=(make.etcd_started(1), f.EtcdEnded(executor="etcd-1-1"), make.etcd_started(1)),
        breaks=(make.etcd_started(1), make.etcd_started(1)),
        says="a second etcd",
    ),
    "the_end_is_told_after_it": Case(
        keeps=(
            make.etcd_started(1),
            f.EtcdEnded(executor="etcd-1-1"),
            _end := f.UpdateSent(
                executor="etcd-1-1",
                task_id="etcd-1-1",
                state="TASK_KILLED",
                terminal=True,
                serving=True,
            ),
        ),
        breaks=(make.etcd_started(1), _end),
        says="says TASK_KILLED while its etcd runs",
    ),
    "running_means_serving": Case(
        keeps=(evolve(_end, state="TASK_RUNNING", terminal=False),),
        breaks=(evolve(_end, state="TASK_RUNNING", terminal=False, serving=False),),
        says="an etcd that never served",
    ),
    "healthy_is_seen": Case(
        keeps=(*SERVING, make.stepped(after=make.model(phase="healthy"), now=11.0)),
        breaks=(*SERVING[1:], make.stepped(after=make.model(phase="healthy"), now=11.0)),
        says="2 of 3 members were seen serving together",
    ),
    "serving_is_seen": Case(
        keeps=(make.stepped(after=make.model(phase="recovering")),),
        breaks=(
            make.stepped(
                after=evolve(
                    _well := make.model(make.SERVED),
                    views={
                        m.name: evolve(
                            _well.view(m.name),
                            latest=SERVING[0].event.health,  # type: ignore[attr-defined]
                            latest_at=10.0,
                        )
                        for m in make.THREE.members
                    },
                    progress=evolve(_well.progress, made_at=10.0),
                )
            ),
        ),
        says="said to serve",
    ),
    "it_says_why": Case(
        keeps=(make.stepped(after=make.model(phase="recovering")),),
        breaks=(),
        says="",
    ),
    "leaders_hold_every_write": Case(
        keeps=(
            _write := f.WriteAcknowledged(key="k", token="t1"),
            f.LeaderElected(token="t1", keys=frozenset({"k"})),
        ),
        breaks=(_write, f.LeaderElected(token="t1", keys=frozenset())),
        says="lacks k",
    ),
    "acknowledged_writes_are_kept": Case(
        keeps=(_write, make.settled(keys=frozenset({"k"}))),
        breaks=(_write, make.settled()),
        says="acknowledged and lost: k",
    ),
    "it_does_not_spin": Case(
        keeps=(make.stepped(wake_at=10.1),),
        breaks=(make.stepped(wake_at=10.0),),
        says="it wants to be woken at 10.000",
    ),
    "it_ends_well": Case(
        keeps=(make.settled(),),
        breaks=(make.settled(phase="degraded"),),
        says="still degraded and no member is lost",
    ),
}
_ROOMS = (reconfigurations, leaderships, reseedings, backed_up, restorings)
_MORE = {name: case for room in _ROOMS for name, case in room.CASES.items()}
CASES |= {
    name: Case(keeps=keeps, breaks=breaks, says=says)
    for name, (keeps, breaks, says) in _MORE.items()
}


@pytest.mark.parametrize("name", [one.name for one in registered()])
def test_an_oracle_accepts_what_keeps_its_promise(name: str) -> None:
    assert make.verdict(name, *CASES[name].keeps) == ""


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.breaks])
def test_an_oracle_refuses_what_breaks_its_promise(name: str) -> None:
    assert CASES[name].says in make.verdict(name, *CASES[name].breaks)


def test_a_zone_of_another_agent_is_refused() -> None:
    """What is recorded of a member's agent is what that agent offered."""
    said = make.verdict(
        "members_are_where_they_may_be",
        make.offered("o1", agent="agent-1", zone="z1"),
        make.stored(make.record(make.member(1, zone="z2"))),
    )
    assert said == "etcd-1 is recorded in /z2, and is in /z1"


@pytest.mark.parametrize(("name", "trace", "says"), backed_up.REFUSED + restorings.REFUSED)
def test_of_backups_is_refused(name: str, trace: tuple[f.Fact, ...], says: str) -> None:
    assert says in make.verdict(name, *trace)


@pytest.mark.parametrize(("name", "trace"), backed_up.ACCEPTED + restorings.ACCEPTED)
def test_of_backups_is_accepted(name: str, trace: tuple[f.Fact, ...]) -> None:
    assert make.verdict(name, *trace) == ""


def test_a_wait_without_a_reason_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trace can make the real why() silent, so it is silenced here."""
    monkeypatch.setattr("etcdmesos.simulation.oracles.health.why", lambda *_: "")
    assert make.verdict("it_says_why", make.stepped()) == "why() says ''"


def test_without_an_election_everybody_leads() -> None:
    """There is nobody who could say otherwise."""
    alone = evolve(make.SETTINGS, elected=False)
    assert make.verdict("only_the_leader_acts", make.stepped(None, KILL), settings=alone) == ""
