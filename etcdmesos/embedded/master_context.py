"""What the parts of one leading master share: settings, books, offers, observers, timers.

It dies with the master it stands for; the next leader starts with a new one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from etcdmesos.embedded import statuses
from etcdmesos.embedded.attributes import region
from etcdmesos.embedded.cluster import Cluster, Framework
from etcdmesos.embedded.link import Disturbances
from etcdmesos.embedded.offers import OfferDesk
from etcdmesos.embedded.server import EventStream
from etcdmesos.embedded.tasks import Task

Json = dict[str, Any]

HOST = "127.0.0.1"


@dataclass(frozen=True)
class MasterSettings:
    """The master's options; times in seconds, defaults those of mesos-master."""

    port: int = 5050
    cluster_name: str = "embedded"
    heartbeat_interval: float = 15.0
    allocation_interval: float = 1.0
    ping_timeout: float = 15.0
    ping_timeouts_max: int = 5
    reregister_timeout: float = 600.0
    domain: Json | None = None
    """Agents of other regions are offered to frameworks that are REGION_AWARE only."""
    seed: int | None = None


class MasterContext:
    """The memory of one leading master."""

    def __init__(
        self, settings: MasterSettings, cluster: Cluster, disturbances: Disturbances
    ) -> None:
        self.settings = settings
        self.port = settings.port
        self.cluster = cluster
        self.desk = OfferDesk(
            cluster,
            settings.allocation_interval,
            disturbances,
            settings.seed,
            region({"domain": settings.domain or {}}),
        )
        self.disturbances = disturbances
        self.recovering = False
        self.observers: list[EventStream] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after a time, unless this master is gone by then."""
        loop = asyncio.get_running_loop()
        handle: asyncio.TimerHandle

        def run() -> None:
            self._timers.discard(handle)
            callback()

        handle = loop.call_later(seconds, run)
        self._timers.add(handle)
        return handle

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back again and again until this master is gone."""

        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                callback()

        task = asyncio.create_task(repeat())
        self._tasks.add(task)

    def announce(self, event: Json) -> None:
        """Tell the subscribers of the operator API."""
        self.observers = [one for one in self.observers if not one.closed]
        for observer in self.observers:
            observer.put(event)

    def tell(self, framework: Framework, status: Json) -> None:
        """An UPDATE to a framework; the control API may drop or delay it."""
        event = {"type": "UPDATE", "update": {"status": status}}
        delay = self.disturbances.verdict("Update", "to_scheduler", None)
        if delay is None:
            return
        if delay > 0:
            self.later(delay, lambda: framework.send(event))
        else:
            framework.send(event)

    def set_state(self, task: Task, status: Json) -> None:
        """Keep a status the master itself made or took."""
        task.state = status["state"]
        task.record({"timestamp": time.time(), **status})
        self.announce(
            {
                "type": "TASK_UPDATED",
                "task_updated": {
                    "framework_id": {"value": task.framework_id},
                    "status": status,
                    "state": task.state,
                },
            }
        )

    def legible(self, framework: Framework, state: str) -> str:
        """The state as this framework is told it."""
        return statuses.legible(state, partition_aware=framework.capable("PARTITION_AWARE"))

    def master_info(self) -> Json:
        """The MasterInfo of the APIs."""
        # Mesos gives the address as the number whose bytes in memory are 127, 0, 0, 1.
        number = int.from_bytes(bytes(int(part) for part in HOST.split(".")), "little")
        return {
            "id": self.cluster.master_id,
            "ip": number,
            "port": self.port,
            "pid": f"master@{HOST}:{self.port}",
            "hostname": HOST,
            "version": "1.12.0",
            "address": {"hostname": HOST, "ip": HOST, "port": self.port},
            "capabilities": [
                {"type": "AGENT_UPDATE"},
                {"type": "AGENT_DRAINING"},
                {"type": "QUOTA_V2"},
            ],
        }

    def close(self) -> None:
        """Stop all timers."""
        for handle in self._timers:
            handle.cancel()
        for task in self._tasks:
            task.cancel()
        for framework in self.cluster.frameworks.values():
            if framework.failover is not None:
                framework.failover.cancel()
