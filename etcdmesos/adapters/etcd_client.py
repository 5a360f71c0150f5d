"""A python-etcd3 client for a whole cluster.

python-etcd3 knows one host; gRPC knows several addresses of one service, tries them in turn, and
goes on with the next when one is gone.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from etcdmesos.adapters.etcd3_import import CHANNEL_OPTIONS, etcd3
from etcdmesos.adapters.etcd_gateway import host_and_port
from etcdmesos.errors import EtcdMesosError

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoAddress(EtcdMesosError):
    """None of the members' host names has an IPv4 address."""


def client_of(client_urls: Sequence[str], timeout: float) -> etcd3.Etcd3Client:
    """A client of the members at these URLs; `timeout` in seconds is for each request.

    Raises NoAddress, and BadUsage for what is no client URL.
    """
    addresses: list[tuple[str, int]] = []
    for url in client_urls:
        try:
            found = socket.getaddrinfo(*host_and_port(url), socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            continue
        addresses += [(str(address[0]), int(address[1])) for *_, address in found]
    if not addresses:
        raise NoAddress(f"no IPv4 address is known for any of {', '.join(client_urls)}")
    # What gRPC calls a target: `ipv4:` and the addresses; python-etcd3 adds the last one's port.
    *others, (host, port) = addresses
    target = "ipv4:" + ",".join([*(f"{h}:{p}" for h, p in others), host])
    return etcd3.Etcd3Client(target, port, timeout=timeout, grpc_options=CHANNEL_OPTIONS)
