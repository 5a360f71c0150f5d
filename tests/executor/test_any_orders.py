"""Orders in any sequence, late, twice, unsaved, amid crashes: the world checks every step.

At the end the executor still obeys: released it runs on the member's own data, held it does not.
"""

from __future__ import annotations

import hypothesis.strategies as st
from attrs import evolve
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import (
    PutBack,
    ReadLog,
    RemoveKept,
    RestoreSeed,
    RunCopy,
    SaveSnapshot,
    SendBackup,
    SendMessage,
    SignalEtcd,
    StartEtcd,
)
from etcdmesos.orders import Order, Standing, encode
from tests.executor.backups import NAME, backup, cancel
from tests.executor.reseeds import (
    discard,
    hold,
    measure,
    release,
    seed,
    snapshot,
    stop,
    surviving,
)
from tests.executor.world import World, health

MAY_FAIL = (
    SaveSnapshot,
    SendBackup,
    ReadLog,
    RunCopy,
    RestoreSeed,
    PutBack,
    RemoveKept,
    SendMessage,
    StartEtcd,
)
NEVER_SERVED_TWICE = 5
"""Crashes in a row that a run may have: one more, and the task would end."""


class AnyOrders(RuleBasedStateMachine):
    """A member that served, and orders."""

    def __init__(self) -> None:
        super().__init__()
        self.world = surviving()
        self.crashes = 0
        self.in_force = 1

    @rule(
        kind=st.sampled_from(["snapshot", "hold", "hold", "measure", "seed", "seed", "release"]),
        generation=st.sampled_from([0, 0, 0, 0, 0, 1, -1]),
        epoch=st.sampled_from([0, 0, 0, 0, 1, -1]),
        saved=st.sampled_from([True, True, True, True, False]),
    )
    def order(self, kind: str, generation: int, epoch: int, saved: bool) -> None:
        """Any order of this attempt, of the next and of the one before."""
        world = self.world
        number = max(2, world.model.record.generation + generation)
        event = ev.MessageReceived(
            data=encode(evolve(self._order(kind, number), epoch=self.epoch + epoch))
        )
        if saved:
            world.feed(event)
        else:
            world.feed_unsaved(event)

    @rule(times=st.integers(1, 4), settled=st.booleans())
    def go_on(self, times: int, settled: bool) -> None:
        """What a scheduler would order next, so that runs get far; at last the seed is undone."""
        for _ in range(times):
            world, reseed = self.world, self.world.model.reseed
            number = max(2, world.model.record.generation)
            held = world.model.record.held is not None
            if reseed.released or world.model.record.seeded:
                world.order(evolve(hold(number + 1, in_force=self.in_force), epoch=self.epoch))
            elif reseed.snapshot is None:
                world.order(evolve(measure(number) if held else snapshot(number), epoch=self.epoch))
            elif not held:
                world.order(evolve(hold(number, in_force=self.in_force), epoch=self.epoch))
            else:
                sha256 = reseed.snapshot.sha256
                world.order(evolve(seed(world, number, sha256=sha256), epoch=self.epoch))
            if settled:
                self.settle()

    def _order(self, kind: str, generation: int) -> Order:
        if kind == "seed":
            return seed(self.world, generation) if self.world.reports else measure(generation)
        if kind == "hold":
            return hold(generation, in_force=self.in_force)
        if kind == "release":
            return release(generation, in_force=self.in_force)
        return snapshot(generation) if kind == "snapshot" else measure(generation)

    @rule(name=st.sampled_from([NAME, "another"]), wanted=st.booleans())
    def order_backup(self, name: str, wanted: bool) -> None:
        order = backup(name) if wanted else cancel(name)
        self.world.order(evolve(order, epoch=self.epoch))

    @rule(before=st.integers(0, 9))
    def discard(self, before: int) -> None:
        """Whatever is said to be old, nothing goes that could still be put back."""
        self.world.order(evolve(discard(before, in_force=self.in_force), epoch=self.epoch))

    @precondition(lambda self: self.world.pending)
    @rule(data=st.data())
    def end_a_command(self, data: st.DataObject) -> None:
        self.world.end(data.draw(st.sampled_from(self.world.pending), label="command"))

    @rule()
    def settle(self) -> None:
        """What was asked for is carried out, and etcd heeds its signal."""
        signalled = self.world.of(SignalEtcd)
        self.world.settle()
        if signalled and self.world.etcd_run is not None:
            self.world.etcd_exits(0)
            self.world.settle()

    @precondition(lambda self: any(isinstance(c, MAY_FAIL) for c in self.world.pending))
    @rule(data=st.data())
    def fail_a_command(self, data: st.DataObject) -> None:
        world = self.world
        commands = [c for c in world.pending if isinstance(c, MAY_FAIL)]
        command = data.draw(st.sampled_from(commands), label="command")
        if isinstance(command, StartEtcd):
            self.crashes += 1
            if self.crashes > NEVER_SERVED_TWICE:
                return
        if isinstance(command, RestoreSeed) and data.draw(st.booleans(), label="set aside"):
            world.sandbox.set_aside(command)
        world.fail(command)

    @precondition(lambda self: self.world.etcd_run and self.crashes < NEVER_SERVED_TWICE)
    @rule(status=st.sampled_from([0, 1, -9]))
    def etcd_exits(self, status: int) -> None:
        """It crashes, or heeds a signal."""
        self.crashes += 1
        self.world.etcd_exits(status)

    @rule(seconds=st.sampled_from([0.01, 1.0, 31.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule()
    def reconnect(self) -> None:
        """Reports are lost with the connection."""
        if self.world.subscribed:
            self.world.disconnect()
            self.world.pass_time(1.0)
            self.world.settle()

    @precondition(lambda self: self.world.model.reseed.seed_ran)
    @rule(well=st.booleans())
    def the_seed_is_in_force(self, well: bool) -> None:
        """Verified by the scheduler: its data is the member's own, as the next attempt says, or
        the order to let go of what is old."""
        world, reseed = self.world, self.world.model.reseed
        if world.model.record.seeded and not reseed.undo:
            world.sandbox.accept()
            self.in_force = world.model.record.seeded
            if well:
                return
            next_one = world.model.record.generation + 1
            world.order(evolve(hold(next_one, in_force=self.in_force), epoch=self.epoch))

    def teardown(self) -> None:
        world = self.world
        assert world.exit is None
        self._calm(world)
        last = world.model.record.generation
        world.order(evolve(hold(last + 1, in_force=self.in_force), epoch=self.epoch))
        self._calm(world)
        assert (world.model.phase, world.report.standing) == ("held", Standing.HELD)
        assert world.sandbox.place == world.sandbox.own
        world.order(evolve(release(last + 1, in_force=self.in_force), epoch=self.epoch))
        self._calm(world)
        assert world.sandbox.place == world.sandbox.own
        assert (world.model.phase, world.report.standing) == ("running", Standing.UNHELD)

    @property
    def epoch(self) -> int:
        """The highest that gave an order."""
        return max(4, self.world.model.record.epoch)

    def _calm(self, world: World) -> None:
        """Faults are over, and time passes."""
        world.health = health()
        for _ in range(3):
            world.pass_time(40.0)
            world.settle()
            if world.model.phase == "holding" and world.etcd_run is not None:
                stop(world)


TestAnyOrders = AnyOrders.TestCase
