"""Whatever the world does, in whatever order: the executor's promises, and an end after a kill."""

from __future__ import annotations

import hypothesis.strategies as st
from attrs import evolve
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import (
    AskPeers,
    Prepare,
    ProbeMember,
    SendUpdate,
    StartEtcd,
    Subscribe,
)
from etcdmesos.executor.crashes import REMOVED
from tests.executor.world import (
    MEMBER_ID,
    SETTINGS,
    TASK,
    World,
    health,
    launched,
    peers_listing,
)

PATIENCE = 2000
"""Rounds of a second until a killed executor must be gone in a world that answers."""


MAY_FAIL = (Subscribe, SendUpdate, Prepare, StartEtcd, ProbeMember, AskPeers)


class AnySequence(RuleBasedStateMachine):
    """The promises are checked by the world, after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.killed = False

    @initialize(checkpoint=st.booleans())
    def boot(self, checkpoint: bool) -> None:
        self.world = World(evolve(SETTINGS, checkpoint=checkpoint))
        self.world.feed(ev.TimerFired())

    @property
    def alive(self) -> bool:
        return self.world.exit is None

    @precondition(lambda self: self.alive and self.world.pending)
    @rule(data=st.data())
    def end_a_command(self, data: st.DataObject) -> None:
        world = self.world
        command = data.draw(st.sampled_from(world.pending), label="command")
        if isinstance(command, AskPeers):
            world.removed = world.removed or _says_removed(world)
        world.end(command)

    @precondition(lambda self: self.alive and self.world.pending)
    @rule(data=st.data())
    def fail_a_command(self, data: st.DataObject) -> None:
        commands = [c for c in self.world.pending if isinstance(c, MAY_FAIL)]
        if commands:
            self.world.fail(data.draw(st.sampled_from(commands), label="command"))

    @precondition(lambda self: self.alive and self.world.of(SendUpdate))
    @rule(arrived=st.booleans())
    def lose_an_answer(self, arrived: bool) -> None:
        self.world.lose_answer(
            self.world.of(SendUpdate)[0], arrived=arrived and self.world.subscribed
        )

    @precondition(lambda self: self.alive)
    @rule(seconds=st.sampled_from([0.01, 0.1, 1.0, 5.0, 31.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @precondition(lambda self: self.alive)
    @rule()
    def acknowledge(self) -> None:
        self.world.acknowledge()

    @precondition(lambda self: self.alive and self.world.subscribed)
    @rule()
    def disconnect(self) -> None:
        self.world.disconnect()

    @precondition(lambda self: self.alive and self.world.subscribed)
    @rule(good=st.booleans(), task_id=st.sampled_from([TASK, TASK, "another"]))
    def launch(self, good: bool, task_id: str) -> None:
        task = launched(task_id=task_id)
        self.world.feed(task if good else evolve(task, data=b"{"))

    @precondition(lambda self: self.alive and self.world.etcd_run is not None)
    @rule(status=st.sampled_from([0, 1, 2, -9, -15]), removed=st.booleans())
    def etcd_exits(self, status: int, removed: bool) -> None:
        self.world.etcd_exits(status, REMOVED if removed else "panic")

    @rule(leader=st.sampled_from([MEMBER_ID, ""]), learner=st.booleans())
    def health_changes(self, leader: str, learner: bool) -> None:
        self.world.health = health(leader=leader, learner=learner)

    @rule(listed=st.lists(st.sampled_from([MEMBER_ID, "00000000000000a2"]), max_size=2))
    def peers_change(self, listed: list[str]) -> None:
        self.world.answers = tuple(peers_listing(member_id) for member_id in listed)

    @precondition(lambda self: self.alive and self.world.subscribed)
    @rule(grace=st.sampled_from([None, 0.0, 1.0, 900.0]), task_id=st.sampled_from([TASK, "other"]))
    def kill(self, grace: float | None, task_id: str) -> None:
        self.world.feed(ev.KillAsked(task_id=task_id, grace_seconds=grace))

    @precondition(lambda self: self.alive)
    @rule()
    def shut_down(self) -> None:
        self.world.feed(ev.ShutdownAsked(by="SIGTERM"))

    @precondition(lambda self: self.alive and self.world.subscribed)
    @rule(data=st.sampled_from([b"?", b'{"epoch": 1}']))
    def message(self, data: bytes) -> None:
        self.world.feed(ev.MessageReceived(data=data))

    @precondition(lambda self: self.alive)
    @rule()
    def save_fails(self) -> None:
        """Only a step that saves can have its save fail; its commands are dropped."""
        world = self.world
        if world.subscribed and world.model.phase == "waiting":
            world.feed_unsaved(launched())

    def teardown(self) -> None:
        """Liveness: shut down in a world that answers, it comes to its end, saying so if it had a
        task."""
        world = self.world
        if self.alive:
            world.feed(ev.ShutdownAsked(by="the test"))
        for _ in range(PATIENCE):
            if not self.alive:
                break
            world.settle()
            world.pass_time(1.0)
        assert world.exit is not None, f"still {world.model.phase}"
        task, leave_at = world.model.task, world.model.leave_at
        if task is not None and world.subscribed and leave_at is not None and world.now < leave_at:
            last = [u.state for u in world.at_agent.values() if u.task_id == task.id][-1]
            assert last in ("TASK_KILLED", "TASK_FAILED")


def _says_removed(world: World) -> bool:
    model = world.model
    if world.etcd_run is not None or not model.member_id or model.phase != "restarting":
        return False
    lists = [[member_id for member_id, _ in answer.members] for answer in world.answers]
    return bool(lists) and not any(model.member_id in ids for ids in lists)


TestAnySequence = AnySequence.TestCase
