"""The port for FindCluster: a ClusterFinder on a thread of its own."""

from __future__ import annotations

import logging

from etcdmesos.adapters.cluster_finder import ClusterFinder
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.finding.choice import NotFound
from etcdmesos.ports import Post
from etcdmesos.proxy.words import ClusterFound, ClusterNotFound, FindCluster
from etcdmesos.step import Command, CommandFailed, Event

log = logging.getLogger(__name__)

_CLOSE_WITHIN = 2.5


class FinderPort:
    """A CommandPort for FindCluster, which takes as long as `ClusterFinder.find`."""

    carries_out: tuple[type, ...] = (FindCluster,)

    def __init__(self, post: Post[Event], finder: ClusterFinder) -> None:
        """`finder` is this port's to close."""
        self._post = post
        self._finder = finder
        self._worker = OrderedWorker("finder")

    def submit(self, command: Command, /) -> None:
        """Begin to look.  Returns at once."""
        assert isinstance(command, FindCluster)
        try:
            self._worker.do(lambda: self._find(command))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the proxy is closing"))

    def close(self) -> None:
        """Give up what is asked of the master, and wait a little for what is asked of others."""
        self._worker.close()
        self._finder.close()
        self._worker.join(_CLOSE_WITHIN)

    def _find(self, command: FindCluster) -> None:
        try:
            self._post(ClusterFound(cluster=self._finder.find()))
        except NotFound as error:
            self._post(ClusterNotFound(why=str(error), outdated=error.outdated))
        except Exception as error:
            log.exception("looking for the cluster ended in an error of its own")
            self._post(CommandFailed(command=command, reason=f"error in the proxy: {error!r}"))
