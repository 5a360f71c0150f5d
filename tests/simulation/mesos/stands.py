"""One Mesos to test, simulated or embedded, behind the same few words.

The embedded one is asked through the real adapters, over real sockets, with real executor
processes; the simulated one through its port.  What is expected is in `test_contract`.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from etcdmesos.adapters.master_state import MasterStateReader
from etcdmesos.adapters.mesos_framework import FixedMaster, FrameworkDescription
from etcdmesos.adapters.mesos_scheduler import MesosScheduler
from etcdmesos.cluster.commands import Acknowledge, Launch, ReadMasterState, Subscribe
from etcdmesos.cluster.events import (
    CommandDone,
    CommandFailed,
    OffersReceived,
    Subscribed,
    TaskUpdated,
)
from etcdmesos.embedded import running
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import take_scalar
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.mesos.tasks import Task
from etcdmesos.ports import Post
from etcdmesos.simulation.clock import Clock
from etcdmesos.simulation.hosts import Hosts
from etcdmesos.simulation.mesos.options import AgentSpec, FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.world import SimulatedMesos
from etcdmesos.simulation.network import Network
from etcdmesos.step import Command, Event
from tests.embedded.scheduler import TINY_EXECUTOR, control
from tests.simulation.mesos.scripted_executor import ScriptedExecutor

E = TypeVar("E", bound=Event)

FRAMEWORK = "contract"
FAILOVER_TIMEOUT = 60.0
# Short, so that what waits for a time-out does not make the suite wait.
QUICK: dict[str, Any] = {
    "allocation_interval": 0.05,
    "reregistration_timeout": 2.0,
    "shutdown_grace": 0.5,
    "ping_timeout": 0.4,
    "ping_timeouts_max": 3,
    "registration_backoff": 0.1,
    "update_retry": 2.0,
    "recovery_timeout": 30.0,
}
EMBEDDED_NAMES = {
    "reregistration_timeout": "executor_reregistration_timeout",
    "shutdown_grace": "executor_shutdown_grace_period",
}


class Port(ABC):
    """A scheduler process as far as Mesos can tell: commands in, events out."""

    @abstractmethod
    def submit(self, command: Command, /) -> None: ...
    @abstractmethod
    def close(self) -> None: ...


class Stand(ABC):
    """One Mesos with agents "1", "2", …; times are the stand's own."""

    @abstractmethod
    def port(self, post: Post[Event], failover_timeout: float) -> Port: ...
    @abstractmethod
    def pass_time(self, until: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until something holds; whether it did within `seconds`."""

    @abstractmethod
    def command(self) -> str:
        """The shell command of the scripted executor."""

    @abstractmethod
    def lose(self, agent: int) -> None:
        """Cut an agent off from the master."""

    @abstractmethod
    def give_back(self, agent: int) -> None: ...
    @abstractmethod
    def kill_daemon(self, agent: int) -> None: ...
    @abstractmethod
    def restart_daemon(self, agent: int) -> None: ...
    @abstractmethod
    def fail_over(self) -> None: ...
    @abstractmethod
    def rescind(self) -> None: ...
    @abstractmethod
    def close(self) -> None: ...

    def scheduler(self, framework_id: str = "", failover: float = FAILOVER_TIMEOUT) -> Session:
        """A scheduler that is not subscribed yet."""
        return Session(self, framework_id, failover)


class Session:
    """A scheduler; remembers every event and waits for those of interest."""

    def __init__(self, stand: Stand, framework_id: str, failover: float) -> None:
        self.framework_id = framework_id
        self._stand = stand
        self._seen: list[Event] = []
        self._port = stand.port(self._seen.append, failover)

    def close(self) -> None:
        """The process ends."""
        self._port.close()

    def submit(self, command: Command) -> None:
        self._port.submit(command)

    def wait(
        self, kind: type[E], wanted: Callable[[E], object] = lambda _: True, seconds: float = 60.0
    ) -> E:
        """The first event of that kind not waited for before; others stay for later."""
        found: list[E] = []

        def look() -> bool:
            for event in self._seen:
                if isinstance(event, kind) and wanted(event):
                    found.append(event)
                    self._seen.remove(event)
                    return True
            return False

        assert self._stand.pass_time(look, seconds), f"no {kind.__name__} in {self._seen}"
        return found[0]

    def has(self, kind: type[Event]) -> bool:
        """Whether such an event has come and was not waited for."""
        return any(isinstance(event, kind) for event in self._seen)

    def none_of(self, kind: type[E], wanted: Callable[[E], bool], seconds: float) -> None:
        """Nothing of that kind comes for so long, nor has come unseen."""

        def look() -> bool:
            return any(isinstance(event, kind) and wanted(event) for event in self._seen)

        assert not self._stand.pass_time(look, seconds), self._seen

    def do(self, command: Command) -> None:
        """Submit and wait until it is done."""
        self.submit(command)
        self.wait(CommandDone, lambda event: event.command is command)

    def refused(self, command: Command) -> str:
        """Submit and wait until it is refused; why."""
        self.submit(command)
        return self.wait(CommandFailed, lambda event: event.command is command).reason

    def subscribe(self) -> Subscribed:
        """Subscribe, as the framework that it is if it is one."""
        self.submit(Subscribe(framework_id=self.framework_id))
        event = self.wait(Subscribed)
        self.framework_id = event.framework_id
        return event

    def offer(self, agent_id: str = "") -> Offer:
        """The next offer, of that agent."""
        event = self.wait(
            OffersReceived, lambda e: any(agent_id in ("", o.agent_id) for o in e.offers)
        )
        return next(o for o in event.offers if agent_id in ("", o.agent_id))

    def task(self, offer: Offer, task_id: str, *steps: str, mode: str = "", **more: Any) -> Task:
        """A task on the offer's agent."""
        fields: dict[str, Any] = {
            "id": task_id,
            "name": "contract",
            "agent_id": offer.agent_id,
            "executor_id": f"executor-{task_id}",
            "command": self._stand.command(),
            "uris": (),
            "environment": (("TINY_MODE", mode),),
            "resources": take_scalar(offer.resources, "cpus", 0.1),
            "executor_resources": take_scalar(offer.resources, "mem", 32.0),
            "labels": (("role", "test"),),
            "discovery_name": "contract",
            "ports": (),
            "data": json.dumps({"steps": steps}).encode(),
            "grace_seconds": 0.5,
        }
        return Task(**{**fields, **more})

    def launch(self, task_id: str, *steps: str, mode: str = "", agent_id: str = "") -> Offer:
        """Launch a task on the next offer, which it uses up."""
        offer = self.offer(agent_id)
        task = self.task(offer, task_id, *steps, mode=mode)
        self.do(Launch(offer_ids=(offer.id,), tasks=(task,)))
        return offer

    def status(self, task_id: str, state: TaskState, reason: str = "") -> TaskStatus:
        """The next such status."""

        def wanted(event: TaskUpdated) -> bool:
            status = event.status
            same = (status.task_id, status.state) == (task_id, state)
            return same and reason in ("", status.reason)

        return self.wait(TaskUpdated, wanted).status

    def acknowledge(self, task_id: str, state: TaskState) -> TaskStatus:
        """Acknowledge what comes of a task until that is such a status.

        An acknowledgement may be lost on its way to the agent; then the same update comes again.
        """
        while True:
            event = self.wait(TaskUpdated, lambda e: e.status.task_id == task_id and e.status.uuid)
            self.do(Acknowledge(status=event.status))
            if event.status.state is state:
                return event.status

    def run(self, task_id: str, mode: str = "") -> Offer:
        """Have a task running, acknowledged."""
        offer = self.launch(task_id, "TASK_RUNNING", mode=mode)
        self.acknowledge(task_id, TaskState.RUNNING)
        return offer


class SimulatedStand(Stand):
    """Under a virtual clock."""

    def __init__(self, agents: int) -> None:
        random = Random(1)
        self.clock = Clock()
        self.network = Network(self.clock, random)
        hosts = Hosts(self.clock, self.network, random)
        for number in range(1, agents + 1):
            hosts.add(f"10.0.0.{number}")
        self.network.add_party("scheduler")
        specs = (AgentSpec(cpus=4.0, memory=4096.0, disk=8192.0),) * agents
        options = MesosOptions(agents=specs, fetch_seconds=(0.01, 0.05), **QUICK)
        self.mesos = SimulatedMesos(
            self.clock, self.network, hosts.all(), random, ScriptedExecutor, options
        )
        self.mesos.start()
        self.clock.run_until(1.0)

    def port(self, post: Post[Event], failover_timeout: float) -> Port:
        info = FrameworkInfo(name=FRAMEWORK, failover_timeout=failover_timeout)
        port: Any = self.mesos.scheduler_port("scheduler", post, info)
        return port  # type: ignore[no-any-return]

    def pass_time(self, until: Callable[[], bool], seconds: float) -> bool:
        return self.clock.run_while(lambda: not until(), self.clock.now + seconds)

    def command(self) -> str:
        return "./scripted"

    @staticmethod
    def _name(agent: int) -> str:
        return f"10.0.0.{agent}"

    def lose(self, agent: int) -> None:
        self.network.cut("master", self._name(agent))

    def give_back(self, agent: int) -> None:
        self.network.heal("master", self._name(agent))

    def kill_daemon(self, agent: int) -> None:
        self.mesos.kill_agent(self._name(agent))

    def restart_daemon(self, agent: int) -> None:
        self.mesos.restart_agent(self._name(agent))

    def fail_over(self) -> None:
        self.mesos.fail_over(down=0.1)

    def rescind(self) -> None:
        self.mesos.rescind_offers()

    def close(self) -> None:
        """Nothing runs."""


class _AdapterPort(Port):
    def __init__(self, master: str, post: Post[Event], failover_timeout: float) -> None:
        framework = FrameworkDescription(
            name=FRAMEWORK, user="", failover_timeout_seconds=failover_timeout
        )
        detector = FixedMaster(master)
        self._scheduler = MesosScheduler(detector=detector, framework=framework, post=post)
        self._state = MasterStateReader(detector=detector, framework_name=FRAMEWORK, post=post)

    def submit(self, command: Command, /) -> None:
        port = self._state if isinstance(command, ReadMasterState) else self._scheduler
        port.submit(command)

    def close(self) -> None:
        self._scheduler.close()
        self._state.close()


class EmbeddedStand(Stand):
    """Real sockets, real processes, real time."""

    def __init__(self, agents: int, work_dir: Path) -> None:
        self._stack = ExitStack()
        named = {EMBEDDED_NAMES.get(name, name): value for name, value in QUICK.items()}
        self.mesos = self._stack.enter_context(
            running(work_dir, master_port=0, agent_port=0, agents=agents, **named)
        )

    def port(self, post: Post[Event], failover_timeout: float) -> Port:
        # A list's append is atomic, and nobody but the test looks at it.
        port = _AdapterPort(self.mesos.master, post, failover_timeout)
        self._stack.callback(port.close)
        return port

    def pass_time(self, until: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.003)
        return True

    def command(self) -> str:
        return f"exec {shlex.quote(sys.executable)} {shlex.quote(str(TINY_EXECUTOR))}"

    def lose(self, agent: int) -> None:
        control(self.mesos, "agent/lose", agent=f"agent{agent}")

    def give_back(self, agent: int) -> None:
        control(self.mesos, "agent/return", agent=f"agent{agent}")

    def kill_daemon(self, agent: int) -> None:
        control(self.mesos, "agent/kill", agent=f"agent{agent}")

    def restart_daemon(self, agent: int) -> None:
        control(self.mesos, "agent/restart", agent=f"agent{agent}")

    def fail_over(self) -> None:
        control(self.mesos, "master/failover", down=0.1, recovery=0.1, agents_after=0.1)

    def rescind(self) -> None:
        control(self.mesos, "offers/rescind")

    def close(self) -> None:
        self._stack.close()
