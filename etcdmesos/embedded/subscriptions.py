"""Frameworks come and go: subscribe, fail over, disconnect, time out, tear down."""

from __future__ import annotations

import time
import uuid
from typing import Any

from etcdmesos.embedded import calls, validation
from etcdmesos.embedded.cluster import Framework
from etcdmesos.embedded.master_context import MasterContext
from etcdmesos.embedded.server import EventStream

Json = dict[str, Any]


class Subscriptions:
    """The frameworks of one master."""

    def __init__(self, context: MasterContext) -> None:
        self._context = context

    def subscribe(self, call: Json) -> EventStream:
        """Answer SUBSCRIBE with a stream; one that is refused holds an ERROR and ends."""
        body: Json = call["subscribe"]
        info: Json = dict(body["framework_info"])
        suppressed: list[str] = body.get("suppressed_roles", [])
        framework_id = calls.identifier(info.get("id"))
        stream_id = str(uuid.uuid4())
        stream = EventStream({"mesos-stream-id": stream_id}, lambda: self._lost(stream))
        error = validation.framework_error(info, suppressed)
        if framework_id in self._context.cluster.completed_frameworks:
            error = "Framework has been removed"
        if error is not None:
            stream.put({"type": "ERROR", "error": {"message": error}})
            stream.finish()
            return stream
        framework = self._enter(framework_id, info)
        framework.stream, framework.stream_id = stream, stream_id
        framework.active, framework.recovered = True, False
        framework.suppressed = set(suppressed)
        self._greet(framework)
        self._context.desk.soon()
        return stream

    def _enter(self, framework_id: str, info: Json) -> Framework:
        cluster = self._context.cluster
        now = time.time()
        known = cluster.frameworks.get(framework_id)
        if known is None:
            framework_id = framework_id or cluster.new_framework_id()
            framework = Framework(framework_id, {}, now)
            cluster.frameworks[framework_id] = framework
            kind = "framework_added"
        else:
            framework = known
            framework.reregistered_time = now
            kind = "framework_updated"
            self._take_over(framework)
        framework.info = _complete(info, framework_id)
        body = {"framework": framework_for_operator(framework)}
        self._context.announce({"type": kind.upper(), kind: body})
        return framework

    def _take_over(self, framework: Framework) -> None:
        """A second scheduler of a framework: the first one is told and cut off."""
        for offer in self._context.cluster.offers_of(framework_id=framework.framework_id):
            self._context.desk.take_back(offer, rescind=False)
        if framework.stream is not None:
            framework.send({"type": "ERROR", "error": {"message": "Framework failed over"}})
            self._close_stream(framework)
        if framework.failover is not None:
            framework.failover.cancel()
            framework.failover = None

    def _greet(self, framework: Framework) -> None:
        interval = self._context.settings.heartbeat_interval
        subscribed = {
            "framework_id": {"value": framework.framework_id},
            "heartbeat_interval_seconds": interval,
            "master_info": self._context.master_info(),
        }
        framework.send({"type": "SUBSCRIBED", "subscribed": subscribed})
        self._beat(framework)

    def _beat(self, framework: Framework) -> None:
        framework.send({"type": "HEARTBEAT"})
        interval = self._context.settings.heartbeat_interval
        framework.heartbeat = self._context.later(interval, lambda: self._beat(framework))

    def _close_stream(self, framework: Framework) -> None:
        stream, framework.stream = framework.stream, None
        framework.active = False
        if framework.heartbeat is not None:
            framework.heartbeat.cancel()
            framework.heartbeat = None
        if stream is not None:
            stream.finish()

    def _lost(self, stream: EventStream) -> None:
        for framework in list(self._context.cluster.frameworks.values()):
            if framework.stream is stream:
                self._disconnect(framework)

    def _disconnect(self, framework: Framework) -> None:
        """The scheduler is gone; it may come back within its failover timeout."""
        self._close_stream(framework)
        for offer in self._context.cluster.offers_of(framework_id=framework.framework_id):
            self._context.desk.take_back(offer, rescind=False)
        self.expect_back(framework)
        self._context.desk.soon()

    def expect_back(self, framework: Framework) -> None:
        """Remove the framework unless its scheduler subscribes in time."""
        timeout = max(0.0, float(framework.info.get("failover_timeout", 0.0)))
        framework.failover = self._context.later(timeout, lambda: self.remove(framework))

    def remove(self, framework: Framework) -> None:
        """TEARDOWN, or nobody came back: its executors are shut down, it is never heard again."""
        cluster, desk = self._context.cluster, self._context.desk
        if framework.framework_id not in cluster.frameworks:
            return
        self._close_stream(framework)
        if framework.failover is not None:
            framework.failover.cancel()
        for offer in cluster.offers_of(framework_id=framework.framework_id):
            desk.take_back(offer, rescind=False)
        for agent in cluster.agents.values():
            agent.link.to_agent("ShutdownFramework", {"framework_id": framework.framework_id})
            for key in [key for key in agent.tasks if key[0] == framework.framework_id]:
                task = agent.tasks.pop(key)
                if not task.terminal:
                    task.state = "TASK_KILLED"
                framework.complete(task)
            for key in [key for key in agent.executors if key[0] == framework.framework_id]:
                del agent.executors[key]
        framework.unregistered_time = time.time()
        cluster.retire(framework)
        body = {"framework_info": framework.info}
        self._context.announce({"type": "FRAMEWORK_REMOVED", "framework_removed": body})
        desk.soon()


def _complete(info: Json, framework_id: str) -> Json:
    known = [one for one in info.get("capabilities", []) if one.get("type") in _CAPABILITIES]
    result = {**info, "id": {"value": framework_id}}
    if "failover_timeout" in result:
        result["failover_timeout"] = float(result["failover_timeout"])
    if "capabilities" in result:
        result["capabilities"] = known
    return result


_CAPABILITIES = frozenset(
    {
        "REVOCABLE_RESOURCES",
        "TASK_KILLING_STATE",
        "GPU_RESOURCES",
        "SHARED_RESOURCES",
        "PARTITION_AWARE",
        "MULTI_ROLE",
        "RESERVATION_REFINEMENT",
        "REGION_AWARE",
    }
)


def framework_for_operator(framework: Framework) -> Json:
    """As in the v1 operator API."""
    again = framework.reregistered_time or framework.registered_time
    return {
        "framework_info": framework.info,
        "active": framework.active,
        "connected": framework.connected,
        "recovered": framework.recovered,
        "registered_time": {"nanoseconds": int(framework.registered_time * 1e9)},
        "reregistered_time": {"nanoseconds": int(again * 1e9)},
        "unregistered_time": {"nanoseconds": int(framework.unregistered_time * 1e9)},
    }
