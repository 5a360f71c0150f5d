"""Finds a cluster, for applications: its members, its endpoints, a client, and what changes.

    from etcdmesos import discovery

    cluster = discovery.discover("zk://zk1:2181,zk2:2181/mesos", "mycluster")
    cluster.endpoints                      # ("10.0.0.1:31001", "10.0.0.2:31001", …)
    client = discovery.connect(cluster)    # an etcd3.Etcd3Client that goes from one to the other
    client.put("key", "value")

    for cluster in discovery.watch("zk://zk1:2181,zk2:2181/mesos", "mycluster"):
        ...                                # first as it is, then after each change

Endpoints are the started voters of the present cluster: after a reseed those of the new one, as
soon as its scheduler announces it.  Who wants to do several of these, or to stop a watch from
another thread, makes a `Discovery`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from etcdmesos.adapters.cluster_finder import ClusterFinder, Wanted
from etcdmesos.adapters.master_zookeeper import ZooKeeperMaster
from etcdmesos.adapters.mesos_framework import FixedMaster, MasterDetector
from etcdmesos.adapters.mesos_http import Credentials
from etcdmesos.adapters.zookeeper import ZooKeeperSession, ZooKeeperUrl
from etcdmesos.finding.choice import NotFound
from etcdmesos.finding.cluster import Cluster, Voter

if TYPE_CHECKING:
    from etcdmesos.adapters.etcd3_import import etcd3

__all__ = ["Cluster", "Discovery", "NotFound", "Voter", "connect", "discover", "watch"]

log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.5
"""Seconds between two looks for a cluster that was not found; the master has pauses of its own."""


class Discovery:
    """Looks for one cluster at one Mesos master.  A context manager.

    One thread at a time may ask; `close` is for any.
    """

    def __init__(
        self,
        master: str,
        cluster_name: str = "default",
        *,
        framework_name: str = "",
        admin_urls: Sequence[str] = (),
        credentials: Credentials | None = None,
    ) -> None:
        """`master` is `host:port` or `zk://host:port,host:port/mesos`.

        The framework is called `etcd-<cluster_name>` unless it is given.  `admin_urls` are the
        schedulers' (`http://host:23400`), if the master does not know them.  Raises BadUsage.
        """
        self._session: ZooKeeperSession | None = None
        self._zookeeper: ZooKeeperMaster | None = None
        wanted = Wanted(
            cluster_name=cluster_name,
            framework_name=framework_name or f"etcd-{cluster_name}",
            admin_urls=tuple(admin_urls),
        )
        self._closed = threading.Event()
        self._finder = ClusterFinder(wanted, self._detector(master), credentials=credentials)

    def _detector(self, master: str) -> MasterDetector:
        if not master.startswith("zk://"):
            return FixedMaster(master)
        url = ZooKeeperUrl.parse(master)
        self._session = ZooKeeperSession(url)
        self._zookeeper = ZooKeeperMaster(self._session, url.path)
        self._zookeeper.start()
        return self._zookeeper

    def cluster(self, wait_seconds: float = 30.0) -> Cluster:
        """The cluster as it is now.

        Waits up to `wait_seconds` for there to be one; a look that has begun is brought to its end.
        Raises NotFound, which says what is missing.
        """
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                return self._finder.find()
            except NotFound:
                left = deadline - time.monotonic()
                if left <= 0 or self._closed.wait(min(left, _LOOK_AGAIN)):
                    raise

    def changes(self, every_seconds: float = 2.0) -> Iterator[Cluster]:
        """The cluster, and again whenever it has become another, until `close`.

        Looks `every_seconds`.  What is missing meanwhile is logged, at INFO.
        """
        said: Cluster | None = None
        missing = ""
        while not self._closed.is_set():
            try:
                found = self._finder.find()
            except NotFound as error:
                if str(error) != missing:
                    missing = str(error)
                    log.info("the cluster is not found", extra={"reason": missing})
            else:
                missing = ""
                if found != said:
                    said = found
                    yield found
            self._closed.wait(every_seconds)

    def close(self) -> None:
        """Look no more; a watch ends.  Takes a few seconds at most."""
        self._closed.set()
        self._finder.close()
        if self._zookeeper is not None:
            self._zookeeper.close()
        if self._session is not None:
            self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def discover(
    master: str, cluster_name: str = "default", *, wait_seconds: float = 30.0, **options: Any
) -> Cluster:
    """The cluster of that name; `options` are `Discovery`'s.  Raises NotFound and BadUsage."""
    with Discovery(master, cluster_name, **options) as discovery:
        return discovery.cluster(wait_seconds)


def watch(
    master: str, cluster_name: str = "default", *, every_seconds: float = 2.0, **options: Any
) -> Generator[Cluster]:
    """The cluster of that name, and again after each change, for as long as it is asked.

    `options` are `Discovery`'s.  Raises BadUsage.
    """
    with Discovery(master, cluster_name, **options) as discovery:
        yield from discovery.changes(every_seconds)


def connect(cluster: Cluster, *, timeout_seconds: float = 5.0) -> etcd3.Etcd3Client:
    """A client of python-etcd3 for all of the cluster's endpoints, by IPv4.

    It goes on to the next when one is gone; a cluster that has changed since wants another client.
    `timeout_seconds` is for each request.  Raises EtcdMesosError when no host name is known.
    """
    # Not at the top: gRPC takes long to import, and who only wants endpoints needs none.
    from etcdmesos.adapters.etcd_client import client_of

    return client_of(cluster.client_urls, timeout_seconds)
