"""etcd's JSON gateway, spoken with the standard library: one call, one typed answer or one error.

It is here because python-etcd3 knows neither learners nor the newer fields of Status, and because
the executor must not carry grpc.  So nothing but the standard library, attrs and the package's own
vocabulary may be imported here; no retries, no threads and no decision belong here either.

Every call is bounded as a whole, not per byte, by the time-out given; only the resolution of a host
name comes on top (a numeric address needs none).
"""

from __future__ import annotations

import enum
import http.client
import json
import os
import re
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import field, frozen

from etcdmesos.errors import BadUsage, EtcdMesosError
from etcdmesos.etcd.member_health import Alarm, MemberHealth
from etcdmesos.etcd.member_list import ListedMember, MemberList

__all__ = [
    "Gateway",
    "GatewayError",
    "ListedMember",
    "MemberList",
    "Outcome",
    "host_and_port",
]

T = TypeVar("T")

_ANSWER_BYTES_MAX = 8 * 1024 * 1024
_ID_MAX = 2**64 - 1
_ALARM = re.compile(r"(?:\bmemberID:(\d+) )?\balarm:(\w+)")

# gRPC status codes with which etcd says no before, or instead of, changing anything.
_NOTHING_CHANGED = frozenset({3, 5, 6, 7, 8, 9, 11, 12, 16})
# With UNAVAILABLE etcd says all sorts of things; these it says before it proposes anything.
_NOT_PROPOSED = (
    "etcdserver: unhealthy cluster",
    "etcdserver: rpc not supported for learner",
    "etcdserver: not capable",
)


class Outcome(enum.Enum):
    """What is known about a call that brought no result."""

    REFUSED = "refused"
    """etcd said no, and nothing was changed."""
    UNREACHABLE = "unreachable"
    """There was no connection: the call never left."""
    NOT_ETCD = "not etcd"
    """What answered does not speak like etcd's gateway; nobody knows what it did."""
    UNKNOWN = "unknown"
    """Sent, and no answer tells whether it was carried out."""


class GatewayError(EtcdMesosError):
    """A call without a result.  The text is one line; the address is not in it."""

    def __init__(self, outcome: Outcome, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.code = code
        """etcd's gRPC status code, where etcd answered with one."""

    @property
    def certain(self) -> bool:
        """Whether it is certain that nothing was changed."""
        return self.outcome in (Outcome.REFUSED, Outcome.UNREACHABLE)


@frozen
class Gateway:
    """Calls to one member.  Holds no connection; may be used from several threads.

    `timeout` is in seconds and bounds each call as a whole.
    """

    client_url: str
    timeout: float = 2.0
    _address: tuple[str, int] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_address", host_and_port(self.client_url))

    def status(self) -> MemberHealth:
        """What the member says of itself, without quorum.  Raises GatewayError.

        The alarms come out of Status' errors: etcd's own alarm list is a raft proposal.
        """
        return _health(self._call("/v3/maintenance/status", {}))

    def list_members(self) -> MemberList:
        """The member list as a quorum has it at this moment.  Raises GatewayError without one."""
        deadline = time.monotonic() + self.timeout
        # 3.4 has no linearizable list, and JSON calls get a local one from 3.5 too unless they ask:
        # a linearizable read first makes the member catch up with all that was committed.
        self._call("/v3/kv/range", {"key": "AA==", "countOnly": True}, deadline)
        return _member_list(self._call("/v3/cluster/member/list", {"linearizable": True}, deadline))

    def list_members_without_quorum(self) -> MemberList:
        """The list as this member has applied it, perhaps long outdated.  Raises GatewayError.

        A learner refuses it.
        """
        return _member_list(self._call("/v3/cluster/member/list", {"linearizable": False}))

    def count_keys(self) -> int:
        """How many keys there are, as a quorum has it.  Raises GatewayError."""
        # From the first possible key on, without end.
        every = {"key": "AA==", "range_end": "AA==", "countOnly": True}
        return _read(lambda: _number(self._call("/v3/kv/range", every), "count"))

    def add_learner(self, peer_urls: Sequence[str]) -> ListedMember:
        """Add a learner with these peer URLs; the answer holds its id.  Raises GatewayError."""
        request = {"peerURLs": list(peer_urls), "isLearner": True}
        answer = self._call("/v3/cluster/member/add", request)
        return _read(lambda: _listed_member(answer["member"]))

    def promote(self, member_id: str) -> None:
        """Make the learner a voter.  Raises GatewayError; REFUSED while it is not caught up."""
        self._call("/v3/cluster/member/promote", {"ID": _decimal(member_id)})

    def remove_member(self, member_id: str) -> None:
        """Take the member off the list for ever.  Raises GatewayError; REFUSED if it is on none."""
        self._call("/v3/cluster/member/remove", {"ID": _decimal(member_id)})

    def _call(self, path: str, request: object, deadline: float | None = None) -> dict[str, Any]:
        if deadline is None:
            deadline = time.monotonic() + self.timeout
        try:
            connection = _connect(self._address, deadline)
        except TimeoutError as error:
            reason = f"no connection within {self.timeout:g} s"
            raise GatewayError(Outcome.UNREACHABLE, reason) from error
        except OSError as error:
            raise GatewayError(Outcome.UNREACHABLE, _os_reason(error)) from error
        with connection:
            try:
                status, body = _exchange(connection, self._address, path, request)
            except TimeoutError as error:
                reason = f"no answer within {self.timeout:g} s"
                raise GatewayError(Outcome.UNKNOWN, reason) from error
            except (OSError, http.client.IncompleteRead) as error:
                # RemoteDisconnected is an OSError too.
                reason = "the connection was cut before the answer was complete"
                raise GatewayError(Outcome.UNKNOWN, reason) from error
            except http.client.HTTPException as error:
                raise GatewayError(Outcome.NOT_ETCD, "the answer is not HTTP") from error
        return _answer(status, body)


def host_and_port(client_url: str) -> tuple[str, int]:
    """The two parts of `http://host:port`.  Raises BadUsage for anything else."""
    try:
        parts = urlsplit(client_url)
        port = parts.port
    except ValueError as error:
        raise BadUsage(f"not a client URL: {client_url!r} ({error})") from error
    if parts.scheme == "https":
        raise BadUsage(f"no TLS to etcd yet: {client_url!r}")
    if parts.scheme != "http" or not parts.hostname or not port or parts.path not in ("", "/"):
        raise BadUsage(f"not a client URL (http://host:port): {client_url!r}")
    return parts.hostname, port


class _BoundedSocket(socket.socket):
    """A socket whose reads share one deadline: a peer that dribbles bytes can't stretch a call."""

    deadline = 0.0

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(_remaining(self.deadline))
        return super().recv_into(*arguments, **options)


def _connect(address: tuple[str, int], deadline: float) -> _BoundedSocket:
    try:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("not a host name") from error
    # A name that getaddrinfo knows has at least one address, so `failure` is set before it is read.
    failure = OSError()
    for family, kind, protocol, _, socket_address in found:
        connection = _BoundedSocket(family, kind, protocol)
        try:
            connection.deadline = deadline
            connection.settimeout(_remaining(deadline))
            connection.connect(socket_address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _remaining(deadline: float) -> float:
    """Seconds left.  Raises TimeoutError when there are none."""
    remaining = deadline - time.monotonic()
    # A time-out of 0 would make the socket a non-blocking one.
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _exchange(
    connection: _BoundedSocket, address: tuple[str, int], path: str, request: object
) -> tuple[int, bytes]:
    client = http.client.HTTPConnection(*address)
    client.sock = connection
    headers = {"Content-Type": "application/json", "Connection": "close"}
    client.request("POST", path, json.dumps(request).encode(), headers)
    with client.getresponse() as response:
        body = response.read(_ANSWER_BYTES_MAX + 1)
        if len(body) <= _ANSWER_BYTES_MAX and response.length:
            # read(amount) does not complain about a short body by itself.
            raise http.client.IncompleteRead(body, response.length)
        return response.status, body


def _answer(status: int, body: bytes) -> dict[str, Any]:
    """The gateway's answer, or its complaint as a GatewayError."""
    try:
        answer = json.loads(body) if len(body) <= _ANSWER_BYTES_MAX else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        # A proxy's 502 says nothing about what happened behind it.
        outcome = Outcome.UNKNOWN if status >= 500 else Outcome.NOT_ETCD
        raise GatewayError(outcome, f"HTTP status {status}, not an answer of etcd")
    if status == 200:
        return answer
    code, message = answer.get("code"), str(answer.get("message") or answer.get("error") or "")
    if not isinstance(code, int) or not message:
        outcome = Outcome.UNKNOWN if status >= 500 else Outcome.NOT_ETCD
        raise GatewayError(outcome, f"HTTP status {status}, not an answer of etcd")
    refused = code in _NOTHING_CHANGED or message.startswith(_NOT_PROPOSED)
    outcome = Outcome.REFUSED if refused else Outcome.UNKNOWN
    raise GatewayError(outcome, " ".join(message.split()), code)


def _health(answer: dict[str, Any]) -> MemberHealth:
    return _read(lambda: _health_of(answer))


def _health_of(answer: dict[str, Any]) -> MemberHealth:
    header = answer["header"]
    # Numbers are strings, and the gateway leaves out what is zero, false or empty.
    complaints = [str(complaint).strip() for complaint in answer.get("errors", ())]
    found = [alarm for complaint in complaints if (alarm := _ALARM.search(complaint))]
    alarms = {Alarm(_hexadecimal(alarm[1] or 0), alarm[2]) for alarm in found}
    leader = _number(answer, "leader")
    return MemberHealth(
        cluster_id=_hexadecimal(header["cluster_id"]),
        member_id=_hexadecimal(header["member_id"]),
        version=str(answer["version"]),
        leader=_hexadecimal(leader) if leader else "",
        term=_number(answer, "raftTerm"),
        commit_index=_number(answer, "raftIndex"),
        applied_index=_number(answer, "raftAppliedIndex"),
        revision=_number(header, "revision"),
        db_size=_number(answer, "dbSize"),
        db_size_in_use=_number(answer, "dbSizeInUse"),
        learner=answer.get("isLearner", False) is True,
        alarms=tuple(sorted(alarms)),
        errors=tuple(c for c in complaints if not _ALARM.search(c)),
    )


def _member_list(answer: dict[str, Any]) -> MemberList:
    def build() -> MemberList:
        members = [_listed_member(entry) for entry in answer["members"]]
        members.sort(key=lambda member: member.id)
        cluster_id = _hexadecimal(answer["header"]["cluster_id"])
        return MemberList(cluster_id=cluster_id, members=tuple(members))

    return _read(build)


def _listed_member(entry: dict[str, Any]) -> ListedMember:
    return ListedMember(
        id=_hexadecimal(entry["ID"]),
        name=str(entry.get("name", "")),
        peer_urls=tuple(map(str, entry.get("peerURLs", ()))),
        client_urls=tuple(map(str, entry.get("clientURLs", ()))),
        learner=entry.get("isLearner", False) is True,
    )


def _read(build: Callable[[], T]) -> T:
    """What `build` makes of an answer; an answer it stumbles over is not etcd's."""
    try:
        return build()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"not an answer of etcd's gateway: {error!r}"
        raise GatewayError(Outcome.NOT_ETCD, reason) from error


def _number(answer: dict[str, Any], name: str) -> int:
    return int(answer.get(name, 0))


def _hexadecimal(decimal: Any) -> str:
    number = int(decimal)
    if not 0 <= number <= _ID_MAX:
        raise ValueError(f"not an id of etcd: {number}")
    return f"{number:016x}"


def _decimal(member_id: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}", member_id):
        raise BadUsage(f"not a member id (16 hex digits): {member_id!r}")
    return str(int(member_id, 16))


def _os_reason(error: OSError) -> str:
    """In words: `[Errno 111] Connection refused` reads `connection refused`."""
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    if error.errno is None:
        return str(error) or type(error).__name__
    return os.strerror(error.errno).lower()
