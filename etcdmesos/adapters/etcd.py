"""Carries out what the core asks of etcd: probes, its member list, membership changes.

What python-etcd3 can do goes through it, in `etcd_progress`, the rest through `etcd_gateway`.  No
decision belongs here: a call that fails is told as it failed, and nothing is tried twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError, Outcome
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

log = logging.getLogger(__name__)


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
        self._under_way: set[Future[Any]] = set()
        self._closed = False
        self._under_way.add(self._pool.submit(_import_progress_probe))

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
            _progress_probe()(command.client_url, self._progress_timeout)
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


def _progress_probe() -> Callable[[str, float], None]:
    # Not at the top: with gRPC this is a third of the scheduler's imports, and needed last.
    from etcdmesos.adapters.etcd_progress import prove_progress

    return prove_progress


def _import_progress_probe() -> None:
    """Before anything is launched, beside the subscription and the wait for offers."""
    try:
        _progress_probe()
    except Exception:
        log.exception("python-etcd3 or gRPC cannot be imported: progress cannot be shown")


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
