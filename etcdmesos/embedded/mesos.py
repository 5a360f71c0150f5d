"""The whole embedded Mesos: one master, N agents, their links, the control listener.

Puts the daemons together and does to them what the control API asks: kill, freeze,
cut, bring back, fail over. How a daemon behaves is not decided here.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etcdmesos.embedded.agent import Agent
from etcdmesos.embedded.agent_context import AgentSettings
from etcdmesos.embedded.cluster import Registry
from etcdmesos.embedded.command_executor import CommandExecutor
from etcdmesos.embedded.containers import Containers
from etcdmesos.embedded.contenders import Contenders
from etcdmesos.embedded.control import Control
from etcdmesos.embedded.link import Disturbances, Letter, Link
from etcdmesos.embedded.master import Master
from etcdmesos.embedded.master_context import HOST
from etcdmesos.embedded.options import Options

Json = dict[str, Any]


@dataclass
class Place:
    """Where one agent lives: its machine, so to say, whether the daemon runs or not."""

    settings: AgentSettings
    link: Link
    commands: dict[str, CommandExecutor]
    agent: Agent | None = None
    frozen: bool = False

    @property
    def state(self) -> str:
        """One word for the control API."""
        if self.agent is None:
            return "down"
        if self.frozen:
            return "paused"
        if not self.link.up:
            return "cut"
        return "recovering" if self.agent.context.recovering else "up"


class EmbeddedMesos:
    """A master and agents in this process; see the package docstring for what it is not.

    The options are the fields of `Options`. Raises ValueError for a bad one; `start`
    raises OSError, naming the address, when it can't listen.
    """

    def __init__(self, work_dir: str | Path, **options: Any) -> None:
        self.options = Options(**options)
        self.work_dir = Path(work_dir).resolve()
        self.disturbances = Disturbances()
        self.containers = Containers(self.work_dir)
        self.places: dict[str, Place] = {}
        self._master_settings = self.options.master_settings()
        self.leader = self._new_master(Registry())
        self._contenders: Contenders | None = None
        if self.options.zk:
            self._contenders = Contenders(
                self.options.zk, self.options.masters, lambda: self.master
            )
        self._control = Control(self, self.options.effective_control_port())
        for number in range(1, self.options.agents + 1):
            self._add_place(self.options.agent_settings(number, self.work_dir))

    def _add_place(self, settings: AgentSettings) -> None:
        link = Link(settings.name, self.disturbances)
        link.master = self._letter
        self.places[settings.name] = Place(settings, link, {})

    def _letter(self, link: Link, letter: Letter) -> None:
        # Looked up at delivery, so that a letter reaches whoever leads then.
        self.leader.receive(link, letter)

    def _new_master(self, registry: Registry) -> Master:
        settings = self._master_settings
        return Master(settings, self.disturbances, str(self.work_dir / "master"), registry)

    @property
    def master(self) -> str:
        """host:port of the master."""
        return f"{HOST}:{self.leader.context.port}"

    @property
    def control(self) -> str:
        """The URL of the control API."""
        return f"http://{HOST}:{self._control.port}"

    @property
    def agents(self) -> dict[str, str]:
        """host:port of each agent by name."""
        return {
            name: f"{place.settings.host}:{place.settings.port}"
            for name, place in self.places.items()
        }

    async def start(self) -> None:
        """Start everything; on failure nothing is left running."""
        self.work_dir.mkdir(parents=True, exist_ok=True)
        for place in self.places.values():
            # A checkpoint of an earlier run names containers that died with it.
            shutil.rmtree(place.settings.work_dir / "meta", ignore_errors=True)
        try:
            self.containers.start_watchdog()
            await self.leader.start()
            port = self.leader.context.port
            self._master_settings = replace(self._master_settings, port=port)
            if self._contenders is not None:
                await self._contenders.start(port)
            await self._control.start()
            for name in self.places:
                await self.start_agent(name)
            await self._registered()
        except BaseException:
            await self.stop()
            raise

    async def _registered(self) -> None:
        while any(p.agent and not p.agent.context.registered for p in self.places.values()):
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Stop everything: no process, no port and no thread is left."""
        agents = (self.kill_agent(name) for name in self.places)
        await asyncio.gather(self._control.stop(), self.leader.kill(), *agents)
        if self._contenders is not None:
            await self._contenders.stop()
        await self.containers.stop()
        for place in self.places.values():
            for command in place.commands.values():
                command.close()
            place.commands.clear()

    async def start_agent(self, name: str) -> None:
        """Start an agent's daemon; it recovers from its checkpoint if there is one."""
        place = self.places[name]
        agent = Agent(place.settings, place.link, self.containers, place.commands, self.master)
        place.agent = agent
        place.frozen = False
        await agent.start()
        # A restarted daemon listens where it listened before.
        place.settings = replace(place.settings, port=agent.context.port)

    async def kill_agent(self, name: str) -> None:
        """SIGKILL of the daemon; its containers live on."""
        place = self.places[name]
        agent, place.agent = place.agent, None
        place.frozen = False
        if agent is None:
            return
        await agent.kill()
        place.link.connection += 1
        self.leader.membership.broken(place.link)

    async def destroy_containers(self, name: str) -> None:
        """SIGKILL of everything that runs on an agent."""
        root = self.places[name].settings.work_dir
        await self.containers.destroy_under(root)

    def cut(self, name: str) -> None:
        """Part an agent from the master."""
        place = self.places[name]
        if not place.link.up:
            return
        place.link.up = False
        place.link.connection += 1
        self.leader.membership.broken(place.link)
        if place.agent is not None:
            place.agent.disconnected()

    def heal(self, name: str) -> None:
        """Join them again; the agent registers once more."""
        place = self.places[name]
        if place.link.up:
            return
        place.link.up = True
        if place.agent is not None:
            place.agent.register()

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        place = self.places[name]
        if place.agent is not None:
            place.frozen = True
            place.agent.freeze()

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        place = self.places[name]
        if place.agent is not None:
            place.frozen = False
            agent_id = place.agent.context.agent_id
            place.agent.thaw(removed=agent_id not in self.leader.context.cluster.agents)

    async def fail_over(
        self, *, session: float, down: float, recovery: float, agents_after: float
    ) -> str:
        """Another master leads; the new id.  Without `masters` in ZooKeeper at the same address.

        The dead one's znode stays for `session` seconds, and nobody else leads meanwhile.
        Refused for `down` seconds, 503 to schedulers for `recovery`, and agents come
        back `agents_after` seconds after that.
        """
        await self.leader.kill()
        for place in self.places.values():
            place.link.connection += 1
            if place.agent is not None:
                place.agent.disconnected()
        if self._contenders is not None:
            await asyncio.sleep(session)
            port = await self._contenders.hand_over()
            self._master_settings = replace(self._master_settings, port=port)
        self.leader = self._new_master(self.leader.context.cluster.registry())
        await asyncio.sleep(down)
        self.leader.context.recovering = recovery > 0
        await self.leader.start()
        if self._contenders is not None:
            await self._contenders.rejoin()
        loop = asyncio.get_running_loop()
        leader = self.leader
        loop.call_later(recovery, lambda: setattr(leader.context, "recovering", False))
        for place in self.places.values():
            if place.agent is not None:
                place.agent.register(recovery + agents_after)
        return leader.context.cluster.master_id
