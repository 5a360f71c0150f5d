"""Asks our own etcd how it is, and its peers whom they list.  Changes nothing, decides nothing.

Standard library only, beside the gateway: this is in the executor, which stays small.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from etcdmesos.adapters.etcd_gateway import Gateway, host_and_port
from etcdmesos.adapters.ordered_worker import OrderedWorker, WorkerClosed
from etcdmesos.errors import EtcdMesosError
from etcdmesos.executor.commands import AskPeers, ProbeMember
from etcdmesos.executor.events import MemberProbed, PeerAnswer, PeersAnswered
from etcdmesos.ports import Post
from etcdmesos.step import Command, CommandFailed, Event

log = logging.getLogger(__name__)

PROBE_WITHIN = 2.0
PEERS_WITHIN = 2.0
CLOSE_WITHIN = 2.5
_ANSWER_BYTES_MAX = 1024 * 1024


class MemberProbe:
    """A CommandPort for ProbeMember and AskPeers.

    ProbeMember ends within `PROBE_WITHIN` seconds, AskPeers within `PEERS_WITHIN`; resolving a host
    name comes on top.  The core asks for one of each at a time.
    """

    carries_out: tuple[type, ...] = (ProbeMember, AskPeers)

    def __init__(self, post: Post[Event]) -> None:
        self._post = post
        self._probes = OrderedWorker("member-probe")
        self._peers = OrderedWorker("peers")

    def submit(self, command: Command, /) -> None:
        """Begin to ask.  Returns at once."""
        try:
            match command:
                case ProbeMember():
                    self._probes.do(lambda: self._answer(command, lambda: _probe(command)))
                case AskPeers():
                    self._peers.do(lambda: self._answer(command, lambda: _ask_peers(command)))
                case _:
                    self._post(CommandFailed(command=command, reason="not for this port"))
        except WorkerClosed:
            self._post(CommandFailed(command=command, reason="the executor is closing"))

    def close(self) -> None:
        """Wait for what is under way, which its time-out ends."""
        self._probes.close()
        self._peers.close()
        until = time.monotonic() + CLOSE_WITHIN
        for worker in (self._probes, self._peers):
            worker.join(max(0.0, until - time.monotonic()))

    def _answer(self, command: Command, ask: Callable[[], Event]) -> None:
        try:
            event = ask()
        except EtcdMesosError as error:
            event = CommandFailed(command=command, reason=str(error))
        except Exception as error:
            log.exception("a probe ended in an error of its own")
            event = CommandFailed(command=command, reason=f"error in the executor: {error!r}")
        self._post(event)


def _probe(command: ProbeMember) -> Event:
    return MemberProbed(run=command.run, health=Gateway(command.client_url, PROBE_WITHIN).status())


def _ask_peers(command: AskPeers) -> Event:
    """Ask all at once: one that hangs must not use up the others' time."""
    answers: list[PeerAnswer] = []

    def ask(url: str) -> None:
        try:
            answers.append(members_listed_by(url, PEERS_WITHIN))
        except (OSError, http.client.HTTPException, EtcdMesosError, ValueError) as error:
            log.info("a peer does not answer", extra={"peer": url, "reason": str(error)})

    threads = [
        threading.Thread(target=ask, args=(url,), name="peer", daemon=True)
        for url in command.peer_urls
    ]
    until = time.monotonic() + PEERS_WITHIN
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return PeersAnswered(run=command.run, answers=tuple(answers))


def members_listed_by(peer_url: str, timeout: float) -> PeerAnswer:
    """Whom this peer lists.  Its peer port answers that without quorum, as of what it has applied.

    Raises OSError, HTTPException, BadUsage, or ValueError when what answers is no etcd.
    """
    connection = http.client.HTTPConnection(*host_and_port(peer_url), timeout=timeout)
    try:
        connection.request("GET", "/members")
        answer = connection.getresponse()
        body = answer.read(_ANSWER_BYTES_MAX)
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"answered {answer.status}")
    return PeerAnswer(
        peer_url=peer_url,
        cluster_id=answer.getheader("X-Etcd-Cluster-Id", "").rjust(16, "0"),
        members=_members(json.loads(body)),
    )


def _members(listed: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    try:
        return tuple((f"{int(m['id']):016x}", tuple(m["peerURLs"])) for m in listed)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a list of members: {error!r}") from error
