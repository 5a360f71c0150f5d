"""Repairs are safe whatever is seen, and end well wherever the scheduler dies on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import MemberView, Model, ProgressView
from etcdmesos.cluster.record import Kind, Role, Step
from etcdmesos.cluster.repairs import next_repair
from etcdmesos.etcd.member_health import Alarm
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.mesos.statuses import TaskState
from tests.cluster import make
from tests.cluster.world import World

NOW = 1000.0
STATES = ["well", "well", "well", "dead", "silent for long", "silent", "away", "away for long"]
STATES += ["apart", "apart for long", "corrupt"]


TO_BE_REPLACED = ("dead", "silent for long", "away for long", "apart for long", "corrupt")


@st.composite
def situations(draw: st.DrawFn) -> tuple[Model, MemberList, dict[str, str]]:
    """A model, etcd's list, and how each member is: by name, one of STATES."""
    size = draw(st.sampled_from([1, 3, 5]))
    count = draw(st.integers(1, size))
    states = {f"etcd-{n}": draw(st.sampled_from(STATES)) for n in range(1, count + 1)}
    joins = draw(st.booleans()) and count > 1
    members = [
        make.member(n, "abcde"[n - 1])
        if not joins or n < count
        else make.member(n, "abcde"[n - 1], Step.JOINING, role=Role.LEARNER, id=f"id-{n}")
        for n in range(1, count + 1)
    ]
    views, tasks, away, apart = {}, {}, {}, {}
    alarms = tuple(Alarm(m.id, "CORRUPT") for m in members if states[m.name] == "corrupt")
    for member in members:
        state, task = states[member.name], member.tasks[0]
        leader = "" if state.startswith("apart") else "etcd-1"
        learning = member.role is Role.LEARNER
        says = make.health(member.name, leader, learner=learning, alarms=alarms)
        since = {"silent": NOW - 20, "silent for long": NOW - 60}.get(state)
        views[member.name] = MemberView(
            latest=says if state not in ("dead", "silent", "silent for long") else None,
            latest_at=NOW,
            failing_since=since,
        )
        if state.startswith("apart") and not learning:
            apart[member.name] = NOW - (60 if state == "apart for long" else 20)
        told = TaskState.FAILED if state == "dead" else TaskState.RUNNING
        tasks[task.id] = make.status(task.id, told)
        if state.startswith("away"):
            tasks[task.id] = make.status(task.id, TaskState.UNREACHABLE)
            away[task.id] = NOW - (60 if state == "away for long" else 20)
    entries = [make.listed(m) for m in members if draw(st.integers(0, 9))]
    for n in range(draw(st.sampled_from([0, 0, 0, 1]))):
        started, as_learner = draw(st.booleans()), draw(st.booleans())
        ghost = make.listed(make.member(90 + n, "y"), id="id-x", learner=as_learner)
        entries.append(evolve(ghost, name="x" if started else ""))
    model = evolve(
        make.CONTROLLER.start(make.settings(size)),
        record=make.record(*members, size=size),
        views=views,
        tasks=tasks,
        out_of_reach=away,
        apart_since=apart,
        progress=ProgressView(made_at=NOW),
    )
    return model, make.listing(*entries), states


@given(situations())
def test_a_removal_leaves_a_quorum_of_healthy_voters(
    case: tuple[Model, MemberList, dict[str, str]],
) -> None:
    """Counted anew: of a started voter's removal, of a healthy one's, of a started stranger's."""
    model, listing, states = case
    repair = next_repair(model, listing, assess(model, NOW), NOW)
    if repair is None or repair.kind is not Kind.REMOVE:
        return
    entry = listing.entry(repair.id)
    if entry is None:
        return  # it is off the list already
    if repair.member is None:
        assert entry.name == "", "a started stranger is only reported"
        return
    assert states[repair.member.name] in TO_BE_REPLACED
    if entry.learner:
        return
    rest = [e for e in listing.members if not e.learner and e.id != repair.id]
    healthy = [e for e in rest if states.get(e.name) in ("well", "away", "away for long")]
    assert 2 * len(healthy) > len(rest)


@given(situations())
def test_nothing_is_removed_while_a_learner_is_yet_to_start(
    case: tuple[Model, MemberList, dict[str, str]],
) -> None:
    """But the learner itself, a ghost, or what is off the list already."""
    model, listing, _ = case
    members = tuple(
        evolve(m, step=Step.LAUNCHING) if m.role is Role.LEARNER else m
        for m in model.record.members
    )
    unstarted = evolve(model, record=evolve(model.record, members=members))
    repair = next_repair(unstarted, listing, assess(unstarted, NOW), NOW)
    if any(m.role is Role.LEARNER for m in members) and repair is not None and repair.member:
        gone = listing.entry(repair.id) is None
        assert gone or repair.member.role is Role.LEARNER


# Run against an honest etcd, with the scheduler dying after each step


def _serving(size: int) -> World:
    world = World(size, size + 1)
    world.settle()
    return world


def _kill_one(world: World) -> None:
    world.end_task(world.alive()[-1])


def _kill_a_minority(world: World) -> None:
    for task_id in world.alive()[: (world.settings.cluster_size - 1) // 2]:
        world.end_task(task_id)


def _pause_one(world: World) -> None:
    world.find(world.alive()[0]).paused = True
    for _ in range(75):
        world.let_everything_happen()
        world.pass_time(1.0)


def _cut_one(world: World) -> None:
    world.cut(world.find(world.alive()[0]).task.agent_id)
    for _ in range(75):
        world.let_everything_happen()
        world.pass_time(1.0)


FAULTS = [(3, _kill_one), (5, _kill_a_minority), (3, _pause_one), (3, _cut_one)]


@pytest.mark.parametrize(("size", "fault"), FAULTS)
@pytest.mark.parametrize("outcome", ["unknown-done", "unknown-lost", "unknown-late"])
def test_every_prefix_of_a_repair_ends_well(
    size: int, fault: Callable[[World], None], outcome: str
) -> None:
    """The scheduler dies after any step of the repair: the next one ends it within bounds."""
    for cut in range(0, 40, 6):
        world = _serving(size)
        fault(world)
        for _ in range(cut):
            _step(world)
        whole = world.model.phase == "healthy" and cut > 0
        world.crash(outcome)
        world.etcd.apply_late()
        world.settle(300)
        _assert_whole(world)
        if whole:
            return


def test_a_dead_member_is_not_waited_for_but_a_silent_one_is() -> None:
    """What is dead is replaced at once; what is only out of reach, after the time-out."""
    world = _serving(3)
    silent = world.find(world.alive()[0])
    silent.paused = True
    for _ in range(50):
        world.let_everything_happen()
        world.pass_time(1.0)
    assert world.model.record.owner(silent.task.id) is not None
    for _ in range(60):
        world.let_everything_happen()
        world.pass_time(1.0)
    assert world.model.record.owner(silent.task.id) is None


def test_a_ghost_is_removed() -> None:
    """Somebody adds a member and never starts it."""
    world = _serving(3)
    cluster = world.etcd.clusters[world.model.record.token]
    cluster.entries.append(
        evolve(cluster.entries[0], id="id-99", peer_url="http://y", name="", data="")
    )
    for _ in range(30):
        world.let_everything_happen()
        world.pass_time(1.0)
    _assert_whole(world)


def _step(world: World) -> None:
    """One thing under way comes to its end, in a fixed order."""
    if world.mail:
        world.deliver(sorted(world.mail)[0])
    elif world.calls:
        world.carry_out()
    elif world.probes:
        world.answer(sorted(world.probes, key=str)[0])
    else:
        world.let_everything_happen()
        world.pass_time(0.5)


def _assert_whole(world: World) -> None:
    size = world.settings.cluster_size
    cluster = world.etcd.clusters[world.model.record.token]
    assert world.model.phase == "healthy"
    assert len(cluster.entries) == size
    assert not any(entry.learner for entry in cluster.entries)
    assert {m.id for m in world.model.record.members} == {x.id for x in cluster.entries}
