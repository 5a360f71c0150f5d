"""Turns what happens in a world into facts, and looks at a world that has come to rest.

It watches from the outside: records as they become durable, etcd processes as they really are,
executors by the commands that their cores ask for.  It judges nothing and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from etcdmesos import orders
from etcdmesos.backups.manifest import Manifest
from etcdmesos.cluster.record import Record, decode
from etcdmesos.executor.commands import RestoreSeed, SendUpdate, StartEtcd
from etcdmesos.executor.controller import Controller
from etcdmesos.executor.events import MemberProbed, MessageReceived
from etcdmesos.executor.model import ExecutorRecord, Model
from etcdmesos.executor.settings import Settings
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.backups.storage import Taken
from etcdmesos.simulation.etcd import EtcdProcess
from etcdmesos.simulation.etcd.data_directory import DataDirectory, Snapshot
from etcdmesos.simulation.etcd.log import Entry, Kind
from etcdmesos.simulation.etcd.members import hexadecimal
from etcdmesos.simulation.hosts import Host
from etcdmesos.simulation.member_watch import MemberWatch
from etcdmesos.simulation.mesos.master import Call
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.promises import Promise, PromiseBroken
from etcdmesos.step import Event, Step

if TYPE_CHECKING:
    from etcdmesos.simulation.scheduler_host import SchedulerHost
    from etcdmesos.simulation.world import World

__all__ = ["Observer", "WatchedExecutor"]

REMOVED = "permanently removed"


@define
class _ExecutorView:
    """What was seen of one executor; it is known by its task."""

    model: Model
    served: bool = False
    started: bool = False
    removed: bool = False
    held: bool = False
    """When it last asked for its etcd to be started."""


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
        self._newest = 0
        """The highest generation of which an etcd was started."""
        self._generations: dict[str, int] = {}
        """By token."""
        self._entries: dict[str, tuple[str, int]] = {}
        """By key, the token of the cluster that has committed its write, and where in the log."""
        world.etcd.on_applied = self._applied
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
        if isinstance(event, MessageReceived):
            self._order_heard(task_id, event, before, step.model)
        if isinstance(event, MemberProbed) and event.health.serving_voter:
            view.served = True
        if before.phase != step.model.phase:
            self._world.say(f"executor {task_id}", f"{before.phase} -> {step.model.phase}")
        for command in step.commands:
            if isinstance(command, StartEtcd):
                view.held = step.model.record.held is not None
            elif isinstance(command, SendUpdate):
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

    def _order_heard(
        self, task_id: str, event: MessageReceived, before: Model, after: Model
    ) -> None:
        order = orders.decode(event.data)
        if isinstance(order, orders.Order) and order.task_id == task_id:
            self._world.see(
                f.OrderHeard(
                    executor=task_id,
                    epoch=order.epoch,
                    epoch_seen=before.record.epoch,
                    recorded=after.record != before.record,
                )
            )

    # Where backups lie

    def backup_counts(self, manifest: Manifest, taken: Taken | None) -> None:
        """A manifest was written."""
        self._world.say("backups", f"{manifest.name} counts")
        self._world.see(
            f.BackupCounts(
                manifest=manifest,
                sound=taken is not None,
                revision=taken.snapshot.revision if taken is not None else 0,
                learner=taken is not None and taken.learner,
            )
        )

    def backup_found(self, manifest: Manifest) -> None:
        """A backup lay there before the world began."""
        self._world.see(f.BackupFound(manifest=manifest))

    def backup_removed(self, removed: f.BackupRemoved) -> None:
        """A backup, or what was left of one, is gone."""
        what = "given up" if removed.abandoned else "deleted"
        self._world.say("backups", f"{removed.name} is {what}")
        self._world.see(removed)

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
        found = process.host.disk.read(process.options.data_directory)
        data = found if isinstance(found, DataDirectory) and not found.empty else None
        again, view.started = view.started, True
        self._newest = max(self._newest, spec.generation)
        self._generations[process.options.token] = spec.generation
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
                again=again,
                held=view.held,
                forced=process.options.force_new_cluster,
                founds=data is None and process.options.initial_cluster_state == "new",
                cluster_id=hexadecimal(data.cluster_id) if data is not None else "",
                voters=len(data.state().voters) if data is not None else 0,
            )
        )

    def _applied(self, process: EtcdProcess, index: int, entry: Entry) -> None:
        """A member has applied an entry."""
        token = process.options.token
        if entry.kind is Kind.PUT:
            self._entries.setdefault(entry.data[0], (token, index))
        self._members.applied(process, index, entry)
        leads = process.raft.leadership is not None
        if leads and self._generations.get(token, self._newest) < self._newest:
            by_hand = bool(self._world.operator.changed)
            self._world.see(f.Committed(token=token, by_hand=by_hand))

    def entry_of(self, key: str) -> tuple[str, int]:
        """The token of the cluster that has committed the write of `key`, and where in its log."""
        return self._entries[key]

    def moved(self, host: Host, source: str, target: str) -> None:
        """An executor renamed a data directory."""
        found = host.disk.read(target)
        assert isinstance(found, DataDirectory)
        self._world.say(host.name, f"{source} is now {target}")
        self._world.see(
            f.DataMoved(host=host.name, source=source, target=target, content=contents(found))
        )

    def restored(self, path: str, command: RestoreSeed, snapshot: Snapshot) -> None:
        """An executor restored a snapshot."""
        self._world.see(
            f.DataRestored(
                path=path,
                generation=command.generation,
                token=command.token,
                sha256=snapshot.sha256,
                revision=snapshot.revision,
                bump=command.bump_revision,
                keys=frozenset(snapshot.keys),
            )
        )

    def removed(self, host: Host, path: str) -> None:
        """An executor removes what lies at a path."""
        self._world.see(f.DataRemoved(path=f"{host.name}:{path}"))

    def forced(self, host: Host, path: str, *, own: bool) -> None:
        """An executor had `--force-new-cluster` run on a copy of a data directory."""
        self._world.say(host.name, f"runs {'' if own else 'a copy of '}{path} as a new cluster")
        self._world.see(f.ClusterForced(path=f"{host.name}:{path}", own=own))

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
        lost = self._members.lost_majority(record, alive)
        return f.Settled(
            now=world.scheduler.now,
            model=world.scheduler.model,
            alive=frozenset(alive),
            keys=self._keys_served(record),
            lost_majority=lost,
            voters=sum(not member.learner for member in listed) if listed else None,
            listed=len(listed) if listed else None,
            leaders=sum(self._leads(one, record) for one in world.schedulers),
            unsaid=self._unsaid(),
            data=self._data(),
            sound=not lost or self._sound(record, alive),  # else nobody asks
            operator=world.options.operator,
            restorable=world.operator.can_restore(),
            restored_on_demand=world.options.restore_answered,
        )

    def _leads(self, scheduler: SchedulerHost, record: Record | None) -> bool:
        """Whether a scheduler takes itself for the one that may act."""
        model = scheduler.model
        if model is None or not model.leadership.held:
            return False
        # Without an election nobody tells it so before it writes, and it may have nothing to write.
        deposed = record is not None and 0 < scheduler.epoch < record.epoch
        return self._world.settings.elected or not deposed

    def _data(self) -> dict[str, object]:
        """What lies in all data directories."""
        return {
            f"{host.name}:{path}": contents(found)
            for host in self._world.hosts.all()
            for path in host.disk.paths
            if isinstance(found := host.disk.read(path), DataDirectory) and not found.empty
        }

    def _sound(self, record: Record | None, alive: set[str]) -> bool:
        """Whether a member that runs has data that a new cluster can be made of."""
        members = record.members if record is not None else ()
        tasks = [t.id for m in members for t in m.tasks if t.id in alive]
        for task_id in tasks:
            view = self._executors.get(task_id)
            executor = self._world.executors.with_task(task_id)
            if view is None or executor is None or view.model.spec is None:
                continue
            path = f"{view.model.settings.sandbox}/{view.model.data_directory}"
            found = executor.container.host.disk.read(path)
            if isinstance(found, DataDirectory) and _can_be_forced(found):
                return True
        return False

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


def _can_be_forced(data: DataDirectory) -> bool:
    """Whether a new cluster can be made of it; of a learner's none can."""
    return not data.empty and not data.damaged and data.member_id in data.state().voters


def contents(data: DataDirectory) -> object:
    """Equal for the same bytes, and for no others."""
    log = data.log
    return (
        (data.member_id, data.cluster_id, data.hard_state, data.backend_index),
        (log.base_index, log.base_term, tuple(log.entries)),
        (sorted(data.only_in_backend), data.damaged),
    )
