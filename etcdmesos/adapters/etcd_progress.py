"""Shows that a quorum commits, through python-etcd3.

Imported late and on a thread of the adapter's, since it takes long and is needed last.

Every probe opens a channel of its own and closes it.  Measured against a kept one this costs 1.3 ms
of CPU time more, and spares what a kept channel brings: back-off that delays the first probe of a
member that has just come up, and connections that died unnoticed.
"""

from __future__ import annotations

import re

from etcdmesos.adapters.etcd3_import import CHANNEL_OPTIONS, etcd3, grpc
from etcdmesos.adapters.etcd_gateway import GatewayError, Outcome, host_and_port

NO_LEASE = 0
"""The one lease id that can't exist: in a grant it means "choose one for me", and etcd's lessor
refuses to keep it (lease.NoLease).  Every other 64-bit number, negative ones too, can be granted.
"""

_REFUSED_BY_NETWORK = re.compile(
    r"connection refused|connection reset|connection timed out|no route to host"
    r"|network is unreachable|socket closed",
    re.IGNORECASE,
)


def prove_progress(client_url: str, timeout: float) -> None:
    """Return once a quorum has committed a proposal made through this member.

    The proposal is to revoke NO_LEASE.  That there is no such lease is found out when the committed
    proposal is applied; key space and revision stay as they are, and space is not needed.
    Raises GatewayError or BadUsage; `timeout` is in seconds.
    """
    host, port = host_and_port(client_url)
    # IPv6 addresses need their brackets back.
    host = f"[{host}]" if ":" in host else host
    with etcd3.Etcd3Client(host, port, timeout=timeout, grpc_options=CHANNEL_OPTIONS) as client:
        try:
            client.revoke_lease(NO_LEASE)
        except (grpc.RpcError, etcd3.exceptions.Etcd3Exception) as error:
            # etcd3 translates some errors and loses the details: the cause still has them.
            cause = error if isinstance(error, grpc.RpcError) else error.__context__
            _judge(cause.code(), cause.details() or "", timeout)


def _judge(code: grpc.StatusCode, details: str, timeout: float) -> None:
    """Return if the revocation was committed; raise GatewayError if not."""
    if code is grpc.StatusCode.NOT_FOUND and "lease not found" in details:
        return
    # Under the CORRUPT alarm etcd refuses changes while applying them: after a quorum's commit.
    if code is grpc.StatusCode.DATA_LOSS and "corrupt cluster" in details:
        return
    number = code.value[0]
    if details.startswith("etcdserver:"):
        raise GatewayError(Outcome.UNKNOWN, " ".join(details.split()), number)
    # The deadline travels with the call; where its own clock is ahead, 3.4 answers UNKNOWN and 3.5
    # resets the stream.
    too_late = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
    if code in too_late or details == "context deadline exceeded":
        raise GatewayError(Outcome.UNKNOWN, f"no quorum committed within {timeout:g} s", number)
    if code is grpc.StatusCode.UNAVAILABLE:
        found = _REFUSED_BY_NETWORK.search(details)
        reason = found[0].lower() if found else " ".join(details.split())[-200:]
        raise GatewayError(Outcome.UNKNOWN, reason, number)
    raise GatewayError(Outcome.NOT_ETCD, f"{code.name}: {' '.join(details.split())[:200]}", number)
