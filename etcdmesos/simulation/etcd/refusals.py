"""etcd's refusals: gRPC code and text as clients see them.

One that leaves open whether the request was carried out is marked `certain=False`.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["Refusal"]

_NOT_FOUND = 5
_RESOURCE_EXHAUSTED = 8
_FAILED_PRECONDITION = 9
_UNAVAILABLE = 14
_DATA_LOSS = 15


@frozen
class Refusal:
    """An answer of etcd that is a complaint."""

    code: int
    text: str
    certain: bool = True
    """Whether it is certain that nothing was changed."""


LEASE_NOT_FOUND = Refusal(_NOT_FOUND, "etcdserver: requested lease not found")
MEMBER_NOT_FOUND = Refusal(_NOT_FOUND, "etcdserver: member not found")
NO_SPACE = Refusal(_RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded")
CORRUPT = Refusal(_DATA_LOSS, "etcdserver: corrupt cluster", certain=False)
MEMBER_EXISTS = Refusal(_FAILED_PRECONDITION, "etcdserver: member ID already exist")
PEER_URL_EXISTS = Refusal(_FAILED_PRECONDITION, "etcdserver: Peer URLs already exists")
TOO_MANY_LEARNERS = Refusal(_FAILED_PRECONDITION, "etcdserver: too many learner members in cluster")
NOT_A_LEARNER = Refusal(_FAILED_PRECONDITION, "etcdserver: can only promote a learner member")
LEARNER_NOT_READY = Refusal(
    _FAILED_PRECONDITION,
    "etcdserver: can only promote a learner member which is in sync with leader",
)
NOT_ENOUGH_STARTED = Refusal(
    _FAILED_PRECONDITION,
    "etcdserver: re-configuration failed due to not enough started members",
)
NOT_LEADER = Refusal(_FAILED_PRECONDITION, "etcdserver: not leader")
BAD_TRANSFEREE = Refusal(_FAILED_PRECONDITION, "etcdserver: bad leader transferee")
UNHEALTHY = Refusal(_UNAVAILABLE, "etcdserver: unhealthy cluster")
NOT_FOR_LEARNERS = Refusal(_UNAVAILABLE, "etcdserver: rpc not supported for learner")
LEADER_CHANGED = Refusal(_UNAVAILABLE, "etcdserver: leader changed", certain=False)
TIMED_OUT = Refusal(_UNAVAILABLE, "etcdserver: request timed out", certain=False)
TIMED_OUT_IN_TRANSFER = Refusal(
    _UNAVAILABLE, "etcdserver: request timed out, leader transfer took too long", certain=False
)
