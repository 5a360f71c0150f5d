"""What the proxy runs and when, whatever it hears and in whatever order."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from attrs import evolve
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from etcdmesos.finding.cluster import Cluster
from etcdmesos.proxy import words as w
from etcdmesos.proxy.controller import step
from etcdmesos.proxy.fronts import Front, Kind
from etcdmesos.proxy.model import Model, Settings
from etcdmesos.step import Command, CommandDone, CommandFailed, Event, Exit, TimerFired
from tests.finding.make import ID, OTHER_ID, cluster

FOLLOWS = Front(kind=Kind.GRPC_PROXY, follows=True, listen="127.0.0.1:1", advertise="127.0.0.1:1")
STAYS = evolve(FOLLOWS, follows=False)


class Stage:
    """A proxy and the time it lives in."""

    def __init__(self, front: Front) -> None:
        self.model = Model(settings=Settings(front=front))
        self.now = 0.0
        self.wake_at: float | None = 0.0

    def hear(self, event: Event, after: float = 0.0) -> tuple[Command, ...]:
        self.now += after
        taken = step(self.model, event, self.now)
        self.model, self.wake_at = taken.model, taken.wake_at
        return taken.commands

    def found(self, *numbers: int, cluster_id: str = ID, after: float = 0.0) -> tuple[Command, ...]:
        return self.hear(w.ClusterFound(cluster=cluster(*numbers, cluster_id=cluster_id)), after)


def starts(commands: tuple[Command, ...]) -> Iterator[w.StartFront]:
    return (c for c in commands if isinstance(c, w.StartFront))


def signals(commands: tuple[Command, ...]) -> list[int]:
    return [c.signal for c in commands if isinstance(c, w.SignalFront)]


def serving(front: Front) -> Stage:
    """One whose front stands before members 1, 2 and 3."""
    stage = Stage(front)
    stage.hear(TimerFired())
    assert len(list(starts(stage.found(1, 2, 3)))) == 1
    stage.hear(w.FrontStarted(run=1, pid=7))
    return stage


def exited(run: int, status: int = 0) -> Event:
    return w.FrontExited(run=run, wait_status=status, said="bye")


def test_nothing_is_started_before_there_is_a_cluster() -> None:
    """And what is waited for is told."""
    stage = Stage(FOLLOWS)
    assert stage.hear(TimerFired()) == (w.FindCluster(),)
    assert stage.hear(w.ClusterNotFound(why="no framework", outdated=False)) == ()
    assert stage.model.why == "no framework"
    assert stage.wake_at == stage.now + 0.5
    assert stage.hear(TimerFired(), 0.5) == (w.FindCluster(),)


def test_a_front_that_follows_stays_while_members_move() -> None:
    """One after the other, until none is left of those it was started for."""
    stage = serving(FOLLOWS)
    for numbers in ((2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 6)):
        assert signals(stage.found(*numbers)) == []


def test_a_front_that_follows_cannot_follow_everybody_at_once() -> None:
    """Nobody whom it knew is left to be asked."""
    assert signals(serving(FOLLOWS).found(4, 5, 6)) == [signal.SIGTERM]


@pytest.mark.parametrize("numbers", [(2, 3), (1, 2, 3, 4), (2, 3, 4)])
def test_a_front_that_does_not_follow_is_another_one_after_each_move(
    numbers: tuple[int, ...],
) -> None:
    """Also without those that are gone; the next one starts as soon as the address is free."""
    stage = serving(STAYS)
    assert signals(stage.found(1, 2, 3)) == []
    assert signals(stage.found(*numbers)) == [signal.SIGTERM]
    [start] = starts(stage.hear(exited(1, -15)))
    assert start.run == 2
    assert f"--endpoints={','.join(cluster(*numbers).endpoints)}" in start.arguments


@pytest.mark.parametrize("front", [FOLLOWS, STAYS])
def test_another_cluster_has_another_front(front: Front) -> None:
    """Even at the very same endpoints: a seed lives where its member lived."""
    stage = serving(front)
    assert signals(stage.found(1, 2, 3, cluster_id=OTHER_ID)) == [signal.SIGTERM]


def test_no_front_stands_before_a_cluster_that_counts_no_more() -> None:
    """It goes, and none comes until another cluster is found."""
    stage = serving(FOLLOWS)
    gone = w.ClusterNotFound(why="another cluster answers", outdated=True)
    assert signals(stage.hear(gone)) == [signal.SIGTERM]
    assert list(starts(stage.hear(exited(1, -15)))) == []
    assert len(list(starts(stage.found(1, cluster_id=OTHER_ID)))) == 1


def test_a_front_stays_while_its_cluster_cannot_be_found() -> None:
    """Scheduler, master and quorum may be gone for a while: the front does what can be done."""
    stage = serving(STAYS)
    assert signals(stage.hear(w.ClusterNotFound(why="no quorum", outdated=False))) == []


def test_a_front_that_ends_by_itself_is_started_again_ever_more_slowly() -> None:
    """At once it would be a busy loop; the pause has an end."""
    stage, pauses = serving(STAYS), []
    for run in range(1, 12):
        assert list(starts(stage.hear(exited(run, 1)))) == []
        began = stage.now
        stage.found(1, 2, 3)
        assert stage.model.start_at is not None
        [start] = starts(stage.hear(TimerFired(), stage.model.start_at - stage.now))
        assert start.run == run + 1
        pauses.append(stage.now - began)
    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert pauses[-1] == 15.0


def test_a_front_that_ran_well_is_started_again_at_once() -> None:
    """It died of something that came later."""
    stage = serving(STAYS)
    stage.now += 100
    assert len(list(starts(stage.hear(exited(1, -9))))) == 1


def fail_check(stage: Stage) -> list[int]:
    """The next check comes and fails; returns the signals that this leads to."""
    stage.hear(TimerFired(), 2.0)
    assert stage.model.running is not None
    assert stage.model.running.checking
    return signals(stage.hear(w.FrontChecked(run=1, well=False)))


def test_a_front_that_answers_nothing_while_the_cluster_does_is_another_one() -> None:
    """Not at the first time, which an election may be the cause of."""
    stage, sent = serving(FOLLOWS), []
    for _ in range(3):
        stage.found(1, 2, 3, after=0.1)
        sent.append(fail_check(stage))
    assert sent == [[], [], [signal.SIGTERM]]


def test_a_cluster_that_does_not_answer_makes_no_front_bad() -> None:
    """Nor does one that answers again, before the front had its time to notice."""
    stage = serving(FOLLOWS)
    for _ in range(5):
        stage.hear(w.ClusterNotFound(why="no quorum", outdated=False), 0.1)
        assert fail_check(stage) == []
    stage.found(1, 2, 3, after=0.1)
    assert [fail_check(stage), fail_check(stage), fail_check(stage)] == [[], [], []]
    stage.found(1, 2, 3, after=0.1)
    assert fail_check(stage) == []
    stage.hear(w.ClusterNotFound(why="no quorum", outdated=False), 0.1)
    assert fail_check(stage) == []
    stage.found(1, 2, 3, after=0.1)
    assert fail_check(stage) == []


def test_a_signal_is_passed_on_and_its_end_waited_for() -> None:
    """A front that ignores it is killed."""
    stage = serving(FOLLOWS)
    assert signals(stage.hear(w.StopAsked(signal=signal.SIGINT))) == [signal.SIGINT]
    assert stage.wake_at == stage.now + 3.0
    assert signals(stage.hear(w.StopAsked(signal=signal.SIGTERM), 1.0)) == []
    assert signals(stage.hear(TimerFired(), 2.0)) == [signal.SIGKILL]
    assert stage.hear(exited(1, -9)) == (Exit(status=0),)


def test_without_a_front_the_end_comes_at_once() -> None:
    """Also while it is being looked for."""
    stage = Stage(FOLLOWS)
    stage.hear(TimerFired())
    assert stage.hear(w.StopAsked(signal=signal.SIGTERM)) == (Exit(status=0),)


def test_words_of_an_earlier_front_change_nothing() -> None:
    """They may come late."""
    stage = serving(STAYS)
    stage.found(4)
    stage.hear(exited(1, -15))
    before = evolve(stage.model, remark="")
    for late in (exited(1), w.FrontChecked(run=1, well=False), w.FrontStarted(run=1, pid=7)):
        stage.hear(late)
        assert stage.model == before


NUMBERS = st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens: one front at a time, only before a cluster that counts, and never stuck."""

    front = FOLLOWS

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(self.front)
        self.lives: int | None = None
        self.before: Cluster | None = None
        self.looking = self.checking = self.over = False
        self.hear(TimerFired())

    def hear(self, event: Event, after: float = 0.0) -> None:
        commands = self.stage.hear(event, after)
        for command in commands:
            match command:
                case w.StartFront(run=run):
                    assert self.lives is None, "a second front"
                    assert self.stage.model.cluster is not None, "a front before no cluster"
                    self.lives, self.before = run, self.stage.model.cluster
                    self.checking = False
                case w.FindCluster():
                    assert not self.looking, "two looks at once"
                    self.looking = True
                case w.CheckFront(run=run):
                    assert not self.checking, "two checks at once"
                    assert run == self.lives
                    self.checking = True
                case w.SignalFront(run=run):
                    assert run == self.lives, "a signal to a front that has ended"
                case Exit():
                    assert self.lives is None, "a front is left behind"
                    self.over = True

    @precondition(lambda self: not self.over)
    @rule(after=st.floats(0.0, 20.0))
    def time_passes(self, after: float) -> None:
        wake_at = self.stage.wake_at
        assume(wake_at is not None)
        assert wake_at is not None
        self.hear(TimerFired(), max(wake_at - self.stage.now, 0.0) + after)

    @precondition(lambda self: self.looking and not self.over)
    @rule(numbers=NUMBERS, cluster_id=st.sampled_from([ID, ID, OTHER_ID]))
    def found(self, numbers: list[int], cluster_id: str) -> None:
        self.looking = False
        self.hear(w.ClusterFound(cluster=cluster(*numbers, cluster_id=cluster_id)))

    @precondition(lambda self: self.looking and not self.over)
    @rule(outdated=st.booleans())
    def not_found(self, outdated: bool) -> None:
        self.looking = False
        self.hear(w.ClusterNotFound(why="why", outdated=outdated))

    @precondition(lambda self: self.lives and not self.over)
    @rule(failed=st.booleans())
    def the_front_ends(self, failed: bool) -> None:
        run, self.lives = self.lives, None
        assert run is not None
        start = w.StartFront(run=run, arguments=())
        self.hear(CommandFailed(command=start, reason="no") if failed else exited(run, 1))

    @precondition(lambda self: self.checking and not self.over)
    @rule(well=st.booleans())
    def checked(self, well: bool) -> None:
        self.checking = False
        assert self.stage.model.runs
        self.hear(w.FrontChecked(run=self.stage.model.runs, well=well))

    @precondition(lambda self: self.lives and not self.over)
    @rule(done=st.booleans())
    def a_signal_is_sent(self, done: bool) -> None:
        assert self.lives is not None
        sent = w.SignalFront(run=self.lives, signal=15)
        self.hear(CommandDone(command=sent) if done else CommandFailed(command=sent, reason="no"))

    @precondition(lambda self: not self.over)
    @rule()
    def stop(self) -> None:
        self.hear(w.StopAsked(signal=15))

    @precondition(lambda self: self.over)
    @rule()
    def it_is_over(self) -> None:
        """Nothing is left to be done."""

    @invariant()
    def something_will_happen(self) -> None:
        """There is always a timer, or somebody who owes an answer."""
        model = self.stage.model
        owed = self.looking or self.checking
        assert self.over or owed or self.stage.wake_at is not None, model

    @invariant()
    def the_front_stands_before_what_counts(self) -> None:
        """Unless it has been told to go."""
        running, known = self.stage.model.running, self.stage.model.cluster
        if running is None or running.stopping or self.over:
            return
        assert known is not None
        assert self.before is not None
        assert self.before.cluster_id == known.cluster_id
        if not self.front.follows:
            assert set(self.before.endpoints) == set(known.endpoints)

    def teardown(self) -> None:
        """Told to stop, it ends, whatever the front does."""
        if not self.over:
            self.hear(w.StopAsked(signal=15))
        if not self.over and self.lives is not None:
            run, self.lives = self.lives, None
            self.hear(exited(run, -15))
        assert self.over


class AnyOrderStaying(AnyOrder):
    """The same for a front that does not follow."""

    front = STAYS


TestFollowing = AnyOrder.TestCase
TestStaying = AnyOrderStaying.TestCase
