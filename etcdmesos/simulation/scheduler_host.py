"""A machine on which schedulers run, one after the other: each is a new process with a new model.

A supervisor starts the next one when one has ended; a process can be killed between any two of its
commands and of its saves, stopped and continued.  What the controller decides is not looked into
here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve

from etcdmesos.cluster.commands import AnswerOperator, ProbeMember, ProbeProgress
from etcdmesos.cluster.events import StopAsked
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.observe.store import FIRST_SAVE
from etcdmesos.cluster.record import Record
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.backups.port import BackupPort, RestorePort
from etcdmesos.simulation.backups.storage import UNIX_START
from etcdmesos.simulation.core_host import CoreHost
from etcdmesos.simulation.etcd import EtcdClient
from etcdmesos.simulation.etcd_port import EtcdPort
from etcdmesos.simulation.hosts import Host
from etcdmesos.simulation.process_clock import ProcessClock
from etcdmesos.simulation.promises import Promise, PromiseBroken
from etcdmesos.simulation.zookeeper.election import Election
from etcdmesos.simulation.zookeeper.record_store import ZooKeeperRecord
from etcdmesos.step import Command, Event, Step, TimerFired

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["SchedulerHost"]

PROBES = (ProbeMember, ProbeProgress)
RESTART_AFTER = 1.0
"""Seconds until the supervisor starts the next process."""
GO_ON_WITHIN = 0.02
"""Seconds within which the threads of a stopped process go on, one before the other."""
STEPS_MAX = 400
"""In one virtual second; more is a loop."""


class _Answers:
    """A CommandPort for what the operator is answered, which he reads."""

    carries_out: tuple[type, ...] = (AnswerOperator,)

    def submit(self, command: Command, /) -> None:
        """It is shown to him."""

    def close(self) -> None:
        """Nothing is held open."""


class SchedulerHost:
    """The schedulers of one machine."""

    def __init__(self, world: World, host: Host) -> None:
        self.host = host
        self.process = 0
        """The number of the process that runs, or ran last."""
        self.supervised = True
        self.last_exit = ""
        """How the last orderly end was explained."""
        self._world = world
        self._core: CoreHost[Model, Record] | None = None
        self._clock: ProcessClock | None = None
        """Of all in the process but its core."""
        self._crash: Callable[[Command], bool] | None = None
        self._watches: list[Callable[[Command], bool]] = []
        self._claim: Callable[[], None] | None = None
        self._saves_left: int | None = None
        self._crash_in: float | None = None
        self._steps_before = 0
        self._second = (0, 0)

    @property
    def running(self) -> bool:
        """Whether a process exists, stopped or not."""
        return self._core is not None and self._core.running

    @property
    def paused(self) -> bool:
        return self._core is not None and self._core.running and self._core.paused

    @property
    def model(self) -> Model | None:
        """The running process' model."""
        return self._core.model if self._core is not None and self._core.running else None

    @property
    def epoch(self) -> int:
        """The one that the running process has claimed, 0 for none."""
        return self._core.model.leadership.epoch if self._core and self._core.running else 0

    @property
    def now(self) -> float:
        """What the running process' clock says."""
        return self._core.now if self._core is not None else self._world.clock.now

    @property
    def steps(self) -> int:
        """Steps of all processes so far."""
        return self._steps_before + (self._core.steps if self._core is not None else 0)

    # Life

    def start(self) -> None:
        """Start a process, unless one runs or the machine is off."""
        if self.running or not self.host.up or not self.supervised:
            return
        world = self._world
        self._steps_before = self.steps
        self.process = world.next_scheduler_process()
        self._crash = self._saves_left = None
        self._watches = []
        clock = ProcessClock(world.clock)
        client = world.zookeeper_client(clock, self.host.name, self.process)
        offset = world.random.uniform(0.0, 1e5)
        settings = world.settings
        if world.storage is not None:
            settings = evolve(settings, wall_clock=UNIX_START - offset)
        core: CoreHost[Model, Record] = CoreHost(
            world.clock,
            self._step,
            world.cores.start(settings),
            ZooKeeperRecord(client, world.record_path),
            offset=offset,
        )
        core.before_command = self._before_command
        core.before_save = self._before_save
        core.on_exit = self._exited
        core.on_error = self._failed
        core.attach(EtcdPort(EtcdClient(world.network, self.host.name), core.post))
        core.attach(_Answers())
        if world.storage is not None:
            for port in (BackupPort, RestorePort):
                core.attach(
                    port(world.storage, clock, self.host.name, core.post, self._framework_id)
                )
        for mesos_port in world.mesos_ports(self.host.name, core.post):
            core.attach(mesos_port)
        self._core, self._clock = core, clock
        self.host.processes.append(self)
        world.say(f"scheduler {self.process}", f"starts on {self.host.name}")
        world.see(f.SchedulerStarted(process=self.process))
        client.start()
        if world.settings.elected:
            name = f"{self.host.name}-{self.process}"
            Election(client, clock, world.election_path, name, core.post).start()
        core.start(TimerFired())

    def _framework_id(self) -> str:
        return self._core.model.record.framework_id if self._core is not None else ""

    def kill(self) -> None:
        """SIGKILL; the supervisor starts the next one."""
        if self._core is not None and self.running:
            self._core.kill()
            self._ended("killed")

    def stop(self) -> None:
        """SIGTERM."""
        if self._core is not None:
            self._core.post(StopAsked())

    def post(self, event: Event) -> None:
        """Have an event arrive at the running process, as one of the admin interface does."""
        if self._core is not None:
            self._core.post(event)

    def pause(self) -> None:
        """SIGSTOP."""
        if self._core is not None and self._clock is not None:
            self._core.pause()
            self._clock.stop()

    def resume(self) -> None:
        """SIGCONT."""
        if self._core is not None and self._clock is not None and self.paused:
            random, clock = self._world.random, self._world.clock
            clock.call_after(random.uniform(0.0, GO_ON_WITHIN), self._clock.go_on)
            self._core.resume()

    def crash_before(self, condition: Callable[[Command], bool]) -> None:
        """Kill the running process before the first command for which the condition holds."""
        self._crash = condition

    def crash_at_save(self, number: int, seconds: float | None) -> None:
        """Kill the running process right before its `number`-th save from now on, or in so many
        seconds after that was begun."""
        self._saves_left, self._crash_in = number, seconds

    def watch(self, act: Callable[[Command], bool]) -> None:
        """Call `act` with every command that the running process lets go of, until it says yes."""
        self._watches.append(act)

    def at_claim(self, act: Callable[[], None] | None) -> None:
        """Call `act` right before the next time that a process here writes a new epoch."""
        self._claim = act

    # The process' inside, watched

    def _step(self, model: Model, event: Event, now: float) -> Step[Model, Record]:
        world = self._world
        step = world.cores.step(model, event, now)
        self._count(now)
        if world.trace.on:
            world.narrator.stepped(self.process, event, model, step, now)
        world.see(f.Stepped(process=self.process, event=event, before=model, step=step, now=now))
        return step

    def _count(self, now: float) -> None:
        second, steps = self._second
        self._second = (int(now), steps + 1 if second == int(now) else 1)
        if steps > STEPS_MAX:
            raise PromiseBroken(
                Promise.LIVENESS, "it_does_not_spin", f"{steps} steps within one second"
            )

    def _before_command(self, command: Command) -> bool:
        if self._crash is not None and self._crash(command):
            self._crash = None
            # The core ends itself when told so; what its end means is the same as for `kill`.
            self._world.clock.call_after(0.0, self._ended, "crashed between two commands")
            return False
        if not isinstance(command, PROBES):
            self._watches = [act for act in self._watches if not act(command)]
            self._world.see(
                f.Released(process=self.process, command=command, now=self._world.clock.now)
            )
        return True

    def _before_save(self) -> bool:
        assert self._core is not None
        if self._claim is not None and self._core.model.record.sequence == FIRST_SAVE:
            claim, self._claim = self._claim, None
            claim()
        if self._saves_left is None:
            return True
        self._saves_left -= 1
        if self._saves_left > 0:
            return True
        self._saves_left = None
        if self._crash_in is None:
            self._world.clock.call_after(0.0, self._ended, "crashed before a save")
            return False
        self._world.clock.call_after(self._crash_in, self._kill_process, self.process)
        return True

    def _kill_process(self, process: int) -> None:
        if process == self.process:
            self.kill()

    def _failed(self, event: Event, error: Exception) -> None:
        if isinstance(error, PromiseBroken):
            raise error
        raise PromiseBroken(
            Promise.CORE, "the_core_takes_everything_in", f"{type(event).__name__}: {error!r}"
        ) from error

    def _exited(self, status: int, reason: str) -> None:
        self.last_exit = f"exit {status}: {reason}" if reason else f"exit {status}"
        self._ended(self.last_exit)

    def _ended(self, how: str) -> None:
        if self in self.host.processes:
            self.host.processes.remove(self)
        self._world.say(f"scheduler {self.process}", how)
        if self.supervised:
            self._world.clock.call_after(RESTART_AFTER, self.start)
