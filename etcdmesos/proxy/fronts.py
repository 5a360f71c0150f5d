"""The fronts that etcd has, as command lines, and what each can do by itself."""

from __future__ import annotations

import enum

from attrs import frozen

from etcdmesos.finding.cluster import Cluster


class Kind(enum.Enum):
    """What takes clients' connections."""

    GRPC_PROXY = "grpc-proxy"
    """Takes requests and sends each to a voter that answers; watches are begun again elsewhere."""
    GATEWAY = "gateway"
    """Hands TCP connections on, so HTTP and TLS too; a connection ends with its member."""
    V2_PROXY = "v2-proxy"
    """`etcd --proxy=on`, gone since etcd 3.6: HTTP requests of old clients."""


@frozen(kw_only=True)
class Front:
    """Which front, and where it listens."""

    kind: Kind
    follows: bool
    """Asks the members themselves who they are, again and again: it needs no new start when they
    move."""
    listen: str
    """host:port"""
    advertise: str
    """host:port by which clients reach it."""

    def arguments(self, cluster: Cluster) -> tuple[str, ...]:
        """etcd's, to start it before `cluster`."""
        endpoints = f"--endpoints={','.join(cluster.endpoints)}"
        match self.kind:
            case Kind.GRPC_PROXY:
                arguments = (
                    *("grpc-proxy", "start", endpoints, f"--listen-addr={self.listen}"),
                    # So that clients that ask for the members' addresses stay here.
                    f"--advertise-client-url={self.advertise}",
                    f"--data-dir={DATA_FOLDER}",
                )
                return (*arguments, f"{AUTO_SYNC}=1s") if self.follows else arguments
            case Kind.GATEWAY:
                listen = f"--listen-addr={self.listen}"
                # The default is a minute, in which a member that is back gets no connection.
                return ("gateway", "start", endpoints, listen, "--retry-delay=1s")
            case Kind.V2_PROXY:
                return (
                    *("--proxy=on", f"--listen-client-urls=http://{self.listen}"),
                    f"--data-dir={DATA_FOLDER}",
                    f"--initial-cluster={_initial(cluster)}",
                    "--proxy-refresh-interval=1000",
                    "--proxy-failure-wait=1000",
                )


DATA_FOLDER = "front"
"""In the folder it runs in; to be empty when it starts, because the old proxy trusts what it finds
there more than what it is told."""

AUTO_SYNC = "--endpoints-auto-sync-interval"
"""Where `etcd grpc-proxy start` knows this option, it follows."""


def _initial(cluster: Cluster) -> str:
    return ",".join(f"{voter.name}={url}" for voter in cluster.voters for url in voter.peer_urls)
