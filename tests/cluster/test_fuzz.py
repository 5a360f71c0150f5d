"""Any order of events an honest world can send: no promise is ever broken, and it ends well.

`HYPOTHESIS_PROFILE=explore pytest tests/cluster/test_fuzz.py` looks much longer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.cluster.world import World

outcomes = st.sampled_from(
    ["done", "done", "done", "failed", "unknown-done", "unknown-lost", "unknown-late"]
)
stores = st.sampled_from(["ok", "ok", "lost", "unknown-written", "unknown-lost", "away"])
waits = st.sampled_from([0.05, 0.5, 2.0, 20.0, 70.0, 200.0])
picks = st.integers(0, 1000)


class AnyOrder(RuleBasedStateMachine):
    """The world's queues and faults, moved by hypothesis."""

    world: World

    @initialize(
        size=st.sampled_from([1, 3, 3, 3, 5]),
        spare=st.integers(0, 2),
        single=st.booleans(),
        ahead=st.integers(0, 5),
        tasks_move=st.booleans(),
    )
    def begin(self, size: int, spare: int, single: bool, ahead: int, tasks_move: bool) -> None:
        """A new cluster, some rounds after its start."""
        self.world = World(size, size + spare, single)
        self.smooth(ahead, tasks_move)

    # The ordinary course of things

    @rule(picked=st.lists(st.tuples(picks, outcomes), min_size=1, max_size=6))
    def proceed(self, picked: list[tuple[int, str]]) -> None:
        """Some of what is under way comes to its end, in any order between its sources."""
        for pick, outcome in picked:
            self._one(pick, outcome)

    def _one(self, pick: int, outcome: str) -> None:
        world = self.world
        ways: list[Callable[[], None]] = [
            partial(world.deliver, source) for source in sorted(world.mail)
        ]
        if world.calls:
            ways.append(partial(world.carry_out, outcome))
        ways += [partial(world.answer, key, outcome) for key in sorted(world.probes, key=str)]
        ways += [partial(world.advance, task_id) for task_id in world.alive()]
        if ways:
            ways[pick % len(ways)]()

    @rule(seconds=waits)
    def wait(self, seconds: float) -> None:
        """Time passes, and nothing comes but the timer."""
        self.world.pass_time(seconds)

    @rule(rounds=st.integers(1, 3), tasks_move=st.booleans())
    def smooth(self, rounds: int, tasks_move: bool) -> None:
        """For a moment everything goes as it should; perhaps only tasks hang."""
        for _ in range(rounds):
            self.world.let_everything_happen(tasks_move)
            self.world.pass_time(0.1)

    @rule(pick=picks)
    def offer(self, pick: int) -> None:
        """An agent's free resources are offered."""
        self.world.offer(self._agent(pick))

    # Faults

    @rule(mode=stores)
    def store_fails(self, mode: str) -> None:
        """How saves end from here on."""
        self.world.store = mode

    @precondition(lambda self: self.world.alive())
    @rule(pick=picks)
    def task_ends(self, pick: int) -> None:
        """A task fails."""
        self.world.end_task(self._task(pick))

    @precondition(lambda self: self.world.alive())
    @rule()
    def all_tasks_end(self) -> None:
        """All tasks fail at once."""
        for task_id in self.world.alive():
            self.world.end_task(task_id)

    @precondition(lambda self: self.world.alive())
    @rule(pick=picks)
    def executor_is_stubborn(self, pick: int) -> None:
        """A KILL will not be answered."""
        self.world.find(self._task(pick)).stubborn = True

    @precondition(lambda self: self.world.offers)
    @rule(pick=picks)
    def rescind(self, pick: int) -> None:
        """An offer is void."""
        offers = sorted(self.world.offers)
        self.world.rescind(offers[pick % len(offers)])

    @rule()
    def resend(self) -> None:
        """Agents repeat what was not acknowledged: duplicates."""
        self.world.resend()

    @rule(pick=picks)
    def cut(self, pick: int) -> None:
        """An agent is out of reach."""
        self.world.cut(self._agent(pick))

    @rule(pick=picks)
    def bring_back(self, pick: int) -> None:
        """An agent returns, with its tasks."""
        self.world.bring_back(self._agent(pick))

    @rule()
    def fail_over(self) -> None:
        """A new master."""
        self.world.fail_over()

    @precondition(lambda self: self.world.model.phase != "recovering")
    @rule(outcome=st.sampled_from(["unknown-done", "unknown-lost", "unknown-late"]))
    def crash(self, outcome: str) -> None:
        """The scheduler dies; another one starts."""
        self.world.crash(outcome)

    @precondition(lambda self: self.world.etcd.late)
    @rule()
    def apply_late(self) -> None:
        """A change of etcd's list is carried out when nobody waits for it any more."""
        self.world.etcd.apply_late()

    @precondition(lambda self: self.world.alive())
    @rule(pick=picks)
    def pause(self, pick: int) -> None:
        """A member is stopped, or goes on."""
        running = self.world.find(self._task(pick))
        running.paused = not running.paused

    def _task(self, pick: int) -> str:
        alive = self.world.alive()
        return alive[pick % len(alive)]

    def _agent(self, pick: int) -> str:
        names = sorted(self.world.agents)
        return names[pick % len(names)]

    @precondition(lambda self: self.world.serial > 12)
    @rule()
    def settle(self) -> None:
        """Once faults stop and enough offers come, it is healthy within a bounded number of
        steps; or what was lost of a cluster that had served is said."""
        self.world.settle()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=settings().max_examples * 3 // 2)
