"""Frameworks come and go: subscribe, fail over, disconnect, time out, tear down."""

from __future__ import annotations

from collections.abc import Callable

from etcdmesos.cluster.events import Event, FrameworkRefused, Subscribed
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.simulation.channel import End
from etcdmesos.simulation.mesos.allocation import Allocation
from etcdmesos.simulation.mesos.books import Books
from etcdmesos.simulation.mesos.daemon import Daemon
from etcdmesos.simulation.mesos.options import FrameworkInfo, MesosOptions
from etcdmesos.simulation.mesos.records import TERMINAL, Framework

__all__ = ["Frameworks"]

ADDRESS = "master:5050"


class Frameworks:
    """The frameworks of one master."""

    def __init__(
        self, daemon: Daemon, books: Books, allocation: Allocation, options: MesosOptions
    ) -> None:
        self._daemon = daemon
        self._books = books
        self._allocation = allocation
        self._options = options
        self._streams = 0

    def subscribe(
        self,
        framework_id: str,
        info: FrameworkInfo,
        stream: End,
        head: Callable[[int], None],
        take: Callable[[Event | None], None],
    ) -> None:
        """SUBSCRIBE: what comes of it goes down the stream."""
        books = self._books
        if framework_id in books.removed:
            stream.send(take, FrameworkRefused(message="Framework has been removed"))
            stream.close()
            return
        framework_id = framework_id or books.new_id("")
        framework = books.frameworks.get(framework_id)
        if framework is None:
            framework = books.frameworks[framework_id] = Framework(framework_id, info)
        else:
            self._take_over(framework)
        self._streams += 1
        framework.info = info
        framework.stream, framework.stream_id, framework.take = stream, self._streams, take
        framework.suppressed = False
        stream.on_end = lambda: self._daemon.do(self._ended, stream)
        stream.send(head, self._streams)
        framework.send(Subscribed(framework_id=framework_id, master=ADDRESS))
        self._beat(framework, stream)
        self._allocation.soon()
        if stream.closed:
            # The scheduler hung up while its call was on the way.
            self._ended(stream)

    def _take_over(self, framework: Framework) -> None:
        """A second scheduler of a framework: the first one is told and cut off."""
        self._take_offers_back(framework)
        if framework.stream is not None:
            framework.send(FrameworkRefused(message="Framework failed over"))
            self._close_stream(framework)
        if framework.failover is not None:
            framework.failover.cancel()
            framework.failover = None

    def _take_offers_back(self, framework: Framework) -> None:
        for offer in self._books.offers_of(framework_id=framework.id):
            self._allocation.take_back(offer, rescind=False)

    def _close_stream(self, framework: Framework) -> None:
        stream, framework.stream = framework.stream, None
        if stream is not None:
            stream.close()

    def _beat(self, framework: Framework, stream: End) -> None:
        if framework.stream is not stream:
            return
        if stream.given_up:
            self._disconnect(framework)
            return
        framework.send(None)
        self._daemon.after(self._options.heartbeat_interval, self._beat, framework, stream)

    def _ended(self, stream: End) -> None:
        for framework in list(self._books.frameworks.values()):
            if framework.stream is stream:
                self._disconnect(framework)

    def _disconnect(self, framework: Framework) -> None:
        """The scheduler is gone; it may come back within its failover timeout."""
        self._close_stream(framework)
        self._take_offers_back(framework)
        self.expect_back(framework)
        self._allocation.soon()

    def expect_back(self, framework: Framework) -> None:
        """Remove the framework unless its scheduler subscribes in time."""
        timeout = max(0.0, framework.info.failover_timeout)
        framework.failover = self._daemon.after(timeout, self._timed_out, framework)

    def _timed_out(self, framework: Framework) -> None:
        if not framework.connected:
            self.remove(framework)

    def remove(self, framework: Framework) -> None:
        """TEARDOWN, or nobody came back: its executors are shut down, it is never heard again."""
        books = self._books
        if books.frameworks.get(framework.id) is not framework:
            return
        self._close_stream(framework)
        if framework.failover is not None:
            framework.failover.cancel()
        self._take_offers_back(framework)
        for agent in books.agents.values():
            agent.link.send(agent.daemon.do, agent.daemon.shut_framework_down, framework.id)
            for key in [key for key in agent.tasks if key[0] == framework.id]:
                task = agent.tasks.pop(key)
                if task.state not in TERMINAL:
                    task.state = TaskState.KILLED
            for key in [key for key in agent.executors if key[0] == framework.id]:
                del agent.executors[key]
            agent.used = None
        del books.frameworks[framework.id]
        books.removed[framework.id] = framework
        self._allocation.soon()
