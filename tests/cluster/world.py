"""A small honest world around the controller: a record store, a Mesos and etcd members.

It can only do what the real ones can: Mesos' stream keeps its order and ends with the subscription,
status updates come again until they are acknowledged, calls are carried out in order or not at all
or nobody knows, a record write may be lost or its answer may be.  Everything waits in queues until
somebody (a test, or `settle`) lets the next thing happen; `oracles.py` watches every step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import define, field

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.quorum import has_quorum
from etcdmesos.cluster.record import Record, Step
from etcdmesos.cluster.settings import Settings
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.master_state import ListedFramework, ListedTask, MasterState
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.step import Command, Event
from tests.cluster import make
from tests.cluster.oracles import Oracles
from tests.cluster.world_etcd import MEMBERSHIP, Etcd

ENDED = (TaskState.FAILED, TaskState.KILLED, TaskState.FINISHED)
UP = (TaskState.STARTING, TaskState.RUNNING)
PROBES = (c.ProbeMember, c.ProbeProgress)
OF_ETCD = (c.ListMembers, *MEMBERSHIP)


@define
class RunningTask:
    """A task as its agent knows it."""

    task: Task
    spec: MemberSpec
    state: TaskState = TaskState.STAGING
    unacknowledged: deque[TaskStatus] = field(factory=deque)
    stubborn: bool = False
    """Its executor does not react to KILL; SHUTDOWN is the agent's."""
    paused: bool = False
    """SIGSTOP: nothing answers, and Mesos has no idea."""

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def client_url(self) -> str:
        return f"{self.spec.scheme}://{self.spec.host}:{self.spec.client_port}"


@define
class Agent:
    name: str
    connected: bool = True
    registered: bool = True
    """The master knows it; False for a while after the master's failover."""
    tasks: dict[str, RunningTask] = field(factory=dict)
    refused_until: float = 0.0


class World:
    """One cluster's surroundings, and the one scheduler process that runs in them."""

    def __init__(self, size: int = 3, agents: int = 4, single: bool = True) -> None:
        self.settings: Settings = make.settings(
            size, single_instance_per_agent=single, auto_reseed=False
        )
        self.now = 0.0
        self.stored: Record | None = None
        self.store = "ok"
        self.agents = {name: Agent(name) for name in "abcdefgh"[:agents]}
        self.framework = ""
        self.subscribed = False
        self.suppressed = False
        self.offers: dict[str, Offer] = {}
        self.serial = 0
        self.etcd = Etcd(self._runs)
        self.oracles = Oracles(self.settings, self.etcd)
        self.start()

    # The scheduler process

    def start(self) -> None:
        """A new scheduler process; whatever the old one had under way is lost."""
        self.model: Model = make.CONTROLLER.start(self.settings)
        self.mail: dict[str, deque[Event]] = {}
        self.calls: deque[Command] = deque()
        self.probes: dict[tuple[type, str], Command] = {}
        self.wake_at: float | None = self.now
        self.exited = False
        self.oracles.process_started()

    def crash(self, outcome: str = "unknown-lost") -> None:
        """The scheduler dies; a change of etcd's list that was under way may be carried out."""
        for key in [key for key in self.probes if key[0] in MEMBERSHIP]:
            self.answer(key, outcome)
        self._end_subscription()
        self.start()

    def post(self, source: str, event: Event) -> None:
        self.mail.setdefault(source, deque()).append(event)

    def deliver(self, source: str) -> None:
        """The oldest event of `source` reaches the controller."""
        queue = self.mail[source]
        event = queue.popleft()
        if not queue:
            del self.mail[source]
        self.take(event)

    def take(self, event: Event) -> None:
        if self.exited:
            return
        before = self.model
        step = make.CONTROLLER.step(before, event, self.now)
        again = make.CONTROLLER.step(before, event, self.now)
        assert again == step, "the same event on the same model led to something else"
        self.oracles.check(before, event, step, self.now)
        self.model, self.wake_at = step.model, step.wake_at
        if step.save is not None and not self._save(step.save, step.commands):
            return
        for command in step.commands:
            self._release(command)

    def _save(self, record: Record, commands: tuple[Command, ...]) -> bool:
        mode, written = self.store, self.store in ("ok", "unknown-written")
        if written:
            self.stored = record
            self.oracles.saved(record)
        if mode == "ok":
            return True
        self.take(e.SaveFailed(reason=mode, conflict=False))
        for command in commands:
            self.take(e.CommandFailed(command=command, reason="the record was not saved"))
        return False

    def _release(self, command: Command) -> None:
        self.oracles.released(command)
        if isinstance(command, c.LoadRecord):
            if self.store == "away":
                self.post("store", e.RecordUnavailable(reason="away", unreadable=False))
            else:
                self.post("store", e.RecordLoaded(record=self.stored))
        elif isinstance(command, c.Exit):
            self.exited = True
        elif isinstance(command, PROBES):
            self.probes[type(command), command.member] = command
        elif isinstance(command, (c.ReadMasterState, *OF_ETCD)):
            assert (type(command), "") not in self.probes, "asked twice at once"
            self.probes[type(command), ""] = command
        else:
            self.calls.append(command)

    def pass_time(self, seconds: float) -> None:
        """Time passes; the timer fires when it is due and nothing else came first."""
        end = self.now + seconds
        while not self.exited and self.wake_at is not None and self.wake_at <= end:
            self.now = max(self.now, self.wake_at)
            self.take(e.TimerFired())
        self.now = end

    # Mesos: carrying out calls

    def carry_out(self, outcome: str = "done") -> None:
        """The oldest call ends: done, failed, unknown-done or unknown-lost."""
        call = self.calls.popleft()
        if isinstance(call, c.Subscribe):
            self._subscribe(call, outcome)
            return
        if not self.subscribed:
            self.post("calls", e.CommandFailed(command=call, reason="not subscribed"))
            return
        if outcome in ("done", "unknown-done"):
            self._apply(call)
        ends: dict[str, Event] = {
            "done": e.CommandDone(command=call),
            "failed": e.CommandFailed(command=call, reason="503"),
        }
        lost = e.CommandUnknown(command=call, reason="the answer was lost")
        self.post("calls", ends.get(outcome, lost))

    def _subscribe(self, call: c.Subscribe, outcome: str) -> None:
        self._end_subscription()
        if outcome != "done":
            self.post("mesos", e.Disconnected(reason="refused"))
            return
        assert not self.framework or call.framework_id == self.framework or not self._tasks_alive()
        self.framework = call.framework_id or self._next("fw")
        self.subscribed, self.suppressed = True, False
        self.post("mesos", e.Subscribed(framework_id=self.framework, master="m:5050"))

    def _apply(self, call: Command) -> None:
        if isinstance(call, c.Launch):
            self._launch(call)
        elif isinstance(call, c.Decline):
            for offer_id in call.offer_ids:
                if (offer := self.offers.pop(offer_id, None)) is not None:
                    self.agents[offer.agent_id].refused_until = self.now + call.refuse_seconds
        elif isinstance(call, c.Suppress | c.Revive):
            self.suppressed = isinstance(call, c.Suppress)
            if not self.suppressed:
                for agent in self.agents.values():
                    agent.refused_until = 0.0
        elif isinstance(call, c.Acknowledge):
            self._acknowledge(call.status)
        elif isinstance(call, c.Reconcile):
            self._reconcile(call)
        elif isinstance(call, c.Kill | c.Shutdown):
            self._end(call)

    def _launch(self, call: c.Launch) -> None:
        offers = [self.offers.pop(i, None) for i in call.offer_ids]
        agent = self.agents[call.tasks[0].agent_id]
        for task in call.tasks:
            if None in offers or not agent.connected:
                status = make.status(task.id, TaskState.DROPPED, agent.name)
                self.post("mesos", e.TaskUpdated(status=status))
                continue
            agent.tasks[task.id] = RunningTask(task, MemberSpec.from_json(task.data))

    def _acknowledge(self, status: TaskStatus) -> None:
        for running in self._running():
            queue = running.unacknowledged
            if queue and queue[0].uuid == status.uuid:
                queue.popleft()
                self._send_update(running)

    def _reconcile(self, call: c.Reconcile) -> None:
        known = {task_id: agent for agent in self.agents.values() for task_id in agent.tasks}
        asked = [task_id for task_id, _ in call.tasks] or [
            task_id for task_id, agent in known.items() if not agent.tasks[task_id].ended
        ]
        for task_id in asked:
            agent = known.get(task_id)
            if agent is None:
                self._say(task_id, TaskState.UNKNOWN, "")
            elif not agent.registered:
                continue  # the master still waits for it, and says nothing
            elif not agent.connected:
                self._say(task_id, TaskState.UNREACHABLE, agent.name)
            else:
                state = agent.tasks[task_id].state
                self._say(task_id, TaskState.GONE if state in ENDED else state, agent.name)

    def _end(self, call: c.Kill | c.Shutdown) -> None:
        task_id = call.task_id if isinstance(call, c.Kill) else call.executor_id
        running = self.agents[call.agent_id].tasks.get(task_id)
        if running is None:
            self._say(task_id, TaskState.UNKNOWN, call.agent_id)
        elif self.agents[call.agent_id].connected and (
            isinstance(call, c.Shutdown) or not running.stubborn
        ):
            self.end_task(task_id, TaskState.KILLED)

    def _say(self, task_id: str, state: TaskState, agent: str) -> None:
        """The master's own word, without acknowledgement, sent once."""
        if self.subscribed:
            self.post("mesos", e.TaskUpdated(status=make.status(task_id, state, agent)))

    # Mesos: what happens by itself

    def offer(self, name: str) -> None:
        """The agent's free resources are offered, if the framework may have them now."""
        agent = self.agents[name]
        taken = any(offer.agent_id == name for offer in self.offers.values())
        busy = sum(not running.ended for running in agent.tasks.values())
        if not self.subscribed or self.suppressed or taken or not agent.connected:
            return
        if not agent.registered or agent.refused_until > self.now or busy > 3:
            return
        made = make.offer(
            self._next(name), name, cpus=4.0 - busy, ports=((31000 + 10 * busy, 31999),)
        )
        self.offers[made.id] = made
        self.post("mesos", e.OffersReceived(offers=(made,)))

    def rescind(self, offer_id: str) -> None:
        del self.offers[offer_id]
        if self.subscribed:
            self.post("mesos", e.OfferRescinded(offer_id=offer_id))

    def advance(self, task_id: str) -> None:
        """A task gets one step further: staging, starting, running once its member has a quorum."""
        running = self.find(task_id)
        if running.state is TaskState.STAGING:
            self._change(running, TaskState.STARTING)
            if self.etcd.start(task_id, running.spec):
                self._change(running, TaskState.FAILED)
            return
        entry = self.etcd.at_home(task_id, running.spec.token)
        if entry is None:
            self._change(running, TaskState.FAILED)  # it was removed, and ends of itself
        elif self.leader(running) and entry.behind:
            entry.behind = False
        elif self.leader(running) and not entry.learner and running.state is TaskState.STARTING:
            self._change(running, TaskState.RUNNING)

    def end_task(self, task_id: str, state: TaskState = TaskState.FAILED) -> None:
        running = self.find(task_id)
        if not running.ended:
            self._change(running, state)

    def _change(self, running: RunningTask, state: TaskState) -> None:
        running.state = state
        status = make.status(
            running.task.id, state, running.task.agent_id, uuid=self._next("u"), message="x\ny"
        )
        running.unacknowledged.append(status)
        if len(running.unacknowledged) == 1:
            self._send_update(running)

    def _send_update(self, running: RunningTask) -> None:
        agent = self.agents[running.task.agent_id]
        if running.unacknowledged and self.subscribed and agent.connected and agent.registered:
            self.post("mesos", e.TaskUpdated(status=running.unacknowledged[0]))

    def resend(self) -> None:
        """Agents send what was not acknowledged once more."""
        for running in self._running():
            self._send_update(running)

    def cut(self, name: str) -> None:
        """The master loses an agent for so long that it gives it up."""
        agent = self.agents[name]
        agent.connected = False
        for offer_id in [i for i, offer in self.offers.items() if offer.agent_id == name]:
            self.rescind(offer_id)
        for task_id, running in agent.tasks.items():
            if not running.ended:
                self._say(task_id, TaskState.UNREACHABLE, name)
        if self.subscribed:
            self.post("mesos", e.AgentLost(agent_id=name))

    def bring_back(self, name: str) -> None:
        """An agent (re)registers; its tasks are as they are."""
        agent = self.agents[name]
        agent.connected = agent.registered = True
        for task_id, running in agent.tasks.items():
            if not running.ended:
                self._say(task_id, running.state, name)
            self._send_update(running)

    def fail_over(self) -> None:
        """A new master, which waits for its agents."""
        self._end_subscription()
        for agent in self.agents.values():
            agent.registered = False

    def _end_subscription(self) -> None:
        self.offers.clear()
        if self.subscribed:
            self.subscribed = False
            self.post("mesos", e.Disconnected(reason="cut\noff"))

    # Probes and the master's state

    def answer(self, key: tuple[type, str], outcome: str = "done") -> None:
        """A question ends: done (an honest answer), failed or unknown, as calls do."""
        asked = self.probes.pop(key)
        source = f"{key[0].__name__} {key[1]}"
        if outcome == "failed":
            self.post(source, e.CommandFailed(command=asked, reason="timed out"))
        elif outcome != "done" and not isinstance(asked, MEMBERSHIP):
            self.post(source, e.CommandUnknown(command=asked, reason="timed out"))
        elif isinstance(asked, c.ReadMasterState):
            self.post(
                source, e.MasterStateRead(state=self._state(), subscription=asked.subscription)
            )
        elif isinstance(asked, OF_ETCD):
            self.post(source, self._of_etcd(asked, outcome))
        else:
            assert isinstance(asked, PROBES)
            self.post(source, self._answer(asked))

    def _of_etcd(self, asked: Command, outcome: str) -> Event:
        """What becomes of a question about etcd's list, asked at one member's client URL."""
        url = getattr(asked, "client_url", "")
        running = next((r for r in self._running() if r.client_url == url), None)
        if running is None or not self.leader(running):
            return e.CommandFailed(command=asked, reason="no leader")
        token = running.spec.token
        if isinstance(asked, c.ListMembers):
            return e.MembersListed(members=self.etcd.listing(token, f"cluster of {token}"))
        refused = self.etcd.change(token, asked, outcome)
        if refused:
            return e.CommandFailed(command=asked, reason=refused)
        if outcome == "done":
            return e.CommandDone(command=asked)
        return e.CommandUnknown(command=asked, reason="the answer was lost")

    def _answer(self, probe: c.ProbeMember | c.ProbeProgress) -> Event:
        up = [r for r in self._running() if r.spec.name == probe.member and self._runs(r.task.id)]
        entry = self.etcd.at_home(up[0].task.id, up[0].spec.token) if up else None
        if entry is None:
            return e.CommandFailed(command=probe, reason="refused")
        leader = self.leader(up[0])
        if isinstance(probe, c.ProbeProgress):
            if leader:
                return e.ProgressMade(member=probe.member)
            return e.CommandFailed(command=probe, reason="no leader")
        cluster = f"cluster of {up[0].spec.token}"
        health = make.health(
            probe.member,
            leader.replace("id-", "etcd-"),  # spelled as `make.health` wants it
            cluster_id=cluster,
            member_id=entry.id,
            learner=entry.learner,
            applied_index=8 if entry.behind else 10,
            revision=int(self.now) + 1,
        )
        return e.MemberProbed(member=probe.member, health=health)

    def _state(self) -> MasterState:
        tasks = tuple(
            ListedTask(
                id=running.task.id,
                agent_id=running.task.agent_id,
                executor_id=running.task.executor_id,
                state=running.state,
                labels={},
            )
            for agent in self.agents.values()
            if agent.registered
            for running in agent.tasks.values()
            if not running.ended
        )
        ours = ListedFramework(
            id=self.framework, name="etcd-c", active=True, connected=True, tasks=tasks
        )
        return MasterState(
            registered_agents=frozenset(a.name for a in self.agents.values() if a.connected),
            outstanding_agents=sum(not a.registered for a in self.agents.values()),
            unreachable_agents=0,
            frameworks=(ours,) if self.framework else (),
        )

    # etcd

    def leader(self, running: RunningTask) -> str:
        """The leader that `running`'s member knows, or none."""
        if self.etcd.at_home(running.task.id, running.spec.token) is None:
            return ""
        return self.etcd.leader(running.spec.token)

    def _runs(self, task_id: str) -> bool:
        return any(r.task.id == task_id and r.state in UP and not r.paused for r in self._running())

    # Looking at it

    def _running(self) -> Iterator[RunningTask]:
        for agent in self.agents.values():
            yield from agent.tasks.values()

    def find(self, task_id: str) -> RunningTask:
        return next(r for r in self._running() if r.task.id == task_id)

    def _tasks_alive(self) -> bool:
        return any(not r.ended for r in self._running())

    def alive(self) -> list[str]:
        """The ids of all tasks that have not ended, wherever they are."""
        return sorted(r.task.id for r in self._running() if not r.ended)

    def _next(self, prefix: str) -> str:
        self.serial += 1
        return f"{prefix}-{self.serial}"

    # The end of all faults

    def settle(self, rounds: int = 250) -> None:
        """Heal everything, then let everything happen, in order and without loss."""
        self.store = "ok"
        self.etcd.apply_late()
        for running in self._running():
            running.paused = False
        if self.exited:
            self.crash()
        for agent in self.agents.values():
            agent.connected = agent.registered = True
            self.bring_back(agent.name)
        for _ in range(rounds):
            if self.at_rest():
                return
            self.let_everything_happen()
            self.pass_time(1.0)
            if self.exited:
                self.start()
        raise AssertionError(f"after {rounds} rounds without faults still {self.model.phase}")

    def let_everything_happen(self, tasks_move: bool = True) -> None:
        """One round of the ordinary course of things, without a fault."""
        while self.calls:
            self.carry_out()
        for key in list(self.probes):
            self.answer(key)
        for name in self.agents:
            self.offer(name)
        for task_id in self.alive() if tasks_move else ():
            self.advance(task_id)
        self.resend()
        for source in list(self.mail):
            while source in self.mail:
                self.deliver(source)

    def at_rest(self) -> bool:
        """Healthy; or, the quorum of a cluster that may have served being dead, seen to be so."""
        record, model = self.model.record, self.model
        if model.phase == "healthy":
            return not [i for i in self.alive() if record.owner(i) is None]
        if model.phase == "bootstrapping" and not record.served:
            # A quorum had started, and too many died before any was seen serving: whether it ever
            # acknowledged a write nobody knows, so it is neither given up nor able to serve.
            dead = [m for m in record.members if model.ended(m)]
            started = sum(m.step in (Step.JOINING, Step.VOTER) for m in record.members)
            left = len(record.members) - len(dead)
            size = len(record.members)
            return has_quorum(started, size) and left > 0 and not has_quorum(left, size)
        cluster = self.etcd.clusters.get(record.token)
        if not record.served or cluster is None or model.phase == "recovering":
            return False
        # Its data are in the sandboxes of tasks that ended; only those that run can still vote.
        voters = [x for x in cluster.entries if not x.learner]
        left = sum(x.data in self.alive() for x in voters)
        return not has_quorum(left, len(voters))
