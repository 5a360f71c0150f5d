"""Whether an address can be listened at: found out before a child is started that has to.

Later it is the child that says so, in its log.
"""

from __future__ import annotations

import socket


def try_to_listen(host: str, port: int) -> None:
    """Take the address for a moment, as a server would.  Raises OSError if that is not possible."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
