"""Carries out what the core asks of etcd: probes, its member list, membership changes.

What python-etcd3 can do goes through it, the rest through `etcd_gateway`.  No decision belongs
here: a call that fails is told as it failed, and nothing is tried twice.

Every probe opens a channel of its own and closes it.  Measured against a kept one this costs 1.3 ms
of CPU time more, and spares what a kept channel brings: back-off that delays the first probe of a
member that has just come up, and connections that died unnoticed.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from concurrent.futures import Future, ThreadPoolExecutor, wait

import grpc

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError, Outcome, host_and_port
from etcdmesos.cluster.commands import (
    AddLearner,
    ListMembers,
    ProbeMember,
    ProbeProgress,
    PromoteLearner,
    RemoveMember,
)
from etcdmesos.cluster.events import MemberProbed, MembersListed, ProgressMade
from etcdmesos.errors import EtcdMesosError
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandDone, CommandFailed, CommandUnknown, Event

with warnings.catch_warnings():
    # The generated code of etcd3 0.12 is older than protobuf 3.20 would like; nothing to be done.
    warnings.simplefilter("ignore", DeprecationWarning)
    import etcd3

log = logging.getLogger(__name__)

NO_LEASE = 0
"""The one lease id that can't exist: in a grant it means "choose one for me", and etcd's lessor
refuses to keep it (lease.NoLease).  Every other 64-bit number, negative ones too, can be granted.
"""

_CHANNEL_OPTIONS = (
    # Otherwise channels to one address share connections, and with them their back-off.
    ("grpc.use_local_subchannel_pool", 1),
    # etcd is never behind the HTTP proxy that some environment variable names.
    ("grpc.enable_http_proxy", 0),
)
_REFUSED_BY_NETWORK = re.compile(
    r"connection refused|connection reset|connection timed out|no route to host"
    r"|network is unreachable|socket closed",
    re.IGNORECASE,
)


class EtcdAdapter:
    """A CommandPort for everything that is asked of etcd.

    Calls run side by side, at most `parallel` of them.  Each ends in an event within twice its
    time-out (in seconds): once for waiting, in the worst case, and once for itself.  The resolution
    of a host name comes on top.
    """

    carries_out: tuple[type, ...] = (
        ProbeMember,
        ProbeProgress,
        ListMembers,
        AddLearner,
        PromoteLearner,
        RemoveMember,
    )

    def __init__(
        self,
        post: Post[Event],
        *,
        probe_timeout: float = 2.0,
        progress_timeout: float = 2.0,
        change_timeout: float = 5.0,
        parallel: int = 24,
    ) -> None:
        self._post = post
        self._probe_timeout = probe_timeout
        self._progress_timeout = progress_timeout
        self._change_timeout = change_timeout
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="etcd-probe")
        self._under_way: set[Future[None]] = set()
        self._closed = False

    def submit(self, command: Command, /) -> None:
        """Begin the call; its answer or its outcome comes as one event."""
        try:
            future = self._pool.submit(self._carry_out, command, time.monotonic())
        except RuntimeError:
            self._post(CommandFailed(command=command, reason="the adapter is closed"))
            return
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)

    def close(self) -> None:
        """Let go of what waits, and wait for the probes under way, which their time-outs end."""
        self._closed = True
        self._pool.shutdown(wait=False)
        wait(list(self._under_way), timeout=max(self._probe_timeout, self._progress_timeout) + 0.5)

    def _carry_out(self, command: Command, submitted: float) -> None:
        try:
            event = self._call(command, submitted)
        except EtcdMesosError as error:
            event = _failed(command, error)
        except Exception as error:
            log.exception("a call ended in a bug", extra={"command": repr(command)})
            event = _failed(command, error)
        self._post(event)

    def _call(self, command: Command, submitted: float) -> Event:
        if self._closed:
            return CommandFailed(command=command, reason="the adapter is closed")
        waited = time.monotonic() - submitted
        if isinstance(command, ProbeMember):
            self._refuse_if_late(waited, self._probe_timeout)
            health = Gateway(command.client_url, self._probe_timeout).status()
            return MemberProbed(member=command.member, health=health)
        if isinstance(command, ProbeProgress):
            self._refuse_if_late(waited, self._progress_timeout)
            prove_progress(command.client_url, self._progress_timeout)
            return ProgressMade(member=command.member)
        self._refuse_if_late(waited, self._change_timeout)
        if isinstance(command, ListMembers):
            gateway = Gateway(command.client_url, self._change_timeout)
            return MembersListed(members=gateway.list_members())
        _change(command, self._change_timeout)
        return CommandDone(command=command)

    def _refuse_if_late(self, waited: float, timeout: float) -> None:
        if waited > timeout:
            reason = f"not tried within {timeout:g} s: too many probes are under way"
            raise GatewayError(Outcome.UNREACHABLE, reason)


def _change(command: Command, timeout: float) -> None:
    """Carry out one membership change.  Raises GatewayError."""
    if isinstance(command, AddLearner):
        Gateway(command.client_url, timeout).add_learner([command.peer_url])
    elif isinstance(command, PromoteLearner):
        Gateway(command.client_url, timeout).promote(command.id)
    elif isinstance(command, RemoveMember):
        Gateway(command.client_url, timeout).remove_member(command.id)
    else:
        raise TypeError(f"not for this port: {command!r}")


def _failed(command: Command, error: Exception) -> Event:
    """Certainly not carried out, or nobody can tell; for a read that makes no difference."""
    changes = isinstance(command, AddLearner | PromoteLearner | RemoveMember)
    expected = isinstance(error, EtcdMesosError)
    certain = expected and (not isinstance(error, GatewayError) or error.certain)
    reason = str(error) if expected else f"a bug in the etcd adapter: {error!r}"
    if changes and not certain:
        return CommandUnknown(command=command, reason=reason)
    return CommandFailed(command=command, reason=reason)


def prove_progress(client_url: str, timeout: float) -> None:
    """Return once a quorum has committed a proposal made through this member.

    The proposal is to revoke NO_LEASE.  That there is no such lease is found out when the committed
    proposal is applied; key space and revision stay as they are, and space is not needed.
    Raises GatewayError or BadUsage; `timeout` is in seconds.
    """
    host, port = host_and_port(client_url)
    # IPv6 addresses need their brackets back.
    host = f"[{host}]" if ":" in host else host
    with etcd3.Etcd3Client(host, port, timeout=timeout, grpc_options=_CHANNEL_OPTIONS) as client:
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
