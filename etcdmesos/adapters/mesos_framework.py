"""What a scheduler tells the master about itself, and how it finds the master.

Values only: no sockets.  What the cluster does with offers is not known here.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from attrs import field, frozen

from etcdmesos.adapters.mesos_http import MasterAddress
from etcdmesos.errors import BadUsage


class MasterDetector(Protocol):
    """Knows which master leads."""

    def leading(self) -> str | None:
        """`host:port` of the leading master, None while none is known.  Answers at once."""
        ...

    def why_none(self) -> str:
        """Why `leading` knows none, in one line."""
        ...


class FixedMaster:
    """One address for ever; a master there that does not lead redirects to the one that does."""

    def __init__(self, address: str) -> None:
        """`address` is `host:port`, or `host` with port 5050.  Raises BadUsage."""
        self._address = MasterAddress.parse(address)

    def leading(self) -> str | None:
        return str(self._address)

    def why_none(self) -> str:
        return "no leading Mesos master is known"


def _is_timeout(_instance: object, _attribute: object, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise BadUsage(f"a failover time-out of {value} seconds makes no sense")


@frozen(kw_only=True)
class FrameworkDescription:
    """The FrameworkInfo, apart from its id.

    Always checkpointed, so that executors outlive their agent's restart.  Capabilities:
    PARTITION_AWARE, because only then Mesos says UNREACHABLE, GONE and UNKNOWN instead of one LOST;
    MULTI_ROLE when `roles` are given, REGION_AWARE when `region_aware`.  Not TASK_KILLING_STATE:
    TASK_KILLING would tell the controller, which asked for the kill, nothing that it acts on.  Not
    GPU_RESOURCES: it would bring offers of agents kept free for those who need GPUs.
    """

    name: str
    user: str
    """The account that executors run as; "" lets the master decide."""
    failover_timeout_seconds: float = field(validator=_is_timeout)
    """How long the master keeps tasks of a scheduler that is away."""
    roles: tuple[str, ...] = ()
    """The roles to get offers for; none means the default role `*`."""
    region_aware: bool = False
    """Whether agents of other regions than the master's are wanted."""
    principal: str = ""
    hostname: str = ""
    webui_url: str = ""

    def to_json(self, framework_id: str) -> dict[str, Any]:
        """The v1 API's FrameworkInfo; `framework_id` is "" for a new framework."""
        capabilities = [{"type": "PARTITION_AWARE"}]
        info: dict[str, Any] = {
            "user": self.user,
            "name": self.name,
            "failover_timeout": self.failover_timeout_seconds,
            "checkpoint": True,
            "capabilities": capabilities,
        }
        if self.roles:
            capabilities.append({"type": "MULTI_ROLE"})
            info["roles"] = list(self.roles)
        if self.region_aware:
            capabilities.append({"type": "REGION_AWARE"})
        for key in ("principal", "hostname", "webui_url"):
            if text := getattr(self, key):
                info[key] = text
        if framework_id:
            info["id"] = {"value": framework_id}
        return info
