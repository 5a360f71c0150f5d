"""Turns what happens in a world into facts, and looks at a world that has come to rest.

It watches from the outside: records as they become durable, etcd processes as they really are,
executors by the commands that their cores ask for.  It judges nothing and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from etcdmesos.cluster.record import Record, decode
from etcdmesos.executor.commands import SendUpdate
from etcdmesos.executor.controller import Controller
from etcdmesos.executor.events import MemberProbed
from etcdmesos.executor.model import ExecutorRecord, Model
from etcdmesos.executor.settings import Settings
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.etcd import EtcdProcess
from etcdmesos.simulation.etcd.log import Kind
from etcdmesos.simulation.member_watch import MemberWatch
from etcdmesos.simulation.mesos.master import Call
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.promises import Promise, PromiseBroken
from etcdmesos.step import Event, Step

if TYPE_CHECKING:
    from etcdmesos.simulation.world import World

__all__ = ["Observer", "WatchedExecutor"]

REMOVED = "permanently removed"


@define
class _ExecutorView:
    """What was seen of one executor; it is known by its task."""

    model: Model
    served: bool = False
    removed: bool = False


class WatchedExecutor(Controller):
    """The executors' core, each step of which is watched."""

    def __init__(self, observer: Observer, cores: Cores) -> None:
        self._observer = observer
        self._cores = cores

    def start(self, settings: Settings, now: float, record: ExecutorRecord | None = None) -> Model:
        return self._cores.executor_start(settings, now, record)

    def step(self, model: Model, event: Event, now: float) -> Step[Model, ExecutorRecord]:
        return self._observer.executor_step(model, event, now)


class Observer:
    """The eyes of one world."""

    def __init__(self, world: World) -> None:
        self.executor_steps = 0
        self._world = world
        self._executors: dict[str, _ExecutorView] = {}
        self._members = MemberWatch(world)
        world.etcd.on_event = self._etcd_event
        world.etcd.on_elected = self._elected

    # The record

    def stored(self, process: int, data: bytes | None) -> None:
        """A record became durable, or was taken away."""
        if data is None:
            self._world.see(f.Erased(process=process))
        else:
            self._world.see(f.Stored(process=process, record=decode(data)))

    # The Mesos master

    def obeyed(self, call: Call) -> None:
        """The master carries out a scheduler's call."""
        self._world.see(f.Obeyed(framework_id=call.framework_id, command=call.command))

    # Executors

    def executor_step(self, model: Model, event: Event, now: float) -> Step[Model, ExecutorRecord]:
        """The executors' core, watched."""
        self.executor_steps += 1
        try:
            step = self._world.cores.executor_step(model, event, now)
        except Exception as error:
            raise PromiseBroken(
                Promise.CORE, "the_core_takes_everything_in", f"executor: {error!r}"
            ) from error
        task = step.model.task
        if task is not None:
            self._watch(task.id, event, model, step)
        return step

    def _watch(
        self, task_id: str, event: Event, before: Model, step: Step[Model, ExecutorRecord]
    ) -> None:
        view = self._executors.get(task_id)
        if view is None:
            view = self._executors[task_id] = _ExecutorView(step.model)
        view.model = step.model
        if isinstance(event, MemberProbed) and event.health.serving_voter:
            view.served = True
        if before.phase != step.model.phase:
            self._world.say(f"executor {task_id}", f"{before.phase} -> {step.model.phase}")
        for command in step.commands:
            if isinstance(command, SendUpdate):
                update = command.update
                self._world.say(f"executor {task_id}", f"says {update.state} {update.message}")
                self._world.see(
                    f.UpdateSent(
                        executor=task_id,
                        task_id=update.task_id,
                        state=update.state,
                        terminal=update.last,
                        serving=view.served,
                    )
                )

    # etcd

    def _etcd_event(self, process: EtcdProcess, what: str) -> None:
        self._world.say(process.options.name, what)
        if what == "started":
            self._etcd_started(process)
        elif what.startswith("ended"):
            self._etcd_ended(process)

    def _etcd_started(self, process: EtcdProcess) -> None:
        task_id = self._task_of(process)
        view = self._executors.get(task_id)
        spec = view.model.spec if view is not None else None
        assert view is not None
        assert spec is not None, "an etcd was started by an executor without a member"
        self._world.see(
            f.EtcdStarted(
                executor=task_id,
                member=process.options.name,
                token=process.options.token,
                generation=spec.generation,
                epoch=spec.epoch,
                epoch_seen=view.model.record.epoch,
                directory=f"{process.host.name}:{process.options.data_directory}",
                removed=view.removed,
            )
        )

    def _etcd_ended(self, process: EtcdProcess) -> None:
        task_id = self._task_of(process)
        removed = REMOVED in process.log[-1]
        if removed and task_id in self._executors:
            self._executors[task_id].removed = True
        self._world.see(f.EtcdEnded(executor=task_id, removed=removed))

    def _task_of(self, process: EtcdProcess) -> str:
        # A member's name is in its data directory's path and in its executor's model alike.
        for task_id, view in self._executors.items():
            sandbox = view.model.settings.sandbox
            if process.options.data_directory.startswith(sandbox + "/"):
                return task_id
        raise AssertionError(f"nobody started {process!r}")

    def _elected(self, process: EtcdProcess) -> None:
        if self._world.books.acknowledged:
            self._world.see(
                f.LeaderElected(token=process.options.token, keys=_keys_in_log(process))
            )

    # At rest

    def settled(self) -> f.Settled:
        """How things are now."""
        world = self._world
        alive = {e.first.id for e in world.mesos.executors()}
        record = world.books.durable
        listed = self._members.listed(record)
        return f.Settled(
            now=world.scheduler.now,
            model=world.scheduler.model,
            alive=frozenset(alive),
            keys=self._keys_served(record),
            lost_majority=self._members.lost_majority(record, alive),
            voters=sum(not member.learner for member in listed) if listed else None,
            listed=len(listed) if listed else None,
            leaders=sum(
                one.model is not None and one.model.leadership.held for one in world.schedulers
            ),
            unsaid=self._unsaid(),
        )

    def _keys_served(self, record: Record | None) -> frozenset[str] | None:
        """What the leader of the recorded cluster, if it has a quorum, has applied."""
        token = record.token if record is not None else ""
        leaders = [
            p
            for p in self._world.etcd.processes
            if p.serving_peers and p.options.token == token and p.raft.leadership is not None
        ]
        if not leaders:
            return None
        newest = max(leaders, key=lambda p: p.raft.term)
        return frozenset(newest.raft.state.keys)

    def _unsaid(self) -> tuple[str, ...]:
        """Executors that live, whose agent holds another state than the one they last said."""
        found = []
        for executor in self._world.mesos.executors():
            for task_id, task in executor.launched.items():
                view = self._executors.get(task_id)
                said = view.model.said[0] if view is not None else ""
                if said and task.state.value != said:
                    found.append(f"{task_id} ({said}, the agent has {task.state.value})")
        return tuple(found)


def _keys_in_log(process: EtcdProcess) -> frozenset[str]:
    raft = process.raft
    keys = set(raft.state.keys)
    for index in range(raft.state.applied + 1, raft.log.last_index + 1):
        entry = raft.log.entry(index)
        if entry.kind is Kind.PUT:
            keys.add(entry.data[0])
    return frozenset(keys)
