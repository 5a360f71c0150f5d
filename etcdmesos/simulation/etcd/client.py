"""A client of simulated etcd: typed calls from one party, each ending in a value or GatewayError.

The outcomes are the real adapter's (`adapters.etcd_gateway.Outcome`), so that whoever stands on
this client can't tell it from the real one: REFUSED and UNREACHABLE changed nothing, UNKNOWN may
have, or may yet.  Nothing is retried here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import frozen

from etcdmesos.adapters.etcd_gateway import GatewayError, Outcome
from etcdmesos.etcd.member_health import MemberHealth
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.simulation.etcd.data_directory import Snapshot
from etcdmesos.simulation.etcd.members import Member, hexadecimal
from etcdmesos.simulation.etcd.refusals import CORRUPT as CORRUPT_CLUSTER
from etcdmesos.simulation.etcd.refusals import LEASE_NOT_FOUND, Refusal
from etcdmesos.simulation.etcd.server import Request
from etcdmesos.simulation.network import CallFailure, Network, address_of

__all__ = ["Alarm", "EtcdClient"]

T = TypeVar("T")
Done = Callable[[T | GatewayError], None]
"""Called once, with the call's value or with why there is none."""


@frozen
class Alarm:
    """A raised alarm."""

    member_id: str
    name: str


@frozen
class EtcdClient:
    """Calls to members, from the party `source` on the network."""

    network: Network
    source: str
    timeout: float = 2.0

    def status(self, url: str, done: Done[MemberHealth]) -> None:
        """What the member says of itself, without quorum."""
        self._call(url, Request("status"), done)

    def put(self, url: str, key: str, done: Done[int], size: int = 16) -> None:
        """Write a key; the revision that etcd acknowledged."""
        self._call(url, Request("put", (key, size)), done)

    def get(self, url: str, key: str, done: Done[int], *, serializable: bool = False) -> None:
        """The key's revision, 0 if there is none; `serializable`: as this member has it."""
        self._call(url, Request("get", (key, serializable)), done)

    def prove_progress(self, url: str, done: Done[None]) -> None:
        """Have a quorum commit the revocation of a lease that never existed."""

        def judged(answer: Any) -> None:
            done(None if answer in (LEASE_NOT_FOUND, CORRUPT_CLUSTER) else _failure(answer))

        self._exchange(url, Request("progress"), judged)

    def list_members(self, url: str, done: Done[MemberList], *, linearizable: bool = True) -> None:
        """The member list, in the order of ids; etcd 3.4 always answers with what the member has
        applied."""

        def read(answer: tuple[int, tuple[Member, ...]]) -> MemberList:
            cluster_id, members = answer
            return MemberList(
                cluster_id=hexadecimal(cluster_id), members=tuple(map(_listed, members))
            )

        self._call(url, Request("list_members", (linearizable,)), done, read)

    def add_member(
        self,
        url: str,
        peer_urls: tuple[str, ...],
        done: Done[ListedMember],
        *,
        learner: bool = True,
    ) -> None:
        """Add a member, a learner by default."""
        self._call(url, Request("add_member", (peer_urls, learner)), done, _listed)

    def promote(self, url: str, member_id: str, done: Done[None]) -> None:
        """Make the learner a voter."""
        self._call(url, Request("promote", (int(member_id, 16),)), done)

    def remove_member(self, url: str, member_id: str, done: Done[None]) -> None:
        """Take the member off the list for ever."""
        self._call(url, Request("remove_member", (int(member_id, 16),)), done)

    def snapshot(self, url: str, done: Done[Snapshot]) -> None:
        """A copy of the member's backend, with its hash, without quorum."""
        self._call(url, Request("snapshot"), done)

    def move_leader(self, url: str, to: str, done: Done[None]) -> None:
        """Hand leadership over; only the leader can."""
        self._call(url, Request("move_leader", (int(to, 16),)), done)

    def alarms(self, url: str, done: Done[tuple[Alarm, ...]]) -> None:
        """The raised alarms: a raft proposal, so there is no answer without quorum."""
        self._call(url, Request("alarms"), done, _alarms)

    def disarm(self, url: str, alarm: Alarm, done: Done[tuple[Alarm, ...]]) -> None:
        """Take an alarm back; those that were."""
        arguments = (int(alarm.member_id, 16), alarm.name)
        self._call(url, Request("disarm", arguments), done, _alarms)

    def _call(
        self,
        url: str,
        request: Request,
        done: Done[Any],
        read: Callable[[Any], Any] = lambda answer: answer,
    ) -> None:
        def judged(answer: Any) -> None:
            failed = isinstance(answer, (Refusal, CallFailure))
            done(_failure(answer, self.timeout) if failed else read(answer))

        self._exchange(url, request, judged)

    def _exchange(self, url: str, request: Request, judged: Callable[[Any], None]) -> None:
        self.network.call(self.source, address_of(url), request, self.timeout, judged)


def _failure(answer: Refusal | CallFailure, timeout: float = 2.0) -> GatewayError:
    if isinstance(answer, Refusal):
        outcome = Outcome.REFUSED if answer.certain else Outcome.UNKNOWN
        return GatewayError(outcome, answer.text, answer.code)
    if answer is CallFailure.REFUSED:
        return GatewayError(Outcome.UNREACHABLE, answer.value)
    if answer is CallFailure.BROKEN:
        return GatewayError(Outcome.UNKNOWN, answer.value)
    outcome = Outcome.UNKNOWN if answer is CallFailure.NO_ANSWER else Outcome.UNREACHABLE
    return GatewayError(outcome, f"{answer.value} within {timeout:g} s")


def _listed(member: Member) -> ListedMember:
    return ListedMember(
        id=hexadecimal(member.id),
        name=member.name,
        peer_urls=member.peer_urls,
        client_urls=member.client_urls,
        learner=member.learner,
    )


def _alarms(answer: tuple[tuple[int, str], ...]) -> tuple[Alarm, ...]:
    return tuple(Alarm(hexadecimal(member), name) for member, name in answer)
