"""The options of an embedded Mesos: names, defaults, and what is refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from etcdmesos.embedded.agent_context import AgentSettings
from etcdmesos.embedded.attributes import Json, domain, parse
from etcdmesos.embedded.contenders import servers_and_path
from etcdmesos.embedded.master_context import MasterSettings
from etcdmesos.embedded.resources import Resources

AGENTS_MAX = 200
MASTERS_MAX = 5
_PORTS_PER_AGENT = 100


@dataclass(frozen=True, kw_only=True)
class Options:
    """How many of what, where; times in seconds.

    Ports: 0 asks for a free one. `control_port` None is `master_port` + 1 (free if that is
    0). Agent n offers the n-th hundred of ports from `first_port` on. `attributes` are as
    mesos-agent takes them, where `%n` stands for the number of the agent; `domains` are
    `region/zone`. Of several, agents take each in turn. The master is in the first domain.
    With `zk`, as mesos-master takes it, `masters` contend there and the first one leads.
    """

    master_port: int = 5050
    control_port: int | None = None
    zk: str = ""
    masters: int = 1
    agents: int = 5
    agent_port: int = 5051
    cpus: float = 4
    mem: float = 4096
    disk: float = 8192
    first_port: int = 31000
    attributes: Sequence[str] = ("rack:r1;node:n%n", "rack:r0;node:n%n")
    domains: Sequence[str] = ()
    heartbeat_interval: float = 15.0
    allocation_interval: float = 1.0
    ping_timeout: float = 15.0
    ping_timeouts_max: int = 5
    reregister_timeout: float = 600.0
    executor_registration_timeout: float = 60.0
    executor_reregistration_timeout: float = 2.0
    executor_shutdown_grace_period: float = 5.0
    recovery_timeout: float = 900.0
    update_retry: float = 10.0
    registration_backoff: float = 0.5
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse, in one line, what can't work."""
        for name in ("master_port", "control_port", "agent_port"):
            port = getattr(self, name)
            if port is not None and not 0 <= port <= 65535:
                raise ValueError(f"{name} must be between 0 and 65535, not {port}")
        if not 0 <= self.agents <= AGENTS_MAX:
            raise ValueError(f"agents must be between 0 and {AGENTS_MAX}, not {self.agents}")
        if self.control_port and self.control_port == self.master_port:
            raise ValueError(f"control_port and master_port are both {self.master_port}")
        if not 1 <= self.masters <= MASTERS_MAX:
            raise ValueError(f"masters must be between 1 and {MASTERS_MAX}, not {self.masters}")
        if self.zk:
            servers_and_path(self.zk)
        elif self.masters > 1:
            raise ValueError(f"{self.masters} masters need zk=zk://host:port/mesos to contend")
        last_port = self.first_port + self.agents * _PORTS_PER_AGENT - 1
        if self.first_port < 1 or last_port > 65535:
            raise ValueError(f"agents would offer ports {self.first_port} to {last_port}")
        positive = [one.name for one in fields(self) if one.type == "float"]
        for name in [*positive, "ping_timeouts_max"]:
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be more than 0, not {value}")

        for number in range(1, self.agents + 1):
            self._attributes(number)
            self._domain(number)

    def effective_control_port(self) -> int:
        """Where the control API listens."""
        if self.control_port is not None:
            return self.control_port
        return self.master_port + 1 if self.master_port else 0

    def master_settings(self) -> MasterSettings:
        """The master's part."""
        return MasterSettings(
            port=self.master_port,
            heartbeat_interval=self.heartbeat_interval,
            allocation_interval=self.allocation_interval,
            ping_timeout=self.ping_timeout,
            ping_timeouts_max=self.ping_timeouts_max,
            reregister_timeout=self.reregister_timeout,
            domain=self._domain(1),
            seed=self.seed,
        )

    def agent_settings(self, number: int, work_dir: Path) -> AgentSettings:
        """The part of the agent with this number, counted from 1."""
        return AgentSettings(
            name=f"agent{number}",
            host=f"127.0.0.{10 + number}",
            work_dir=work_dir / f"agent{number}",
            total=self._total(number),
            attributes=self._attributes(number),
            domain=self._domain(number),
            port=self.agent_port,
            registration_timeout=self.executor_registration_timeout,
            reregistration_timeout=self.executor_reregistration_timeout,
            shutdown_grace_period=self.executor_shutdown_grace_period,
            recovery_timeout=self.recovery_timeout,
            update_retry=self.update_retry,
            registration_backoff=self.registration_backoff,
        )

    def _total(self, number: int) -> Resources:
        first = self.first_port + (number - 1) * _PORTS_PER_AGENT
        amounts = {"cpus": self.cpus, "mem": self.mem, "disk": self.disk}
        scalars = {name: round(amount * 1000) for name, amount in amounts.items()}
        return Resources(scalars, {"ports": ((first, first + _PORTS_PER_AGENT - 1),)})

    def _attributes(self, number: int) -> dict[str, str]:
        if not self.attributes:
            return {}
        text = self.attributes[(number - 1) % len(self.attributes)]
        return parse(text.replace("%n", str(number)))

    def _domain(self, number: int) -> Json | None:
        if not self.domains:
            return None
        return domain(self.domains[(number - 1) % len(self.domains)])
